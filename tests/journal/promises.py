"""What every journal promises, as one state machine: compared with plain lists."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chatd.journal.interface import Draft, IJournal, Lane, Marks, Refusal
from tests.journal.list_journal import ListJournal
from tests.journal.pump import Pump

ROOMS = ["#lobby", "#ops", "@alice+bob", "@alice+server"]
SENDERS = ["alice", "bob"]
WORDS = ["ab", "abc", "Abcd", "grün", "x%_'\"", "日本語", "b c"]

PARTS = ["ab", "ABC", "bcd", "rün", "ün", "%", "'\"", "本語", "zz"]

drafts = st.tuples(
    st.sampled_from(ROOMS),
    st.sampled_from(SENDERS),
    st.integers(0, 12),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join),
    st.none() | st.integers(0, 2**53 - 1),
    st.integers(0, 2),
    st.none() | st.sampled_from(["slow-down", "no-such-room", "forbidden"]),
)


class Promises(RuleBasedStateMachine):
    """The same steps on a store and on lists have the same outcomes."""

    def make(self) -> Any:
        """A journal over the store of this run; asked for again to open it again."""
        raise NotImplementedError

    def __init__(self) -> None:
        super().__init__()
        self.time = 1_000.0
        self.pump = Pump()
        self.journal = self.make()
        self.lists = ListJournal(lambda: self.time)
        self.told: list[Any] = []
        self.expected: list[Any] = []
        self.lists.committed = lambda fresh, heads: self.expected.extend(fresh)
        self.lanes = [[Lane() for _ in range(3)] for _ in range(2)]
        self.open()

    def open(self) -> None:
        contents = IJournal(self.journal).open()
        self.journal.committed = lambda fresh, heads: self.told.extend(fresh)
        assert contents.heads == self.lists.heads, (contents.heads, self.lists.heads)
        assert contents.marks == self.lists.marks
        assert contents.kept == self.lists.kept

    def teardown(self) -> None:
        self.pump.wait(self.journal.close())

    @rule(batch=st.lists(drafts, min_size=1, max_size=8))
    def append(self, batch: list[Any]) -> None:
        """Several at once: some the same again, some refused, some behind those."""
        waiting: list[Any] = []
        expected: list[Any] = []
        for room, sender, number, body, composed, lane, code in batch:
            refusal = None if code is None else Refusal(code)
            answer = f"Server received: {body}" if room.endswith("server") else None
            for journal, lanes, done in (
                (self.journal, self.lanes[0], waiting),
                (self.lists, self.lanes[1], expected),
            ):
                draft = Draft(
                    room,
                    sender,
                    f"id{number}",
                    body,
                    composed,
                    lanes[lane],
                    refusal,
                    answer,
                )
                done.append(journal.append(draft))
        found = [self.pump.wait(done) for done in waiting]
        assert found == [self.pump.wait(done) for done in expected]

    @rule(seconds=st.sampled_from([-5.0, 0.001, 1.0, 100.0]))
    def clock(self, seconds: float) -> None:
        """Clocks may step, either way."""
        self.time = max(1.0, self.time + seconds)

    @rule(room=st.sampled_from(ROOMS))
    def create(self, room: str) -> None:
        assert self.pump.wait(self.journal.create(room))
        self.lists.create(room)

    @rule(
        room=st.sampled_from(ROOMS),
        name=st.sampled_from(SENDERS),
        received=st.integers(0, 9),
        read=st.integers(0, 9),
    )
    def mark(self, room: str, name: str, received: int, read: int) -> None:
        assert self.pump.wait(self.journal.mark(room, name, Marks(received, read)))
        self.lists.mark(room, name, Marks(received, read))

    @rule(
        name=st.sampled_from(["room/#ops", "mute/alice"]),
        text=st.none() | st.sampled_from(["", "{}", "grün '\""]),
    )
    def keep(self, name: str, text: str | None) -> None:
        assert self.pump.wait(self.journal.keep(name, text))
        self.lists.keep(name, text)

    @rule(
        room=st.sampled_from([*ROOMS, "#none"]),
        after=st.integers(0, 12),
        before=st.none() | st.integers(0, 14),
        limit=st.integers(1, 6),
    )
    def read(self, room: str, after: int, before: int | None, limit: int) -> None:
        found = self.pump.wait(self.journal.read(room, after, limit, before))
        assert found == self.pump.wait(self.lists.read(room, after, limit, before))

    @rule(room=st.sampled_from(ROOMS), seq=st.integers(0, 12))
    def hash_at(self, room: str, seq: int) -> None:
        found = self.pump.wait(self.journal.hash_at(room, seq))
        assert found == self.pump.wait(self.lists.hash_at(room, seq))

    @rule(
        words=st.lists(
            st.sampled_from(
                ["ab", "ABC", "bcd", "RÜN", "ün", "%", "'\"", "本語", "zz"]
            ),
            min_size=1,
            max_size=2,
        ),
        rooms=st.sets(st.sampled_from(ROOMS)),
        limit=st.integers(1, 4),
    )
    def search(self, words: list[str], rooms: set[str], limit: int) -> None:
        """All pages of a search, and they end."""
        pages: list[Any] = []
        for journal in (self.journal, self.lists):
            next, found = None, []
            while True:
                page = self.pump.wait(journal.search(words, sorted(rooms), limit, next))
                found += page.messages
                assert len(page.messages) <= limit
                next = page.next
                if next is None:
                    break
            pages.append(found)
        assert pages[0] == pages[1]

    @rule(ago=st.floats(0, 200), rooms=st.none() | st.sets(st.sampled_from(ROOMS)))
    def prune(self, ago: float, rooms: set[str] | None) -> None:
        before = int((self.time - ago) * 1000)
        found = self.pump.wait(self.journal.prune(before, rooms))
        assert found == self.pump.wait(self.lists.prune(before, rooms))

    @rule()
    def open_again(self) -> None:
        """What was told before is there after."""
        self.pump.wait(self.journal.close())
        self.journal = self.make()
        self.lanes = [[Lane() for _ in range(3)] for _ in range(2)]
        self.open()

    @invariant()
    def fresh_ones_are_told_once_in_order(self) -> None:
        if hasattr(self, "told"):
            by_room = [
                [[m for m in told if m.room == room] for room in ROOMS]
                for told in (self.told, self.expected)
            ]
            assert by_room[0] == by_room[1]
