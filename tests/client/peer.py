"""A server in memory for the client's tests, on the real wire and a fake clock."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.client.limits import Limits
from chatd.client.link import LinkState
from chatd.client.plain import PlainClient
from chatd.wire.framing import FrameDecoder, encode
from chatd.wire.plain import DEFAULT_FRAME, reply
from chatd.wire.tokens import Key, Sealer

KEY = Key(bytes(range(32)))


def urandom(count: int) -> bytes:
    return bytes(count)


@implementer(IStreamClientEndpoint)
class Endpoint:
    """Its attempts succeed or fail when the test says so."""

    def __init__(self) -> None:
        self.attempts: list[tuple[IProtocolFactory, Deferred[IProtocol]]] = []
        self.cancelled = 0

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        result: Deferred[IProtocol] = Deferred(self._cancel)
        self.attempts.append((protocolFactory, result))
        return result

    def _cancel(self, result: Deferred[IProtocol]) -> None:
        self.cancelled += 1


class Peer:
    """The server's end of one connection."""

    def __init__(self, endpoint: Endpoint, key: Key = KEY) -> None:
        factory, result = endpoint.attempts[-1]
        self.transport = StringTransport()
        address = IPv4Address("TCP", "127.0.0.1", 5555)
        protocol = factory.buildProtocol(address)
        if protocol is None:
            raise ValueError("no protocol")
        self.protocol = protocol
        self.sealer = Sealer(key, lambda: 0.0, urandom)
        self.decoder = FrameDecoder(100_000)
        protocol.makeConnection(self.transport)
        result.callback(protocol)

    def requests(self) -> list[bytes]:
        """The texts that came since the last call."""
        tokens = self.decoder.feed(self.transport.value())
        self.transport.clear()
        texts = self.sealer.open(tokens)
        return [text for text in texts if isinstance(text, bytes)]

    def frames(self, *plain: bytes) -> bytes:
        return b"".join(map(encode, self.sealer.seal(plain)))

    def send(self, *plain: bytes) -> None:
        self.protocol.dataReceived(self.frames(*plain))

    def answer(self) -> list[bytes]:
        """Reply to all that came, in one chunk; the texts."""
        texts = self.requests()
        if texts:
            self.send(*(reply(text, DEFAULT_FRAME) for text in texts))
        return texts

    def lose(self, error: Exception | None = None) -> None:
        self.protocol.connectionLost(Failure(error or ConnectionDone()))


class World:
    """A client, its clock and its endpoint."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.clock = Clock()
        self.endpoint = Endpoint()
        self.client = PlainClient(
            self.clock,
            self.endpoint,
            KEY,
            where="127.0.0.1:5555",
            random=lambda: 0.0,
            now=lambda: 0.0,
            urandom=urandom,
            limits=limits,
        )
        self.states: list[LinkState] = []
        self.client.observe(self.states.append)

    def online(self) -> Peer:
        self.client.start()
        peer = Peer(self.endpoint)
        peer.answer()
        return peer
