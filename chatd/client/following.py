"""The rooms that a client follows: joined again and again, kept, checked (4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.client import lists
from chatd.client.errors import RequestFailed, SayFailed
from chatd.client.events import Arrived, Event, Trouble
from chatd.client.link import Reason
from chatd.client.marks import Marks
from chatd.client.session_line import SessionLine
from chatd.journal.copies import ChainBroken, Copies, Copy
from chatd.wire.json_text import Object
from chatd.wire.messages import Message, is_hash, is_integer, parse_message
from chatd.wire.requests import History, Join

_log = Logger()

_AGAIN = 1.0
"""Seconds before a room that could not be joined now is joined again."""


class Following:
    """Joins with the cursor of the copy, stores what is pushed, keeps what differs."""

    def __init__(
        self,
        reactor: IReactorTime,
        copies: Copies,
        marks: Marks,
        tell: Callable[[Event], None],
    ) -> None:
        self._reactor = reactor
        self._copies = copies
        self._marks = marks
        self._tell = tell
        self._line: SessionLine | None = None
        self._waiting: dict[str, list[Deferred[Copy]]] = {}

    def online(self, line: SessionLine) -> None:
        """A session is live: join what is followed."""
        self._line = line
        followed = [copy.room for copy in self._copies.all() if copy.followed]
        for room in dict.fromkeys([*self._waiting, *followed]):
            self._join(room)

    def offline(self) -> None:
        self._line = None

    def stopped(self, reason: Reason) -> None:
        """Nobody will join what waits."""
        waiting, self._waiting = self._waiting, {}
        for calls in waiting.values():
            for joined in calls:
                joined.errback(SayFailed(reason))

    def join(self, room: str) -> Deferred[Copy]:
        """See ChatClient.join."""
        joined: Deferred[Copy] = Deferred()
        waiting = self._waiting.setdefault(room, [])
        waiting.append(joined)
        if self._line is not None and len(waiting) == 1:
            self._join(room)
        return joined

    def forget(self, room: str) -> None:
        """See ChatClient.forget."""
        copy = self._copies.of(room)
        self._copies.forget(room)
        if copy is not None and copy.followed:
            self.join(room).addErrback(lambda _: None)

    def messages(
        self, room: str, before: int | None, limit: int
    ) -> Deferred[list[Message]]:
        """See ChatClient.messages."""
        held = self._copies.history(room, before, limit)
        copy, line = self._copies.of(room), self._line
        if line is None or copy is None or copy.trouble is not None:
            return succeed(held)
        if len(held) == limit or copy.first <= 1:
            return succeed(held)
        asked = line.ask(History(line.number(), room, copy.first, limit=limit))
        asked.addCallback(self._older, room)
        return asked.addCallback(lambda _: self._copies.history(room, before, limit))

    def arrived(self, messages: Sequence[Message]) -> None:
        """Store what was pushed, and tell of what is new."""
        broken: ChainBroken | None = None
        fresh: Sequence[Message] = ()
        try:
            fresh = self._copies.add(messages)
        except ChainBroken as trouble:
            broken, fresh = trouble, trouble.before
        for room in {message.room for message in fresh}:
            self._marks.received(room)
        if fresh:
            self._tell(Arrived(tuple(fresh)))
        if broken is not None:
            self._troubled(broken.room, "broken")

    def _join(self, room: str) -> None:
        line, copy = self._line, self._copies.of(room)
        if line is None:
            return
        if copy is not None and copy.trouble is not None:
            self._agreed(room, copy)
            self._troubled(room, copy.trouble)
            return
        request = Join(line.number(), room)
        if copy is not None:
            request = Join(request.id, room, copy.last, copy.hash)
        line.ask(request).addCallbacks(
            self._joined, self._not_joined, callbackArgs=(room,), errbackArgs=(room,)
        )

    def _joined(self, ack: Object, room: str) -> None:
        first, last = ack.get("first"), ack.get("last")
        base, hash = ack.get("base"), ack.get("hash")
        if not (
            is_integer(first) and is_integer(last) and is_hash(base) and is_hash(hash)
        ):
            _log.warn("not-chatd", why="a join's ack without its head")
            return
        copy = self._copies.of(room)
        if copy is None:
            self._copies.begin(room, last, str(hash))
        elif first > copy.last + 1:
            self._copies.skip(room, first, str(base))
        self._copies.follow(room, True)
        copy = self._copies.of(room)
        if copy is not None:
            self._agreed(room, copy)

    def _agreed(self, room: str, copy: Copy) -> None:
        for joined in self._waiting.pop(room, []):
            joined.callback(copy)

    def _not_joined(self, failure: Failure, room: str) -> None:
        error = failure.value
        if not isinstance(error, RequestFailed):
            return  # the line went: it is joined again with the next
        copy = self._copies.of(room)
        if error.code == "diverged" and copy is not None:
            self._copies.trouble(room, "diverged")
            self._agreed(room, copy)
            self._troubled(room, "diverged")
        elif error.for_good:
            self._copies.follow(room, False)
            for joined in self._waiting.pop(room, []):
                joined.errback(error)
        else:
            wait = _AGAIN if error.retry_after is None else error.retry_after
            self._reactor.callLater(wait, self._join, room)

    def _older(self, ack: Object, room: str) -> None:
        """Keep an older page."""
        page = [parse_message(each) for each in lists.items(ack, "messages")]
        try:
            self._copies.prepend(room, page)
        except ChainBroken:
            self._troubled(room, "broken")

    def _troubled(self, room: str, kind: str) -> None:
        copy = self._copies.of(room)
        if copy is not None:
            self._tell(Trouble(room, kind, copy.last, copy.hash))
