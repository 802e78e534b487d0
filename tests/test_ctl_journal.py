"""chatctl backup and verify, on a store of a real journal."""

from __future__ import annotations

import io
import socketserver
import sqlite3
import subprocess
import sys
import threading
from contextlib import redirect_stderr, redirect_stdout
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import ctl, restoring
from chatd.journal.interface import Draft, Lane
from chatd.journal.journal import SQLiteJournal
from tests.helpers import project_environment
from tests.journal.pump import Pump


class Answers(BaseHTTPRequestHandler):
    """Of a daemon that does not see the operator's folders."""

    line = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.line + b"\n")

    def log_request(self, *args: object) -> None:
        """Nobody wants to know."""


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

    def test_cut_off_with_its_head(self) -> None:
        """Of a file alone that cannot be known: it is complete, to what is left."""
        self.change("DELETE FROM messages WHERE seq=10")
        self.change(
            "UPDATE rooms SET last=9, hash=(SELECT hash FROM messages WHERE seq=9)"
        )
        code, said = self.run_ctl("verify")
        self.assertEqual((code, "complete to 9" in said), (0, True))

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

    def test_daemon_elsewhere(self) -> None:
        """What the daemon cannot write, or writes elsewhere, chatctl copies itself."""
        path = str(self.state / "admin.sock")
        server = socketserver.UnixStreamServer(path, Answers)
        self.addCleanup(server.server_close)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        for number, line in enumerate(
            (b'{"error":"it failed: Read-only file system"}', b'{"inode":1}')
        ):
            self.patch(Answers, "line", line)
            copy = self.state / f"copy{number}.db"
            argv = ["backup", str(copy), "--state", str(self.state)]
            done = subprocess.run(
                [sys.executable, "-m", "chatd.ctl", *argv],
                env=project_environment(),
                capture_output=True,
                timeout=30,
            )
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertIsNone(restoring.verdicts(copy)[0].fault)
