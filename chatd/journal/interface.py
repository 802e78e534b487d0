"""What a journal promises, whatever it stores on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from chatd.wire.messages import ROOT_HASH, Message

Told: TypeAlias = Callable[[int, int], object]
"""Called often, by the thread that works: so much is done, of so much; 0: not known."""


def untold(done: int, total: int) -> None:
    """Nobody wants to know."""


class Head(NamedTuple):
    """Where a room's log begins and ends."""

    first: int = 1
    """The oldest seq that can be read; older ones were pruned."""
    last: int = 0
    base: str = ROOT_HASH
    """hash(first - 1)."""
    hash: str = ROOT_HASH
    """hash(last)."""


class Marks(NamedTuple):
    """How far one member has come in one room."""

    received: int = 0
    read: int = 0


class Lane:
    """The sends of one session to one room: what keeps their order under refusal.

    After a temporary refusal of one, all others are held until it comes again
    (protocol section 4.5). Belongs to the journal; a session only makes it.
    """

    __slots__ = ("waits_for",)

    def __init__(self) -> None:
        self.waits_for: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a draft was not taken, by the protocol's code."""

    code: str
    retry_after: int | None = None
    """Milliseconds."""
    reason: str = ""
    """For a person, where the code does not say enough."""

    @property
    def temporary(self) -> bool:
        """Whether the same draft may be taken another time."""
        return self.code in ("slow-down", "held", "not-stored", "internal")


@dataclass(frozen=True, slots=True)
class Draft:
    """A message on its way into the log."""

    room: str
    sender: str
    id: str
    body: str
    composed: int | None
    lane: Lane
    refusal: Refusal | None = None
    """What it is answered unless it already stands in the log."""
    answer: str | None = None
    """A body by the server, stored together with it, behind it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message stands on disk, exactly once."""

    room: str
    seq: int
    time: int
    hash: str
    fresh: bool
    """False: it stood there before."""


Outcome: TypeAlias = Receipt | Refusal


class Place(NamedTuple):
    """Where a message stands."""

    room: str
    seq: int


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search, newest first."""

    messages: list[Message]
    next: Place | None
    """The last of them, behind which the next page goes on; None: there is none."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What stands in a journal when it is opened."""

    heads: dict[str, Head]
    marks: dict[str, dict[str, Marks]]
    """By room, then by member."""
    kept: dict[str, str]
    """Texts by their names."""


class JournalError(Exception):
    """The journal cannot be used, in one line that says what to do."""


Committed: TypeAlias = Callable[[Sequence[Message], dict[str, Head]], None]
"""Told what is on disk now: fresh messages in order, and the heads that moved."""


class IJournal(Interface):
    """Rooms as logs. Deferreds fire in the reactor's thread, each once."""

    committed: Committed = Attribute(
        "Called in the reactor's thread, before the receipts of the same commit fire."
    )
    away: Callable[[bool], None] = Attribute(
        "Called with True when the store fails, with False when it is proven again."
    )

    def open() -> Contents:
        """Open the store and begin to write. Raises JournalError."""

    def close() -> Deferred[None]:
        """Store what waits, then end."""

    def append(draft: Draft) -> Deferred[Outcome]:
        """Fires when the message is on disk, or with why it is not taken.

        Drafts of one lane take seq in the order of their calls. The same sender and
        id again, with the same room and body, gets the first receipt again, whatever
        `refusal` says; with another, `conflict`. Never fails.
        """

    def create(room: str) -> Deferred[bool]:
        """Make an empty room, durably; False where that is not possible now."""

    def mark(room: str, name: str, marks: Marks) -> Deferred[bool]:
        """Store how far a member has come; False where that is not possible now."""

    def keep(name: str, text: str | None) -> Deferred[bool]:
        """Store a text under a name, in place of an older one; None: remove it.

        False where that is not possible now.
        """

    def read(
        room: str, after: int, limit: int, before: int | None = None
    ) -> Deferred[list[Message]]:
        """Up to `limit` messages, ascending, without gap.

        Those behind `after`; with `before`, the newest below it, and behind `after`.
        """

    def hash_at(room: str, seq: int) -> Deferred[str | None]:
        """hash(seq), of pruned messages too; None where there is no such seq."""

    def search(
        words: Sequence[str], rooms: Sequence[str], limit: int, next: Place | None
    ) -> Deferred[Found]:
        """Messages in `rooms` that contain all `words`, in any case, newest first.

        With `next`, those that are older than the message there; none if it is none.
        """

    def prune(before: int, rooms: Collection[str] | None = None) -> Deferred[int]:
        """Remove the bodies in `rooms`, all if None, stored before this time, in ms;
        how many.

        Their (sender, id), seq, time, hash and digest stay for ever.
        """

    def backup(path: Path, told: Told = untold) -> Deferred[None]:
        """Write a whole copy to `path`, while people write on; `told`: bytes."""
