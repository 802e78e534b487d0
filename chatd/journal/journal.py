"""The journal: group commit in one thread that writes, reads in others.

The thread that writes commits whatever gathered while the last commit was syncing;
the reactor never waits for the disk.
"""

from __future__ import annotations

import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from chatd.journal import check, schema, sqlite
from chatd.journal.check import Verdict
from chatd.journal.interface import (
    Committed,
    Contents,
    Draft,
    Found,
    Head,
    IJournal,
    JournalError,
    Marks,
    Outcome,
    Place,
    Refusal,
    Told,
    untold,
)
from chatd.journal.sqlite import Done, Lost, Writer
from chatd.journal.works import Works
from chatd.wire.messages import Message

_log = Logger()

LARGEST_BATCH = 512
"""Writes in one commit."""
INDEX_LAG = 10_000
"""Messages that may wait for the search index while people write without a pause."""
_PAUSE = 0.05  # seconds without a write after which the index catches up
_RETRY = 0.25  # seconds that a store which failed is left alone

_T = TypeVar("_T")
_Task: TypeAlias = Callable[[Writer], Any]


@dataclass(slots=True)
class _Write:
    """Something to commit together with others; `task` gives its outcome."""

    task: Draft | _Task
    done: Deferred[Any]


@dataclass(slots=True)
class _Alone:
    """Something that has transactions of its own."""

    task: _Task
    done: Deferred[Any]


class _Away(sqlite3.OperationalError):
    """The store failed a moment ago, and is left alone for another."""


@implementer(IJournal)
class SQLiteJournal:
    """A journal in one file of one host."""

    def __init__(
        self,
        reactor: IReactorFromThreads,
        path: Path,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`path`: the store; made where it is missing. `now`: seconds, the epoch."""
        self.committed: Committed = lambda fresh, heads: None
        self.away: Callable[[bool], None] = lambda away: None
        self.measured: Callable[[int, float], None] = lambda size, seconds: None
        """Told of each group commit, in the reactor's thread: writes, seconds."""
        self._reactor = reactor
        self._path = path
        self._now = now
        self._queue: queue.SimpleQueue[_Write | _Alone | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._pages = ThreadPool(0, 1, "journal-read")
        self._searches = ThreadPool(0, 1, "journal-search")
        self._works = Works(reactor, path)
        self._local = threading.local()
        self._lock = -1
        # The writing thread's own:
        self._writer: Writer | None = None
        self._heads: dict[str, Head] = {}  # what was acknowledged
        self._retry_at = 0.0
        self._unindexed = 0

    def open(self) -> Contents:
        try:
            self._take_lock()
            self._writer = Writer(self._path, self._now)
            contents = self._writer.contents()
        except schema.StoreTooNew:
            raise JournalError(
                f"{self._path} was written by a newer chatd: install that one, or"
                " restore a backup from before"
            ) from None
        except (sqlite3.Error, OSError) as error:
            raise JournalError(f"cannot open {self._path}: {error}") from None
        self._heads = dict(contents.heads)
        self._unindexed = 1  # whether anything is left to index is not known
        self._thread.start()
        self._pages.start()
        self._searches.start()
        self._works.start()
        return contents

    def close(self) -> Deferred[None]:
        self._queue.put(None)
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        await self._works.close()
        await self._read_in(self._searches, lambda _: None, ())
        await deferToThreadPool(self._reactor, self._pages, self._thread.join)
        self._pages.stop()
        self._searches.stop()
        os.close(self._lock)

    def append(self, draft: Draft) -> Deferred[Outcome]:
        return self._write(draft)

    def create(self, room: str) -> Deferred[bool]:
        return self._write(lambda writer: writer.create(room))

    def mark(self, room: str, name: str, marks: Marks) -> Deferred[bool]:
        return self._write(lambda writer: writer.mark(room, name, marks))

    def keep(self, name: str, text: str | None) -> Deferred[bool]:
        return self._write(lambda writer: writer.keep(name, text))

    def read(
        self, room: str, after: int, limit: int, before: int | None = None
    ) -> Deferred[list[Message]]:
        return self._read_in(self._pages, sqlite.read, (room, after, limit, before))

    def hash_at(self, room: str, seq: int) -> Deferred[str | None]:
        return self._read_in(self._pages, sqlite.hash_at, (room, seq))

    def search(
        self, words: Sequence[str], rooms: Sequence[str], limit: int, next: Place | None
    ) -> Deferred[Found]:
        return Deferred.fromCoroutine(self._search(words, rooms, limit, next))

    async def _search(
        self, words: Sequence[str], rooms: Sequence[str], limit: int, next: Place | None
    ) -> Found:
        await self._alone(self._index_all)
        return await self._read_in(
            self._searches, sqlite.search, (words, rooms, limit, next)
        )

    def prune(self, before: int, rooms: Collection[str] | None = None) -> Deferred[int]:
        return Deferred.fromCoroutine(self._prune(before, rooms))

    async def _prune(self, before: int, rooms: Collection[str] | None) -> int:
        await self._alone(self._index_all)
        total = 0
        while count := await self._alone(lambda _: self._prune_some(before, rooms)):
            total += count
        return total

    def find(self, id: str) -> Deferred[list[Message]]:
        """All messages of that id, whoever sent them: a few at most."""
        return self._read_in(self._searches, sqlite.find, (id,))

    def verify(
        self, acknowledged: dict[str, Head], told: Told = untold
    ) -> Deferred[list[Verdict]]:
        """Compute every chain anew; `told`: messages.

        Fails with sqlite3.Error where the file is damaged.
        """
        return self._works.begin(
            lambda connection, step: check.verify(connection, acknowledged, step), told
        )

    def backup(self, path: Path, told: Told = untold) -> Deferred[None]:
        return self._works.begin(
            lambda connection, step: schema.copy(connection, path, step), told
        )

    @property
    def waiting(self) -> int:
        """Writes that wait for the thread."""
        return self._queue.qsize()

    # Requests, from the reactor's thread.

    def _write(self, task: Draft | _Task) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self._queue.put(_Write(task, done))
        return done

    def _alone(self, task: _Task) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self._queue.put(_Alone(task, done))
        return done

    def _read_in(
        self, pool: ThreadPool, query: Callable[..., _T], values: tuple[object, ...]
    ) -> Deferred[_T]:
        return deferToThreadPool(self._reactor, pool, self._query, query, values)

    def _query(self, query: Callable[..., _T], values: tuple[object, ...]) -> _T:
        """In a thread that reads: on a connection of its own."""
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = schema.connect(self._path)
        try:
            return query(connection, *values)
        except sqlite3.Error:
            self._local.connection = None
            connection.close()
            raise

    def _take_lock(self) -> None:
        """One daemon a store: raises JournalError where another has it."""
        fd = os.open(
            self._path.with_name(f"{self._path.name}.lock"),
            os.O_CREAT | os.O_RDWR | os.O_CLOEXEC,
            0o600,
        )
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise JournalError(
                f"another chatd uses {self._path}: stop it, or choose another --state"
            ) from None
        self._lock = fd
        if not self._path.exists():
            os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))

    # The thread that writes.

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._gather()
            writes: list[_Write] = []
            for item in batch:
                if isinstance(item, _Write):
                    writes.append(item)
                    continue
                self._commit(writes)
                writes = []
                self._run_alone(item)
            self._commit(writes)
        if self._writer is not None:
            self._writer.close()

    def _gather(self) -> tuple[list[_Write | _Alone], bool]:
        """What waits to be written, and whether more may come."""
        batch: list[_Write | _Alone] = []
        try:
            item = self._queue.get(timeout=_PAUSE if self._unindexed else None)
            while item is not None:
                batch.append(item)
                if len(batch) >= LARGEST_BATCH:
                    break
                item = self._queue.get_nowait()
            else:
                return batch, False
        except queue.Empty:
            if not batch:
                self._index()
        return batch, True

    def _commit(self, writes: list[_Write]) -> None:
        if not writes:
            return
        began = time.monotonic()
        try:
            done = self._attempt(writes)
        except Exception as error:
            if _is_away(error):
                self._fail(writes, "not-stored", error)
                return
            self._drop()
            if len(writes) > 1:  # one that cannot be stored must not take others along
                for write in writes:
                    self._commit([write])
                return
            self._fail(writes, "internal", error)
        else:
            self._heads.update(done.heads)
            self._unindexed += len(done.fresh)
            took = time.monotonic() - began
            self._reactor.callFromThread(self._finish, writes, done, took)
            if self._unindexed > INDEX_LAG:
                self._index()

    def _attempt(self, writes: list[_Write]) -> Done:
        writer = self._proven()
        writer.begin()
        outcomes = [
            writer.append(write.task)
            if isinstance(write.task, Draft)
            else write.task(writer)
            for write in writes
        ]
        done = writer.commit()
        done.outcomes = outcomes
        return done

    def _proven(self) -> Writer:
        """The writer; one that failed is opened and proven anew first."""
        if self._writer is not None:
            return self._writer
        if time.monotonic() < self._retry_at:
            raise _Away
        try:
            writer = self._reopened()
        except Exception:
            self._retry_at = time.monotonic() + _RETRY
            raise
        moved = {
            room: head
            for room, head in writer.heads.items()
            if self._heads.get(room) != head
        }
        self._heads.update(moved)
        self._writer = writer
        self._unindexed = 1
        self._reactor.callFromThread(self._back, moved)
        return writer

    def _reopened(self) -> Writer:
        writer = Writer(self._path, self._now)
        try:
            writer.prove(self._heads)
        except BaseException:
            writer.close()
            raise
        return writer

    def _fail(self, writes: list[_Write], code: str, error: Exception) -> None:
        self._drop()
        if code == "internal":
            _log.critical("journal-refused", error=type(error).__name__)
        elif not isinstance(error, _Away):
            lost = isinstance(error, Lost)
            self._reactor.callFromThread(self._gone, type(error).__name__, lost)
        outcomes: list[Outcome | bool] = []
        for write in writes:
            if not isinstance(write.task, Draft):
                outcomes.append(False)
                continue
            lane = write.task.lane
            if lane.waits_for in (None, write.task.id):
                lane.waits_for = write.task.id
                outcomes.append(Refusal(code))
            else:
                outcomes.append(Refusal("held"))
        self._reactor.callFromThread(self._finish, writes, Done(outcomes))

    def _drop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _run_alone(self, item: _Alone) -> None:
        try:
            outcome = item.task(self._proven())
        except Exception as error:
            self._drop()
            self._reactor.callFromThread(item.done.errback, error)
        else:
            self._reactor.callFromThread(item.done.callback, outcome)

    def _index(self) -> None:
        """In a pause: a step of the search index."""
        try:
            self._unindexed = self._proven().index()
        except Exception:
            self._drop()

    def _index_all(self, writer: Writer) -> None:
        while writer.index():
            pass
        self._unindexed = 0

    def _prune_some(self, before: int, rooms: Collection[str] | None) -> int:
        count, done = self._proven().prune(before, rooms)
        self._heads.update(done.heads)
        self._reactor.callFromThread(self._finish, [], done)
        return count

    # What the thread tells, in the reactor's thread.

    def _finish(
        self, writes: list[_Write], done: Done, seconds: float | None = None
    ) -> None:
        """`seconds`: how long the commit took, where there was one."""
        if seconds is not None:
            self.measured(len(writes), seconds)
        if done.heads:
            self._tell(done.fresh, done.heads)
        for write, outcome in zip(writes, done.outcomes, strict=True):
            write.done.callback(outcome)

    def _back(self, moved: dict[str, Head]) -> None:
        _log.info("journal-back")
        self.away(False)
        if moved:
            self._tell([], moved)

    def _gone(self, error: str, lost: bool) -> None:
        if lost:
            _log.critical("journal-lost", path=str(self._path))
        else:
            _log.error("journal-away", error=error)
        self.away(True)

    def _tell(self, fresh: Sequence[Message], heads: dict[str, Head]) -> None:
        try:
            self.committed(fresh, heads)
        except Exception:
            _log.failure("committed-failed")


def _is_away(error: Exception) -> bool:
    """Whether the store failed, and not what it was told to store."""
    return (
        isinstance(error, sqlite3.OperationalError | Lost | OSError)
        or type(error) is sqlite3.DatabaseError
    )
