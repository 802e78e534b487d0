"""One live session: its frames in and out, what it may do, what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatd.journal.interface import Lane
from chatd.wire import messages
from chatd.wire.channel import Channel
from chatd.wire.names import is_guest
from chatd.wire.requests import BadFrame, Invalid, Request, parse_request
from chatd.wire.tokens import Key

if TYPE_CHECKING:
    from chatd.server.rooms import Subscription

IN_FLIGHT = 256
"""Requests of one session that wait for their answers; then it is not read from."""

PUSHES = 65_536
"""Bytes of pushed messages that wait to be written; then its log is not read on."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who speaks, from where, and by which key."""

    name: str
    key: Key
    address: str
    """As refusals and floods are counted: see `addresses.group`."""
    may_talk: bool = True
    """False for an invite: it may rekey and ping."""
    connection: int = 0
    """Its number in the log."""

    @property
    def guest(self) -> bool:
        return is_guest(self.name)


class LiveSession:
    """A session from its welcome on: data in, requests out; answers in, tokens out.

    `wake` is called when there is something to `take`. After `ended`, the reason for
    the log, nothing is understood and nothing more is said.
    """

    def __init__(
        self, who: Identity, channel: Channel, body: int, wake: Callable[[], None]
    ) -> None:
        """`body`: bytes of the longest message body."""
        self.who = who
        self.proven = False
        """Whether a frame under the session's own key has come: it is live."""
        self.ended: str | None = None
        self.faulty = False
        """Whether it ended for what the peer sent."""
        self.gone = False
        """Whether the connection is lost: nothing said reaches anyone."""
        self.writable = True
        """Whether the peer reads what is written."""
        self.stalled: dict[Subscription, None] = {}
        """The logs that wait to be pushed on, in turn."""
        self.in_flight = 0
        self.subscriptions: dict[str, Subscription] = {}
        self._channel = channel
        self._body = body
        self._wake = wake
        self._outgoing: list[bytes] = []
        self._pushed = 0
        self._notes: dict[tuple[str, ...], bytes] = {}
        self._lanes: dict[str, Lane] = {}

    def receive(self, tokens: Sequence[bytes]) -> list[Request | Invalid]:
        """The requests in these frames, up to a fault, which ends the session."""
        requests: list[Request | Invalid] = []
        for text in self._channel.open(tokens):
            try:
                requests.append(parse_request(text, self._body))
            except BadFrame as fault:
                self.in_flight += len(requests)
                self.goodbye("bad-frame", why=f"a bad frame: {fault}")
                self.faulty = True
                return requests
        self.in_flight += len(requests)
        if self._channel.fault is not None and self.ended is None:
            self.ended = self._channel.fault
            self.faulty = True
            self._wake()
        return requests

    def lane(self, room: str, new: bool = True) -> Lane:
        """The sends of this session to `room`. `new`: remember it from now on."""
        lane = self._lanes.get(room) or Lane()
        if new:
            self._lanes[room] = lane
        return lane

    def answer(self, text: bytes) -> None:
        """Answer one request."""
        self.in_flight -= 1
        self._say(text)

    def push(self, text: bytes) -> None:
        """Tell something that belongs to a log, or happens seldom."""
        self._pushed += len(text)
        self._say(text)

    @property
    def has_room(self) -> bool:
        """Whether more of a log may be pushed now."""
        return self.writable and self._pushed < PUSHES and self.ended is None

    @property
    def full(self) -> bool:
        """Whether no more requests are taken until some are answered."""
        return self.in_flight >= IN_FLIGHT

    def note(self, about: tuple[str, ...], text: bytes) -> None:
        """Tell something whose latest value alone matters; once the peer reads."""
        if self.ended is None:
            self._notes[about] = text
            if self.writable:
                self._wake()

    def goodbye(
        self, reason: str, retry_after: int | None = None, why: str = ""
    ) -> None:
        """Say the last frame, and end. `why`: for the log, else `reason`."""
        if self.ended is not None:
            return
        fields = {} if retry_after is None else {"retry_after": retry_after}
        self._say(messages.push("goodbye", reason=reason, **fields))
        self.ended = why or reason

    def take(self) -> list[bytes]:
        """The tokens to write now."""
        texts, self._outgoing = self._outgoing, []
        self._pushed = 0
        if self.writable and self._notes and self.ended is None:
            notes, self._notes = self._notes, {}
            texts += notes.values()
        return self._channel.seal(texts) if texts else []

    def _say(self, text: bytes) -> None:
        if self.ended is None and not self.gone:
            self._outgoing.append(text)
            self._wake()
