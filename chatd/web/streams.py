"""Answers that take their time: lines of JSON, until they end or the reader goes."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from chatd.server.rooms import PAGE, Room
from chatd.web.house import House
from chatd.wire.json_text import Object, write
from chatd.wire.messages import Message, message_fields

_log = Logger()


class Work:
    """How far it is each second, then the result, or ``{"error": ...}``.

    ``{"seconds": n, "done": n, "total": n}``; a total of 0: not known yet.
    """

    def __init__(self, clock: IReactorTime, request: Request) -> None:
        self._clock, self._request = clock, request
        self._began = clock.seconds()
        self._done = 0, 0
        self._gone = False
        self._ticking = LoopingCall(self._tick)
        self._ticking.clock = clock

    def begin(self, work: Deferred[Object]) -> int:
        self._request.setHeader(b"content-type", b"application/x-ndjson")
        self._request.notifyFinish().addBoth(self._ended)
        self._request.write(b"")  # the headers: it goes on
        self._ticking.start(1.0, now=False)
        work.addCallbacks(self._end, self._failed)
        return NOT_DONE_YET

    def told(self, done: int, total: int) -> None:
        """By the thread that works; nobody waits any more: it gives up."""
        if self._gone:
            raise sqlite3.OperationalError("given up")
        self._done = done, total

    def _tick(self) -> None:
        seconds = int(self._clock.seconds() - self._began)
        done, total = self._done
        self._write({"seconds": seconds, "done": done, "total": total})

    def _ended(self, _: object) -> None:
        self._gone = True
        self._ticking.stop()

    def _failed(self, failure: Failure) -> None:
        error = failure.value
        if isinstance(error, sqlite3.Error | OSError):
            why = getattr(error, "strerror", None) or str(error)
            self._end({"error": f"it failed: {why}"})
        else:
            _log.failure("admin-failed", failure)
            self._end({"error": "something failed here: the log has it"})

    def _end(self, told: Object) -> None:
        if not self._gone:
            self._write(told)
            self._request.finish()

    def _write(self, told: Object) -> None:
        self._request.write(write(told) + b"\n")


@implementer(IPushProducer)
class Tail:
    """What comes in one room, from a position on, as fast as it is read."""

    def __init__(self, house: House, request: Request, room: Room, after: int) -> None:
        self._house, self._request, self._room = house, request, room
        self._after = after
        self._reading = self._paused = self._gone = False

    def begin(self) -> int:
        self._request.setHeader(b"content-type", b"application/x-ndjson")
        self._request.notifyFinish().addBoth(self._ended)
        self._request.write(b"")  # the headers: whoever asked need not doubt
        self._request.registerProducer(self, True)
        self._house.hub.watchers.append(self._moved)
        self._pump()
        return NOT_DONE_YET

    def _moved(self, rooms: Collection[str]) -> None:
        if self._room.name in rooms:
            self._pump()

    def _pump(self) -> None:
        behind = self._room.head.last > self._after
        if behind and not (self._reading or self._paused or self._gone):
            self._reading = True
            page = self._house.journal.read(self._room.name, self._after, PAGE)
            page.addCallbacks(self._page, self._failed)

    def _page(self, messages: list[Message]) -> None:
        self._reading = False
        for message in messages:
            if not self._gone:
                self._request.write(write(message_fields(message)) + b"\n")
                self._after = message.seq
        if messages:
            self._pump()

    def _failed(self, failure: Failure) -> None:
        self._reading = False
        _log.error("read-failed", room=self._room.name)
        if not self._gone:
            self._request.unregisterProducer()
            self._request.finish()

    def _ended(self, _: object) -> None:
        self._gone = True
        if self._moved in self._house.hub.watchers:
            self._house.hub.watchers.remove(self._moved)

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._pump()

    def stopProducing(self) -> None:
        self._ended(None)
