"""Frames: netstrings in and out, bounded."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport
from twisted.protocols.basic import NetstringReceiver
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.framing import SHORTEST_TOKEN, FrameDecoder, encode

LONGEST = 400
payloads = st.lists(st.binary(min_size=SHORTEST_TOKEN, max_size=LONGEST), max_size=8)


class Oracle(NetstringReceiver):
    """Twisted's own netstrings."""

    MAX_LENGTH = LONGEST

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.makeConnection(StringTransport())

    def stringReceived(self, string: bytes) -> None:
        self.received.append(string)


class DecoderTests(SynchronousTestCase):
    """What a decoder delivers."""

    @settings(deadline=None, derandomize=True)
    @given(payloads, st.randoms(use_true_random=False))
    def test_any_split(self, frames: list[bytes], rng: random.Random) -> None:
        """However a stream is cut, what comes out is what Twisted's own delivers."""
        stream = b"".join(map(encode, frames))
        decoder, oracle, received = FrameDecoder(LONGEST), Oracle(), []
        while stream:
            cut = rng.randint(1, len(stream))
            chunk, stream = stream[:cut], stream[cut:]
            received += decoder.feed(chunk)
            oracle.dataReceived(chunk)
        self.assertEqual(received, frames)
        self.assertEqual(oracle.received, frames)
        self.assertIsNone(decoder.fault)
        self.assertFalse(decoder.waiting)

    def test_every_byte_boundary(self) -> None:
        """10 000 frames cut at every byte come out whole and in order."""
        frames = [b"%d" % n * SHORTEST_TOKEN for n in range(10, 90)] * 125
        decoder = FrameDecoder(LONGEST)
        received: list[bytes] = []
        for byte in b"".join(map(encode, frames)):
            received += decoder.feed(bytes((byte,)))
        self.assertEqual(received, frames)

    def test_limit(self) -> None:
        """A payload of the limit passes; one byte more is refused from its digits."""
        decoder = FrameDecoder(LONGEST)
        self.assertEqual(decoder.feed(encode(b"x" * LONGEST)), [b"x" * LONGEST])
        decoder.feed(b"%d:" % (LONGEST + 1))
        self.assertEqual(decoder.fault, "the length is over 400")

    def test_shortest(self) -> None:
        """No payload is under 100 bytes: 100 passes, 99 is refused from its digits."""
        decoder = FrameDecoder(LONGEST)
        self.assertEqual(len(decoder.feed(encode(b"x" * 100))), 1)
        decoder.feed(b"99:")
        self.assertEqual(decoder.fault, "the length is under 100")

    def test_faults(self) -> None:
        """Each malformed frame is refused, with its reason, as soon as it shows."""
        for bad, reason in [
            (b"x", "not a decimal number"),
            (b":", "not a decimal number"),
            (b"5\n", "not a decimal number"),
            (b"+100:", "not a decimal number"),
            (b" 100:", "not a decimal number"),
            (b"1\xb2\xb3:", "not a decimal number"),
            (b"-100:", "not a decimal number"),
            (b"\xd9\xa1\xd9\xa2:", "not a decimal number"),
            (b"0100:", "leading zero"),
            (b"01", "leading zero"),
            (b"0:", "under 100"),
            (b"5:", "under 100"),
            (b"401:", "over 400"),
            (b"9999", "over 400"),
            (b"99999999999999999999", "over 400"),
            (b"100:" + b"x" * 100 + b";", "no comma"),
        ]:
            decoder = FrameDecoder(LONGEST)
            self.assertEqual(decoder.feed(bad), [], bad)
            self.assertIn(reason, decoder.fault or "none", bad)

    def test_faults_byte_by_byte(self) -> None:
        """A header that comes byte by byte is refused, too."""
        for bad in [b"5\n", b"x", b"0100:", b"401:", b"99999", b"99:"]:
            decoder = FrameDecoder(LONGEST)
            for byte in bad:
                decoder.feed(bytes((byte,)))
            self.assertIsNotNone(decoder.fault, bad)

    def test_nothing_behind_a_fault(self) -> None:
        """What stands before a fault is delivered, what stands behind it never."""
        good = encode(b"x" * 100)
        decoder = FrameDecoder(LONGEST)
        self.assertEqual(len(decoder.feed(good + b"junk" + good)), 1)
        self.assertEqual(decoder.feed(good), [])

    def test_waiting(self) -> None:
        """An unfinished frame shows, and no longer once it is finished."""
        decoder = FrameDecoder(LONGEST)
        decoder.feed(b"1")
        self.assertTrue(decoder.waiting)
        decoder.feed(b"00:" + b"x" * 100)
        self.assertTrue(decoder.waiting)
        decoder.feed(b",")
        self.assertFalse(decoder.waiting)

    def test_shared_sizes_are_bounded(self) -> None:
        """Illegal spellings are not remembered."""
        sizes: dict[bytes, int] = {}
        for bad in [b"0100:", b"99:", b"401:", b"x:"]:
            FrameDecoder(LONGEST, sizes).feed(bad)
        self.assertEqual(sizes, {})
