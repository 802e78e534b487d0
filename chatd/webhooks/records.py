"""What is kept of a hook: its definition for good, and where it stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TypeAlias

from chatd.wire.json_text import BadJSON, Object, read_object, write

HOOK = "hook/"
"""What the journal keeps a hook's definition under, its id behind it."""
PLACE = "hook-at/"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A room's messages go to a URL."""

    id: str
    name: str
    room: str
    url: str = field(repr=False)
    secret: str = field(repr=False)
    """What its deliveries are signed with."""
    made: int
    """ms since the epoch."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """Who has the token may write to a room."""

    id: str
    name: str
    room: str
    digest: str
    """Hex SHA-256 of the token, which itself is kept nowhere."""
    made: int


Hook: TypeAlias = Outgoing | Incoming


@dataclass(frozen=True, slots=True)
class Place:
    """How far an outgoing hook has come."""

    seq: int
    """The last message that was delivered, or before the first that shall be."""
    failing: int | None = None
    """Since when nothing is taken, ms."""
    disabled: str | None = None
    """Why nothing is delivered any more."""


def text(record: Hook | Place) -> str:
    """`record` as it is kept."""
    return write({"kind": type(record).__name__, **asdict(record)}).decode()


def parse_hook(text: str) -> Hook:
    """Raises ValueError, without the text."""
    members = _members(text)
    kind = members.pop("kind", None)
    try:
        return (Outgoing if kind == "Outgoing" else Incoming)(**members)
    except TypeError:
        raise ValueError("not a hook") from None


def parse_place(text: str) -> Place:
    """Raises ValueError."""
    members = _members(text)
    members.pop("kind", None)
    try:
        return Place(**members)
    except TypeError:
        raise ValueError("not a place") from None


def _members(text: str) -> Object:
    try:
        return read_object(text.encode())
    except BadJSON:
        raise ValueError("not JSON") from None
