"""Rooms as a server tells them, rightly or not, and copies to hold them."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from chatd.journal.client_store import ClientStore
from chatd.journal.copies import Copies, Copy
from chatd.wire.messages import ROOT_HASH, Message, chained, digest

WRONG = "f" * 64
"""No message's hash."""


def chain(
    room: str, bodies: int | Sequence[str | None], last: int = 0, hash: str = ROOT_HASH
) -> list[Message]:
    """Messages as a server would tell them, behind `last` with its `hash`."""
    found: list[Message] = []
    texts = [f"text {n}" for n in range(bodies)] if isinstance(bodies, int) else bodies
    for seq, body in enumerate(texts, last + 1):
        said = digest(body or "")
        composed = None if seq % 3 == 0 else 900 + seq
        fields = (room, seq, f"id{seq}", "alice", 1000 + seq, composed)
        hash = chained(hash, *fields, said)
        found.append(Message(*fields, body, said, hash))
    return found


def altered(message: Message, field: str) -> Message:
    """`message` with another value in one field, its hash as it was."""
    match getattr(message, field):
        case int(number):
            value: object = number + 1
        case None:
            value = 5
        case str(text) if field in ("digest", "hash"):
            value = ("0" if text[0] != "0" else "1") + text[1:]
        case text:
            value = f"{text}x"
    return message._replace(**{field: value})  # type: ignore[arg-type]


FIELDS = [name for name in Message._fields if name != "room"]


class CopiesCase(SynchronousTestCase):
    """In memory."""

    def setUp(self) -> None:
        self.copies = self.make()

    def make(self) -> Copies:
        self.store = store = ClientStore(None)
        self.addCleanup(store.close)
        return store.copies

    def copy(self, room: str = "#ops") -> Copy:
        copy = self.copies.of(room)
        assert copy is not None
        return copy

    def held(self, room: str = "#ops") -> list[Message]:
        return self.copies.history(room, None, 1000)

    def assertEnds(self, message: Message) -> None:
        """The cursor stands at `message`."""
        copy = self.copy(message.room)
        self.assertEqual((copy.last, copy.hash), (message.seq, message.hash))
