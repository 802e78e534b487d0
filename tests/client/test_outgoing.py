"""Which messages are sent when: the rules, one by one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.outgoing import Outgoing
from chatd.journal.outbox import Queued


class OutgoingTests(SynchronousTestCase):
    """Three messages to one room, one to another."""

    def setUp(self) -> None:
        self.outgoing = Outgoing(most=64, retry=0.5, retry_most=2.0)
        for n, (room, id) in enumerate(
            [("#a", "1"), ("#a", "2"), ("#b", "x"), ("#a", "3")]
        ):
            self.outgoing.add(Queued(n, room, id, "text", 0))

    def due(self, now: float) -> list[str]:
        return [queued.id for queued in self.outgoing.due(now)]

    def test_typed_order(self) -> None:
        """All go out in the order of typing, each once."""
        self.assertEqual(self.due(0), ["1", "2", "x", "3"])
        self.assertEqual(self.due(0), [])

    def test_bounded(self) -> None:
        """At most so many are on the wire; settled ones make room, in order."""
        self.outgoing = Outgoing(most=2, retry=0.5, retry_most=2.0)
        for n in range(4):
            self.outgoing.add(Queued(n, "#a", f"{n}", "text", 0))
        self.assertEqual(self.due(0), ["0", "1"])
        self.outgoing.settled("#a", "0")
        self.assertEqual(self.due(0), ["2"])

    def test_refused(self) -> None:
        """After a refusal nothing of that room is sent until all that was on the wire
        is answered and the time is over; then all, in order. Other rooms go on."""
        self.due(0)
        self.outgoing.not_taken("#a", "1", 10.0, 0.2)
        self.outgoing.add(Queued(9, "#a", "4", "text", 0))
        self.outgoing.add(Queued(10, "#b", "y", "text", 0))
        self.assertEqual(self.due(11.0), ["y"])
        self.outgoing.not_taken("#a", "3", 10.1, None)
        self.assertEqual(self.due(11.0), [])
        self.outgoing.not_taken("#a", "2", 10.1, None)
        self.assertEqual(self.outgoing.next_due(), 10.2)
        self.assertEqual(self.due(10.1), [])
        self.assertEqual(self.due(10.2), ["1", "2", "3", "4"])
        self.assertIsNone(self.outgoing.next_due())

    def test_doubled_waiting(self) -> None:
        """Without a word when, the waiting doubles, up to a limit."""
        self.outgoing.settled("#a", "2")
        self.outgoing.settled("#a", "3")
        now, waits = 0.0, []
        for _ in range(4):
            self.due(now)
            self.outgoing.not_taken("#a", "1", now, None)
            due = self.outgoing.next_due()
            assert due is not None
            waits.append(due - now)
            now = due
        self.assertEqual(waits, [0.5, 1.0, 2.0, 2.0])

    def test_lost(self) -> None:
        """With a new connection all that was not answered goes out again, in order."""
        self.due(0)
        self.outgoing.settled("#a", "2")
        self.outgoing.not_taken("#a", "1", 0, 100.0)
        self.outgoing.lost()
        self.assertEqual(self.due(0), ["1", "x", "3"])

    def test_settled(self) -> None:
        """What is settled is forgotten, however often it is settled."""
        self.assertFalse(self.outgoing.tried("1"))
        self.due(0)
        self.assertTrue(self.outgoing.tried("1"))
        for room, id in (("#a", "1"), ("#b", "x"), ("#none", "z")):
            self.outgoing.settled(room, id)
            self.outgoing.not_taken(room, id, 0, None)
        self.assertFalse(self.outgoing.tried("1"))
        self.outgoing.lost()
        self.assertEqual(self.due(0), ["2", "3"])

    def test_replaced(self) -> None:
        """An edited message keeps its place."""
        self.outgoing.replace("2", Queued(1, "#a", "2b", "other", 0))
        self.assertEqual(self.due(0), ["1", "2b", "x", "3"])
