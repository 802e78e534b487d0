"""What tests share: a real daemon, and tokens by the oracle, cryptography.fernet."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd import keyfile
from chatd.wire.tokens import Key

ROOT = Path(__file__).resolve().parents[1]
START_SECONDS = 30.0
STOP_SECONDS = 30.0

_Case = TestCase | SynchronousTestCase


def netstring(payload: bytes) -> bytes:
    return b"%d:%b," % (len(payload), payload)


def project_environment(**more: str) -> dict[str, str]:
    """This environment, with the checkout importable and no one's own settings."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CHATD_", "XDG_", "STATE_DIRECTORY", "NOTIFY_"))
    }
    own = {
        "PYTHONPATH": str(ROOT),
        "XDG_DATA_HOME": str(Path.cwd() / "xdg-data"),
        "XDG_CONFIG_HOME": str(Path.cwd() / "xdg-config"),
    }
    return kept | own | more


class Daemon:
    """A real daemon, as a process of its own, on a free port of the loopback.

    Started when made, stopped in the test's clean-up. Readiness is told by the daemon
    itself (sd_notify(3)), so that nothing is waited for blindly.
    """

    def __init__(self, case: _Case, *options: str) -> None:
        self._options = options
        self.folder = Path(case.mktemp())
        self.folder.mkdir(parents=True)
        self.state = self.folder / "state"
        self.key_path = self.state / "secret.key"
        self.log_path = self.folder / "chatd.log"
        self.port = 0
        self._start()
        case.addCleanup(self._clean_up)

    @property
    def key(self) -> Key:
        return keyfile.read(self.key_path)

    @property
    def fernet(self) -> Fernet:
        return Fernet(self.key.text)

    def log(self) -> str:
        return self.log_path.read_text()

    def _start(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            name = f"\0chatd-test-{os.getpid()}-{id(self)}-{os.urandom(4).hex()}"
            ready.bind(name)
            ready.settimeout(0.1)
            command = [sys.executable, "-m", "chatd", "--state", str(self.state)]
            if "--listen" not in self._options:
                command += ["--listen", f"tcp:{self.port}:interface=127.0.0.1"]
            with self.log_path.open("ab") as log:
                self.process = subprocess.Popen(
                    [*command, *self._options],
                    env=project_environment(NOTIFY_SOCKET="@" + name[1:]),
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                )
            self.port = self._await_ready(ready)

    def _await_ready(self, ready: socket.socket) -> int:
        for _ in range(int(START_SECONDS / 0.1)):
            try:
                state = ready.recv(4096).decode()
            except TimeoutError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"no daemon:\n{self.log()}") from None
                continue
            ports = re.findall(r"127\.0\.0\.1:(\d+)", state)
            return int(ports[0]) if ports else 0
        raise RuntimeError(f"the daemon never became ready:\n{self.log()}")

    def connect(self) -> socket.socket:
        """A blocking connection that gives up after some seconds."""
        return socket.create_connection(("127.0.0.1", self.port), STOP_SECONDS)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)

    def restart(self) -> None:
        """Start again, after terminate() or kill(): same port, same state."""
        self._start()

    def _clean_up(self) -> None:
        if self.process.poll() is None:
            self.kill()  # a clean end would wait for connections that a test left


def read_frame(connection: socket.socket) -> bytes:
    """The payload of the next frame; EOFError where the peer closed."""
    head = b""
    while not head.endswith(b":"):
        head += _read(connection, 1)
    payload = b""
    size = int(head[:-1])
    while len(payload) < size + 1:
        payload += _read(connection, size + 1 - len(payload))
    return payload[:-1]


def _read(connection: socket.socket, most: int) -> bytes:
    data = connection.recv(most)
    if not data:
        raise EOFError
    return data


def certify(folder: Path) -> None:
    """A TLS key, `k`, and a certificate signed by itself, `c`, in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "chatd")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    style = serialization.PrivateFormat.PKCS8
    plain = serialization.NoEncryption()
    (folder / "k").write_bytes(key.private_bytes(pem, style, plain))
    (folder / "c").write_bytes(certificate.public_bytes(pem))
