"""What the reader prefers, and where the window was left: one small file."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from chatd.clients.chat_tk.attention import DEFAULT_RULE, RULES

THEMES = {"system": "As the system", "light": "Light", "dark": "Dark"}
SIZES = range(7, 25)  # points
DEFAULT_SIZE = 10
_MOST_DRAFTS = 200
_LARGEST = 8 * 1024 * 1024  # bytes of the file


@dataclass(frozen=True, slots=True)
class Preferences:
    """All of it. Values out of range are their defaults."""

    theme: str = "system"
    size: int = DEFAULT_SIZE
    """Of the text, in points."""
    notify: str = DEFAULT_RULE
    """One of RULES, for rooms without one of their own."""
    bell: bool = True
    tell_read: bool = True
    """Whether others learn how far one has read."""
    rooms: dict[str, str] = field(default_factory=dict)
    """Rules of single rooms."""
    geometry: str = ""
    room: str = ""
    """The one in front."""
    drafts: dict[str, str] = field(default_factory=dict)
    """What was being written, by room."""

    def rule(self, room: str) -> str:
        return self.rooms.get(room, self.notify)


def path(environ: Mapping[str, str]) -> Path:
    """In ``$XDG_CONFIG_HOME/chatd``."""
    base = environ.get("XDG_CONFIG_HOME", "")
    if not base.startswith("/"):  # XDG Base Directory Specification
        base = str(Path(environ.get("HOME") or Path.home(), ".config"))
    return Path(base, "chatd", "chat-tk.json")


def load(path: Path) -> Preferences:
    """What the file says; the defaults where it says nothing that can be used."""
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return Preferences()
    return parse(found)


def parse(found: object) -> Preferences:
    """The preferences in a JSON value, whatever it is."""
    if not isinstance(found, dict):
        return Preferences()
    kept: dict[str, Any] = {}
    for each in fields(Preferences):
        value = found.get(each.name)
        if _fits(each.name, value):
            kept[each.name] = value
    return Preferences(**kept)


def _fits(name: str, value: object) -> bool:
    match name:
        case "theme":
            return value in THEMES
        case "size":
            return type(value) is int and value in SIZES
        case "notify":
            return value in RULES
        case "bell" | "tell_read":
            return isinstance(value, bool)
        case "rooms":
            return isinstance(value, dict) and set(value.values()) <= set(RULES)
        case "drafts":
            return isinstance(value, dict) and all(
                isinstance(text, str) for text in value.values()
            )
        case _:
            return isinstance(value, str)


def save(path: Path, preferences: Preferences) -> None:
    """Replace the file, which only its owner can read. Raises OSError."""
    drafts = dict(list(preferences.drafts.items())[-_MOST_DRAFTS:])
    text = json.dumps(asdict(preferences) | {"drafts": drafts}, indent=1)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(text.encode("utf-8", "backslashreplace"))
            file.flush()
            os.fsync(fd)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
