"""Rooms as logs with readers: fan-out reads the log, each reader at its own pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatd.journal.interface import Head, Marks
from chatd.server.live import LiveSession
from chatd.wire.messages import Message, message_fields, push

_log = Logger()

TAIL = 256
"""Messages of a room that are kept ready to be pushed."""
TAIL_BYTES = 1 << 20
PAGE = 100
"""Messages read at once for a reader that is further behind."""

Read = Callable[[str, int, int], Deferred[list[Message]]]


def pushed(message: Message) -> bytes:
    """The JSON that tells of `message`."""
    return push("message", **message_fields(message))


class Room:
    """One room: its head, its members' marks, those who read it now."""

    def __init__(self, name: str, head: Head, marks: dict[str, Marks]) -> None:
        self.name = name
        self.head = head
        self.marks = marks
        self.readers: dict[LiveSession, Subscription] = {}
        self._tail: deque[bytes] = deque()  # pushes of the last messages
        self._tail_bytes = 0

    @property
    def public(self) -> bool:
        return self.name.startswith("#")

    def extend(self, fresh: Sequence[Message], head: Head) -> None:
        """The log has grown, or was pruned: `fresh` is what is known of its end."""
        if not self.readers or (fresh and fresh[0].seq != self.head.last + 1):
            self._clear()
        self.head = head
        if self.readers:
            for message in fresh:
                text = pushed(message)
                self._tail.append(text)
                self._tail_bytes += len(text)
            if (fresh and fresh[-1].seq != head.last) or (not fresh and self._tail):
                self._clear()
            while len(self._tail) > TAIL or self._tail_bytes > TAIL_BYTES:
                self._tail_bytes -= len(self._tail.popleft())

    def ready(self, after: int) -> Iterator[bytes] | None:
        """The pushes behind `after`, from memory; None: the log has to be read."""
        first = self.head.last - len(self._tail) + 1
        if after + 1 < first:
            return None
        return (
            self._tail[index] for index in range(after + 1 - first, len(self._tail))
        )

    def _clear(self) -> None:
        self._tail.clear()
        self._tail_bytes = 0


class Subscription:
    """One session reads one room on, from `position`, in order, without gap."""

    __slots__ = ("_read", "_reading", "position", "room", "session")

    def __init__(
        self, session: LiveSession, room: Room, position: int, read: Read
    ) -> None:
        """`position`: what was pushed last; `read`: room, after, limit."""
        self.session = session
        self.room = room
        self.position = position
        self._read = read
        self._reading = False

    @property
    def current(self) -> bool:
        """Whether this is still how the session reads the room."""
        return self.session.subscriptions.get(self.room.name) is self

    def pump(self) -> None:
        """Push as far as the peer reads; called again when there is more of either."""
        room, session = self.room, self.session
        self.position = max(self.position, room.head.first - 1)
        if self._reading or self.position >= room.head.last:
            return
        if not session.has_room:
            session.stalled[self] = None
            return
        ready = room.ready(self.position)
        if ready is not None:
            for text in ready:
                if not session.has_room:
                    session.stalled[self] = None
                    return
                session.push(text)
                self.position += 1
            return
        self._reading = True
        page = self._read(room.name, self.position, PAGE)
        page.addCallbacks(self._page, self._failed)

    def _page(self, messages: list[Message]) -> None:
        self._reading = False
        if not self.current:
            return
        for message in messages:
            if not self.session.has_room:
                break  # the rest is read again once the peer has read this
            if message.seq > self.room.head.last:
                break
            self.session.push(pushed(message))
            self.position = message.seq
        self.pump()

    def _failed(self, failure: object) -> None:
        self._reading = False
        _log.error("read-failed", room=self.room.name)
        if self.current:
            self.session.goodbye("restart", 1000, why="the log cannot be read")
