"""A backup in the journal's place: whole, and at no step is there none."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd import restoring
from chatd.journal import schema
from chatd.journal.interface import Draft, Lane
from chatd.journal.journal import SQLiteJournal
from chatd.restoring import NotRestored
from tests.journal.pump import Pump


class Killed(BaseException):
    """The process ends here."""


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
        steps: list[tuple[Any, str]] = [
            (shutil, "copyfile"),
            (schema, "sync"),
            (schema, "copy"),
            (os, "rename"),
        ]
        originals = {p.name: p.read_bytes() for p in self.folder.iterdir()}
        for owner, name in steps:
            for behind in (False, True):
                for path in list(self.folder.iterdir()):
                    path.unlink()
                for each, data in originals.items():
                    (self.folder / each).write_bytes(data)
                self._killed(owner, name, behind)
                self.assertIn(self.last(), (2, 3), (name, behind))
                restoring.restore(self.backup, self.journal, lambda line: None)
                self.assertEqual(self.last(), 2)

    def _killed(self, owner: Any, name: str, behind: bool) -> None:
        usual: Callable[..., Any] = getattr(owner, name)

        def die(*args: Any, **named: Any) -> Any:
            if behind:
                usual(*args, **named)
            raise Killed

        patch = self.patch(owner, name, die)
        try:
            with self.assertRaises(Killed):
                restoring.restore(self.backup, self.journal, lambda line: None)
        finally:
            patch.restore()

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

    def test_daemon_runs(self) -> None:
        """A daemon that has the store keeps it."""
        pump = Pump()
        journal = SQLiteJournal(pump, self.journal)
        journal.open()
        with self.assertRaises(NotRestored) as caught:
            restoring.restore(self.backup, self.journal, print)
        self.assertIn("stop it first", str(caught.exception))
        pump.wait(journal.close())
