"""The client's store as a file: whose it is, what is refused, what stays."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.journal.client_store import MIGRATIONS, ClientStore, StoreBusy, StoreError
from tests.helpers import ROOT, project_environment

HOLDER = """
import sys
from pathlib import Path
from chatd.journal.client_store import ClientStore

store = ClientStore(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.read()
"""


class ClientStoreTests(SynchronousTestCase):
    """On files."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).resolve() / "deep" / "store.db"

    def store(self) -> ClientStore:
        store = ClientStore(self.path)
        self.addCleanup(store.close)
        return store

    def test_stays(self) -> None:
        """Outbox, copies and facts are there when it is opened again."""
        store = self.store()
        queued = store.outbox.add("#ops", "a", "text", 1)
        copy = store.copies.begin("#ops", 7, "ab" * 32)
        store.set("name", "alice")
        store.set("name", "bob")
        store.close()
        store = self.store()
        self.assertEqual(store.outbox.all(), [queued])
        self.assertEqual(store.copies.all(), [copy])
        self.assertEqual(store.get("name"), "bob")
        self.assertIsNone(store.get("server"))

    def test_for_its_owner_alone(self) -> None:
        """Nobody else can read the folder made for it, nor any file in it."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        self.store().outbox.add("#ops", "a", "text", 1)
        found = list(self.path.parent.iterdir())
        self.assertIn(self.path, found)
        self.assertIn(self.path.with_name("store.db-wal"), found)
        for path in [self.path.parent, *found]:
            self.assertEqual(path.stat().st_mode & 0o077, 0, path.name)

    def test_durable(self) -> None:
        """Its connection syncs each commit."""
        connection = self.store()._connection
        self.assertEqual(connection.execute("PRAGMA synchronous").fetchone(), (2,))
        self.assertEqual(connection.execute("PRAGMA journal_mode").fetchone(), ("wal",))

    def test_one_process(self) -> None:
        """Busy while another process has it, and free as soon as that is killed."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=project_environment(),
            cwd=ROOT,
        )
        with process:
            self.addCleanup(process.kill)
            assert process.stdout is not None
            self.assertEqual(process.stdout.readline(), b"open\n")
            with self.assertRaises(StoreBusy) as caught:
                ClientStore(self.path)
            process.kill()
        self.assertIn(str(self.path), str(caught.exception))
        self.store().outbox.add("#ops", "a", "text", 1)

    def test_closed(self) -> None:
        """A store that was closed is free, for the same process, too."""
        store = self.store()
        self.assertRaises(StoreBusy, ClientStore, self.path)
        store.close()
        self.store()

    def test_newer_store(self) -> None:
        """A store of a newer version is refused in words, left as it is, and free."""
        self.store().close()
        connection = sqlite3.connect(self.path)
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
        connection.execute("CREATE TABLE newer (x)")
        connection.close()
        for _ in range(2):
            with self.assertRaises(StoreError) as caught:
                ClientStore(self.path)
            self.assertNotIsInstance(caught.exception, StoreBusy)
            self.assertIn(str(self.path), str(caught.exception))
            self.assertIn("newer version", str(caught.exception))
        connection = sqlite3.connect(self.path)
        self.addCleanup(connection.close)
        self.assertEqual(connection.execute("SELECT * FROM newer").fetchall(), [])
        self.assertEqual(
            connection.execute("PRAGMA user_version").fetchone(),
            (len(MIGRATIONS) + 1,),
        )

    def test_damaged_store(self) -> None:
        """No store: told in one line with its path and what to do; left as it is."""
        self.path.parent.mkdir(parents=True)
        damaged = b"not a database at all, but long enough" * 100
        self.path.write_bytes(damaged)
        with self.assertRaises(StoreError) as caught:
            ClientStore(self.path)
        said = str(caught.exception)
        self.assertIn(str(self.path), said)
        self.assertIn("moved away", said)
        self.assertNotIn("\n", said)
        self.assertEqual(self.path.read_bytes(), damaged)
        self.path.rename(self.path.with_name("damaged"))
        self.store()

    def test_no_place(self) -> None:
        """Where no file can be made, that is told as such."""
        self.path.parent.parent.mkdir(parents=True)
        self.path.parent.write_text("a file where the folder should be")
        with self.assertRaises(StoreError) as caught:
            ClientStore(self.path)
        self.assertIn(str(self.path), str(caught.exception))

    def test_cut_off_while_made(self) -> None:
        """A file that a crash left empty becomes a store."""
        self.path.parent.mkdir(parents=True)
        self.path.touch(0o600)
        self.store().outbox.add("#ops", "a", "text", 1)
