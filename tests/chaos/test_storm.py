"""A short storm in each test run; ``make chaos`` is the long one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.chaos.storm import Plan, Storm


class StormTests(SynchronousTestCase):
    """Seconds of it."""

    def test_short(self) -> None:
        """Every message stands exactly once, in each writer's order, on disk and at
        all observers, whatever was killed and cut."""
        plan = Plan(
            seed=7, messages=120, daemon_kills=4, client_kills=3, cuts=6, seconds=6.0
        )
        storm = Storm(self, plan)
        storm.blow()
        storm.settle()
        self.assertEqual(storm.verdict(), [])
