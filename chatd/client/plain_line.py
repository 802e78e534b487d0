"""One connection in the plain dialect: requests out, replies in, probes between."""

from __future__ import annotations

import typing
from collections import deque
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.client.errors import Declined
from chatd.client.exchange import Exchange, Refused
from chatd.client.limits import Limits
from chatd.client.line import Holder, Line
from chatd.client.link import Reason

_DECLINED = {
    Refused.NOT_UTF8: "The server refused the text: it is not UTF-8.",
    Refused.TOO_LONG: "The server refused the text: it is too long.",
}


class PlainHolder(Holder, typing.Protocol):
    """Who a plain line tells what happens to it.

    Of a line that ended, the calls are still to `release`.
    """

    def line_ready(self) -> None:
        """There may be room for more texts."""


class PlainLine(Line):
    """It proves the server by a probe, and by another whenever it hears nothing for
    `Limits.idle` seconds; without an answer for `Limits.answer` more it gives up.
    """

    _holder: PlainHolder | None

    def __init__(
        self,
        reactor: IReactorTime,
        exchange: Exchange,
        limits: Limits,
        nonce: Callable[[], bytes],
    ) -> None:
        """`nonce`: a new random text of a few bytes of UTF-8."""
        super().__init__(reactor, limits)
        self._exchange = exchange
        self._nonce = nonce
        self._calls: deque[Deferred[str] | None] = deque()  # None: a probe
        self._doubtful = True

    def _begun(self) -> None:
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

    def _came(self, data: bytes) -> None:
        for answer in self._exchange.receive(data):
            self._apply(answer)
            if self._ended:
                return
        if self._exchange.fault is not None:
            self._faulty(self._exchange.fault)
        else:
            self._writable()

    def _writable(self) -> None:
        if self._holder is not None:
            self._holder.line_ready()

    def _apply(self, answer: str | Refused) -> None:
        call = self._calls.popleft()
        if self._watch is not None:
            self._watch.reset(self._limits.idle)
        self._doubtful = False
        match call, answer:
            case None, str():
                self._prove()
            case None, Refused():
                self._faulty("a probe was refused")
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
