"""chatctl's line about what takes its time."""

from __future__ import annotations

import io

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.ctl_progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class ProgressTests(SynchronousTestCase):
    def shown(self, stream: io.StringIO) -> list[str]:
        """The lines, each in place of the one before, of two and a half seconds."""
        clock = Clock()
        with Progress("verify", stream, clock.seconds) as progress:
            progress.told(0, 0)
            clock.advance(0.9)
            progress.told(10, 100)
            clock.advance(0.2)
            progress.told(0, 0)
            progress.told(20, 100)
            clock.advance(1.4)
            progress.line({"seconds": 2, "done": 50, "total": 100})
        return stream.getvalue().split("\r\x1b[K")[1:]

    def test_terminal(self) -> None:
        """Once a second, from the first on; nothing of it stays."""
        self.assertEqual(
            self.shown(Terminal()), ["verify: 1 s", "verify: 2 s, 50 %", ""]
        )

    def test_pipe(self) -> None:
        """Nothing where nobody looks on."""
        self.assertEqual(self.shown(io.StringIO()), [])

    def test_short(self) -> None:
        """What takes less than a second leaves the terminal alone."""
        stream = Terminal()
        with Progress("verify", stream, Clock().seconds) as progress:
            progress.told(1, 2)
        self.assertEqual(stream.getvalue(), "")
