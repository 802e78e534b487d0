"""The log: one line an event, in a fixed order, and never what a peer said."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from chatd import logs


class LineTests(SynchronousTestCase):
    """How events look."""

    def setUp(self) -> None:
        self.lines = io.StringIO()
        self.publisher = LogPublisher()
        self.log = Logger("chatd.test", observer=self.publisher)

    def write(self, style: str) -> None:
        out = logs.Stream(self.lines)
        self.publisher.addObserver(logs.LineObserver(out, logs.FORMATS[style]))

    def test_text(self) -> None:
        """Time, level, peer, event, fields, in this order."""
        self.write("text")
        self.log.warn("refused", peer="192.0.2.1:7", reason="wrong key", count=3)
        time, level, peer, event, *fields = self.lines.getvalue().split(" ", 4)
        self.assertRegex(time, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertEqual((level, peer, event), ("warn", "192.0.2.1:7", "refused"))
        self.assertEqual(fields, ['reason="wrong key" count=3\n'])

    def test_json(self) -> None:
        """The same as one JSON object a line."""
        self.write("json")
        self.log.info("started", count=3, ok=True, none=None, where=Path("/x"))
        record = json.loads(self.lines.getvalue())
        self.assertEqual(list(record)[:4], ["time", "level", "peer", "event"])
        del record["time"]
        expected = {"level": "info", "peer": "-", "event": "started", "count": 3}
        self.assertEqual(record, expected | {"ok": True, "none": None, "where": "/x"})

    def test_one_line(self) -> None:
        """Whatever a field holds, an event is one line, and a field is cut short."""
        for style in logs.FORMATS:
            self.write(style)
        self.log.info("event", field="a\nb\u2028\x1b[0m\r", long="x" * 10_000, none="")
        text = self.lines.getvalue()
        self.assertEqual(text.count("\n"), 2)
        self.assertNotIn("\x1b", text)
        self.assertNotIn("\u2028", text)
        self.assertLess(len(text), 2000)

    def test_failure(self) -> None:
        """A failure shows its type and its way, but not its words: they may be said."""
        self.write("text")
        try:
            raise ValueError("secret words")
        except ValueError:
            self.log.failure("broken", Failure())
        text = self.lines.getvalue()
        self.assertIn("critical - broken failure=ValueError at=", text)
        self.assertIn("test_logs.py", text)
        self.assertNotIn("secret words", text)

    def test_foreign(self) -> None:
        """What other libraries log keeps its words, but no words of failures."""
        self.write("text")
        foreign = Logger("elsewhere", observer=self.publisher)
        foreign.warn("it is {what}", what="so")
        foreign.failure("oh {x}", Failure(ValueError("secret words")), x="secret words")
        text = self.lines.getvalue()
        self.assertIn('warn - twisted from=elsewhere text="it is so"', text)
        self.assertIn("failure=ValueError", text)
        self.assertNotIn("secret words", text)

    def test_interface(self) -> None:
        """The observer is what Twisted's logger takes for one."""
        observer = logs.LineObserver(logs.Stream(self.lines), logs.text_line)
        verifyObject(ILogObserver, observer)


class ObserverTests(SynchronousTestCase):
    """Where events go."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "chatd.log"
        self.publisher = LogPublisher()

    def observe(self, level: str, path: Path | None) -> None:
        self.publisher.addObserver(logs.observer(path, "text", level))

    def say(self, namespace: str, level: str) -> None:
        Logger(namespace, observer=self.publisher).emit(
            LogLevel.levelWithName(level), f"{namespace}-{level}"
        )

    def test_levels(self) -> None:
        """The level holds; others' life cycle shows at debug alone."""
        for wanted, count in [("debug", 8), ("info", 5), ("warn", 4), ("error", 2)]:
            self.path.unlink(missing_ok=True)
            self.publisher = LogPublisher()
            self.observe(wanted, self.path)
            for namespace in ("chatd.server", "other"):
                for level in ("debug", "info", "warn", "error"):
                    self.say(namespace, level)
            self.assertEqual(len(self.path.read_text().splitlines()), count, wanted)

    def test_follows_its_name(self) -> None:
        """A log file that is moved away is made anew at the next line."""
        self.observe("info", self.path)
        self.say("chatd", "info")
        old = self.path.rename(self.folder / "chatd.log.1")
        self.say("chatd", "warn")
        self.assertIn("chatd-info", old.read_text())
        self.assertIn("chatd-warn", self.path.read_text())
        self.assertNotIn("chatd-warn", old.read_text())
        self.assertEqual(self.path.stat().st_mode & 0o007, 0)

    def test_replaced(self) -> None:
        """So is one that logrotate moved away and made anew itself."""
        self.observe("info", self.path)
        self.say("chatd", "info")
        self.path.rename(self.folder / "chatd.log.1")
        self.path.touch(0o640)
        self.say("chatd", "warn")
        self.assertIn("chatd-warn", self.path.read_text())

    def test_cannot_write(self) -> None:
        """A log that cannot be written stops nobody, and says so on stderr."""
        complaints = io.StringIO()
        self.patch(sys, "__stderr__", complaints)
        self.observe("info", self.path)
        self.path.unlink()
        self.folder.rmdir()
        self.say("chatd", "info")
        self.assertIn("chatd: cannot log", complaints.getvalue())

    def test_disk_full_and_moved(self) -> None:
        """A log that could not be closed when it was moved goes on in the new file."""
        log = logs.LogFile(Path("/dev/full"))
        with self.assertRaises(OSError):
            log.write("lost\n")
        log._path = self.path  # as after a move
        log.write("kept\n")
        self.assertEqual(self.path.read_text(), "kept\n")

    def test_cannot_open(self) -> None:
        """A log that cannot be opened is an error at once."""
        with self.assertRaises(OSError):
            logs.observer(self.folder / "gone" / "x.log", "text", "info")

    def test_standard_output(self) -> None:
        """Without a path lines go to standard output."""
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        self.observe("info", None)
        self.say("chatd", "info")
        self.assertTrue(out.getvalue().endswith("chatd-info\n"))

    def test_append(self) -> None:
        """A log is continued, not begun anew."""
        self.path.write_text("before\n")
        os.chmod(self.path, 0o600)
        self.observe("info", self.path)
        self.say("chatd", "info")
        self.assertTrue(self.path.read_text().startswith("before\n"))
