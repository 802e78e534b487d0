"""The daemon's log file while logrotate moves it, as ``etc/logrotate.chatd`` has it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.helpers import ROOT, Daemon, netstring, project_environment, read_frame

SECONDS = 30
TWISTD = "from twisted.scripts.twistd import run; run()"


class LoggingDaemon(Daemon):
    """A real daemon that writes its log by its own hand: ``twistd --logfile``."""

    def _start(self) -> None:
        name = f"chatd-test-{os.getpid()}-{os.urandom(4).hex()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind("\0" + name)
            ready.settimeout(0.1)
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-c", TWISTD, "--nodaemon", "--pidfile="),
                    *("--logfile", str(self.log_path.absolute())),
                    *("chatd", "--state", str(self.state.absolute())),
                    *("--listen", "tcp:0:interface=127.0.0.1"),
                ],
                env=project_environment(NOTIFY_SOCKET="@" + name),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self.port = self._await_ready(ready)


class LogrotateTests(SynchronousTestCase):
    """Nobody signals the daemon in any of these."""

    def setUp(self) -> None:
        self.daemon = LoggingDaemon(self)
        self.path = self.daemon.log_path
        self.old = self.path.with_name("chatd.log.1")

    def visit(self) -> int:
        """Be answered by the daemon; the port it must have logged."""
        with self.daemon.connect() as connection:
            connection.sendall(netstring(self.daemon.fernet.encrypt(b"x")))
            reply = self.daemon.fernet.decrypt(read_frame(connection))
            self.assertEqual(reply, b"Server received: x")
            port: int = connection.getsockname()[1]
        return port

    def assert_goes_on_in_the_new_file(self) -> None:
        """What happens now is told in the file of that name, not in the old one."""
        before = self.old.read_text()
        peer = f"127.0.0.1:{self.visit()}"
        self.assertIn(peer, self.path.read_text())
        self.assertEqual(self.old.read_text(), before)

    def test_moved(self) -> None:
        """The log goes on in a new file where the old one was moved away."""
        self.visit()
        self.path.rename(self.old)
        self.assert_goes_on_in_the_new_file()

    def test_moved_and_created(self) -> None:
        """The log goes on in the file that ``create 0640`` puts in its place."""
        self.visit()
        self.path.rename(self.old)
        self.path.touch(0o640)
        self.assert_goes_on_in_the_new_file()

    def test_logrotate(self) -> None:
        """The sample, but for path and owner, rotates the log of a running daemon."""
        program = shutil.which("logrotate", path=os.defpath + ":/usr/sbin:/sbin")
        if program is None:
            raise SkipTest("logrotate is not installed")
        self.visit()
        sample = (ROOT / "etc" / "logrotate.chatd").read_text()
        sample = sample.replace("/var/log/chatd/chatd.log", str(self.path.absolute()))
        sample = sample.replace("create 0640 chatd chatd", "create 0640")
        config = Path(self.mktemp())
        config.write_text(sample)
        config.chmod(0o644)
        subprocess.run(
            [program, "-f", "-s", f"{config.absolute()}.status", str(config)],
            check=True,
            capture_output=True,
            timeout=SECONDS,
        )
        self.assert_goes_on_in_the_new_file()
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o640)

    def test_sample_says_what_is_relied_on(self) -> None:
        """The sample moves and creates; it sends no signal and copies nothing."""
        lines = (ROOT / "etc" / "logrotate.chatd").read_text().splitlines()
        said = {line.strip() for line in lines if not line.startswith("#")}
        wanted = {"missingok", "notifempty", "compress", "delaycompress"}
        self.assertLessEqual(wanted | {"create 0640 chatd chatd"}, said)
        self.assertFalse(said & {"copytruncate", "postrotate"})
