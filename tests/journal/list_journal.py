"""The journal as lists: the oracle of the stores, and the server tests' own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from chatd.journal.interface import (
    Committed,
    Contents,
    Draft,
    Found,
    Head,
    IJournal,
    Marks,
    Outcome,
    Place,
    Receipt,
    Refusal,
    Told,
    untold,
)
from chatd.wire.messages import Message, chained, digest


@implementer(IJournal)
class ListJournal:
    """Everything at once, in memory; `fault` may refuse a draft, `hold` keep it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.committed: Committed = lambda fresh, heads: None
        self.away: Callable[[bool], None] = lambda away: None
        self.fault: Callable[[Draft], str | None] = lambda draft: None
        self.hold = False
        self.log: list[Message] = []
        self.heads: dict[str, Head] = {}
        self.marks: dict[str, dict[str, Marks]] = {}
        self.kept: dict[str, str] = {}
        self._now = now
        self._held: list[tuple[Draft, Deferred[Outcome]]] = []

    def open(self) -> Contents:
        return Contents(dict(self.heads), self.marks, dict(self.kept))

    def close(self) -> Deferred[None]:
        self.release()
        return succeed(None)

    def append(self, draft: Draft) -> Deferred[Outcome]:
        done: Deferred[Outcome] = Deferred()
        self._held.append((draft, done))
        if not self.hold:
            self.release()
        return done

    def release(self) -> None:
        """Commit what is held."""
        held, self._held = self._held, []
        before, heads = len(self.log), dict(self.heads)
        outcomes = [(done, self._append(draft)) for draft, done in held]
        moved = {r: h for r, h in self.heads.items() if heads.get(r) != h}
        if moved:
            self.committed(self.log[before:], moved)
        for done, outcome in outcomes:
            done.callback(outcome)

    def _append(self, draft: Draft) -> Outcome:
        lane = draft.lane
        for known in self.log:
            if (known.sender, known.id) == (draft.sender, draft.id):
                if lane.waits_for == draft.id:
                    lane.waits_for = None
                if (known.room, known.digest) != (draft.room, digest(draft.body)):
                    return Refusal("conflict")
                where = known.room, known.seq, known.time, known.hash
                return Receipt(*where, fresh=False)
        if lane.waits_for not in (None, draft.id):
            return Refusal("held")
        refusal = draft.refusal
        if refusal is None and (code := self.fault(draft)) is not None:
            refusal = Refusal(code)
        if refusal is not None:
            lane.waits_for = draft.id if refusal.temporary else None
            return refusal
        lane.waits_for = None
        said = self._add(draft.room, draft.id, draft.sender, draft.composed, draft.body)
        if draft.answer is not None:
            self._add(draft.room, f"re:{said.seq}", "server", None, draft.answer)
        return Receipt(said.room, said.seq, said.time, said.hash, fresh=True)

    def _add(
        self, room: str, id: str, sender: str, composed: int | None, body: str
    ) -> Message:
        head = self.heads.get(room, Head())
        seq, time, said = head.last + 1, int(self._now() * 1000), digest(body)
        hash = chained(head.hash, room, seq, id, sender, time, composed, said)
        message = Message(room, seq, id, sender, time, composed, body, said, hash)
        self.log.append(message)
        self.heads[room] = Head(head.first, seq, head.base, hash)
        return message

    def create(self, room: str) -> Deferred[bool]:
        self.heads.setdefault(room, Head())
        return succeed(True)

    def mark(self, room: str, name: str, marks: Marks) -> Deferred[bool]:
        self.heads.setdefault(room, Head())
        members = self.marks.setdefault(room, {})
        members[name] = Marks(*map(max, members.get(name, Marks()), marks))
        return succeed(True)

    def keep(self, name: str, text: str | None) -> Deferred[bool]:
        self.kept.pop(name, None)
        if text is not None:
            self.kept[name] = text
        return succeed(True)

    def of(self, room: str) -> list[Message]:
        return [message for message in self.log if message.room == room]

    def read(
        self, room: str, after: int, limit: int, before: int | None = None
    ) -> Deferred[list[Message]]:
        found = [m for m in self.of(room) if m.seq > after]
        if before is None:
            return succeed(found[:limit])
        return succeed([m for m in found if m.seq < before][-limit:])

    def hash_at(self, room: str, seq: int) -> Deferred[str | None]:
        return succeed(next((m.hash for m in self.of(room) if m.seq == seq), None))

    def search(
        self, words: Sequence[str], rooms: Sequence[str], limit: int, next: Place | None
    ) -> Deferred[Found]:
        places = [Place(m.room, m.seq) for m in self.log]
        end = places.index(next) if next in places else 0
        end = len(places) if next is None else end
        found = [
            m
            for m in self.log[:end]
            if m.room in rooms
            and m.seq >= self.heads[m.room].first
            and m.body is not None
            and all(word.lower() in m.body.lower() for word in words)
        ][::-1]
        page = found[:limit]
        last = Place(page[-1].room, page[-1].seq) if len(found) > limit else None
        return succeed(Found(page, last))

    def prune(self, before: int, rooms: Collection[str] | None = None) -> Deferred[int]:
        count, moved = 0, {}
        for room, head in self.heads.items():
            if rooms is not None and room not in rooms:
                continue
            for n, message in enumerate(self.log):
                if message.room != room or message.seq < head.first:
                    continue
                if message.time >= before:
                    break
                self.log[n] = message._replace(body=None)
                head = Head(message.seq + 1, head.last, message.hash, head.hash)
                count += 1
            if head != self.heads[room]:
                moved[room] = head
        self.heads.update(moved)
        if moved:
            self.committed([], moved)
        return succeed(count)

    def backup(self, path: Path, told: Told = untold) -> Deferred[None]:
        path.write_text("")
        return succeed(None)
