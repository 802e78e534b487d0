"""What a chat client tells those who listen to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from chatd.wire.messages import Message


class OwnState(Enum):
    """Where one's own message is. (A draft is nobody's business but its writer's.)"""

    QUEUED = "queued"  # on this disk
    STORED = "stored"  # on the server's disk
    FAILED = "failed"  # for good: its writer decides


@dataclass(frozen=True, slots=True)
class Own:
    """One's own message, from its writing to its acknowledgement."""

    id: str
    room: str
    body: str
    composed: int
    """When it was written, in ms."""
    state: OwnState
    seq: int | None = None
    """Its place in the room, once STORED."""
    code: str | None = None
    reason: str | None = None
    """Why it FAILED, for a person."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """New messages, stored here already: in each room's order, without gap."""

    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class OwnChanged:
    """An own message is in another state."""

    own: Own


@dataclass(frozen=True, slots=True)
class RoomBegun:
    """There is a new conversation, or a room that may be seen from now on."""

    room: str


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """A user came or went."""

    name: str
    online: bool


@dataclass(frozen=True, slots=True)
class CursorMoved:
    """How far a member has come."""

    room: str
    name: str
    received: int
    read: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """The server's room is not the one that this client saw before.

    The copy here is kept, and not gone on with until the client is told to `forget`.
    """

    room: str
    kind: str
    """``diverged``: the server does not hold what it acknowledged; ``broken``: it told
    what does not follow from what it told before."""
    seq: int
    """The last message held here."""
    hash: str
    """Its hash: to be compared with other members'."""

    @property
    def advice(self) -> str:
        """What happened and what to do, for a person."""
        what = (
            "The server lost or changed messages that it had acknowledged"
            if self.kind == "diverged"
            else "The server's messages do not fit those it told before"
        )
        return (
            f"{what} in {self.room}. Your copy, up to message {self.seq}, is kept."
            " Compare with another member, and ask the operator, before you start over."
        )


Event: TypeAlias = (
    Arrived | OwnChanged | RoomBegun | PresenceChanged | CursorMoved | Trouble
)


@dataclass(frozen=True, slots=True)
class RoomInfo:
    """A room as the server lists it."""

    room: str
    first: int
    last: int
    hash: str
    received: int
    read: int


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a room as the server lists it."""

    name: str
    online: bool
    received: int
    read: int


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search, newest first."""

    messages: list[Message]
    next: str | None
    """To be given for the next page; None: this was the last."""
