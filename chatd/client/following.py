"""The rooms that a client follows: joined again and again, kept, checked (4.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
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
from chatd.wire.messages import Message, is_hash, is_integer
from chatd.wire.requests import LARGEST_PAGE, History, Join

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
        self._left: set[str] = set()  # a join's ack may still be on its way
        self._timers: dict[str, IDelayedCall] = {}  # of joins to be asked for again

    def online(self, line: SessionLine) -> None:
        """A session is live: join what is followed."""
        self._line = line
        followed = [copy.room for copy in self._copies.all() if copy.followed]
        for room in dict.fromkeys([*self._waiting, *followed]):
            self._join(room)

    def offline(self) -> None:
        self._line = None
        timers, self._timers = self._timers, {}
        for timer in timers.values():
            timer.cancel()

    def stopped(self, reason: Reason) -> None:
        """Nobody will join what waits."""
        waiting, self._waiting = self._waiting, {}
        for calls in waiting.values():
            for joined in calls:
                joined.errback(SayFailed(reason))

    def join(self, room: str) -> Deferred[Copy]:
        """See ChatClient.join."""
        self._left.discard(room)
        joined: Deferred[Copy] = Deferred()
        waiting = self._waiting.setdefault(room, [])
        waiting.append(joined)
        if self._line is not None and len(waiting) == 1:
            self._join(room)
        return joined

    def leave(self, room: str) -> None:
        """See ChatClient.leave."""
        self._left.add(room)
        self._copies.follow(room, False)

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
        return Deferred.fromCoroutine(self._messages(room, before, limit))

    def arrived(self, messages: Sequence[Message]) -> None:
        """Store what was pushed, and tell of what is new."""
        rooms = [r for r in {message.room for message in messages} if self._wants(r)]
        messages = [message for message in messages if message.room in rooms]
        try:
            fresh: Sequence[Message] = self._copies.add(messages)
        except ChainBroken as broken:  # of one room, or several
            fresh = broken.before
        for room in {message.room for message in fresh}:
            self._marks.received(room)
        if fresh:
            self._tell(Arrived(tuple(fresh)))
        for room in rooms:
            copy = self._copies.of(room)
            if copy is not None and copy.trouble is not None:
                self._troubled(room, copy.trouble)

    def _wants(self, room: str) -> bool:
        """Whether more of `room` is taken: a server goes on telling of one that was
        left until the session ends."""
        copy = self._copies.of(room)
        return copy is not None and copy.followed and copy.trouble is None

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
        asked = line.ask(request)
        asked.addCallbacks(
            self._joined,
            self._not_joined,
            callbackArgs=(room, line),
            errbackArgs=(room, line),
        )
        asked.addErrback(lambda failure: _log.failure("join-failed", failure))

    def _joined(self, ack: Object, room: str, line: SessionLine) -> None:
        first, last = ack.get("first"), ack.get("last")
        base, hash = ack.get("base"), ack.get("hash")
        if not (
            is_integer(first) and is_integer(last) and is_hash(base) and is_hash(hash)
        ):
            line.distrust("a join's ack without its head")
            return
        copy = self._copies.of(room)
        if copy is None:
            self._copies.begin(room, last, str(hash))
        elif first > copy.last + 1:
            self._copies.skip(room, first, str(base))
        self._copies.follow(room, room not in self._left)
        copy = self._copies.of(room)
        if copy is not None:
            self._agreed(room, copy)

    def _agreed(self, room: str, copy: Copy) -> None:
        for joined in self._waiting.pop(room, []):
            joined.callback(copy)

    def _not_joined(self, failure: Failure, room: str, line: SessionLine) -> None:
        if self._line is not line:
            return  # the line went: it is joined again with the next
        error, copy = failure.value, self._copies.of(room)
        if not isinstance(error, RequestFailed):
            self._later(room, _AGAIN)
        elif error.code == "diverged" and copy is not None:
            self._copies.trouble(room, "diverged")
            self._agreed(room, replace(copy, trouble="diverged"))
            self._troubled(room, "diverged")
        elif error.for_good:
            self._copies.follow(room, False)
            for joined in self._waiting.pop(room, []):
                joined.errback(error)
        else:
            self._later(
                room, _AGAIN if error.retry_after is None else error.retry_after
            )

    def _later(self, room: str, seconds: float) -> None:
        """Ask for a join again."""

        def again() -> None:
            del self._timers[room]
            self._join(room)

        if room not in self._timers:
            self._timers[room] = self._reactor.callLater(seconds, again)

    async def _messages(
        self, room: str, before: int | None, limit: int
    ) -> list[Message]:
        while True:
            held = self._copies.history(room, before, limit)
            copy, line = self._copies.of(room), self._line
            if line is None or (copy is not None and copy.trouble is not None):
                return held
            if copy is None:
                most = min(limit, LARGEST_PAGE)
                ask = History(line.number(), room, before, limit=most)
                return lists.page(await line.ask(ask), room, before)
            if len(held) >= limit or copy.first <= 1:
                return held
            # What lies between is needed, too: by it the page is checked.
            below = before is not None and before < copy.first
            most = LARGEST_PAGE if below else min(limit, LARGEST_PAGE)
            ask = History(line.number(), room, copy.first, limit=most)
            older = lists.messages(await line.ask(ask))
            now = self._copies.of(room)
            if now is None or now.first != copy.first:
                continue  # another one asked, too, or the room was started over
            try:
                self._copies.prepend(room, older)
            except ChainBroken:
                self._troubled(room, "broken")
            now = self._copies.of(room)
            if now is None or now.first == copy.first:  # there is nothing more
                return self._copies.history(room, before, limit)

    def _troubled(self, room: str, kind: str) -> None:
        copy = self._copies.of(room)
        if copy is not None:
            self._tell(Trouble(room, kind, copy.last, copy.hash))
