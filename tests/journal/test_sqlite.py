"""The SQLite journal: every journal's promises, and its own."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from twisted.internet.defer import Deferred
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from chatd.journal import schema, sqlite
from chatd.journal.interface import (
    Draft,
    IJournal,
    JournalError,
    Lane,
    Marks,
    Outcome,
    Receipt,
    Refusal,
)
from chatd.journal.journal import SQLiteJournal
from chatd.journal.sqlite import Lost, Writer
from tests.helpers import ROOT, project_environment
from tests.journal.list_journal import ListJournal
from tests.journal.promises import Promises
from tests.journal.pump import Pump


class SQLitePromises(Promises):
    """On files."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
        super().__init__()

    def make(self) -> Any:
        return SQLiteJournal(self.pump, self.folder / "journal.db", lambda: self.time)

    def teardown(self) -> None:
        super().teardown()
        shutil.rmtree(self.folder)


def draft(number: int, body: str = "text", lane: Lane | None = None) -> Draft:
    return Draft("#lobby", "alice", f"id{number}", body, None, lane or Lane())


class SQLiteJournalTests(TestCase):
    """One file, one thread that writes."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "journal.db"
        self.pump = Pump()
        self.events = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

    def journal(self) -> SQLiteJournal:
        journal = SQLiteJournal(self.pump, self.path)
        journal.open()
        self.addCleanup(lambda: self.pump.wait(journal.close()))
        return journal

    def append(self, journal: SQLiteJournal, each: Draft) -> Outcome:
        return self.pump.wait(journal.append(each))

    def logged(self, name: str) -> list[dict[str, object]]:
        return [dict(e) for e in self.events if e.get("log_format") == name]

    def test_interface(self) -> None:
        """The store and the lists are both journals."""
        verifyObject(IJournal, SQLiteJournal(self.pump, self.path))
        verifyObject(IJournal, ListJournal(lambda: 0.0))

    def test_promises(self) -> None:
        """Whatever the steps, the store does what lists do."""
        run_state_machine_as_test(
            SQLitePromises,
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )

    def test_durable(self) -> None:
        """Every connection syncs each commit: the settings are what they must be."""
        self.journal()
        connection = schema.connect(self.path)
        self.addCleanup(connection.close)
        self.assertEqual(connection.execute("PRAGMA synchronous").fetchone(), (2,))
        self.assertEqual(connection.execute("PRAGMA journal_mode").fetchone(), ("wal",))

    def test_for_its_owner_alone(self) -> None:
        """The file can be read by nobody else, nor its log."""
        journal = self.journal()
        self.append(journal, draft(1))
        for path in self.folder.iterdir():
            self.assertEqual(path.stat().st_mode & 0o077, 0, path.name)

    def test_one_daemon_a_store(self) -> None:
        """A second journal on the same file is refused, in words."""
        self.journal()
        with self.assertRaises(JournalError) as caught:
            SQLiteJournal(self.pump, self.path).open()
        self.assertIn("another chatd uses", str(caught.exception))

    def test_newer_store(self) -> None:
        """A store of a newer version is refused and left as it is."""
        self.pump.wait(self._closed(self.journal_once()))
        connection = sqlite3.connect(self.path)
        connection.execute("PRAGMA user_version=99")
        connection.close()
        with self.assertRaises(JournalError) as caught:
            SQLiteJournal(self.pump, self.path).open()
        self.assertIn("newer chatd", str(caught.exception))

    def test_damaged_store(self) -> None:
        """A file that is no store is refused, in one line."""
        self.path.write_bytes(b"not a database at all, but long enough" * 100)
        self.path.chmod(0o600)
        with self.assertRaises(JournalError) as caught:
            SQLiteJournal(self.pump, self.path).open()
        self.assertNotIn("\n", str(caught.exception))

    def journal_once(self) -> SQLiteJournal:
        journal = SQLiteJournal(self.pump, self.path)
        journal.open()
        return journal

    def _closed(self, journal: SQLiteJournal) -> Deferred[None]:
        return journal.close()

    def test_migration(self) -> None:
        """Each step runs once, with its number; what stood there was copied before."""
        connection = schema.connect(self.path)
        schema.migrate(self.path, connection, ["CREATE TABLE a (x);"])
        connection.execute("INSERT INTO a VALUES (7)")
        steps = ["CREATE TABLE a (x);", "ALTER TABLE a ADD COLUMN y;"]
        schema.migrate(self.path, connection, steps)
        schema.migrate(self.path, connection, steps)
        self.assertEqual(
            connection.execute("SELECT x, y FROM a").fetchall(), [(7, None)]
        )
        self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (2,))
        connection.close()
        old = sqlite3.connect(self.path.with_name("journal.db.v1"))
        self.assertEqual(old.execute("SELECT * FROM a").fetchall(), [(7,)])
        old.close()

    def test_store_of_version_1(self) -> None:
        """A store from before texts were kept opens with all its messages."""
        journal = self.journal_once()
        self.append(journal, draft(1))
        self.pump.wait(journal.close())
        connection = sqlite3.connect(self.path)
        connection.executescript("DROP TABLE kept; PRAGMA user_version=1;")
        connection.close()
        journal = SQLiteJournal(self.pump, self.path)
        contents = journal.open()
        self.assertEqual([head.last for head in contents.heads.values()], [1])
        self.assertTrue(self.pump.wait(journal.keep("a", "b")))
        self.pump.wait(journal.close())
        self.assertTrue(self.path.with_name("journal.db.v1").exists())

    def test_failed_migration(self) -> None:
        """A step that fails leaves the store as it was."""
        connection = schema.connect(self.path)
        self.addCleanup(connection.close)
        steps = ["CREATE TABLE a (x); INSERT INTO none VALUES (1);"]
        with self.assertRaises(sqlite3.Error):
            schema.migrate(self.path, connection, steps)
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        self.assertEqual(connection.execute("PRAGMA user_version").fetchone(), (0,))
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        self.assertEqual(tables, (0,))

    def test_backup(self) -> None:
        """A backup is whole, opens as a store, and people write on meanwhile."""
        journal = self.journal()
        for number in range(100):
            self.append(journal, draft(number))
        copy = self.folder / "copy.db"
        copied = journal.backup(copy)
        more = [journal.append(draft(number)) for number in range(100, 200)]
        self.pump.wait(copied)
        for done in more:
            self.assertIsInstance(self.pump.wait(done), Receipt)
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        other = SQLiteJournal(self.pump, copy)
        self.assertGreaterEqual(other.open().heads["#lobby"].last, 100)
        self.pump.wait(other.close())

    def test_failed_backup(self) -> None:
        """A backup that fails leaves nothing, and what was there as it was."""
        journal = self.journal()
        target = self.folder / "copy.db"
        target.mkdir()
        self.assertRaises(OSError, self.pump.wait, journal.backup(target))
        self.assertEqual(
            [p.name for p in self.folder.iterdir() if p.name.startswith(".copy")], []
        )

    def test_index_catches_up_in_pauses(self) -> None:
        """What is written without a pause is found all the same."""
        journal = self.journal()
        waiting = [journal.append(draft(n, f"needle {n} hay")) for n in range(1500)]
        found = self.pump.wait(journal.search(["needle 1499"], ["#lobby"], 5, None))
        self.assertEqual([m.body for m in found.messages], ["needle 1499 hay"])
        for done in waiting:
            self.pump.wait(done)

    def fill(self, journal: SQLiteJournal, pages: int) -> None:
        """Let the store have room for so many more pages; 0: any."""

        def limit(writer: Writer) -> None:
            (count,) = writer._connection.execute("PRAGMA page_count").fetchone()
            most = count + pages if pages else 2**30
            writer._connection.execute(f"PRAGMA max_page_count={most}")

        self.pump.wait(journal._alone(limit))

    def test_full(self) -> None:
        """On a full disk nothing is acknowledged, nothing overtakes; it recovers."""
        journal = self.journal()
        away: list[bool] = []
        journal.away = away.append
        lane = Lane()
        self.assertIsInstance(self.append(journal, draft(0, lane=lane)), Receipt)
        self.fill(journal, 1)
        waiting = [journal.append(draft(n, "x" * 9000, lane)) for n in range(1, 6)]
        codes = [
            outcome.code if isinstance(outcome, Refusal) else "stored"
            for outcome in map(self.pump.wait, waiting)
        ]
        first = codes.index("not-stored")
        self.assertEqual(codes[first + 1 :], ["held"] * (len(codes) - first - 1))
        self.assertEqual(codes[:first], ["stored"] * first)
        self.assertEqual(away[0], True)
        self.assertTrue(self.logged("journal-away"))
        while True:  # the new connection has no limit: it is as if room was made
            again = self.append(journal, draft(first + 1, "x" * 9000, lane))
            if isinstance(again, Receipt):
                break
            self.assertEqual(again.code, "not-stored")
        self.assertEqual(again.seq, first + 2)
        self.assertEqual(away[-1], False)
        self.assertTrue(self.logged("journal-back"))
        messages = self.pump.wait(journal.read("#lobby", 0, 100))
        self.assertEqual([m.id for m in messages], [f"id{n}" for n in range(first + 2)])

    def test_lost(self) -> None:
        """A store that does not hold what was acknowledged is never written again."""
        journal = self.journal()
        self.append(journal, draft(1))

        def forge(writer: Writer) -> None:
            writer._connection.execute("UPDATE messages SET hash=zeroblob(32)")
            raise sqlite3.OperationalError("a disk error, say")

        failed = journal._alone(forge)
        self.assertRaises(sqlite3.OperationalError, self.pump.wait, failed)
        outcome = self.append(journal, draft(2))
        self.assertEqual(outcome, Refusal("not-stored"))
        self.assertTrue(self.logged("journal-lost"))

    def test_proof(self) -> None:
        """A reopened store is proven by what was acknowledged."""
        journal = self.journal()
        self.append(journal, draft(1))
        self.pump.wait(journal.close())
        self._cleanups.clear()
        writer = Writer(self.path, lambda: 0.0)
        self.addCleanup(writer.close)
        writer.prove(dict(writer.heads))
        wrong = {"#lobby": writer.heads["#lobby"]._replace(hash="0" * 64)}
        self.assertRaises(Lost, writer.prove, wrong)

    def test_bad_text_fails_alone(self) -> None:
        """One that cannot be stored takes no other of its commit along."""
        journal = self.journal()
        bodies = ["a", "\ud800", "b"]
        waiting = [journal.append(draft(n, body)) for n, body in enumerate(bodies)]
        outcomes = [self.pump.wait(done) for done in waiting]
        self.assertEqual(outcomes[1], Refusal("internal"))
        self.assertEqual([type(o) for o in outcomes[::2]], [Receipt, Receipt])
        self.flushLoggedErrors()

    def test_killed(self) -> None:
        """Whatever a process was told is stored is there after kill -9."""
        script = (
            "import sys\n"
            "from pathlib import Path\n"
            "from chatd.journal.interface import Draft, Lane\n"
            "from chatd.journal.journal import SQLiteJournal\n"
            "from tests.journal.pump import Pump\n"
            "pump = Pump()\n"
            "journal = SQLiteJournal(pump, Path(sys.argv[1]))\n"
            "journal.open()\n"
            "lane, number = Lane(), int(sys.argv[2])\n"
            "while True:\n"
            "    batch = [Draft('#a', 'bob', f'i{number + n}', 'x', None, lane)\n"
            "             for n in range(7)]\n"
            "    for done in [journal.append(each) for each in batch]:\n"
            "        print(pump.wait(done).seq, flush=True)\n"
            "    number += 7\n"
        )
        told = 0
        for _ in range(3):
            process = subprocess.Popen(
                [sys.executable, "-c", script, str(self.path.absolute()), str(told)],
                stdout=subprocess.PIPE,
                cwd=ROOT,
                env=project_environment(),
            )
            assert process.stdout is not None
            for _ in range(50):
                told = int(process.stdout.readline())
            process.kill()
            process.wait()
            told = max([told, *map(int, process.stdout.read().split())])
            process.stdout.close()
            journal = self.journal_once()
            found = self.pump.wait(journal.read("#a", 0, 100_000))
            self.pump.wait(journal.close())
            self.assertGreaterEqual(len(found), told)
            self.assertEqual([m.seq for m in found], list(range(1, len(found) + 1)))
            self.assertEqual(len({m.id for m in found}), len(found))
            told = len(found)

    def test_marks_only_grow(self) -> None:
        """A lower mark that comes late changes nothing on disk."""
        journal = self.journal()
        self.pump.wait(journal.mark("#lobby", "bob", Marks(5, 3)))
        self.pump.wait(journal.mark("#lobby", "bob", Marks(2, 4)))
        self.pump.wait(journal.close())
        self._cleanups.clear()
        again = SQLiteJournal(self.pump, self.path)
        self.assertEqual(again.open().marks, {"#lobby": {"bob": Marks(5, 4)}})
        self.pump.wait(again.close())

    def test_no_more_memory_than_pages(self) -> None:
        """A page of history is read by the index, however long the room."""
        self.journal()
        connection = schema.connect(self.path)
        self.addCleanup(connection.close)
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT seq FROM messages WHERE room=1 AND seq>5"
            " AND seq<100 ORDER BY seq DESC LIMIT 50"
        ).fetchall()
        self.assertIn("INDEX", str(plan))
        self.assertNotIn("SCAN", str(plan))

    def test_find(self) -> None:
        """A message is found by its id alone, without reading through the log."""
        pump, journal = self.pump, self.journal()
        for room, sender, id in (
            ("#a", "alice", "m1"),
            ("#a", "bob", "m1"),
            ("#b", "carol", "m2"),
            ("#b", "server", "m1"),
        ):
            draft = Draft(room, sender, id, "x", None, Lane())
            pump.wait(journal.append(draft))
        found = pump.wait(journal.find("m1"))
        self.assertEqual({m.sender for m in found}, {"alice", "bob"})
        self.assertEqual(pump.wait(journal.find("none")), [])
        connection = schema.connect(self.path)
        self.addCleanup(connection.close)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {sqlite.FIND}", ("m1",))
        steps = [row[3] for row in plan if " m " in row[3]]
        self.assertEqual(len(steps), 1)
        self.assertIn("USING INDEX sent (sender=? AND id=?)", steps[0])
