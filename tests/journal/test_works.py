"""Works on a whole store: how far they are, and how they end with the journal."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase

from chatd.journal import check, schema
from chatd.journal.interface import Draft, Head, Lane
from chatd.journal.journal import SQLiteJournal
from tests.journal.pump import Pump

MESSAGES = 2500
PATIENCE = 30.0


class WorksTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.pump = Pump()
        self.journal = SQLiteJournal(self.pump, self.folder / "journal.db")
        self.journal.open()
        self.addCleanup(lambda: self.pump.wait(self.closed()))
        self._closed: Deferred[None] | None = None
        appended = [
            self.journal.append(
                Draft(room, "alice", f"{room}{n}", "x" * 99, None, Lane())
            )
            for room in ("#a", "#b")
            for n in range(MESSAGES // 2)
        ]
        self.pump.wait(gatherResults(appended))
        self.told: list[tuple[int, int]] = []
        self.target = self.folder / "copy.db"

    def closed(self) -> Deferred[None]:
        if self._closed is None:
            self._closed = self.journal.close()
        return self._closed

    def tell(self, done: int, total: int) -> None:
        self.told.append((done, total))

    def assert_rising(self, total: int) -> None:
        """What was told of that total never fell, nor passed it."""
        self.assertEqual({each for _, each in self.told} - {0}, {total})
        done = [done for done, _ in self.told]
        self.assertEqual(done, sorted(done))
        self.assertLessEqual(done[-1], total)
        self.assertGreater(done[-1], 0)

    def test_verify(self) -> None:
        """Messages of all rooms are counted."""
        found = self.pump.wait(self.journal.verify({}, self.tell))
        self.assertEqual([v.seq for v in found], [MESSAGES // 2] * 2)
        self.assert_rising(MESSAGES)

    def test_backup(self) -> None:
        """Bytes of the copy are counted."""
        self.pump.wait(self.journal.backup(self.target, self.tell))
        self.assert_rising(max(total for _, total in self.told))

    def test_written_meanwhile(self) -> None:
        """Messages are stored while a work goes on, and are no part of it."""
        begun, go_on = threading.Event(), threading.Event()

        def hold(done: int, total: int) -> None:
            if total:
                begun.set()
                go_on.wait(PATIENCE)

        verifying = self.journal.verify({}, hold)
        self.assertTrue(begun.wait(PATIENCE))
        draft = Draft("#a", "alice", "late", "x", None, Lane())
        self.pump.wait(self.journal.append(draft))
        go_on.set()
        self.assertEqual(self.pump.wait(verifying)[0].seq, MESSAGES // 2)

    def test_closed_meanwhile(self) -> None:
        """The journal does not wait for a backup, of which nothing stays."""
        begun, go_on = threading.Event(), threading.Event()

        def hold(done: int, total: int) -> None:
            if total:
                begun.set()
                go_on.wait(PATIENCE)

        backing_up = self.journal.backup(self.target, hold)
        verifying = self.journal.verify({"#a": Head()}, self.tell)
        self.assertTrue(begun.wait(PATIENCE))
        closed = self.closed()
        go_on.set()
        works: list[Deferred[Any]] = [backing_up, verifying]
        for each in works:
            with self.assertRaises(sqlite3.OperationalError):
                self.pump.wait(each)
        self.pump.wait(closed)
        left = [path.name for path in self.folder.iterdir() if "copy" in path.name]
        self.assertEqual(left, [])

    def test_raising(self) -> None:
        """Who does not want it any more ends it; the connection serves on."""

        def enough(done: int, total: int) -> None:
            if total:
                raise KeyError

        connection = sqlite3.connect(self.folder / "journal.db")
        self.addCleanup(connection.close)
        with self.assertRaises(sqlite3.OperationalError):
            schema.copy(connection, self.target, enough)
        with self.assertRaises(KeyError):
            check.verify(connection, told=enough)
        connection.rollback()
        schema.copy(connection, self.target)
        self.assertTrue(self.target.exists())
