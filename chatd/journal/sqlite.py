"""One connection that writes the log, and the queries of those that read it.

Synchronous: a thread of their own runs them (`chatd.journal.journal`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatd.journal import schema
from chatd.journal.interface import (
    Contents,
    Draft,
    Found,
    Head,
    Lane,
    Marks,
    Outcome,
    Place,
    Receipt,
    Refusal,
)
from chatd.wire.messages import Message, chained, digest
from chatd.wire.names import SERVER

_INSERT = """
INSERT INTO messages (room, seq, id, sender, time, composed, body, hash)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (sender, id) WHERE sender <> 'server' DO NOTHING"""

_COLUMNS = "seq, id, sender, time, composed, body, digest, m.hash"

_INDEX_STEP = 512
_PRUNE_STEP = 256


class Lost(Exception):
    """The store does not hold what was acknowledged."""


@dataclass(slots=True)
class Done:
    """What one commit brought."""

    outcomes: list[Any] = field(default_factory=list)
    fresh: list[Message] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)


class Writer:
    """The one connection that writes. Not to be shared between threads."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        """`now`: seconds since the epoch. Raises sqlite3.Error, StoreTooNew."""
        self._now = now
        self._connection = schema.connect(path)
        try:
            schema.migrate(path, self._connection)
            self._rooms: dict[str, int] = {}
            self.heads: dict[str, Head] = {}
            self._load()
        except BaseException:
            self._connection.close()
            raise
        self._done = Done()
        self._waits: dict[Lane, str | None] = {}
        self._time = 0

    def close(self) -> None:
        self._connection.close()

    def contents(self) -> Contents:
        names = {number: name for name, number in self._rooms.items()}
        marks: dict[str, dict[str, Marks]] = {}
        for room, name, received, read in self._connection.execute(
            "SELECT room, name, received, read FROM marks"
        ):
            marks.setdefault(names[room], {})[name] = Marks(received, read)
        kept = dict(self._connection.execute("SELECT name, text FROM kept"))
        return Contents(dict(self.heads), marks, kept)

    def prove(self, acknowledged: dict[str, Head]) -> None:
        """Make sure that the disk holds what was acknowledged, and takes more.

        After a failed sync the system may forget that pages it still shows were never
        written. Copying the whole log into the file writes them anew, and syncs them.
        Raises Lost, sqlite3.Error.
        """
        busy, _, _ = self._connection.execute(
            "PRAGMA wal_checkpoint(TRUNCATE)"
        ).fetchone()
        if busy:
            raise sqlite3.OperationalError("the log could not be copied")
        self._connection.execute("UPDATE facts SET value=value+1 WHERE name='proofs'")
        for room, head in acknowledged.items():
            found = self._hash_at(room, head.last) if head.last else head.hash
            if found != head.hash:
                raise Lost

    def begin(self) -> None:
        self._done = Done()
        self._waits = {}
        self._time = int(self._now() * 1000)
        self._connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> Done:
        """On disk when it returns; what was done since `begin`."""
        done = self._done
        for room, head in done.heads.items():
            self._connection.execute(
                "UPDATE rooms SET last=?, hash=? WHERE n=?",
                (head.last, bytes.fromhex(head.hash), self._rooms[room]),
            )
        self._connection.execute("COMMIT")
        self.heads.update(done.heads)
        for lane, id in self._waits.items():
            lane.waits_for = id
        return done

    def append(self, draft: Draft) -> Outcome:
        """In a transaction: the draft as the next of its room, or why not."""
        lane = draft.lane
        waits = self._waits.get(lane, lane.waits_for)
        refusal = draft.refusal
        if waits is not None and waits != draft.id:
            refusal = Refusal("held")
        if refusal is None:
            outcome: Outcome | None = self._insert(draft)
        else:
            outcome = self._known(draft)
        if outcome is None:
            outcome = refusal or Refusal("internal")
        if isinstance(outcome, Refusal) and outcome.temporary:
            if outcome.code != "held":
                self._waits[lane] = draft.id
        elif waits == draft.id:
            self._waits[lane] = None
        return outcome

    def _insert(self, draft: Draft) -> Outcome | None:
        room, id, sender, body = draft.room, draft.id, draft.sender, draft.body
        if room not in self._rooms:
            if (known := self._known(draft)) is not None:
                return known  # and no room is made for it
            self.create(room)
        if not self._add(room, id, sender, draft.composed, body):
            return self._known(draft)
        seq, hash = (head := self._done.heads[room]).last, head.hash
        if draft.answer is not None:
            self._add(room, f"re:{seq}", SERVER, None, draft.answer)
        return Receipt(room, seq, self._time, hash, True)

    def _add(
        self, room: str, id: str, sender: str, composed: int | None, body: str
    ) -> bool:
        head = self._done.heads.get(room) or self.heads[room]
        seq, time, said = head.last + 1, self._time, digest(body)
        hash = chained(head.hash, room, seq, id, sender, time, composed, said)
        row = self._connection.execute(
            _INSERT,
            (
                self._rooms[room],
                seq,
                id,
                sender,
                time,
                composed,
                body,
                bytes.fromhex(hash),
            ),
        )
        if row.rowcount != 1:
            return False
        self._done.heads[room] = Head(head.first, seq, head.base, hash)
        self._done.fresh.append(
            Message(room, seq, id, sender, time, composed, body, said, hash)
        )
        return True

    def _known(self, draft: Draft) -> Outcome | None:
        """What a message with this sender and id was answered; None: there is none."""
        row = self._connection.execute(
            "SELECT r.name, m.seq, m.time, m.hash, m.body, m.digest"
            " FROM messages m JOIN rooms r ON r.n = m.room"
            " WHERE m.sender <> 'server' AND m.sender=? AND m.id=?",
            (draft.sender, draft.id),
        ).fetchone()
        if row is None:
            return None
        room, seq, time, hash, body, said = row
        same = (
            body == draft.body if body is not None else said.hex() == digest(draft.body)
        )
        if room != draft.room or not same:
            return Refusal("conflict")
        return Receipt(room, seq, time, hash.hex(), False)

    def create(self, room: str) -> bool:
        """In a transaction: an empty room, unless it is there."""
        if room not in self._rooms:
            head = Head()
            row = self._connection.execute(
                "INSERT INTO rooms (name, first, last, base, hash)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    room,
                    head.first,
                    head.last,
                    bytes.fromhex(head.base),
                    bytes.fromhex(head.hash),
                ),
            )
            self._rooms[room] = row.lastrowid or 0
            self.heads[room] = head
        return True

    def mark(self, room: str, name: str, marks: Marks) -> bool:
        """In a transaction: how far a member has come."""
        self.create(room)
        self._connection.execute(
            "INSERT INTO marks VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET received=max(received, excluded.received),"
            " read=max(read, excluded.read)",
            (self._rooms[room], name, *marks),
        )
        return True

    def keep(self, name: str, text: str | None) -> bool:
        """In a transaction: a text under a name, or none."""
        if text is None:
            self._connection.execute("DELETE FROM kept WHERE name=?", (name,))
        else:
            self._connection.execute(
                "INSERT OR REPLACE INTO kept VALUES (?, ?)", (name, text)
            )
        return True

    def index(self, most: int = _INDEX_STEP) -> int:
        """Put the next messages into the search index; how many there were."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            (done,) = execute("SELECT value FROM facts WHERE name='indexed'").fetchone()
            rows = execute(
                "SELECT n, body FROM messages WHERE n>? ORDER BY n LIMIT ?",
                (done, most),
            ).fetchall()
            if rows:
                self._connection.executemany(
                    "INSERT INTO words (rowid, body) VALUES (?, ?)",
                    [row for row in rows if row[1] is not None],
                )
                execute("UPDATE facts SET value=? WHERE name='indexed'", (rows[-1][0],))
            execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        return len(rows)

    def prune(
        self, before: int, rooms: Collection[str] | None, most: int = _PRUNE_STEP
    ) -> tuple[int, Done]:
        """Remove the oldest bodies stored before this time, a chunk of them.

        How many it were, and the heads that moved: a room is read from its first
        message with a body on. All must be indexed.
        """
        self.begin()
        try:
            count = sum(
                self._prune(room, before, most)
                for room in list(self.heads)
                if rooms is None or room in rooms
            )
            self._connection.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self.heads.update(self._done.heads)
        return count, self._done

    def _prune(self, room: str, before: int, most: int) -> int:
        execute, number = self._connection.execute, self._rooms[room]
        head = self.heads[room]
        rows = execute(
            "SELECT n, seq, time, body, hash FROM messages"
            " WHERE room=? AND seq>=? ORDER BY seq LIMIT ?",
            (number, head.first, most),
        ).fetchall()
        gone = []
        for row in rows:  # up to the first that stays: clocks may step, seq does not
            if row[2] >= before:
                break
            gone.append(row)
        if not gone:
            return 0
        for n, _, _, body, _ in gone:
            if body is not None:
                execute(
                    "INSERT INTO words (words, rowid, body) VALUES ('delete', ?, ?)",
                    (n, body),
                )
                execute(
                    "UPDATE messages SET body=NULL, digest=? WHERE n=?",
                    (bytes.fromhex(digest(body)), n),
                )
        _, last, _, _, hash = gone[-1]
        execute("UPDATE rooms SET first=?, base=? WHERE n=?", (last + 1, hash, number))
        self._done.heads[room] = Head(last + 1, head.last, hash.hex(), head.hash)
        return len(gone)

    def copy(self, path: Path) -> None:
        schema.copy(self._connection, path)

    def _load(self) -> None:
        for number, name, *ends in self._connection.execute(
            "SELECT n, name, first, last, base, hash FROM rooms"
        ):
            first, last, base, hash = ends
            self._rooms[name] = number
            self.heads[name] = Head(first, last, base.hex(), hash.hex())

    def _hash_at(self, room: str, seq: int) -> str | None:
        return hash_at(self._connection, room, seq)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def read(
    connection: sqlite3.Connection,
    room: str,
    after: int,
    limit: int,
    before: int | None,
) -> list[Message]:
    """See IJournal.read."""
    query = (
        f"SELECT {_COLUMNS} FROM messages m"
        " WHERE room=(SELECT n FROM rooms WHERE name=?) AND seq>?"
    )
    if before is None:
        rows = connection.execute(f"{query} ORDER BY seq LIMIT ?", (room, after, limit))
        return [_message(room, row) for row in rows]
    rows = connection.execute(
        f"{query} AND seq<? ORDER BY seq DESC LIMIT ?", (room, after, before, limit)
    )
    return [_message(room, row) for row in rows][::-1]


def hash_at(connection: sqlite3.Connection, room: str, seq: int) -> str | None:
    """See IJournal.hash_at."""
    row = connection.execute(
        "SELECT hash FROM messages"
        " WHERE room=(SELECT n FROM rooms WHERE name=?) AND seq=?",
        (room, seq),
    ).fetchone()
    return None if row is None else row[0].hex()


FIND = f"""
    WITH RECURSIVE senders (name) AS (
        SELECT min(sender) FROM messages WHERE sender <> 'server'
        UNION ALL
        SELECT (
            SELECT min(sender) FROM messages
            WHERE sender <> 'server' AND sender > senders.name
        ) FROM senders WHERE senders.name IS NOT NULL
    )
    SELECT {_COLUMNS}, r.name FROM senders
    JOIN messages m ON m.sender = senders.name AND m.sender <> 'server' AND m.id = ?
    JOIN rooms r ON r.n = m.room LIMIT 10
"""


def find(connection: sqlite3.Connection, id: str) -> list[Message]:
    """All messages of that id, by way of an index: as long as there are senders."""
    rows = connection.execute(FIND, (id,))
    return [_message(row[-1], row[:-1]) for row in rows]


def search(
    connection: sqlite3.Connection,
    words: Sequence[str],
    rooms: Sequence[str],
    limit: int,
    next: Place | None,
) -> Found:
    """See IJournal.search. Finds what is indexed.

    Words of three characters and more are looked up in the index; shorter ones, which
    have no trigram, are looked for in what these found, or else in all messages.
    """
    long = [word for word in words if len(word) >= 3]
    short = [word for word in words if len(word) < 3]
    conditions = ["m.body IS NOT NULL", "r.name IN (SELECT value FROM json_each(?))"]
    values: list[object] = [json.dumps(rooms)]
    if long:
        conditions.append("m.n IN (SELECT rowid FROM words WHERE words MATCH ?)")
        values.append(" ".join('"' + word.replace('"', '""') + '"' for word in long))
    for word in short:
        conditions.append("instr(lower(m.body), lower(?)) > 0")
        values.append(word)
    if next is not None:
        conditions.append(
            "m.n < (SELECT o.n FROM messages o JOIN rooms p ON p.n = o.room"
            " WHERE p.name=? AND o.seq=?)"
        )
        values += next
    rows = connection.execute(
        f"SELECT {_COLUMNS}, r.name"
        " FROM messages m JOIN rooms r ON r.n = m.room"
        f" WHERE {' AND '.join(conditions)} ORDER BY m.n DESC LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    more = len(rows) > limit
    messages = [_message(row[-1], row[:-1]) for row in rows[:limit]]
    last = messages[-1] if more else None
    return Found(messages, None if last is None else Place(last.room, last.seq))


def _message(room: str, row: Sequence[Any]) -> Message:
    seq, id, sender, time, composed, body, said, hash = row
    text = digest(body) if body is not None else said.hex()
    return Message(room, seq, id, sender, time, composed, body, text, hash.hex())
