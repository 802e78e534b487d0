"""The client's copies of rooms: contiguous, and checked against the hash chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chatd.wire.messages import Message, chained, holds


@dataclass(frozen=True, slots=True)
class Copy:
    """What is held of one room: `first`..`last`, without gap."""

    room: str
    first: int
    """last + 1 where nothing is held."""
    last: int
    """The end of the contiguous prefix: the client's cursor."""
    hash: str
    """hash(last)."""
    received: int
    read: int
    trouble: str | None
    """``broken``: the server told what the chain does not allow; ``diverged``: it
    does not hold what it once told."""
    followed: bool
    """Whether the room is joined, now and after each reconnect."""


class ChainBroken(Exception):
    """What the server told of `room` does not follow from what it told before."""

    def __init__(self, room: str, seq: int, before: Sequence[Message] = ()) -> None:
        """`before`: what was told before it, and stored."""
        super().__init__(f"{room}: message {seq} does not fit the hash chain")
        self.room = room
        self.seq = seq
        self.before = before


_COPY = "room, first, last, hash, received, read, trouble, followed"
_MESSAGE = "room, seq, id, sender, time, composed, body, digest, hash"


class Copies:
    """Each call is on disk when it returns. Raises sqlite3.Error where it cannot."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.create_function("fold", 1, _fold, deterministic=True)

    def all(self) -> list[Copy]:
        """All, by name."""
        rows = self._connection.execute(f"SELECT {_COPY} FROM rooms ORDER BY room")
        return [_copy(row) for row in rows]

    def of(self, room: str) -> Copy | None:
        row = self._connection.execute(
            f"SELECT {_COPY} FROM rooms WHERE room=?", (room,)
        ).fetchone()
        return None if row is None else _copy(row)

    def begin(self, room: str, last: int, hash: str) -> Copy:
        """Hold nothing yet: go on behind `last`. What was held before is dropped."""
        with self._changing():
            self.forget(room)
            self._connection.execute(
                "INSERT INTO rooms (room, first, last, hash) VALUES (?, ?, ?, ?)",
                (room, last + 1, last, hash),
            )
        return Copy(room, last + 1, last, hash, 0, 0, None, False)

    def skip(self, room: str, first: int, base: str) -> None:
        """The server holds nothing before `first`: go on behind that gap."""
        with self._changing():
            self._connection.execute(
                "UPDATE rooms SET first=?, last=?, hash=? WHERE room=?",
                (first, first - 1, base, room),
            )

    def forget(self, room: str) -> None:
        with self._changing():
            self._connection.execute("DELETE FROM messages WHERE room=?", (room,))
            self._connection.execute("DELETE FROM rooms WHERE room=?", (room,))

    def follow(self, room: str, followed: bool) -> None:
        self._set(room, "followed", int(followed))

    def trouble(self, room: str, what: str | None) -> None:
        self._set(room, "trouble", what)

    def received(self, room: str, seq: int) -> None:
        """It only grows."""
        self._raise(room, "received", seq)

    def read(self, room: str, seq: int) -> None:
        """It only grows."""
        self._raise(room, "read", seq)

    def add(self, messages: Sequence[Message]) -> list[Message]:
        """Store what came next, of whatever rooms; the ones that are new.

        What is held already is checked and dropped. Raises ChainBroken at the first
        that does not follow; those before it are stored, and the room is in trouble.
        """
        fresh: list[Message] = []
        ends: dict[str, tuple[int, str]] = {}
        broken: ChainBroken | None = None
        with self._changing():
            for message in messages:
                room, seq = message.room, message.seq
                end = ends.get(room) or self._end(room)
                if end is None:
                    continue  # not followed any more
                last, hash = end
                if seq <= last:
                    if self._same(message):
                        continue
                    broken = ChainBroken(room, seq, fresh)
                elif seq != last + 1 or not holds(hash, message):
                    broken = ChainBroken(room, seq, fresh)
                if broken is not None:
                    self.trouble(room, "broken")
                    break
                fresh.append(message)
                ends[room] = (seq, message.hash)
            self._insert(fresh)
            for room, (last, hash) in ends.items():
                self._connection.execute(
                    "UPDATE rooms SET last=?, hash=? WHERE room=?", (last, hash, room)
                )
        if broken is not None:
            raise broken
        return fresh

    def prepend(self, room: str, messages: Sequence[Message]) -> None:
        """Store an older page, which ends where the copy begins. Raises ChainBroken.

        Each message is checked by the one behind it, the last by the first held.
        """
        copy = self.of(room)
        if copy is None or not messages:
            return
        held = self.history(room, None, 1, after=copy.first - 1, newest=False)
        next_seq, later = copy.first, held[0] if held else None
        for message in reversed(messages):
            if message.seq != next_seq - 1 or message.room != room:
                raise ChainBroken(room, message.seq)
            if later is None:
                right = message.hash == copy.hash
            else:
                right = _follows(message.hash, later)
            if not right:
                self.trouble(room, "broken")
                raise ChainBroken(room, message.seq)
            next_seq, later = message.seq, message
        with self._changing():
            self._insert(messages)
            self._set(room, "first", messages[0].seq)

    def history(
        self,
        room: str,
        before: int | None,
        limit: int,
        after: int = 0,
        newest: bool = True,
    ) -> list[Message]:
        """Up to `limit` messages behind `after` and below `before`, ascending."""
        order = "DESC" if newest else "ASC"
        rows = self._connection.execute(
            f"SELECT {_MESSAGE} FROM messages WHERE room=? AND seq>? AND seq<?"
            f" ORDER BY seq {order} LIMIT ?",
            (room, after, 2**60 if before is None else before, limit),
        ).fetchall()
        found = [Message(*row) for row in rows]
        return found[::-1] if newest else found

    def search(
        self, words: Sequence[str], room: str | None, limit: int
    ) -> list[Message]:
        """Messages held that contain all `words`, in any case, newest first."""
        conditions = ["body IS NOT NULL"] + ["instr(fold(body), ?) > 0"] * len(words)
        values: list[object] = [word.casefold() for word in words]
        if room is not None:
            conditions.append("room=?")
            values.append(room)
        rows = self._connection.execute(
            f"SELECT {_MESSAGE} FROM messages WHERE {' AND '.join(conditions)}"
            " ORDER BY time DESC, seq DESC LIMIT ?",
            (*values, limit),
        )
        return [Message(*row) for row in rows]

    def _end(self, room: str) -> tuple[int, str] | None:
        row: tuple[int, str] | None = self._connection.execute(
            "SELECT last, hash FROM rooms WHERE room=? AND trouble IS NULL", (room,)
        ).fetchone()
        return row

    def _same(self, message: Message) -> bool:
        """Whether it is the one held with this seq, if there is one."""
        row = self._connection.execute(
            "SELECT hash FROM messages WHERE room=? AND seq=?",
            (message.room, message.seq),
        ).fetchone()
        return row is None or row[0] == message.hash

    def _insert(self, messages: Sequence[Message]) -> None:
        self._connection.executemany(
            f"INSERT OR REPLACE INTO messages ({_MESSAGE})"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            messages,
        )

    def _set(self, room: str, column: str, value: object) -> None:
        self._connection.execute(
            f"UPDATE rooms SET {column}=? WHERE room=?", (value, room)
        )

    def _raise(self, room: str, column: str, seq: int) -> None:
        self._connection.execute(
            f"UPDATE rooms SET {column}=max({column}, ?) WHERE room=?", (seq, room)
        )

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """One transaction; inside of another it is part of that."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _follows(previous: str, message: Message) -> bool:
    """Whether `message`, checked itself already, stands behind `previous`."""
    _, seq, id, sender, time, composed, _, digest, hash = message
    return (
        chained(previous, message.room, seq, id, sender, time, composed, digest) == hash
    )


def _copy(row: Sequence[Any]) -> Copy:
    room, first, last, hash, received, read, trouble, followed = row
    return Copy(room, first, last, hash, received, read, trouble, bool(followed))


def _fold(text: str) -> str:
    return text.casefold()
