"""The SQLite file: its settings, its tables, and how they changed over time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from chatd.journal.interface import Told, untold

_STEPS = 5_000
"""Of SQLite's machine, between two calls of what is told."""

MIGRATIONS: Sequence[str] = [
    """
    CREATE TABLE rooms (
        n INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        base BLOB NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE TABLE messages (
        n INTEGER PRIMARY KEY,
        room INTEGER NOT NULL REFERENCES rooms,
        seq INTEGER NOT NULL,
        id TEXT NOT NULL,
        sender TEXT NOT NULL,
        time INTEGER NOT NULL,
        composed INTEGER,
        body TEXT,     -- NULL: removed, and then its digest is there
        digest BLOB,
        hash BLOB NOT NULL,
        UNIQUE (room, seq),
        CHECK (body IS NOT NULL OR digest IS NOT NULL)
    ) STRICT;
    -- The server's ids, re:<seq>, come again in every room.
    CREATE UNIQUE INDEX sent ON messages (sender, id) WHERE sender <> 'server';
    CREATE TABLE marks (
        room INTEGER NOT NULL REFERENCES rooms,
        name TEXT NOT NULL,
        received INTEGER NOT NULL,
        read INTEGER NOT NULL,
        PRIMARY KEY (room, name)
    ) STRICT, WITHOUT ROWID;
    -- Trigrams find parts of words, in any language, case folded.
    CREATE VIRTUAL TABLE words USING fts5 (
        body, content='messages', content_rowid='n', tokenize='trigram'
    );
    CREATE TABLE facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL)
        STRICT, WITHOUT ROWID;
    INSERT INTO facts VALUES ('indexed', 0), ('proofs', 0);
    """,
    """
    CREATE TABLE kept (name TEXT PRIMARY KEY, text TEXT NOT NULL)
        STRICT, WITHOUT ROWID;
    """,
]


class StoreTooNew(Exception):
    """The file was written by a newer chatd."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on disk when they return.

    Asserts it: synchronous=FULL syncs the write-ahead log in each commit.
    """
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=10
    )
    try:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA cache_size=-16384")
        full = connection.execute("PRAGMA synchronous").fetchone()[0]
        if (mode, full) != ("wal", 2):
            raise sqlite3.OperationalError("the store cannot be made durable")
    except BaseException:
        connection.close()
        raise
    return connection


def migrate(
    path: Path, connection: sqlite3.Connection, scripts: Sequence[str] = MIGRATIONS
) -> None:
    """Bring the tables up to date, each step in one transaction with its number.

    A store that has something in it is copied first, to ``<name>.v<N>`` beside it.
    Raises StoreTooNew.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(scripts):
        raise StoreTooNew
    if 0 < version < len(scripts):
        copy(connection, path.with_name(f"{path.name}.v{version}"))
    for number in range(version, len(scripts)):
        connection.executescript(
            f"BEGIN IMMEDIATE; {scripts[number]}"
            f"PRAGMA user_version={number + 1}; COMMIT;"
        )


def copy(connection: sqlite3.Connection, path: Path, told: Told = untold) -> None:
    """A whole, checked copy of the store at `path`, mode 0600, replacing what is there.

    Others write on meanwhile. `told`: bytes; where it raises, nothing is copied.
    Raises sqlite3.Error or OSError, and then `path` is as it was.
    """
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:

        def tell() -> None:
            told(min(temporary.stat().st_size, pages * size), pages * size)

        with telling(connection, tell):
            connection.execute("VACUUM INTO ?", (str(temporary),))
        check = sqlite3.connect(temporary)
        try:
            with telling(check, tell):
                (found,) = check.execute("PRAGMA integrity_check(1)").fetchone()
        finally:
            check.close()
        if found != "ok":
            raise sqlite3.DatabaseError("the copy is damaged")
        sync(temporary)
        os.rename(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def telling(
    connection: sqlite3.Connection, tell: Callable[[], object]
) -> Iterator[None]:
    """Call `tell` often while statements run; where it raises, they are interrupted."""

    def step() -> int:
        tell()
        return 0

    connection.set_progress_handler(step, _STEPS)
    try:
        yield
    finally:
        connection.set_progress_handler(None, 0)


def sync(path: Path) -> None:
    """fsync of a file or folder."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
