"""What a client keeps on its disk: unsent messages, copies of rooms, small facts.

Synchronous, for one process: what a call did is on disk when it returns.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from chatd.journal import schema
from chatd.journal.copies import Copies
from chatd.journal.outbox import Outbox

MIGRATIONS = [
    """
    CREATE TABLE outbox (
        n INTEGER PRIMARY KEY AUTOINCREMENT,
        room TEXT NOT NULL,
        id TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL,
        composed INTEGER NOT NULL,
        code TEXT,     -- why it failed for good; NULL: it waits
        reason TEXT
    ) STRICT;
    CREATE TABLE rooms (
        room TEXT PRIMARY KEY,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        hash TEXT NOT NULL,
        received INTEGER NOT NULL DEFAULT 0,
        read INTEGER NOT NULL DEFAULT 0,
        trouble TEXT,
        followed INTEGER NOT NULL DEFAULT 0
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE messages (
        room TEXT NOT NULL,
        seq INTEGER NOT NULL,
        id TEXT NOT NULL,
        sender TEXT NOT NULL,
        time INTEGER NOT NULL,
        composed INTEGER,
        body TEXT,
        digest TEXT NOT NULL,
        hash TEXT NOT NULL,
        PRIMARY KEY (room, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)
        STRICT, WITHOUT ROWID;
    """,
]


class StoreError(Exception):
    """The store cannot be used, in one line that says what to do."""


class StoreBusy(StoreError):
    """Another process has it."""


class ClientStore:
    """One account's store on this device."""

    def __init__(self, path: Path | None) -> None:
        """`path`: made where it is missing, for its owner alone; None: in memory.

        Raises StoreError.
        """
        self._lock = -1
        try:
            if path is None:
                self._connection = sqlite3.connect(":memory:", isolation_level=None)
            else:
                self._take_lock(path)
                self._connection = schema.connect(path)
            schema.migrate(path or Path(), self._connection, MIGRATIONS)
            self.outbox = Outbox(self._connection)
            self.copies = Copies(self._connection)
        except schema.StoreTooNew:
            self._give_lock()
            raise StoreError(
                f"{path} was written by a newer version: install that one"
            ) from None
        except (sqlite3.Error, OSError) as error:
            self._give_lock()
            raise StoreError(
                f"cannot use {path}: {error}; moved away, it is made anew, without"
                " what was not sent yet"
            ) from None

    def close(self) -> None:
        self._connection.close()
        self._give_lock()

    def get(self, name: str) -> str | None:
        """A small fact."""
        row = self._connection.execute(
            "SELECT value FROM facts WHERE name=?", (name,)
        ).fetchone()
        return None if row is None else str(row[0])

    def set(self, name: str, value: str) -> None:
        self._connection.execute(
            "INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value)
        )

    def _take_lock(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(
            path.with_name(f"{path.name}.lock"),
            os.O_CREAT | os.O_RDWR | os.O_CLOEXEC,
            0o600,
        )
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._give_lock()
            raise StoreBusy(f"another program uses {path}: close it first") from None
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))

    def _give_lock(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
