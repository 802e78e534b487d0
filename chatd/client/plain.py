"""The client of the plain dialect: stays connected, asks, gets replies."""

from __future__ import annotations

import os
import random as random_module
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from twisted.internet import error
from twisted.internet.defer import Deferred, fail, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.client.backlog import Backlog
from chatd.client.errors import (
    Crowded,
    Declined,
    NotText,
    SayError,
    SayFailed,
    TooLong,
)
from chatd.client.exchange import Exchange
from chatd.client.limits import Limits
from chatd.client.line import Line, LineFactory
from chatd.client.link import Backoff, Delays, LinkState, Phase, Reason
from chatd.wire.plain import longest_text
from chatd.wire.tokens import Key, Sealer

__all__ = [
    "Crowded",
    "Declined",
    "Limits",
    "NotText",
    "PlainClient",
    "SayError",
    "SayFailed",
    "TooLong",
]

_log = Logger()

Observer = Callable[[LinkState], None]


class PlainClient:
    """Keeps a link to a server and says texts over it.

    STOPPED -> CONNECTING -> ONLINE -> WAITING -> CONNECTING ..., and STOPPED from
    anywhere. ONLINE means that the server has opened a random text with our key and
    repeated it.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        endpoint: IStreamClientEndpoint,
        key: Key,
        *,
        where: str = "the server's address",
        random: Callable[[], float] = random_module.random,
        now: Callable[[], float] = time.time,
        urandom: Callable[[int], bytes] = os.urandom,
        limits: Limits | None = None,
        delays: Delays | None = None,
    ) -> None:
        """`where`: the endpoint's place as people write it, ``127.0.0.1:5555``;
        `random`: uniform in [0, 1); `now`: seconds since the epoch; `urandom`: fit for
        cryptography.
        """
        self._reactor = reactor
        self._endpoint = endpoint
        self._urandom = urandom
        self._limits = Limits() if limits is None else limits
        self._sealer = Sealer(key, now, urandom)
        self._backoff = Backoff(random, delays)
        self._state = LinkState(Phase.STOPPED, where=where)
        self._news: deque[LinkState] = deque()
        self._telling = False
        self._observers: dict[object, Observer] = {}
        self._backlog = Backlog(self._limits.waiting, self._limits.waiting_bytes)
        self._waiters: dict[Deferred[None], None] = {}
        self._attempt: Deferred[IProtocol] | None = None
        self._timer: IDelayedCall | None = None  # of the attempt, or until the next
        self._flush: IDelayedCall | None = None
        self._line: Line | None = None
        self._open: set[Line] = set()

    @property
    def state(self) -> LinkState:
        """How the link stands now; `retry_in` counts down."""
        if self._state.phase is Phase.WAITING and self._timer is not None:
            left = max(0.0, self._timer.getTime() - self._reactor.seconds())
            return replace(self._state, retry_in=left)
        return self._state

    def observe(self, callback: Observer) -> Callable[[], None]:
        """Call `callback` with each new state, until the function returned is called.

        States come in order and none is left out. A callback that raises is logged
        and disturbs nobody.
        """
        ticket = object()
        self._observers[ticket] = callback

        def unsubscribe() -> None:
            self._observers.pop(ticket, None)

        return unsubscribe

    def start(self) -> None:
        """Begin to connect; without effect unless STOPPED."""
        if self._state.phase is Phase.STOPPED:
            self._connect()

    def retry_now(self) -> None:
        """Do not wait for the next attempt; without effect unless WAITING."""
        if self._state.phase is Phase.WAITING:
            self._connect()

    def stop(self) -> Deferred[None]:
        """Close the link and fail all calls with Reason.STOPPED.

        Fires when the connection is gone, after `Limits.close` seconds at the latest.
        """
        if self._state.phase is not Phase.STOPPED:
            line, self._line = self._line, None
            if line is not None:
                line.close()
            attempt, self._attempt = self._attempt, None
            self._leave(LinkState(Phase.STOPPED, Reason.STOPPED), line)
            if attempt is not None:
                attempt.cancel()
        for left in list(self._open):
            left.close()
        gone = [self._when_closed(left) for left in self._open]
        return gatherResults(gone).addCallback(lambda _: None)

    def when_online(self) -> Deferred[None]:
        """Fires when the link is ONLINE, at once if it is; may be cancelled.

        It waits through failed attempts, and fails with SayFailed(STOPPED) if the
        client is STOPPED, now or later.
        """
        match self._state.phase:
            case Phase.ONLINE:
                return succeed(None)
            case Phase.STOPPED:
                return fail(SayFailed(Reason.STOPPED))
        waiter: Deferred[None] = Deferred(lambda gone: self._waiters.pop(gone, None))
        self._waiters[waiter] = None
        return waiter

    def say(self, text: str) -> Deferred[str]:
        """Send `text`; fires with the reply, ``Server received: `` and the text.

        Calls are sent and answered in order, many on the wire at once. While the link
        is CONNECTING they wait; when the attempt fails or the link is lost, they fail.

        Fails with SayFailed(reason) without a link; with TooLong or NotText for a text
        that cannot be sent; with Crowded if too many wait; with Declined if the server
        refuses this text. Cancelled, it fails with CancelledError, and others keep
        their replies.
        """
        limit = longest_text(self._limits.frame)
        try:
            data = text.encode()
        except UnicodeEncodeError:
            return fail(NotText())
        if len(data) > limit:
            return fail(TooLong(limit))
        match self._state.phase:
            case Phase.STOPPED:
                return fail(SayFailed(Reason.STOPPED))
            case Phase.WAITING:
                return fail(SayFailed(self._state.reason or Reason.LOST))
        try:
            call = self._backlog.add(data)
        except Crowded as crowded:
            return fail(crowded)
        if self._flush is None and self._state.phase is Phase.ONLINE:
            self._flush = self._reactor.callLater(0, self._flushed)
        return call

    # What the line tells.

    def line_proven(self) -> None:
        """The server gave a right reply."""
        self._backoff.reset()
        self._enter(LinkState(Phase.ONLINE))
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(None)
        self._tell()

    def line_ready(self) -> None:
        """Send what waits, as far as the line has room, in one write."""
        line = self._line
        if line is None or self._state.phase is not Phase.ONLINE:
            return
        calls = self._backlog.take(*line.room)
        if calls:
            line.send(calls)

    def line_ended(self, reason: Reason) -> None:
        """The line is gone, or of no use."""
        line, self._line = self._line, None
        self._retry(reason, line)

    # The steps of the state machine.

    def _connect(self) -> None:
        self._cancel_timers()
        attempt = maybeDeferred(self._endpoint.connect, LineFactory(self._make_line))
        self._attempt = attempt
        before = self._state.reason
        reason = None if before is Reason.STOPPED else before
        self._enter(LinkState(Phase.CONNECTING, reason))
        self._timer = self._reactor.callLater(self._limits.connect, self._too_slow)
        attempt.addCallbacks(
            self._connected,
            self._not_connected,
            callbackArgs=(attempt,),
            errbackArgs=(attempt,),
        )
        attempt.addErrback(lambda bug: _log.failure("connect-failed", bug))
        self._tell()

    def _make_line(self) -> Line:
        exchange = Exchange(self._sealer, self._limits.frame)
        return Line(self._reactor, exchange, self._limits, self._nonce)

    def _nonce(self) -> bytes:
        return self._urandom(16).hex().encode()

    def _connected(self, line: IProtocol, attempt: Deferred[IProtocol]) -> None:
        if not isinstance(line, Line):
            raise TypeError("the endpoint gave a protocol that is not ours")
        self._open.add(line)
        line.closed.addCallback(lambda _: self._open.discard(line))
        if self._attempt is not attempt:  # too late
            line.close()
            return
        self._attempt = None
        self._cancel_timers()
        self._line = line
        line.begin(self)

    def _not_connected(self, failure: Failure, attempt: Deferred[IProtocol]) -> None:
        if self._attempt is attempt:
            self._attempt = None
            reason = _reason(failure)
            _log.debug(
                "not-connected", reason=reason.value, error=type(failure.value).__name__
            )
            self._retry(reason, None)

    def _too_slow(self) -> None:
        self._timer = None
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            attempt.cancel()
        self._retry(Reason.TIMEOUT, None)

    def _retry(self, reason: Reason, line: Line | None) -> None:
        delay = self._backoff.next(reason)
        self._leave(LinkState(Phase.WAITING, reason, delay), line)

    def _leave(self, state: LinkState, line: Line | None) -> None:
        """Enter a state without a link: all calls fail, the sent ones first."""
        self._cancel_timers()
        reason = state.reason or Reason.LOST
        self._enter(state)
        calls = [] if line is None else line.release()
        calls += self._backlog.release()
        waiters: dict[Deferred[None], None] = {}
        if state.phase is Phase.STOPPED:
            waiters, self._waiters = self._waiters, waiters
        elif state.retry_in is not None:
            self._timer = self._reactor.callLater(state.retry_in, self._connect)
        for call in calls:
            if not call.called:
                call.errback(SayFailed(reason))
        for waiter in waiters:
            if not waiter.called:
                waiter.errback(SayFailed(reason))
        self._tell()

    def _flushed(self) -> None:
        self._flush = None
        self.line_ready()

    def _cancel_timers(self) -> None:
        for call in (self._timer, self._flush):
            if call is not None and call.active():
                call.cancel()
        self._timer = self._flush = None

    def _when_closed(self, line: Line) -> Deferred[None]:
        gone: Deferred[None] = Deferred()
        line.closed.addCallback(lambda _: gone.callback(None))
        return gone

    def _enter(self, state: LinkState) -> None:
        self._state = replace(state, where=self._state.where)
        self._news.append(self._state)

    def _tell(self) -> None:
        """Tell the observers; what they cause is told when all know of this."""
        if self._telling:
            return
        self._telling = True
        while self._news:
            state = self._news.popleft()
            for ticket, callback in list(self._observers.items()):
                if ticket in self._observers:
                    told = maybeDeferred(callback, state)
                    told.addErrback(_observer_failed)
        self._telling = False


def _observer_failed(failure: Failure) -> None:
    _log.failure("observer-failed", failure)


def _reason(failure: Failure) -> Reason:
    if isinstance(failure.value, error.ConnectionRefusedError):
        return Reason.REFUSED
    if isinstance(failure.value, error.TimeoutError | error.TCPTimedOutError):
        return Reason.TIMEOUT
    return Reason.UNREACHABLE
