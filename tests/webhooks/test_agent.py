"""chatd.webhooks.agent, on sockets of the loopback."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IReactorTime, ITCPTransport
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import ResponseFailed

from chatd.webhooks.agent import MOST_RECEIVED, drop, http_client

HEAD = b"HTTP/1.1 200 OK\r\n"


class Server(Protocol):
    """Answers each request with the same bytes."""

    answer = b""

    def connectionMade(self) -> None:
        self.factory.servers.append(self)
        self.lost: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        ITCPTransport(self.transport).write(self.answer)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost.callback(None)


class Servers(Factory):
    protocol = Server

    def __init__(self) -> None:
        self.servers: list[Server] = []


class BoundTests(TestCase):
    """How much of an answer is taken."""

    async def listen(self, answer: bytes) -> tuple[str, Servers]:
        factory = Servers()
        factory.noisy = False
        Server.answer = answer
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        port = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        address = port.getHost()
        assert isinstance(address, IPv4Address)
        return f"http://127.0.0.1:{address.port}/", factory

    async def test_endless_headers(self) -> None:
        """Headers over the limit fail the request and cut the connection."""
        line = b"X-Long: " + b"x" * 1000 + b"\r\n"
        answer = HEAD + line * (MOST_RECEIVED // len(line) + 1)
        url, factory = await self.listen(answer)
        asked = http_client(reactor).post(url, data=b"", unbuffered=True)
        await self.assertFailure(asked, ResponseFailed)
        (server,) = factory.servers
        await server.lost

    async def test_each_anew(self) -> None:
        """The limit is one answer's: a connection is used again and again."""
        size = MOST_RECEIVED // 2
        rest = b"Content-Length: %d\r\n\r\n" % size + b"x" * size
        url, factory = await self.listen(HEAD + rest)
        client = http_client(reactor)
        for left in reversed(range(5)):
            if not left:
                factory.servers[0].answer = HEAD + b"Connection: close\r\n" + rest
            response = await client.post(url, data=b"", unbuffered=True)
            await drop(response, size, IReactorTime(reactor), 15)
        (server,) = factory.servers
        await server.lost
