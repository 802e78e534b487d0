"""The HTTP server: bounded, and quiet."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from chatd.web.site import CONNECTIONS, LONGEST_BODY, answer_json, site


class Length(Resource):
    """Tells how long the body is."""

    isLeaf = True

    def render_POST(self, request: Request) -> bytes:
        data = b"" if request.content is None else request.content.read()
        return answer_json(request, {"length": len(data)})


class SiteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.site: IProtocolFactory = site({"length": Length()})
        self.opened: list[IProtocol] = []

    def connect(self) -> StringTransport | None:
        protocol = self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
        if protocol is None:
            return None
        transport = StringTransport()
        protocol.makeConnection(transport)
        self.opened.append(protocol)
        self.addCleanup(protocol.connectionLost, Failure(ConnectionDone()))
        return transport

    def post(self, path: str, length: int) -> bytes:
        transport = self.connect()
        assert transport is not None
        head = f"POST /{path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
        self.opened[-1].dataReceived(head.encode() + b"x" * length)
        said: bytes = transport.value()
        return said

    def test_longest_body(self) -> None:
        """At the limit it is taken, at one more it is not kept: 413."""
        said = self.post("length", LONGEST_BODY)
        self.assertIn(b'{"length":%d}' % LONGEST_BODY, said)
        said = self.post("length", LONGEST_BODY + 1)
        self.assertTrue(said.startswith(b"HTTP/1.1 413"))
        self.assertIn(b'{"error":"longer than', said)

    def test_nothing(self) -> None:
        """An error is JSON, too, where nothing is."""
        said = self.post("other", 1)
        self.assertTrue(said.startswith(b"HTTP/1.1 404"))
        self.assertIn(b'{"error":"there is nothing', said)

    def test_connections(self) -> None:
        """One more than so many at once is turned away."""
        for _ in range(CONNECTIONS):
            self.assertIsNotNone(self.connect())
        self.assertIsNone(self.connect())

    def test_quiet(self) -> None:
        """No request is in the log."""
        with capturedLogs() as logs:
            self.post("sesame", 1)
        self.assertNotIn("sesame", repr(list(logs)))
