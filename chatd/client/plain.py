"""The client of the plain dialect: stays connected, asks, gets replies."""

from __future__ import annotations

import os
import random as random_module
import time
from collections.abc import Callable
from typing import TypeGuard

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IReactorTime,
    IStreamClientEndpoint,
)

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
from chatd.client.link import Backoff, Delays, Phase, Reason
from chatd.client.plain_line import PlainLine
from chatd.client.reconnect import Reconnecting
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


class PlainClient(Reconnecting[PlainLine]):
    """Keeps a link to a server and says texts over it.

    ONLINE means that the server has opened a random text with our key and repeated it.
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
        self._limits = Limits() if limits is None else limits
        backoff = Backoff(random, delays)
        super().__init__(reactor, endpoint, where, backoff, self._limits.connect)
        self._urandom = urandom
        self._sealer = Sealer(key, now, urandom)
        self._backlog = Backlog(self._limits.waiting, self._limits.waiting_bytes)
        self._flush: IDelayedCall | None = None

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

    def line_ready(self) -> None:
        """Send what waits, as far as the line has room, in one write."""
        line = self._line
        if line is None or self._state.phase is not Phase.ONLINE:
            return
        calls = self._backlog.take(*line.room)
        if calls:
            line.send(calls)

    def _make_line(self) -> PlainLine:
        exchange = Exchange(self._sealer, self._limits.frame)
        return PlainLine(self._reactor, exchange, self._limits, self._nonce)

    def _is_line(self, protocol: IProtocol) -> TypeGuard[PlainLine]:
        return isinstance(protocol, PlainLine)

    def _nonce(self) -> bytes:
        return self._urandom(16).hex().encode()

    def _went_offline(self, reason: Reason, line: PlainLine | None) -> None:
        """All calls fail, the sent ones first."""
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        calls = [] if line is None else line.release()
        calls += self._backlog.release()
        for call in calls:
            if not call.called:
                call.errback(SayFailed(reason))

    def _flushed(self) -> None:
        self._flush = None
        self.line_ready()
