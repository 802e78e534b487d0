"""Bytes, timers and backpressure of the connections; what they say is elsewhere.

Frames that arrive in one turn of the reactor, on whatever connections, are opened in
one batch, and their answers sealed in one batch and written once a connection.
"""

from __future__ import annotations

import socket
from typing import cast

from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ISystemHandle,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.server.addresses import group, peer_name
from chatd.server.admission import Admission
from chatd.server.keyring import Keyring, Opened, seal
from chatd.server.limits import Limits, Throttle
from chatd.server.session import Session
from chatd.wire.framing import FrameDecoder, encode

_log = Logger()


HIGH_WATER = 65_536  # bytes that may wait for a peer before it is not read from


class IStreamTransport(ITCPTransport, IConsumer, IPushProducer, ISystemHandle):
    """What Twisted's transports over TCP, TLS and UNIX sockets provide in common."""


@implementer(IPushProducer, IHalfCloseableProtocol)
class ChatProtocol(Protocol):
    """One connection: moves its bytes and applies what its session decides."""

    transport: IStreamTransport

    def __init__(self, factory: ChatFactory, address: IAddress) -> None:
        self._factory = factory
        self.address = address
        self.decoder = FrameDecoder(factory.limits.longest_token, factory.sizes)
        self.session = Session(factory.limits)
        self.frames: list[bytes] = []  # received, not yet answered
        self.closing = False
        self.heard = factory.seconds()  # when bytes last came
        self._socket: socket.socket | None = None  # to write to past the transport
        self._waiting = 0  # bytes given to the transport since it was last empty
        self._unfinished: float | None = None  # since when a frame is incomplete
        self._unread: float | None = None  # since when the peer does not read
        self._abort: IDelayedCall | None = None

    @property
    def peer(self) -> str:
        return peer_name(self.address)

    def connectionMade(self) -> None:
        transport = self.transport
        if not isinstance(self.address, UNIXAddress):
            transport.setTcpNoDelay(True)
            transport.setTcpKeepAlive(True)
        if not ISSLTransport.providedBy(transport):
            self._socket = cast(socket.socket, transport.getHandle())
        # A transport asks a pull producer for more each time its buffer is empty: that
        # is when the socket may be written to past it. TLS has a buffer of its own.
        transport.registerProducer(self, self._socket is None)
        self._factory.connected(self)

    def dataReceived(self, data: bytes) -> None:
        if self.closing:
            return
        decoder = self.decoder
        was_waiting = decoder.waiting
        frames = decoder.feed(data)
        if not decoder.waiting:
            self._unfinished = None
        elif frames or not was_waiting:
            self._unfinished = self._factory.seconds()
        if frames or decoder.fault is not None:
            self.frames += frames
            self._factory.queue(self)

    def answer(self, tokens: list[bytes]) -> None:
        """Write the sealed answers, and close if the session or the framing ended."""
        if self.closing:
            return
        if tokens:
            self._write(b"".join([encode(token) for token in tokens]))
        if self.session.ended is not None:
            self._factory.misbehaved(self, "refused", self.session.ended)
            self.close()
        elif self.decoder.fault is not None:
            self._factory.misbehaved(self, "bad-frame", self.decoder.fault)
            self.close()

    def _write(self, data: bytes) -> None:
        """Send at once what the socket takes; the transport has the rest.

        This saves a pass through the reactor for nearly every answer.
        """
        if self._socket is None:
            self.transport.write(data)  # TLS pauses us by its own buffer's measure
            return
        if not self._waiting:
            try:
                sent = self._socket.send(data)
            except OSError:
                sent = 0  # it is full, or broken: the transport finds out which
            if sent == len(data):
                return
            data = data[sent:]
        self._waiting += len(data)
        self.transport.write(data)
        if self._waiting > HIGH_WATER:
            self.pauseProducing()

    def check(self, now: float) -> None:
        """Close this connection if it kept us waiting for too long."""
        limits = self._factory.limits
        if self.closing:
            return
        if self._unread is not None and now - self._unread >= limits.unread:
            self._factory.misbehaved(self, "slow", "the peer does not read its answers")
            self.closing = True
            self.transport.abortConnection()
        elif self._unfinished is not None and (
            now - self._unfinished >= limits.unfinished
        ):
            self._factory.misbehaved(self, "slow", "a frame was never finished")
            self.close()
        elif limits.idle and now - self.heard >= limits.idle:
            _log.info("idle", peer=self.peer)
            self.close()

    def close(self) -> None:
        """Send what is written, then close; abort where the peer does not let go.

        Over bare TCP our half is closed first and what still comes in is read and
        dropped: closing with unread bytes would reset the connection, and a reset
        can overtake the last answers (RFC 1122, 4.2.2.13).
        """
        if self.closing:
            return
        self.closing = True
        transport = self.transport
        self._abort = self._factory.reactor.callLater(
            self._factory.limits.grace, transport.abortConnection
        )
        transport.unregisterProducer()
        if self._unread is not None:
            transport.resumeProducing()
        if self._socket is not None:
            transport.loseWriteConnection()
        else:
            transport.loseConnection()

    def readConnectionLost(self) -> None:
        """The peer sends no more: answer what it sent, then close."""
        self._factory.flush()
        self.close()
        self.transport.loseConnection()  # nothing is left to read and drop

    def writeConnectionLost(self) -> None:
        """Our half is closed; the peer's is still read."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closing = True
        self.frames = []
        if self._abort is not None and self._abort.active():
            self._abort.cancel()
        self._factory.disconnected(self)

    # IPushProducer: the transport's send buffer is full, or is empty again.

    def pauseProducing(self) -> None:
        if self._unread is None and not self.closing:
            self._unread = self._factory.seconds()
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._waiting = 0
        if self._unread is not None and not self.closing:
            self._unread = None
            self.heard = self._factory.seconds()
            self.transport.resumeProducing()

    def stopProducing(self) -> None:
        """The transport is going; connectionLost follows."""


class TurnedAway(Protocol):
    """A connection over the limits: ended at once.

    A protocol of its own, because TLS wraps a factory's None and keeps the connection.
    """

    transport: IStreamTransport

    def connectionMade(self) -> None:
        self.transport.abortConnection()


class ChatFactory(Factory):
    """Counts connections, answers them in batches, sweeps out the silent ones."""

    noisy = False
    SWEEP = 1.0  # seconds between looks for connections that keep us waiting

    def __init__(self, reactor: IReactorTime, keyring: Keyring, limits: Limits) -> None:
        self.reactor = reactor
        self.seconds = reactor.seconds
        self.keyring = keyring
        self.limits = limits
        self.sizes: dict[bytes, int] = {}
        self.connections: set[ChatProtocol] = set()
        self._admission = Admission(limits)
        self._throttle = Throttle(reactor.seconds)
        self._queued: dict[ChatProtocol, None] = {}  # once each, in order
        self._sweep = LoopingCall(self._check_all)
        self._sweep.clock = reactor
        self._drained: list[Deferred[None]] = []

    def start(self) -> None:
        self._sweep.start(self.SWEEP, now=False)

    def buildProtocol(
        self, address: IAddress | None
    ) -> ChatProtocol | TurnedAway | None:
        if address is None:
            return None
        fault = self._admission.fault(address)
        if fault is None:
            return ChatProtocol(self, address)
        self._warn(group(address), peer_name(address), "full", fault)
        return TurnedAway()

    def connected(self, connection: ChatProtocol) -> None:
        self.connections.add(connection)
        self._admission.enter(connection.address)
        _log.info("connected", peer=connection.peer)

    def disconnected(self, connection: ChatProtocol) -> None:
        self.connections.discard(connection)
        self._admission.leave(connection.address)
        _log.info("disconnected", peer=connection.peer)
        if not self.connections:
            waiting, self._drained = self._drained, []
            for deferred in waiting:
                deferred.callback(None)

    def misbehaved(self, connection: ChatProtocol, event: str, reason: str) -> None:
        """Log, at a bounded rate an address, why a peer is being closed."""
        self._warn(group(connection.address), connection.peer, event, reason)

    def _warn(self, where: str, peer: str, event: str, reason: str) -> None:
        held = self._throttle.passes((where, event, reason))
        if held is None:
            return
        fields = {"held_back": held} if held else {}
        _log.warn(event, peer=peer, reason=reason, **fields)

    def queue(self, connection: ChatProtocol) -> None:
        """Answer `connection` in this turn's batch."""
        if not self._queued:
            self.reactor.callLater(0, self.flush)
        self._queued[connection] = None  # TLS: several deliveries a turn

    def flush(self) -> None:
        """Open, answer, seal and write what has gathered, as one batch."""
        queued, self._queued = self._queued, {}
        if not queued:
            return
        tokens: list[bytes] = []
        for connection in queued:
            tokens += connection.frames
        opened = self.keyring.open(tokens, self.limits.ttl)
        now = self.seconds()
        position = 0
        answers: list[Opened] = []
        counts: list[int] = []
        for connection in queued:
            end = position + len(connection.frames)
            connection.frames = []
            connection.heard = now
            given = connection.session.receive(opened[position:end])
            counts.append(len(given))
            answers += given
            position = end
        sealed = seal(answers)
        position = 0
        for connection, count in zip(queued, counts, strict=True):
            connection.answer(sealed[position : position + count])
            position += count

    def _check_all(self) -> None:
        now = self.seconds()
        for connection in list(self.connections):
            connection.check(now)

    async def drain(self) -> None:
        """Answer what has arrived, close all connections, return when they are gone.

        Bounded: a connection that does not go is aborted after the grace.
        """
        if self._sweep.running:
            self._sweep.stop()
        self.flush()
        for connection in list(self.connections):
            connection.close()
        if self.connections:
            done: Deferred[None] = Deferred()
            self._drained.append(done)
            await done
