"""The daemon on sockets that another opened: what systemd does, systemd's own tool."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.helpers import (
    ROOT,
    STOP_SECONDS,
    Daemon,
    netstring,
    project_environment,
    read_frame,
)

_HANDING_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class ActivatedDaemon(Daemon):
    """A real daemon that is given its port as fd 3 (sd_listen_fds(3))."""

    def _start(self) -> None:
        self.given = socket.create_server(("127.0.0.1", self.port))
        self.early = socket.create_connection(self.given.getsockname(), STOP_SECONDS)
        self._launch()

    def _launch(self) -> None:
        name = f"chatd-test-{os.getpid()}-{os.urandom(4).hex()}"
        fd = self.given.fileno()
        given = {"LISTEN_FDS": "1", "LISTEN_FDNAMES": "chatd.socket"}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind("\0" + name)
            ready.settimeout(0.1)
            with self.log_path.open("ab") as log:
                self.process = subprocess.Popen(
                    [
                        *(sys.executable, "-c", _HANDING_OVER, str(fd)),
                        *(sys.executable, "-m", "chatd"),
                        *("--state", str(self.state), *self._options),
                    ],
                    env=project_environment(NOTIFY_SOCKET="@" + name, **given),
                    pass_fds=[fd],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self.port = self._await_ready(ready)

    def restart(self) -> None:
        """As systemd does it: the socket stays open meanwhile."""
        self._launch()


class ActivationTests(SynchronousTestCase):
    """chatd.socket's way."""

    def conversation(self, daemon: Daemon, connection: socket.socket) -> bytes:
        connection.sendall(netstring(daemon.fernet.encrypt(b"hi")))
        return daemon.fernet.decrypt(read_frame(connection))

    def test_given_socket(self) -> None:
        """Who connects before the daemon is up, or while it restarts, is served."""
        config = Path(self.mktemp()).absolute()
        sample = (ROOT / "etc" / "chatd.conf").read_text()
        endpoint = "systemd:domain=INET:index=0"
        self.assertIn(endpoint, (ROOT / "etc" / "chatd.socket").read_text())
        config.write_text(
            sample.replace("#listen = tcp:5555", f"listen = {endpoint}", 1)
        )
        daemon = ActivatedDaemon(self, "--config", str(config))
        self.addCleanup(daemon.given.close)
        with daemon.early as connection:
            said = self.conversation(daemon, connection)
            self.assertEqual(said, b"Server received: hi")
        daemon.terminate()
        self.assertIn(" stopped", daemon.log())
        with daemon.connect() as connection:
            daemon.restart()
            said = self.conversation(daemon, connection)
            self.assertEqual(said, b"Server received: hi")

    def test_systemd_socket_activate(self) -> None:
        """systemd's own tool starts the daemon when somebody connects."""
        tool = shutil.which("systemd-socket-activate")
        if tool is None:
            raise SkipTest("systemd-socket-activate is not installed")
        folder = Path(tempfile.mkdtemp())  # mktemp's paths are too long for a socket
        self.addCleanup(shutil.rmtree, folder)
        path, state, log = folder / "s", folder / "state", folder / "log"
        environment = project_environment()
        with log.open("wb") as out:
            process = subprocess.Popen(
                [
                    *(tool, "-l", str(path), "--fdname=chatd"),
                    *("-E", f"PYTHONPATH={ROOT}"),
                    *(sys.executable, "-m", "chatd", "--state", str(state)),
                    *("--listen", "systemd:domain=UNIX:index=0"),
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
            )
        self.addCleanup(process.wait, STOP_SECONDS)
        self.addCleanup(process.terminate)
        assert process.stderr is not None  # for the type checker
        self.addCleanup(process.stderr.close)
        self.assertIn(b"Listening on", process.stderr.readline())
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(STOP_SECONDS)
            connection.connect(str(path))
            connection.sendall(b"junk")
            self.assertEqual(connection.recv(1), b"")
        self.assertIn(" listening addresses=", log.read_text())
