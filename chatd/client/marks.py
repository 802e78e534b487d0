"""received and read: told to the server, and known of the other members (4.6)."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from chatd.client.errors import RequestFailed
from chatd.client.session_line import SessionLine
from chatd.journal.copies import Copies
from chatd.wire.names import SERVER
from chatd.wire.requests import Mark

_TOLERANCE = 0.001  # seconds that a timer may come early


class Marks:
    """Marks at most once a period a room; the latest value wins."""

    def __init__(self, reactor: IReactorTime, copies: Copies, period: float) -> None:
        """`period`: seconds."""
        self._reactor = reactor
        self._copies = copies
        self._period = period
        self.tell_read = True
        """Whether the server, and so the others, learn how far the person has read."""
        self._line: SessionLine | None = None
        self._due: dict[str, None] = {}
        self._told: dict[str, float] = {}
        self._timer: IDelayedCall | None = None
        self._members: dict[str, dict[str, tuple[int, int]]] = {}

    def online(self, line: SessionLine) -> None:
        """A session is live: tell it where we stand."""
        self._line = line
        for copy in self._copies.all():
            if copy.followed and copy.trouble is None:
                self._mark(copy.room)

    def offline(self) -> None:
        self._line = None
        self._due.clear()
        self._told.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def received(self, room: str) -> None:
        """More of `room` is stored here."""
        copy = self._copies.of(room)
        if copy is not None:
            self._copies.received(room, copy.last)
            self._mark(room)

    def read(self, room: str, seq: int) -> None:
        """The person has seen everything up to `seq`."""
        self._copies.read(room, seq)
        self._mark(room)

    def of_member(self, room: str, name: str, received: int, read: int) -> None:
        """How far a member has come, as the server says."""
        self._members.setdefault(room, {})[name] = (received, read)

    def delivered(self, room: str, seq: int, sender: str) -> tuple[int, int]:
        """How many others have `seq`, and how many others there are."""
        members = self._members.get(room, {})
        others = [
            received
            for name, (received, _) in members.items()
            if name not in (sender, SERVER)
        ]
        return sum(received >= seq for received in others), len(others)

    def _not_marked(self, failure: Failure, room: str, line: SessionLine) -> None:
        error = failure.value
        for_good = isinstance(error, RequestFailed) and error.for_good
        if line is self._line and not for_good:
            self._mark(room)

    def _mark(self, room: str) -> None:
        if self._line is None:
            return
        self._due[room] = None
        if self._timer is None:
            told = self._told.get(room)
            now = self._reactor.seconds()
            wait = 0.0 if told is None else max(0.0, told + self._period - now)
            self._timer = self._reactor.callLater(wait, self._send)

    def _send(self) -> None:
        self._timer = None
        now, line = self._reactor.seconds(), self._line
        later: dict[str, None] = {}
        for room in self._due:
            told = self._told.get(room)
            if told is not None and now - told < self._period - _TOLERANCE:
                later[room] = None
                continue
            copy = self._copies.of(room)
            if copy is None or line is None:
                continue
            self._told[room] = now
            read = min(copy.read, copy.last) if self.tell_read else 0
            mark = Mark(line.number(), room, max(copy.last, 0), read)
            line.ask(mark).addErrback(self._not_marked, room, line)
        self._due = later
        if later:
            first = min(self._told[room] for room in later)
            self._timer = self._reactor.callLater(
                max(0.0, first + self._period - now), self._send
            )
