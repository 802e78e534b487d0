"""What the form asks for, and what is wrong with it: pure, no Tk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatd import keyfile
from chatd.wire.tokens import Key


@dataclass(frozen=True, slots=True)
class Target:
    """The form's fields, as they were typed."""

    host: str
    port: str
    key_path: str

    @property
    def path(self) -> Path:
        """The key file, `~` resolved."""
        try:
            return Path(self.key_path.strip()).expanduser()
        except RuntimeError:  # a `~name` that is nobody
            return Path(self.key_path.strip())


@dataclass(frozen=True, slots=True)
class Place:
    """Where to connect to and with what: a Target that was right."""

    host: str
    port: int
    key: Key
    key_path: Path

    @property
    def address(self) -> str:
        """For people: "host:port"."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def check(target: Target) -> Place | dict[str, str]:
    """The place, or what is wrong, by the field's name."""
    wrong: dict[str, str] = {}
    host, port = target.host.strip(), target.port.strip()
    if not host or any(c.isspace() or ord(c) < 0x20 for c in host):
        wrong["host"] = "A host name or an address"
    if not (
        port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536
    ):
        wrong["port"] = "1 to 65535"
    key: Key | None = None
    if not target.key_path.strip():
        wrong["key_path"] = "Choose a key file, or generate one"
    else:
        try:
            key = keyfile.read(target.path)
        except (keyfile.KeyFileError, ValueError) as error:  # a NUL in the path
            wrong["key_path"] = str(error)
    if wrong or key is None:
        return wrong
    return Place(host, int(port), key, target.path)


def generate(target: Target, key: Key) -> str:
    """Write `key` to the form's key file, mode 0600. "" or what is wrong."""
    if not target.key_path.strip():
        return "Say where the new key file shall be"
    try:
        target.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keyfile.create(target.path, key)
    except keyfile.KeyFileError as error:
        return str(error)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return f"cannot write {target.path}: {reason}"
    return ""
