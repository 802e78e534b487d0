"""One connection to the server: moves bytes, runs timers, applies what came."""

from __future__ import annotations

import typing
from collections import deque
from collections.abc import Callable, Sequence

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

from chatd.client.errors import Declined
from chatd.client.exchange import Exchange, Refused
from chatd.client.limits import Limits
from chatd.client.link import Reason

_log = Logger()

_DECLINED = {
    Refused.NOT_UTF8: "The server refused the text: it is not UTF-8.",
    Refused.TOO_LONG: "The server refused the text: it is too long.",
}


class IStreamTransport(ITCPTransport, IConsumer):
    """What Twisted's TCP and TLS transports provide in common."""


class Holder(typing.Protocol):
    """Who a line tells what happens to it."""

    def line_proven(self) -> None:
        """The server gave a right reply to the probe."""

    def line_ready(self) -> None:
        """There may be room for more texts."""

    def line_ended(self, reason: Reason) -> None:
        """The line is of no use any more; its calls are still to `release`."""


@implementer(IPushProducer)
class Line(Protocol):
    """A connection, dead weight until its holder says `begin`.

    It then proves the server by a probe, and by another whenever it hears nothing for
    `Limits.idle` seconds; without an answer for `Limits.answer` more it gives up.
    """

    transport: IStreamTransport

    def __init__(
        self,
        reactor: IReactorTime,
        exchange: Exchange,
        limits: Limits,
        nonce: Callable[[], bytes],
    ) -> None:
        """`nonce`: a new random text of a few bytes of UTF-8."""
        self._reactor = reactor
        self._exchange = exchange
        self._limits = limits
        self._nonce = nonce
        self._holder: Holder | None = None
        self._calls: deque[Deferred[str] | None] = deque()  # None: a probe
        self._watch: IDelayedCall | None = None
        self._grace: IDelayedCall | None = None
        self._proven = False
        self._heard = False
        self._doubtful = True
        self._paused = False
        self._ended = False
        self._gone: Reason | None = None
        self.closed: Deferred[None] = Deferred()
        """Fires when the connection is gone."""

    def begin(self, holder: Holder) -> None:
        """Send the probe, and tell `holder` from now on."""
        self._holder = holder
        if self._gone is not None:
            self._end(self._gone)
        elif self._heard:
            self._end(Reason.NOT_CHATD)
        else:
            if ITCPTransport.providedBy(self.transport):
                self.transport.setTcpNoDelay(True)
            self.transport.registerProducer(self, True)
            self._watch = self._reactor.callLater(self._limits.answer, self._silent)
            self._send([None], [self._nonce()])

    @property
    def room(self) -> tuple[int, int]:
        """How many texts may be sent now, and how many bytes they may have."""
        if self._paused:
            return 0, 0
        limits, exchange = self._limits, self._exchange
        return (
            limits.outstanding - exchange.outstanding,
            max(limits.outstanding_bytes, limits.frame) - exchange.outstanding_bytes,
        )

    def send(self, calls: Sequence[tuple[Deferred[str], bytes]]) -> None:
        """Send texts in one write; each reply goes to its Deferred."""
        self._send([call for call, _ in calls], [text for _, text in calls])

    def release(self) -> list[Deferred[str]]:
        """Hand over the calls without a reply, in order."""
        calls, self._calls = self._calls, deque()
        return [call for call in calls if call is not None]

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

    def dataReceived(self, data: bytes) -> None:
        self._heard = True
        if self._ended or self._holder is None:
            return
        for answer in self._exchange.receive(data):
            self._apply(answer)
            if self._ended:
                return
        if self._exchange.fault is not None:
            _log.warn("not-chatd", why=self._exchange.fault)
            self._end(Reason.NOT_CHATD)
        else:
            self._holder.line_ready()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._proven:
            self._gone = Reason.LOST
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
            self._holder.line_ready()

    def stopProducing(self) -> None:
        self._paused = True

    def _apply(self, answer: str | Refused) -> None:
        call = self._calls.popleft()
        if self._watch is not None:
            self._watch.reset(self._limits.idle)
        self._doubtful = False
        match call, answer:
            case None, str():
                if not self._proven and self._holder is not None:
                    self._proven = True
                    self._holder.line_proven()
            case None, Refused():
                _log.warn("not-chatd", why="a probe was refused")
                self._end(Reason.NOT_CHATD)
            case Deferred(called=True), _:
                pass  # cancelled by its caller: the reply has nowhere to go
            case Deferred(), str():
                call.callback(answer)
            case Deferred(), Refused():
                call.errback(Declined(_DECLINED[answer]))

    def _send(self, calls: Sequence[Deferred[str] | None], texts: list[bytes]) -> None:
        data = self._exchange.ask(texts)
        self._calls.extend(calls)
        self.transport.write(data)

    def _silent(self) -> None:
        self._watch = None
        if self._doubtful:
            self._end(Reason.TIMEOUT)
            return
        self._doubtful = True
        self._watch = self._reactor.callLater(self._limits.answer, self._silent)
        if not self._calls:
            self._send([None], [self._nonce()])

    def _end(self, reason: Reason) -> None:
        if self._ended:
            return
        self._ended = True
        self._unwatch()
        if self._gone is None:
            self.transport.abortConnection()
        if self._holder is not None:
            self._holder.line_ended(reason)

    def _overdue(self) -> None:
        self._grace = None
        self.transport.abortConnection()
        self._settle()

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

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
