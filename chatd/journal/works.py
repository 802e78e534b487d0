"""Works on a whole store, beside all others: nothing waits for them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from chatd.journal import schema
from chatd.journal.interface import Told

_T = TypeVar("_T")


class Works:
    """One at a time, in a thread of their own; given up when the journal closes."""

    def __init__(self, reactor: IReactorFromThreads, path: Path) -> None:
        self._reactor, self._path = reactor, path
        self._pool = ThreadPool(0, 1, "journal-works")
        self._ending = False

    def start(self) -> None:
        self._pool.start()

    def begin(
        self, work: Callable[[sqlite3.Connection, Told], _T], told: Told
    ) -> Deferred[_T]:
        """Do `work` on a connection of its own. Fails with what it raises.

        `told` is called in the thread.
        """

        def step(done: int, total: int) -> None:
            if self._ending:
                raise sqlite3.OperationalError("the daemon stops")
            told(done, total)

        def run() -> _T:
            step(0, 0)
            with closing(schema.connect(self._path)) as connection:
                return work(connection, step)

        return deferToThreadPool(self._reactor, self._pool, run)

    async def close(self) -> None:
        """Soon: what is under way is given up, and leaves nothing behind."""
        self._ending = True
        await deferToThreadPool(self._reactor, self._pool, lambda: None)
        self._pool.stop()
