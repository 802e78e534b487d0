"""--http with a real daemon: health, metrics, posts."""

from __future__ import annotations

import json
import re
import signal
import socket
import urllib.error
import urllib.request

from cryptography.fernet import Fernet
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from chatd.web.site import CONNECTIONS, LONGEST_BODY
from tests.helpers import Daemon, netstring
from tests.session_client import SessionClient


class HTTPTests(SynchronousTestCase):
    """Scraped as Prometheus would."""

    def setUp(self) -> None:
        self.daemon = Daemon(self, "--http", "tcp:0:interface=127.0.0.1")
        ports = re.findall(r"127\.0\.0\.1:(\d+)", self.daemon.log())
        self.port = next(int(p) for p in ports if int(p) != self.daemon.port)

    def get(self, path: str, data: bytes | None = None) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.port}/{path}"
        try:
            with urllib.request.urlopen(url, data, 20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metrics(self) -> dict[str, float]:
        """Each sample by its name and labels."""
        code, text = self.get("metrics")
        self.assertEqual(code, 200)
        found = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f"{k}={v}" for k, v in sample.labels.items())
                found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
        return found

    def test_health(self) -> None:
        """200 while messages are acknowledged."""
        code, text = self.get("health")
        told = json.loads(text)
        self.assertEqual((code, told["ready"], told["reasons"]), (200, True, []))

    def test_what_happens_is_counted(self) -> None:
        """Sessions, acks and their latency, commits, refusals; by real events."""
        with self.daemon.connect() as connection:
            guest = SessionClient(connection, self.daemon.key, "gus")
            guest.ask("join", room="#lobby")
            for number in range(5):
                said = guest.ask("send", room="#lobby", body="x", id=f"m{number}")
                self.assertEqual(said["op"], "ack")
            guest.ask("send", room="#none", body="x")
            with self.daemon.connect() as stranger:
                stranger.sendall(netstring(Fernet(Fernet.generate_key()).encrypt(b"x")))
                stranger.recv(10)
            found = self.metrics()
        self.assertIn(found["chatd_connections"], (1, 2))
        self.assertEqual(found["chatd_connections_total"], 2)
        self.assertEqual(found["chatd_sessions{kind=guest}"], 1)
        self.assertEqual(found["chatd_ack_seconds_count"], 5)
        self.assertEqual(found["chatd_ack_seconds_bucket{le=+Inf}"], 5)
        self.assertEqual(found["chatd_send_errors_total{code=no-such-room}"], 1)
        self.assertGreaterEqual(found["chatd_commit_seconds_count"], 1)
        refused = [n for n in found if n.startswith("chatd_tokens_refused_total{")]
        self.assertEqual(len(refused), 1)
        self.assertEqual(found["chatd_ready"], 1)
        self.assertGreater(found["process_resident_memory_bytes"], 1e6)

    def test_limits(self) -> None:
        """A long body is refused; so is one connection too many."""
        code, _ = self.get("hooks/none", b"x" * (LONGEST_BODY + 1))
        self.assertEqual(code, 413)
        code, _ = self.get("hooks/none", b"x")
        self.assertEqual(code, 404)
        held = [
            socket.create_connection(("127.0.0.1", self.port), 20)
            for _ in range(CONNECTIONS)
        ]
        for each in held:
            self.addCleanup(each.close)
        held[-1].sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertTrue(held[-1].recv(10).startswith(b"HTTP/1"))
        with socket.create_connection(("127.0.0.1", self.port), 20) as more:
            self.assertEqual(more.recv(10), b"")

    def test_quiet(self) -> None:
        """No path of a request is in the log; the daemon stops in spite of clients."""
        self.get("hooks/sesame", b"x")
        with socket.create_connection(("127.0.0.1", self.port), 20):
            self.daemon.signal(signal.SIGTERM)
            self.daemon.process.wait(20)
        self.assertNotIn("sesame", self.daemon.log())
