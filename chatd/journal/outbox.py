"""The client's messages that are not acknowledged yet, in the order of typing."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

LARGEST = 10_000
"""Messages that an outbox holds."""


@dataclass(frozen=True, slots=True)
class Queued:
    """One message in the outbox."""

    n: int
    """Its place."""
    room: str
    id: str
    body: str = field(repr=False)
    composed: int
    """When it was written, in ms."""
    code: str | None = None
    """Why it failed for good; None: it waits for its turn."""
    reason: str | None = None


class OutboxFull(Exception):
    """LARGEST messages wait already."""


_COLUMNS = "n, room, id, body, composed, code, reason"


class Outbox:
    """Each call is on disk when it returns. Raises sqlite3.Error where it cannot."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> list[Queued]:
        """All, in the order of typing, those that failed too."""
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM outbox ORDER BY n")
        return [Queued(*row) for row in rows]

    def add(self, room: str, id: str, body: str, composed: int) -> Queued:
        """Put a message at the end. Raises OutboxFull."""
        (count,) = self._connection.execute("SELECT count(*) FROM outbox").fetchone()
        if count >= LARGEST:
            raise OutboxFull
        row = self._connection.execute(
            "INSERT INTO outbox (room, id, body, composed) VALUES (?, ?, ?, ?)",
            (room, id, body, composed),
        )
        return Queued(row.lastrowid or 0, room, id, body, composed)

    def remove(self, id: str) -> None:
        """It was acknowledged, or is not to be sent."""
        self._connection.execute("DELETE FROM outbox WHERE id=?", (id,))

    def fail(self, id: str, code: str, reason: str) -> None:
        """It failed for good: it stays, and nothing waits for it."""
        self._connection.execute(
            "UPDATE outbox SET code=?, reason=? WHERE id=?", (code, reason, id)
        )

    def replace(self, id: str, new_id: str, body: str, composed: int) -> Queued | None:
        """Edit one that no server has seen, in its place, under a new id."""
        self._connection.execute(
            "UPDATE outbox SET id=?, body=?, composed=?, code=NULL, reason=NULL"
            " WHERE id=?",
            (new_id, body, composed, id),
        )
        return self._of(new_id)

    def requeue(self, id: str, new_id: str, composed: int) -> Queued | None:
        """Put one that failed at the end, to be sent once more, under a new id.

        One step on the disk: no crash loses its text. None where there is none.
        """
        self._connection.execute(
            "UPDATE outbox SET n=(SELECT max(n) + 1 FROM outbox), id=?, composed=?,"
            " code=NULL, reason=NULL WHERE id=? AND code IS NOT NULL",
            (new_id, composed, id),
        )
        return self._of(new_id)

    def _of(self, id: str) -> Queued | None:
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM outbox WHERE id=?", (id,)
        ).fetchone()
        return None if row is None else Queued(*row)
