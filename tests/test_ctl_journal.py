"""chatctl backup and verify, on a store of a real journal."""

from __future__ import annotations

import io
import sqlite3
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import ctl
from chatd.journal.interface import Draft, Lane
from chatd.journal.journal import SQLiteJournal
from tests.journal.pump import Pump


class JournalCommandTests(SynchronousTestCase):
    """A room of ten messages."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp())
        self.state.mkdir()
        self.path = self.state / "journal.db"
        pump = Pump()
        journal = SQLiteJournal(pump, self.path)
        journal.open()
        for n in range(10):
            draft = Draft("#lobby", "alice", f"{n}", f"text {n}", None, Lane())
            pump.wait(journal.append(draft))
        pump.wait(journal.prune(0))
        pump.wait(journal.close())

    def run_ctl(self, *words: str) -> tuple[int, str]:
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(out):
            code = ctl.main([*words, "--state", str(self.state)])
        return code, out.getvalue()

    def change(self, sql: str) -> None:
        connection = sqlite3.connect(self.path)
        connection.execute(sql)
        connection.commit()
        connection.close()

    def test_whole(self) -> None:
        """A store as the daemon left it is whole."""
        code, said = self.run_ctl("verify")
        self.assertEqual((code, "whole" in said), (0, True))

    def test_changed(self) -> None:
        """Whatever is changed, removed or cut off is found, and no text is printed."""
        for sql, told in (
            ("UPDATE messages SET body='forged' WHERE seq=4", "message 4"),
            ("UPDATE messages SET sender='bob' WHERE seq=3", "message 3"),
            ("DELETE FROM messages WHERE seq=2", "message 2 is missing"),
        ):
            self.change(sql)
            code, said = self.run_ctl("verify")
            self.assertEqual(code, 1)
            self.assertIn(told, said)
            self.assertNotIn("forged", said)

    def test_cut_off(self) -> None:
        """A log that ends before its head is found."""
        self.change("DELETE FROM messages WHERE seq=10")
        self.assertIn("head", self.run_ctl("verify")[1])

    def test_backup(self) -> None:
        """A backup is a whole store of its own."""
        copy = self.state / "copy.db"
        code, _ = self.run_ctl("backup", str(copy))
        self.assertEqual(code, 0)
        code, said = self.run_ctl("verify", "--file", str(copy))
        self.assertEqual((code, str(copy) in said), (0, True))

    def test_no_store(self) -> None:
        """What is not there, or no store, is said in one line."""
        for words in (("backup", "x.db"), ("verify",)):
            for path in self.state.glob("journal.db*"):
                path.unlink()
            code, said = self.run_ctl(*words)
            self.assertEqual((code, said.count("\n")), (1, 1))
            self.path.write_bytes(b"no store" * 1000)
            code, said = self.run_ctl(*words)
            self.assertEqual((code, said.count("\n")), (1, 1))
