"""Lists in answers: whole items, and no more work than they need."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from twisted.trial.unittest import SynchronousTestCase

from chatd.server.lists import fitting


class FittingTests(SynchronousTestCase):
    def test_endless(self) -> None:
        """No more items are made than fit, and the one that does not."""
        made: list[int] = []

        def numbers() -> Iterator[dict[str, int]]:
            for number in count():
                made.append(number)
                yield {"number": number}

        items, more = fitting(numbers(), 4096)
        self.assertTrue(more)
        self.assertEqual(len(made), len(items) + 1)

    def test_one_at_least(self) -> None:
        """An item that does not fit is told if it is the first."""
        items, more = fitting([{"a": "x" * 5000}, {"a": 1}], 4096)
        self.assertEqual((len(items), more), (1, True))

    def test_all(self) -> None:
        """Where all fit, there is no more."""
        self.assertEqual(fitting([{"a": 1}], 4096), ([{"a": 1}], False))
