"""A session's frames: each opens once, in its session, its direction, its place."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.channel import Channel
from chatd.wire.tokens import Key, Sealer


def ends() -> tuple[Channel, Channel]:
    """Both ends of a new session."""
    keys = [Key.generate(os.urandom) for _ in range(2)]

    def sealer(key: Key) -> Sealer:
        return Sealer(key, lambda: 1.7e9, os.urandom)

    return (
        Channel(sealer(keys[0]), sealer(keys[1])),
        Channel(sealer(keys[1]), sealer(keys[0])),
    )


class ChannelTests(SynchronousTestCase):
    """Both directions."""

    @given(st.lists(st.lists(st.binary(max_size=40), max_size=4), max_size=6))
    def test_in_order(self, batches: list[list[bytes]]) -> None:
        """What is sealed opens on the other side, however it is batched."""
        here, there = ends()
        tokens = [token for batch in batches for token in here.seal(batch)]
        opened = there.open(tokens[:3]) + there.open(tokens[3:])
        self.assertEqual(opened, [text for batch in batches for text in batch])
        self.assertIsNone(there.fault)

    @given(st.permutations(range(5)))
    def test_out_of_order(self, order: list[int]) -> None:
        """From the first frame out of its order on, nothing opens."""
        here, there = ends()
        tokens = here.seal([b"%d" % n for n in range(5)])
        opened = there.open([tokens[n] for n in order])
        right = 0
        while right < 5 and order[right] == right:
            right += 1
        self.assertEqual(len(opened), right)
        self.assertEqual(there.fault is None, right == 5)
        self.assertEqual(there.open(tokens[right:]) if right < 5 else [], [])

    def test_twice(self) -> None:
        """A frame that comes twice does not open the second time."""
        here, there = ends()
        (token,) = here.seal([b"x"])
        self.assertEqual(there.open([token, token]), [b"x"])
        self.assertEqual(there.fault, "a frame out of its order")

    def test_other_direction(self) -> None:
        """A frame sent back to its sender does not open."""
        here, _ = ends()
        self.assertEqual(here.open(here.seal([b"x"])), [])
        self.assertIsNotNone(here.fault)

    def test_other_session(self) -> None:
        """A frame of another session does not open."""
        (here, _), (_, there) = ends(), ends()
        self.assertEqual(there.open(here.seal([b"x"])), [])
        self.assertIsNotNone(there.fault)
