"""A backup in the journal's place: whole, and at no step is there none."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatd import restoring
from chatd.journal import schema
from chatd.journal.interface import Draft, Lane
from chatd.journal.journal import SQLiteJournal
from chatd.restoring import NotRestored
from tests.journal.pump import Pump

STEPS: list[tuple[Any, str]] = [
    (os, "rename"),
    (os, "open"),
    (os, "fsync"),
    (Path, "unlink"),
    (shutil, "copy2"),
    (schema, "connect"),
]
"""What a restore does to the disk, but for SQLite's own."""


def mortal(
    usual: Callable[..., Any], steps: Iterator[int], last: int
) -> Callable[..., Any]:
    """`usual`, which is two of the `steps`: before and behind it; ends at the last."""

    def die() -> None:
        if next(steps) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    def call(*args: Any, **named: Any) -> Any:
        die()
        result = usual(*args, **named)
        die()
        return result

    return call


class RestoringTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.journal = self.folder / "journal.db"
        self.backup = self.folder / "old.db"
        self.say("1", "2")
        connection = sqlite3.connect(self.journal)
        schema.copy(connection, self.backup)
        connection.close()
        self.say("3")

    def say(self, *texts: str) -> None:
        pump = Pump()
        journal = SQLiteJournal(pump, self.journal)
        journal.open()
        for text in texts:
            draft = Draft("#ops", "alice", f"id{text}", text, None, Lane())
            pump.wait(journal.append(draft))
        pump.wait(journal.close())

    def last(self, path: Path | None = None) -> int:
        """Of #ops, in a store that is whole."""
        (verdict,) = restoring.verdicts(path or self.journal)
        self.assertIsNone(verdict.fault)
        return verdict.seq

    def test_restored(self) -> None:
        """The backup is in place, what was there is kept, what is lost is told."""
        told: list[str] = []
        kept = restoring.restore(self.backup, self.journal, told.append)
        assert kept is not None
        self.assertEqual((self.last(), self.last(kept)), (2, 3))
        self.assertIn("#ops: messages 3 to 3 will be lost", told)
        for path in (self.journal, kept):
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.say("4")

    def test_first(self) -> None:
        """On a new machine there is nothing to keep."""
        journal = self.folder / "new" / "journal.db"
        journal.parent.mkdir()
        self.assertIsNone(restoring.restore(self.backup, journal, print))
        self.assertEqual(self.last(journal), 2)

    def test_killed_at_each_step(self) -> None:
        """The old one or the new one is there, whole; repeated, it is done."""
        originals = {p.name: p.read_bytes() for p in self.folder.iterdir()}
        seen = set()
        for step in count():
            for path in list(self.folder.iterdir()):
                path.unlink()
            for each, data in originals.items():
                (self.folder / each).write_bytes(data)
            if not self.killed(step):
                break
            seen.add(self.last())
            kept = restoring.restore(self.backup, self.journal, lambda line: None)
            assert kept is not None
            self.assertIn(self.last(kept), (2, 3))
            copies = [self.last(p) for p in self.folder.glob("*.before-restore-*")]
            self.assertIn(3, copies, "the old one is kept")
            self.assertEqual(self.last(), 2)
            hidden = [p.name for p in self.folder.iterdir() if p.name[0] == "."]
            self.assertEqual(hidden, [])
        self.assertGreater(step, 10)
        self.assertEqual(seen, {2, 3})

    def killed(self, step: int) -> bool:
        """kill -9 a process that restores, before or behind that step of it."""
        child = os.fork()
        if child == 0:
            steps = count()
            for owner, name in STEPS:
                setattr(owner, name, mortal(getattr(owner, name), steps, step))
            try:
                restoring.restore(self.backup, self.journal, lambda line: None)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        self.assertIn(status, (0, signal.SIGKILL))
        return status != 0

    def test_twice_in_a_second(self) -> None:
        """What was kept is never overwritten."""
        kept = [
            restoring.restore(self.backup, self.journal, lambda line: None)
            for _ in range(3)
        ]
        self.assertEqual(len(set(kept)), 3)
        self.assertEqual([self.last(path) for path in kept], [3, 2, 2])

    def test_copy_with_its_log(self) -> None:
        """A copy made by hand, of which the last messages are in the log beside it."""
        connection = schema.connect(self.journal)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other = self.folder / "other.db"
        pump = Pump()
        journal = SQLiteJournal(pump, self.journal)
        journal.open()
        draft = Draft("#ops", "alice", "id4", "4", None, Lane())
        pump.wait(journal.append(draft))
        for suffix in ("", "-wal"):
            shutil.copy(f"{self.journal}{suffix}", f"{other}{suffix}")
        pump.wait(journal.close())
        connection.close()
        restoring.restore(self.backup, self.journal, lambda line: None)
        restoring.restore(other, self.journal, lambda line: None)
        self.assertEqual(self.last(), 4)

    def test_damaged_journal(self) -> None:
        """One that cannot be read is replaced, too, and kept as it is."""
        self.journal.write_bytes(b"no store" * 1000)
        told: list[str] = []
        kept = restoring.restore(self.backup, self.journal, told.append)
        assert kept is not None
        self.assertEqual(kept.read_bytes(), b"no store" * 1000)
        self.assertIn("cannot be told", told[0])
        self.assertEqual(self.last(), 2)

    def test_refused(self) -> None:
        """What is no whole backup is not put in place; nothing is changed."""
        damaged = self.folder / "damaged.db"
        shutil.copy(self.backup, damaged)
        connection = sqlite3.connect(damaged)
        connection.execute("UPDATE messages SET body='other' WHERE seq=1")
        connection.commit()
        connection.close()
        newer = self.folder / "newer.db"
        shutil.copy(self.backup, newer)
        connection = sqlite3.connect(newer)
        connection.execute("PRAGMA user_version=99")
        connection.close()
        text = self.folder / "text.db"
        text.write_bytes(b"text" * 2000)
        for path, word in (
            (damaged, "does not fit the hash chain"),
            (newer, "newer chatd"),
            (text, "cannot read"),
            (self.folder / "none.db", "there is no"),
        ):
            with self.assertRaises(NotRestored) as caught:
                restoring.restore(path, self.journal, print)
            self.assertIn(word, str(caught.exception))
            self.assertEqual(self.last(), 3)

    def test_root(self) -> None:
        """Root restores for the daemon's user, who owns the folder."""
        if os.geteuid() != 0:
            raise SkipTest("only root can give files away")
        folder = self.folder / "new"
        folder.mkdir(mode=0o700)
        os.chown(folder, 12345, 12346)
        for _ in range(2):  # on a new machine, and again
            restoring.restore(self.backup, folder / "journal.db", lambda line: None)
        owners = {(p.stat().st_uid, p.stat().st_gid) for p in folder.iterdir()}
        self.assertEqual(owners, {(12345, 12346)})
        self.assertEqual(len(list(folder.iterdir())), 3)

    def test_somebody_reads(self) -> None:
        """Who verifies the journal meanwhile is not overtaken; nothing is changed."""
        reader = sqlite3.connect(self.journal, isolation_level=None)
        self.addCleanup(reader.close)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM messages").fetchone()
        writer = schema.connect(self.journal)
        writer.execute("UPDATE messages SET id='id3b' WHERE seq=3")
        writer.execute("UPDATE messages SET id='id3' WHERE seq=3")
        writer.close()
        with self.assertRaises(NotRestored) as caught:
            restoring.restore(self.backup, self.journal, lambda line: None)
        self.assertIn("try again", str(caught.exception))
        self.assertEqual(self.last(), 3)
        reader.execute("COMMIT")
        restoring.restore(self.backup, self.journal, lambda line: None)
        self.assertEqual(self.last(), 2)

    def test_daemon_runs(self) -> None:
        """A daemon that has the store keeps it."""
        pump = Pump()
        journal = SQLiteJournal(pump, self.journal)
        journal.open()
        with self.assertRaises(NotRestored) as caught:
            restoring.restore(self.backup, self.journal, print)
        self.assertIn("stop it first", str(caught.exception))
        pump.wait(journal.close())
