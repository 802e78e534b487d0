"""At least once and in order, whatever happens."""

from __future__ import annotations

from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.webhooks.receiver import CUT, HANG, HookHouse

_Step: TypeAlias = tuple[str, int]

_STEPS = st.one_of(
    st.tuples(st.just("say"), st.integers(1, 20)),
    st.tuples(st.just("code"), st.sampled_from([200, 200, 302, 404, 500, HANG, CUT])),
    st.tuples(st.just("wait"), st.sampled_from([1, 15, 400])),
    st.tuples(st.just("kill"), st.just(0)),
    st.tuples(st.just("prune"), st.just(0)),
)


class OrderTests(SynchronousTestCase):
    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(st.lists(_STEPS, max_size=40))
    def test_order(self, steps: list[_Step]) -> None:
        """Each message is taken in order, once, and again only after a kill; what
        was pruned may be missing.
        """
        house = HookHouse(self)
        receiver, journal = house.receiver, house.journal
        adding = house.registry.add_outgoing("#lobby", "http://a.example/", "ci")
        self.successResultOf(adding)
        kills, pruned = 0, 0
        for what, value in steps:
            match what:
                case "say":
                    house.say(*["text"] * value)
                case "code":
                    receiver.codes.append(value)
                case "wait":
                    house.wait(value)
                case "kill":
                    kills += 1
                    house.registry.stop()
                    at = house.clock.seconds()
                    house = HookHouse(self, None, journal, receiver, at)
                case "prune":
                    pruned = len(journal.log)
                    journal.prune(2**53)
        receiver.codes = []
        house.wait(400)
        house.wait(400)
        (status,) = house.registry.list_hooks()
        self.assertEqual((status.backlog, status.last_error), (0, None))
        seqs = receiver.taken
        self.assertEqual(seqs, sorted(seqs))
        self.assertLessEqual(len(seqs) - len(set(seqs)), kills)
        missing = set(range(1, len(journal.log) + 1)) - set(seqs)
        self.assertLessEqual(max(missing, default=0), pruned)
