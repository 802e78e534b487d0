"""Bytes, timers and backpressure of one connection; what it says is elsewhere."""

from __future__ import annotations

import socket
import typing
from typing import cast

from twisted.internet.address import UNIXAddress
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
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.server.addresses import peer_name
from chatd.server.limits import Limits
from chatd.server.live import IN_FLIGHT, LiveSession
from chatd.server.session import PlainSession
from chatd.wire.framing import FrameDecoder, encode

HIGH_WATER = 65_536  # bytes that may wait for a peer before it is not read from


class IStreamTransport(ITCPTransport, IConsumer, IPushProducer, ISystemHandle):
    """What Twisted's transports over TCP, TLS and UNIX sockets provide in common."""


class Owner(typing.Protocol):
    """Who answers what a connection brings: the factory."""

    reactor: IReactorTime
    limits: Limits
    sizes: dict[bytes, int]

    def seconds(self) -> float: ...

    def connected(self, connection: ChatProtocol) -> None: ...

    def disconnected(self, connection: ChatProtocol) -> None: ...

    def queue(self, connection: ChatProtocol) -> None:
        """There is something to answer, or to write."""

    def flush(self) -> None:
        """Answer all that has come so far."""

    def misbehaved(self, connection: ChatProtocol, event: str, reason: str) -> None:
        """Log why a peer is being closed."""

    def overdue(self, connection: ChatProtocol) -> None:
        """A session was welcomed and never came to life."""


@implementer(IPushProducer, IHalfCloseableProtocol)
class ChatProtocol(Protocol):
    """One connection: moves its bytes and applies what its session decides."""

    transport: IStreamTransport

    def __init__(self, factory: Owner, address: IAddress) -> None:
        self._factory = factory
        self.address = address
        self.number = 0  # as the log calls it, once connected
        self.decoder = FrameDecoder(factory.limits.longest_token, factory.sizes)
        self.plain: PlainSession | None = None  # once the first frame has decided
        self.live: LiveSession | None = None  # the same
        self.frames: list[bytes] = []  # received, not yet answered
        self.closing = False
        self.began = self.heard = factory.seconds()  # when bytes last came
        self._socket: socket.socket | None = None  # to write to past the transport
        self._ending = False  # whether the peer has closed its half
        self._held = False  # whether it is not read from, for what it asked waits
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

    def take(self, most: int) -> list[bytes]:
        """The next frames to answer, up to `most`; where some stay, reading waits."""
        live = self.live
        if live is not None:
            most = min(most, IN_FLIGHT - live.in_flight)
        elif self.plain is None:
            most = 1  # it decides how the others are opened
        most = max(0, most)
        frames, self.frames = self.frames[:most], self.frames[most:]
        if frames:
            self.heard = self._factory.seconds()
        return frames

    def hold(self) -> None:
        """Do not read on while frames wait for their answers."""
        held = bool(self.frames)
        if held == self._held or self.closing or self._ending:
            return
        self._held = held
        if self._unread is None:
            if held:
                self.transport.pauseProducing()
            else:
                self.transport.resumeProducing()

    def answer(self, tokens: list[bytes]) -> None:
        """Write the sealed answers, and close if the framing ended behind them."""
        if self.closing:
            return
        if tokens:
            self._write(b"".join([encode(token) for token in tokens]))
        if self.decoder.fault is not None and not self.frames:
            self._factory.misbehaved(self, "bad-frame", self.decoder.fault)
            self.close()
        self._end_if_answered()

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
        elif self.live is not None:
            if not self.live.proven:
                if now - self.heard >= limits.handshake:
                    self._factory.overdue(self)
            elif now - self.heard >= limits.silence:
                self.live.goodbye("idle", 0)
        elif limits.idle and now - self.heard >= limits.idle:
            self._factory.misbehaved(self, "idle", "nothing was said")
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
        if self._unread is not None or self._held:
            transport.resumeProducing()
        if self._socket is not None:
            transport.loseWriteConnection()
        else:
            transport.loseConnection()

    def readConnectionLost(self) -> None:
        """The peer sends no more: answer what it sent, then close."""
        self._ending = True
        self._factory.flush()
        self._end_if_answered()

    def _end_if_answered(self) -> None:
        waits = self.frames or (self.live is not None and self.live.in_flight)
        if self._ending and not waits and not self.closing:
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
            if self.live is not None:
                self.live.writable = False
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self._waiting = 0
        if self._unread is not None and not self.closing:
            self._unread = None
            self.heard = self._factory.seconds()
            if self.live is not None:
                self.live.writable = True
                self._factory.queue(self)
            if not (self._held or self._ending):
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
