"""Copies on a disk that fills, in a process that is killed."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.journal.client_store import ClientStore
from chatd.wire.messages import ROOT_HASH, holds
from tests.helpers import ROOT, project_environment
from tests.journal.chains import chain

WRITER = """
import sys
from pathlib import Path
from chatd.journal.client_store import ClientStore
from chatd.wire.messages import ROOT_HASH
from tests.journal.chains import chain

copies = ClientStore(Path(sys.argv[1])).copies
messages = chain("#ops", 20_000)
copies.begin("#ops", 0, ROOT_HASH)
for start in range(0, 20_000, 5):
    copies.add(messages[start : start + 5])
    print(start + 5, flush=True)
"""


class DiskTests(SynchronousTestCase):
    """On files: what a call did is there, or nothing of it."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve() / "store.db"

    def store(self) -> ClientStore:
        store = ClientStore(self.path)
        self.addCleanup(store.close)
        return store

    def test_killed(self) -> None:
        """What `add` returned for is there after kill -9, each batch whole or not."""
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(self.path)],
            stdout=subprocess.PIPE,
            env=project_environment(),
            cwd=ROOT,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(100)]
        process.send_signal(signal.SIGKILL)
        told += [line for line in process.stdout if line.endswith(b"\n")]
        self.assertEqual(process.wait(), -signal.SIGKILL)
        process.stdout.close()
        copies = self.store().copies
        copy, held = copies.of("#ops"), copies.history("#ops", None, 20_000)
        assert copy is not None
        self.assertIn(copy.last, (int(told[-1]), int(told[-1]) + 5))
        self.assertEqual([message.seq for message in held], [*range(1, copy.last + 1)])
        hash = ROOT_HASH
        for message in held:
            self.assertTrue(holds(hash, message))
            hash = message.hash
        self.assertEqual(copy.hash, hash)

    def test_failed_commit(self) -> None:
        """A commit that fails leaves nothing behind, and what comes after is kept."""
        store = self.store()
        messages = chain("#ops", 3)
        store.copies.begin("#ops", 0, ROOT_HASH)
        # The one way to fail in COMMIT itself, and leave the transaction open.
        store._connection.executescript(
            "CREATE TABLE other (n INTEGER PRIMARY KEY) STRICT;"
            "CREATE TABLE late (n INTEGER NOT NULL"
            " REFERENCES other DEFERRABLE INITIALLY DEFERRED) STRICT;"
            "CREATE TRIGGER t AFTER INSERT ON messages BEGIN"
            " INSERT INTO late VALUES (7); END;"
        )
        self.assertRaises(sqlite3.Error, store.copies.add, messages)
        self.assertEqual(store.copies.history("#ops", None, 9), [])
        store._connection.execute("DROP TRIGGER t")
        self.assertEqual(store.copies.add(messages), messages)
        store.outbox.add("#ops", "a", "text", 1)
        store.close()
        store = self.store()
        self.assertEqual(store.copies.history("#ops", None, 9), messages)
        self.assertEqual(len(store.outbox.all()), 1)

    def test_full_disk(self) -> None:
        """A batch that the disk has no room for is not there by halves."""
        store = self.store()
        messages = chain("#ops", ["x" * 3000] * 60)
        store.copies.begin("#ops", 0, ROOT_HASH)
        connection = store._connection
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages + 10}")
        self.assertRaises(sqlite3.Error, store.copies.add, messages)
        self.assertEqual(store.copies.history("#ops", None, 99), [])
        connection.execute("PRAGMA max_page_count=1000000")
        self.assertEqual(store.copies.add(messages), messages)
