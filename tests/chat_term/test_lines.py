"""Standard input as messages."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.clients.chat_term.lines import LONGEST, Splitter


def split(chunks: list[bytes], *, whole: bool = False) -> list[bytes]:
    splitter = Splitter(whole)
    return [m for chunk in chunks for m in splitter.feed(chunk)] + splitter.end()


class SplitterTests(SynchronousTestCase):
    """Bytes in, messages out."""

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.binary(max_size=20).filter(lambda b: b"\r" not in b)))
    def test_lines(self, chunks: list[bytes]) -> None:
        """However the input is cut, each line is one message."""
        expected = b"".join(chunks).split(b"\n")
        if not expected[-1]:
            expected.pop()
        self.assertEqual(split(chunks), expected)

    @settings(deadline=None, derandomize=True)
    @given(st.lists(st.binary(min_size=1, max_size=20), min_size=1))
    def test_whole(self, chunks: list[bytes]) -> None:
        """As a whole it is one message; the last newline does not belong to it."""
        expected = b"".join(chunks).removesuffix(b"\n")
        self.assertEqual(split(chunks, whole=True), [expected])

    def test_nothing(self) -> None:
        """No input, no message."""
        self.assertEqual(split([]), [])
        self.assertEqual(split([], whole=True), [])

    def test_line_ends(self) -> None:
        """The last line needs no newline, and CR LF ends a line as LF does."""
        self.assertEqual(split([b"a\r\nb\n\nc"]), [b"a", b"b", b"", b"c"])

    def test_bounded(self) -> None:
        """Of an endless line one byte over the limit is kept, to be refused."""
        for whole in (False, True):
            splitter = Splitter(whole)
            for _ in range(10):
                splitter.feed(b"x" * LONGEST)
            (message,) = splitter.end()
            self.assertGreater(len(message), LONGEST)
            self.assertLess(len(message), LONGEST + 3)
