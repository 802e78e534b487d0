"""Verifying a whole store: the file, and every room's hash chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from chatd.journal.interface import Head
from chatd.wire.messages import ROOT_HASH, chained, digest


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the store, in a line each. Reads all of it, once."""
    for (line,) in connection.execute("PRAGMA integrity_check(10)"):
        if line != "ok":
            yield f"the file is damaged: {line}"
            return
    rooms = connection.execute("SELECT n, name, first, last, base, hash FROM rooms")
    for number, name, first, last, base, hash in rooms.fetchall():
        head = Head(first, last, base.hex(), hash.hex())
        yield from _room_faults(connection, number, name, head)


def _room_faults(
    connection: sqlite3.Connection, number: int, name: str, head: Head
) -> Iterator[str]:
    expected, hash, base = 1, ROOT_HASH, ROOT_HASH
    for seq, id, sender, time, composed, body, said, stored in connection.execute(
        "SELECT seq, id, sender, time, composed, body, digest, hash FROM messages"
        " WHERE room=? ORDER BY seq",
        (number,),
    ):
        text = digest(body) if body is not None else said.hex()
        hash = chained(hash, name, seq, id, sender, time, composed, text)
        if seq != expected:
            yield f"{name}: message {expected} is missing"
            return
        if stored.hex() != hash:
            yield f"{name}: message {seq} does not fit the hash chain"
            return
        if seq == head.first - 1:
            base = hash
        expected += 1
    if (head.last, head.hash, head.base) != (expected - 1, hash, base):
        yield f"{name}: its head is not that of its last message"
