"""The client's copies of rooms: contiguous, and checked against the hash chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from chatd.wire.messages import ROOT_HASH, Message, digest, holds


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
        """`before`: what was told with it, follows, and is stored."""
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

        What is held already is checked and dropped. Where a room's next does not
        follow, that room is in trouble, and nothing more of it is taken; all else is
        stored. Then raises ChainBroken, for the first such room.
        """
        fresh: list[Message] = []
        ends: dict[str, tuple[int, str] | None] = {}
        broken: ChainBroken | None = None
        with self._changing():
            for message in messages:
                room, seq = message.room, message.seq
                if room not in ends:
                    ends[room] = self._end(room)
                end = ends[room]
                if end is None:
                    continue  # not followed any more, or in trouble
                last, hash = end
                if seq <= last and self._same(message):
                    continue
                if seq == last + 1 and holds(hash, message):
                    self._insert([message])
                    fresh.append(message)
                    ends[room] = (seq, message.hash)
                    continue
                broken = broken or ChainBroken(room, seq, fresh)
                self.trouble(room, "broken")
                ends[room] = None
            for message in {message.room: message for message in fresh}.values():
                self._connection.execute(
                    "UPDATE rooms SET last=?, hash=? WHERE room=?",
                    (message.seq, message.hash, message.room),
                )
        if broken is not None:
            raise broken
        return fresh

    def prepend(self, room: str, messages: Sequence[Message]) -> None:
        """Store an older page, ascending, which ends where the copy begins.

        Each message is checked by the one behind it, the last by the first held; so
        the page's oldest is known to be right when what stands before it comes, or
        where it is the room's first. What is held already is checked and dropped.
        Raises ChainBroken: nothing of the page is stored, and the room is in trouble.
        """
        copy = self.of(room)
        if copy is None:
            return
        held = self.history(room, None, 1, after=copy.first - 1, newest=False)
        first, later = copy.first, held[0] if held else None
        older: list[Message] = []
        for message in reversed(messages):
            seq = message.seq
            right = message.room == room and self._same(message)
            if right and copy.first <= seq <= copy.last:
                continue  # two asked for the same page
            right = right and 0 < seq == first - 1
            if later is None:
                right = right and message.hash == copy.hash
            else:
                right = right and holds(message.hash, later)
            if seq == 1:
                right = right and holds(ROOT_HASH, message)
            if not right:
                self.trouble(room, "broken")
                raise ChainBroken(room, seq)
            first, later = seq, message
            older.append(message)
        with self._changing():
            self._insert(older)
            self._set(room, "first", first)

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
        """Whether it is sound, and the one held with this seq, if there is one.

        A body may have been removed since.
        """
        if message.body is not None and digest(message.body) != message.digest:
            return False
        row = self._connection.execute(
            f"SELECT {_MESSAGE} FROM messages WHERE room=? AND seq=?",
            (message.room, message.seq),
        ).fetchone()
        if row is None:
            return True
        return Message(*row)._replace(body=None) == message._replace(body=None)

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
            self._connection.execute("COMMIT")
        except BaseException:
            # Some errors end the transaction by themselves; a failed COMMIT need not.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise


def _copy(row: Sequence[Any]) -> Copy:
    room, first, last, hash, received, read, trouble, followed = row
    return Copy(room, first, last, hash, received, read, trouble, bool(followed))


def _fold(text: str) -> str:
    return text.casefold()
