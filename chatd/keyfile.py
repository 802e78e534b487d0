"""Key files: one Fernet key each, mode 0600, written so that a crash loses none.

Rotation keeps the older keys beside the current one: ``secret.key`` is current,
``secret-<id>.key`` are older ones that the daemon accepts until they are retired.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from chatd.wire.tokens import BadKey, Key

_LARGEST = 1024  # bytes; a key file has 45


class KeyFileError(Exception):
    """What is wrong with a key file, and what to do about it, in one line."""


def read(path: Path) -> Key:
    """The key in `path`. Refuses a file that anyone but its owner can read."""
    text = read_text(path, _LARGEST)
    try:
        return Key.parse(text)
    except BadKey as error:
        raise KeyFileError(f"{path}: {error}") from None


def read_text(path: Path, most: int) -> bytes:
    """The first `most` bytes of a secret file, refused where others can read it."""
    try:
        # Without blocking: a pipe in a key file's place must not stop the daemon.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise KeyFileError(f"cannot read {path}: not a regular file")
            text = file.read(most)
    except FileNotFoundError:
        raise KeyFileError(
            f"no key file {path}: make one with: chatctl keygen {_quoted(path)}"
        ) from None
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(
            f"others can read {path} (mode {stat.S_IMODE(mode):04o}):"
            f" run: chmod 600 {_quoted(path)}"
        )
    return text


def create(path: Path, key: Key) -> None:
    """Write `key` to `path`, mode 0600, on disk when this returns.

    Never overwrites: a file that is there already is a KeyFileError.
    """
    temporary = _written_beside(path, key)
    try:
        os.link(temporary, path)  # unlike rename, fails where path exists
    except FileExistsError:
        raise KeyFileError(f"{path} is there already; it was left alone") from None
    except OSError as error:
        raise KeyFileError(f"cannot write {path}: {error.strerror}") from None
    finally:
        temporary.unlink()
    _sync_folder(path.parent)


def accepted(path: Path) -> list[Key]:
    """The current key of `path` and behind it the older ones kept beside it."""
    keys = [read(path)]
    for sibling in older(path):
        key = read(sibling)
        if sibling != _older_name(path, key):
            raise KeyFileError(
                f"{sibling} holds key {key.id}, not the one its name says: move it away"
            )
        if key not in keys:
            keys.append(key)
    return keys


def older(path: Path) -> list[Path]:
    """The files of older keys that stand beside `path`, by name."""
    digits = "[0-9a-f]" * 8
    return sorted(path.parent.glob(f"{_literal(path.stem)}-{digits}{path.suffix}"))


def replace(new: Path, path: Path) -> None:
    """Let the key file `new` be `path` from now on, on disk when this returns."""
    os.rename(new, path)
    _sync_folder(path.parent)


def rotate(path: Path) -> Key:
    """Put a new key into `path`; keep the one that was there beside it.

    At every moment, and after a crash at any, `path` holds a key that the daemon
    accepts, and no key is lost.
    """
    old = read(path)
    new = Key.generate(os.urandom)
    kept = _older_name(path, old)
    if not kept.exists():
        create(kept, old)
    temporary = _written_beside(path, new)
    os.rename(temporary, path)
    _sync_folder(path.parent)
    return new


def retire(path: Path) -> list[str]:
    """Delete the older keys beside `path`; their ids."""
    current = read(path)
    gone = []
    for sibling in older(path):
        key = read(sibling)
        sibling.unlink()
        if key != current:
            gone.append(key.id)
    _sync_folder(path.parent)
    return gone


def _older_name(path: Path, key: Key) -> Path:
    return path.with_name(f"{path.stem}-{key.id}{path.suffix}")


def _written_beside(path: Path, key: Key) -> Path:
    """A new temporary file beside `path` that holds `key`, synced, mode 0600."""
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(fd, "w", encoding="ascii") as file:
            file.write(key.text + "\n")
            file.flush()
            os.fsync(fd)
    except OSError as error:
        raise KeyFileError(f"cannot write {path}: {error.strerror}") from None
    return temporary


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _literal(text: str) -> str:
    """`text` for glob: no character of it a wildcard."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in text)


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
