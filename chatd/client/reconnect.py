"""Staying connected: attempts, waiting between them, and who is told of it."""

from __future__ import annotations

import typing
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from twisted.internet import error
from twisted.internet.defer import Deferred, fail, gatherResults, maybeDeferred, succeed
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.client.errors import SayFailed
from chatd.client.line import Line, LineFactory
from chatd.client.link import Backoff, LinkState, Phase, Reason

_log = Logger()

Observer = Callable[[LinkState], None]
_Line = typing.TypeVar("_Line", bound=Line)


class Reconnecting(typing.Generic[_Line]):
    """Keeps one line to a server.

    STOPPED -> CONNECTING -> ONLINE -> WAITING -> CONNECTING ..., and STOPPED from
    anywhere. What ONLINE means is the line's to say.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        endpoint: IStreamClientEndpoint,
        where: str,
        backoff: Backoff,
        connect: float,
    ) -> None:
        """`where`: the endpoint's place as people write it; `connect`: seconds until
        the TCP connection stands.
        """
        self._reactor = reactor
        self._endpoint = endpoint
        self._backoff = backoff
        self._patience = connect
        self._state = LinkState(Phase.STOPPED, where=where)
        self._news: deque[LinkState] = deque()
        self._telling = False
        self._observers: dict[object, Observer] = {}
        self._waiters: dict[Deferred[None], None] = {}
        self._attempt: Deferred[IProtocol] | None = None
        self._timer: IDelayedCall | None = None  # of the attempt, or until the next
        self._line: _Line | None = None
        self._open: set[Line] = set()

    # For the dialects.

    def _make_line(self) -> _Line:
        raise NotImplementedError

    def _is_line(self, protocol: IProtocol) -> typing.TypeGuard[_Line]:
        raise NotImplementedError

    def _came_online(self) -> None:
        """The state is ONLINE now, and nobody was told yet."""

    def _went_offline(self, reason: Reason, line: _Line | None) -> None:
        """The state is WAITING or STOPPED now, and nobody was told yet."""

    # For their users.

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
        """Close the link; what waits for an answer fails with Reason.STOPPED.

        Fires when the connection is gone, after `Limits.close` seconds at the latest.
        """
        if self._state.phase is not Phase.STOPPED:
            self._halt(Reason.STOPPED)
        for left in list(self._open):
            left.close()
        gone = [self._when_closed(left) for left in self._open]
        return gatherResults(gone).addCallback(lambda _: None)

    def when_online(self) -> Deferred[None]:
        """Fires when the link is ONLINE, at once if it is; may be cancelled.

        It waits through failed attempts, and fails with SayFailed if the client is
        STOPPED, now or later.
        """
        match self._state.phase:
            case Phase.ONLINE:
                return succeed(None)
            case Phase.STOPPED:
                return fail(SayFailed(self._state.reason or Reason.STOPPED))
        waiter: Deferred[None] = Deferred(lambda gone: self._waiters.pop(gone, None))
        self._waiters[waiter] = None
        return waiter

    # What the line tells.

    def line_proven(self) -> None:
        """The server has proved itself."""
        self._backoff.reset()
        self._enter(LinkState(Phase.ONLINE))
        self._came_online()
        waiters, self._waiters = self._waiters, {}
        for waiter in waiters:
            if not waiter.called:
                waiter.callback(None)
        self._tell()

    def line_ended(self, reason: Reason) -> None:
        """The line is gone, or of no use."""
        line, self._line = self._line, None
        self._retry(reason, line)

    # The steps of the state machine.

    def _connect(self) -> None:
        self._cancel_timer()
        attempt = maybeDeferred(self._endpoint.connect, self._factory())
        self._attempt = attempt
        before = self._state.reason
        reason = None if before is Reason.STOPPED else before
        self._enter(LinkState(Phase.CONNECTING, reason))
        self._timer = self._reactor.callLater(self._patience, self._too_slow)
        attempt.addCallbacks(
            self._connected,
            self._not_connected,
            callbackArgs=(attempt,),
            errbackArgs=(attempt,),
        )
        attempt.addErrback(lambda bug: _log.failure("connect-failed", bug))
        self._tell()

    def _factory(self) -> IProtocolFactory:
        return IProtocolFactory(LineFactory(self._make_line))

    def _connected(self, line: IProtocol, attempt: Deferred[IProtocol]) -> None:
        if not self._is_line(line):
            raise TypeError("the endpoint gave a protocol that is not ours")
        self._open.add(line)
        line.closed.addCallback(lambda _: self._open.discard(line))
        if self._attempt is not attempt:  # too late
            line.close()
            return
        self._attempt = None
        self._cancel_timer()
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

    def _retry(
        self, reason: Reason, line: _Line | None, delay: float | None = None
    ) -> None:
        """Wait for the next attempt: `delay` seconds, or as the backoff says."""
        if delay is None:
            delay = self._backoff.next(reason)
        self._leave(LinkState(Phase.WAITING, reason, delay), line)

    def _halt(self, reason: Reason) -> None:
        """Stop, for this reason."""
        line, self._line = self._line, None
        if line is not None:
            line.close()
        attempt, self._attempt = self._attempt, None
        self._leave(LinkState(Phase.STOPPED, reason), line)
        if attempt is not None:
            attempt.cancel()

    def _leave(self, state: LinkState, line: _Line | None) -> None:
        """Enter a state without a link."""
        self._cancel_timer()
        reason = state.reason or Reason.LOST
        self._enter(state)
        waiters: dict[Deferred[None], None] = {}
        if state.phase is Phase.STOPPED:
            waiters, self._waiters = self._waiters, waiters
        elif state.retry_in is not None:
            self._timer = self._reactor.callLater(state.retry_in, self._connect)
        self._went_offline(reason, line)
        for waiter in waiters:
            if not waiter.called:
                waiter.errback(SayFailed(reason))
        self._tell()

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

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
