"""One connection to the server: its beginning, its end, its backpressure."""

from __future__ import annotations

import typing
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.client.limits import Limits
from chatd.client.link import Reason

_log = Logger()


class IStreamTransport(ITCPTransport, IConsumer):
    """What Twisted's TCP and TLS transports provide in common."""


class Holder(typing.Protocol):
    """Who a line tells what happens to it."""

    def line_proven(self) -> None:
        """The server has proved itself."""

    def line_ended(self, reason: Reason) -> None:
        """The line is of no use any more."""


@implementer(IPushProducer)
class Line(Protocol):
    """A connection, dead weight until its holder says `begin`."""

    transport: IStreamTransport
    _cut_short = Reason.NOT_CHATD
    """Why a connection goes that was heard, but did not prove itself."""

    def __init__(self, reactor: IReactorTime, limits: Limits) -> None:
        self._reactor = reactor
        self._limits = limits
        self._holder: Holder | None = None
        self._watch: IDelayedCall | None = None
        self._grace: IDelayedCall | None = None
        self._proven = False
        self._heard = False
        self._paused = False
        self._ended = False
        self._gone: Reason | None = None
        self.closed: Deferred[None] = Deferred()
        """Fires when the connection is gone."""

    # For the dialects.

    def _begun(self) -> None:
        """The holder is there: say the first thing."""
        raise NotImplementedError

    def _came(self, data: bytes) -> None:
        """Bytes of the server, while the line is of use."""
        raise NotImplementedError

    def _writable(self) -> None:
        """The transport takes more."""

    # For the holder.

    def begin(self, holder: Holder) -> None:
        """Begin the conversation, and tell `holder` from now on."""
        self._holder = holder
        if self._gone is not None:
            self._end(self._gone)
        elif self._heard:
            self._end(Reason.NOT_CHATD)
        else:
            if ITCPTransport.providedBy(self.transport):
                self.transport.setTcpNoDelay(True)
            self.transport.registerProducer(self, True)
            self._begun()

    def close(self) -> None:
        """Tell the holder nothing more; close, and abort where that takes too long."""
        self._ended = True
        self._unwatch()
        if self._gone is not None:
            self._settle()
        elif self._grace is None:
            self._grace = self._reactor.callLater(self._limits.close, self._overdue)
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    # What the transport tells.

    def dataReceived(self, data: bytes) -> None:
        self._heard = True
        if not self._ended and self._holder is not None:
            self._came(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._proven:
            self._gone = Reason.LOST
        elif self._heard and self._holder is not None:
            self._gone = self._cut_short
        elif self._heard or not isinstance(
            reason.value, ConnectionDone | ConnectionLost
        ):
            self._gone = Reason.NOT_CHATD
        else:
            self._gone = Reason.WRONG_KEY
        self._settle()
        if self._holder is not None:
            self._end(self._gone)

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        if self._holder is not None and not self._ended:
            self._writable()

    def stopProducing(self) -> None:
        self._paused = True

    # For the dialects.

    def _prove(self) -> None:
        """The server has proved itself."""
        if not self._proven and self._holder is not None:
            self._proven = True
            self._holder.line_proven()

    def _faulty(self, why: str) -> None:
        """The server said what it must not."""
        _log.warn("not-chatd", why=why)
        self._end(Reason.NOT_CHATD)

    def _end(self, reason: Reason) -> None:
        if self._ended:
            return
        self._ended = True
        self._unwatch()
        if self._gone is None:
            self.transport.abortConnection()
        if self._holder is not None:
            self._holder.line_ended(reason)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _overdue(self) -> None:
        self._grace = None
        self.transport.abortConnection()
        self._settle()

    def _settle(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        if not self.closed.called:
            self.closed.callback(None)


class LineFactory(Factory):
    """Makes a line for each connection that an attempt opens."""

    noisy = False

    def __init__(self, make: Callable[[], Line]) -> None:
        self._make = make

    def buildProtocol(self, addr: IAddress | None) -> Line:
        return self._make()
