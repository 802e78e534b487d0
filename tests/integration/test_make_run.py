"""``make run``: real processes, from the command to the reply."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.helpers import ROOT, project_environment

SECONDS = 60
"""How long one run may take."""


class MakeRunTests(SynchronousTestCase):
    """A daemon and a client beside it, with a state folder of the test's own."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()

    def _command(self, *options: str) -> list[str]:
        return [
            *(sys.executable, "-m", "chatd.run"),
            *("--state", str(self.state)),
            *options,
        ]

    def _said(self, said: bytes, port: int = 0) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self._command(),
            input=said,
            env=project_environment(CHATD_PORT=str(port), DISPLAY=":99"),
            capture_output=True,
            timeout=SECONDS,
        )

    def _log(self) -> str:
        return (self.state / "chatd.log").read_text()

    def test_one_line(self) -> None:
        """A line by a pipe is answered by exactly its reply, with exit code 0.

        Even where there is a display: a script is given no window.
        """
        done = self._said(b"Hello, Server!\n")
        self.assertEqual(done.stdout, b"Server received: Hello, Server!\n")
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_lines(self) -> None:
        """Each line is a message of its own, answered in order."""
        done = self._said(b"one\ntwo\nthree\n")
        self.assertEqual(
            done.stdout.splitlines(),
            [
                b"Server received: one",
                b"Server received: two",
                b"Server received: three",
            ],
        )

    def test_make(self) -> None:
        """``make run`` itself writes nothing but the reply to standard output."""
        done = subprocess.run(
            [
                *("make", "run", f"STATE={self.state}", f"VENV={sys.prefix}"),
                *("--old-file", f"{sys.prefix}/.run", "--old-file", "setup.cfg"),
            ],
            cwd=ROOT,
            input=b"Hello, Server!\n",
            env=project_environment(CHATD_PORT="0"),
            capture_output=True,
            timeout=SECONDS,
        )
        self.assertEqual(
            (done.stdout, done.returncode),
            (b"Server received: Hello, Server!\n", 0),
            done.stderr,
        )

    def test_state(self) -> None:
        """The key is made on the first run, for its owner alone, and then kept."""
        self._said(b"")
        path = self.state / "secret.key"
        key = path.read_bytes()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self._said(b"")
        self.assertEqual(path.read_bytes(), key)

    def test_daemon_ends(self) -> None:
        """The daemon is stopped in good order when the client has ended."""
        self._said(b"x\n")
        self.assertTrue(self._log().endswith(" - stopped\n"), self._log())

    def test_port_in_use(self) -> None:
        """With another's server on the port, it is told nothing; one line, code 1."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            other.setblocking(False)
            port = other.getsockname()[1]
            done = self._said(b"a secret\n", port)
            self.assertRaises(BlockingIOError, other.accept)
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(b"Address already in use", done.stderr)

    def test_bad_key(self) -> None:
        """With a key file that is none, one line names it; code 1."""
        self.state.mkdir()
        path = self.state / "secret.key"
        path.write_text("not a key\n")
        path.chmod(0o600)
        done = self._said(b"x\n")
        self.assertEqual((done.returncode, done.stdout), (1, b""))
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn(bytes(path), done.stderr)

    def test_client_code(self) -> None:
        """The exit code is the client's."""
        environ = project_environment(CHATD_PORT="no port")
        done = subprocess.run(
            self._command("--client-only"),
            env=environ,
            input=b"",
            capture_output=True,
            timeout=SECONDS,
        )
        self.assertEqual(done.returncode, 2, done.stderr)

    def test_window_is_chosen(self) -> None:
        """A person at a terminal, with a display, is given the window."""
        code, said = self._at_a_terminal(DISPLAY=":none")
        self.assertEqual((code, said.partition(":")[0]), (2, "chat-tk"))

    def test_terminal_is_chosen(self) -> None:
        """A person at a terminal, without a display, is given the terminal client."""
        code, said = self._at_a_terminal(DISPLAY="", CHATD_PORT="no port")
        self.assertEqual((code, said.partition(":")[0]), (2, "chat-term"))

    def _at_a_terminal(self, **environ: str) -> tuple[int, str]:
        """Exit code and stderr of the client alone, a terminal its standard input."""
        ours, theirs = os.openpty()
        with os.fdopen(ours, "rb"), os.fdopen(theirs, "rb") as stdin:
            done = subprocess.run(
                self._command("--client-only"),
                env=project_environment(**environ),
                stdin=stdin,
                capture_output=True,
                timeout=SECONDS,
            )
        return done.returncode, done.stderr.decode()

    def test_daemon_lost(self) -> None:
        """A daemon that ends before its client is told of at the end."""
        with self._started() as process:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
            for pid in map(int, children.read_text().split()):
                command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if command[1:3] == [b"-m", b"chatd"]:
                    os.kill(pid, signal.SIGKILL)
            said = process.communicate(timeout=SECONDS)[1].decode()
        self.assertIn("chatd ended early; see ", said)

    def _started(self) -> subprocess.Popen[bytes]:
        """A conversation of which the first line was answered."""
        process = subprocess.Popen(
            self._command(),
            env=project_environment(CHATD_PORT="0"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
        )
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"x\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"Server received: x\n")
        return process

    def _signalled(self, number: signal.Signals, whole_group: bool) -> int:
        """The exit code after a signal in the middle of a conversation."""
        with self._started() as process:
            (os.killpg if whole_group else os.kill)(process.pid, number)
            return process.wait(SECONDS)

    def test_terminated(self) -> None:
        """SIGTERM to the command ends client and daemon; none is left behind."""
        self.assertEqual(self._signalled(signal.SIGTERM, False), 128 + signal.SIGTERM)
        self.assertTrue(self._log().endswith(" - stopped\n"), self._log())

    def test_terminal_closed(self) -> None:
        """SIGHUP, as when the terminal is closed, ends them, too."""
        self.assertEqual(self._signalled(signal.SIGHUP, True), 128 + signal.SIGHUP)
        self.assertTrue(self._log().endswith(" - stopped\n"), self._log())

    def test_interrupted(self) -> None:
        """Ctrl-C ends the client, and then the daemon in good order."""
        self.assertEqual(self._signalled(signal.SIGINT, True), 128 + signal.SIGINT)
        self.assertTrue(self._log().endswith(" - stopped\n"), self._log())
