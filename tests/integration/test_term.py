"""chat-term and chatctl ping as processes, against a real daemon."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import socket
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile
from chatd.wire.tokens import Key
from tests.helpers import Daemon, project_environment

SECONDS = 30.0
TERM = "chatd.clients.chat_term"


class TermTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemon(self)
        self.environ = project_environment(
            CHATD_PORT=str(self.daemon.port), CHATD_KEY=str(self.daemon.key_path)
        )

    def run_term(
        self, *argv: str, said: str | bytes = b"", module: str = TERM
    ) -> tuple[int, str, str]:
        """Exit code, stdout, stderr; never a traceback."""
        done = subprocess.run(
            [sys.executable, "-m", module, *argv],
            input=said.encode() if isinstance(said, str) else said,
            capture_output=True,
            env=self.environ,
            timeout=SECONDS,
            check=False,
        )
        err = done.stderr.decode()
        self.assertNotIn("Traceback", err)
        return done.returncode, done.stdout.decode(), err

    def test_lines(self) -> None:
        """Piped lines are answered in order, nothing on stderr, exit 0."""
        self.assertEqual(
            self.run_term(said="Hello, Server!\n"),
            (0, "Server received: Hello, Server!\n", ""),
        )
        lines = [str(n) for n in range(500)]
        expected = "".join(f"Server received: {line}\n" for line in lines)
        self.assertEqual(self.run_term(said="\n".join(lines)), (0, expected, ""))

    def test_send_keeps_newlines(self) -> None:
        """send takes all of stdin as one message, without its last newline."""
        code, out, _ = self.run_term("--json", "send", said="a\n\nb\n")
        answer = json.loads(out)
        self.assertEqual((code, answer["sent"]), (0, "a\n\nb"))
        self.assertEqual(answer["reply"], "Server received: a\n\nb")
        self.assertGreater(answer["ms"], 0)

    def test_send_words_and_lines(self) -> None:
        """send says its words; --each-line a message a line."""
        self.assertEqual(
            self.run_term("send", "a", "b"), (0, "Server received: a b\n", "")
        )
        self.assertEqual(
            self.run_term("send", "--each-line", said="a\nb\n")[:2],
            (0, "Server received: a\nServer received: b\n"),
        )

    def test_one_bad_line(self) -> None:
        """A line that is not UTF-8 or too long fails alone; exit 1."""
        code, out, err = self.run_term(said=b"a\n\xff\n" + b"x" * 70_000 + b"\nb\n")
        self.assertEqual((code, out), (1, "Server received: a\nServer received: b\n"))
        self.assertIn("not UTF-8", err)
        self.assertIn("too long", err)

    def test_nothing(self) -> None:
        """Nothing to send: exit 1 for send, 0 for a conversation."""
        self.assertEqual(self.run_term("send")[0], 1)
        self.assertEqual(self.run_term(), (0, "", ""))

    def test_usage(self) -> None:
        """Wrong options and a missing key file exit 2."""
        for argv in (
            ["--port", "x"],
            ["--timeout", "0"],
            ["--key", str(self.daemon.folder / "none")],
            ["nonsense"],
        ):
            code, out, err = self.run_term(*argv)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("chat-term", err)

    def test_wrong_key(self) -> None:
        """A wrong key is called that, by chat-term and by ping."""
        path = self.daemon.folder / "other.key"
        keyfile.create(path, Key.generate(os.urandom))
        for module, argv in ((TERM, ["send", "hi"]), ("chatd.ctl", ["ping"])):
            self.environ["CHATD_KEY"] = str(path)
            code, out, err = self.run_term(*argv, module=module)
            self.assertEqual((code, out), (1, ""))
            self.assertIn("wrong key", err)

    def test_refused(self) -> None:
        """A port where nothing listens: the reason, within the timeout."""
        self.daemon.terminate()
        code, out, err = self.run_term("--timeout", "0.5", "send", "hi")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("Nothing listens", err)
        code, out, err = self.run_term("ping", module="chatd.ctl")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("Nothing listens", err)

    def test_silent_server(self) -> None:
        """A server that accepts and never answers: no answer in time, exit 1."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            port = str(silent.getsockname()[1])
            code, out, err = self.run_term(
                "--port", port, "--timeout", "0.5", "send", "a"
            )
        self.assertEqual((code, out), (1, ""))
        self.assertIn("in time", err)

    def test_reader_gone(self) -> None:
        """A reader of stdout that leaves ends chat-term quietly."""
        process = subprocess.Popen(
            [sys.executable, "-m", TERM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environ,
        )
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"a\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"Server received: a\n")
        process.stdout.close()
        process.stdin.write(b"b\n" * 200)
        process.stdin.close()
        self.assertEqual(process.wait(SECONDS), 0)
        self.assertEqual(process.stderr.read(), b"")
        process.stderr.close()

    def test_ping(self) -> None:
        """chatctl ping prints a reply and its time for each count."""
        code, out, err = self.run_term("ping", "--count", "2", module="chatd.ctl")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"\A(Server received: ping  \(\d+\.\d\d ms\)\n){2}\Z")

    def test_terminal(self) -> None:
        """At a terminal a line is answered there, and Ctrl-D ends with exit 0."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", TERM],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=self.environ | {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"},
            start_new_session=True,
        )
        os.close(theirs)
        self.addCleanup(os.close, ours)
        self.addCleanup(process.kill)
        seen = self.read_until(ours, b">")
        os.write(ours, b"hello\r")
        # The prompt that follows tells that keys are read again: while the reply is
        # printed, Ctrl-D would be the terminal's own.
        seen += self.read_until(ours, rb"Server received: hello(?s:.*)>")
        os.write(ours, b"\x04")
        seen += self.read_until(ours, None)
        self.assertEqual(process.wait(SECONDS), 0)
        self.assertNotIn(b"Traceback", seen)

    def read_until(self, fd: int, wanted: bytes | None) -> bytes:
        """What the terminal shows up to the pattern `wanted`; None: to its end."""
        seen = b""
        end = time.monotonic() + SECONDS  # a prompt that is redrawn is never silent
        while wanted is None or not re.search(wanted, seen):
            self.assertLess(time.monotonic(), end, f"never seen: {wanted!r}, {seen!r}")
            readable, _, _ = select.select([fd], [], [], SECONDS)
            self.assertTrue(readable, f"the terminal fell silent: {seen!r}")
            try:
                seen += os.read(fd, 4096)
            except OSError:  # the other end is closed
                break
        return seen
