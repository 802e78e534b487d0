"""One connection in the session dialect: handshake, frames, heartbeat (4.1, 4.2)."""

from __future__ import annotations

import typing
from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from chatd.client.errors import RequestFailed, SayFailed
from chatd.client.limits import Limits
from chatd.client.line import Holder, Line
from chatd.client.link import Reason
from chatd.wire import handshake
from chatd.wire.channel import Channel
from chatd.wire.framing import FrameDecoder, encode, token_length
from chatd.wire.handshake import BadHandshake, Ephemeral, Refused, Welcome
from chatd.wire.json_text import Object
from chatd.wire.messages import BadAnswer, Message, parse_message, parse_told
from chatd.wire.requests import Ping, Request, request_text
from chatd.wire.tokens import Key, Refusal, Sealer

LARGEST_FRAME = 16 * 1024 * 1024
"""Bytes of the largest plaintext that a server may announce."""

_TOLERANCE = 0.001  # seconds that a timer may come early


class SessionHolder(Holder, typing.Protocol):
    """Who a session's line tells what comes."""

    def line_welcomed(self, welcome: Welcome) -> None:
        """The server knows us; `line_proven` follows when the session is live."""

    def line_refused(self, refused: Refused) -> None:
        """The server will not have us; the line is of no use any more."""

    def line_goodbye(self, reason: str, retry_after: int | None) -> None:
        """The server ends the session; the line is of no use any more."""

    def line_messages(self, messages: Sequence[Message]) -> None:
        """Messages were pushed, in this order, before anything told later."""

    def line_told(self, push: Object) -> None:
        """Something else was pushed: cursor, presence, room, or what is not known."""


class SessionLine(Line):
    """A session from its hello on."""

    _holder: SessionHolder | None
    _cut_short = Reason.LOST  # what came so far was right, or the line had ended

    def __init__(
        self,
        reactor: IReactorTime,
        key: Key,
        agent: str,
        name: str | None,
        limits: Limits,
        now: Callable[[], float],
        urandom: Callable[[int], bytes],
    ) -> None:
        """`now`: seconds since the epoch; `urandom`: fit for cryptography."""
        super().__init__(reactor, limits)
        self._agent = agent
        self._name = name
        self._make = lambda key: Sealer(key, now, urandom)
        self._sealer = self._make(key)
        self._mine = Ephemeral(urandom)
        self._hello = b""
        self._decoder = FrameDecoder(token_length(LARGEST_FRAME))
        self._channel: Channel | None = None
        self._calls: dict[str, Deferred[Object]] = {}
        self._numbers = 0
        self._last = 0.0  # when the server was last heard
        self.lag: float | None = None
        """Seconds that the last ping took."""

    def ask(self, request: Request) -> Deferred[Object]:
        """Send a request; fires with the ack's members.

        Fails with RequestFailed for an error, with SayFailed where the line ends, or
        does not answer in `Limits.request` seconds.
        """
        answer: Deferred[Object] = Deferred()
        self._calls[request.id] = answer
        self._say(request_text(request))
        return answer.addTimeout(
            self._limits.request,
            self._reactor,
            lambda _, seconds: self._unanswered(request.id),
        )

    def number(self) -> str:
        """An id for a request, of no other on this line."""
        self._numbers += 1
        return f"q{self._numbers}"

    def distrust(self, why: str) -> None:
        """What the server answered is no answer: end the line. `why`: fit for a log."""
        self._faulty(why)

    def release(self) -> list[Deferred[Object]]:
        """Hand over the calls without an answer, in order."""
        calls, self._calls = self._calls, {}
        return list(calls.values())

    def _unanswered(self, id: str) -> typing.NoReturn:
        self._calls.pop(id, None)
        raise SayFailed(Reason.TIMEOUT)

    def _begun(self) -> None:
        self._hello = handshake.hello(self._agent, self._name, self._mine.public)
        self.transport.write(encode(self._sealer.seal([self._hello])[0]))
        self._watch = self._reactor.callLater(
            self._limits.answer, lambda: self._timed_out()
        )

    def _timed_out(self) -> None:
        self._watch = None
        self._end(Reason.TIMEOUT)

    def _came(self, data: bytes) -> None:
        self._last = self._reactor.seconds()
        tokens = self._decoder.feed(data)
        if self._channel is None and tokens:
            self._answered(tokens.pop(0))
        if self._channel is not None and not self._ended:
            self._read(self._channel, tokens)
        if self._decoder.fault is not None:
            self._faulty(self._decoder.fault)

    def _answered(self, token: bytes) -> None:
        """The answer to the hello."""
        (plaintext,) = self._sealer.open([token])
        try:
            if isinstance(plaintext, Refusal):
                raise BadHandshake(plaintext.value)
            answer = handshake.parse_answer(self._hello, plaintext)
            if isinstance(answer, Refused):
                self._refused(answer)
                return
            if answer.frame > LARGEST_FRAME:
                raise BadHandshake("the server's frames are too large")
            keys = self._mine.keys(
                answer.public, self._sealer.key, self._hello, plaintext
            )
        except BadHandshake as fault:
            self._faulty(str(fault))
            return
        self._channel = Channel(self._make(keys.to_server), self._make(keys.to_client))
        if self._holder is not None:
            self._holder.line_welcomed(answer)
        if not self._ended:
            self._ping()

    def _refused(self, refused: Refused) -> None:
        holder = self._holder
        self._ended = True
        self._unwatch()
        self.transport.abortConnection()
        if holder is not None:
            holder.line_refused(refused)

    def _read(self, channel: Channel, tokens: list[bytes]) -> None:
        messages: list[Message] = []
        try:
            for text in channel.open(tokens):
                told = parse_told(text)
                if told["op"] == "message":
                    messages.append(parse_message(told))
                    continue
                self._pass_on(messages)
                messages = []
                self._apply(told)
                if self._ended:
                    return
            self._pass_on(messages)
        except BadAnswer as fault:
            self._pass_on(messages)
            self._faulty(str(fault))
            return
        if channel.fault is not None:
            self._faulty(channel.fault)

    def _pass_on(self, messages: Sequence[Message]) -> None:
        if messages and self._holder is not None and not self._ended:
            self._holder.line_messages(messages)

    def _apply(self, told: Object) -> None:
        match told:
            case {"op": "ack", "id": str(id)}:
                call = self._calls.pop(id, None)
                if call is not None and not call.called:
                    call.callback(told)
            case {"op": "error", "id": str(id), "code": str(code), "reason": reason}:
                call = self._calls.pop(id, None)
                if call is not None and not call.called:
                    call.errback(RequestFailed(code, str(reason), told))
            case {"op": "goodbye", "reason": str(reason)}:
                self._goodbye(reason, told.get("retry_after"))
            case _:
                if self._holder is not None:
                    self._holder.line_told(told)

    def _goodbye(self, reason: str, after: object) -> None:
        holder = self._holder
        self._ended = True
        self._unwatch()
        self.transport.abortConnection()
        if holder is not None:
            holder.line_goodbye(reason, after if type(after) is int else None)

    def _say(self, text: bytes) -> None:
        if self._channel is not None and not self._ended:
            self.transport.write(encode(self._channel.seal([text])[0]))

    # The heartbeat.

    def _ping(self) -> None:
        began = self._reactor.seconds()

        def answered(_: Object) -> None:
            self.lag = self._reactor.seconds() - began
            self._prove()

        self.ask(Ping(self.number())).addCallbacks(answered, lambda _: None)
        self._unwatch()
        self._watch = self._reactor.callLater(self._limits.quiet, self._look)

    def _look(self) -> None:
        """Was the server heard of late?"""
        self._watch = None
        silent = self._reactor.seconds() - self._last + _TOLERANCE
        if silent >= self._limits.dead:
            self._end(Reason.TIMEOUT)
        elif silent >= self._limits.quiet:
            self._ping()
        else:
            self._watch = self._reactor.callLater(
                self._limits.quiet - silent, self._look
            )
