"""Verifying a whole store: the file, and every room's hash chain."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from chatd.journal.interface import Head, Told, untold
from chatd.journal.schema import telling
from chatd.wire.messages import ROOT_HASH, chained, digest

_STEP = 1000
"""Messages after which it is told how far it is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One room: it is complete to `seq` and `hash`, or else its `fault`."""

    room: str
    seq: int
    hash: str
    fault: str | None = None


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """What is wrong with the store, in a line each. Reads all of it, once."""
    if (line := file_fault(connection)) is not None:
        yield line
        return
    for verdict in verdicts(connection):
        if verdict.fault is not None:
            yield verdict.fault


def verify(
    connection: sqlite3.Connection,
    acknowledged: Mapping[str, Head] | None = None,
    told: Told = untold,
) -> list[Verdict]:
    """The file, then all `verdicts`, as they are at one moment.

    Raises sqlite3.Error where the file is damaged, and what `told` raises.
    """
    connection.execute("BEGIN")
    with telling(connection, lambda: told(0, 0)):
        fault = file_fault(connection)
    if fault is not None:
        raise sqlite3.DatabaseError(fault)
    return list(verdicts(connection, acknowledged, told))


def file_fault(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the file itself; None: nothing."""
    (line,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    return None if line == "ok" else f"the file is damaged: {line}"


def verdicts(
    connection: sqlite3.Connection,
    acknowledged: Mapping[str, Head] | None = None,
    told: Told = untold,
) -> Iterator[Verdict]:
    """One for each room, by name: its chain is computed anew from the messages.

    `acknowledged`: heads that were told to clients before this is called; what the
    store does not hold of them is a fault, too. `told`: messages.
    """
    heads = dict(acknowledged or {})
    (total,) = connection.execute("SELECT coalesce(sum(last), 0) FROM rooms").fetchone()
    done = 0
    rooms = connection.execute(
        "SELECT n, name, first, last, base, hash FROM rooms ORDER BY name"
    )
    for number, name, first, last, base, hash in rooms.fetchall():
        head = Head(first, last, base.hex(), hash.hex())
        promised = heads.pop(name, Head())

        def step(seq: int, before: int = done) -> None:
            told(before + seq, total)

        fault = _fault(connection, number, name, head, promised, step)
        yield Verdict(name, last, head.hash, fault)
        done += last
    for name, head in heads.items():
        if head.last:
            yield Verdict(name, 0, ROOT_HASH, f"{name}: the room is missing")


def _fault(
    connection: sqlite3.Connection,
    number: int,
    name: str,
    head: Head,
    told: Head,
    step: Callable[[int], None],
) -> str | None:
    expected, hash, base = 1, ROOT_HASH, ROOT_HASH
    for seq, id, sender, time, composed, body, said, stored in connection.execute(
        "SELECT seq, id, sender, time, composed, body, digest, hash FROM messages"
        " WHERE room=? ORDER BY seq",
        (number,),
    ):
        text = digest(body) if body is not None else said.hex()
        hash = chained(hash, name, seq, id, sender, time, composed, text)
        if seq != expected:
            return f"{name}: message {expected} is missing"
        if stored.hex() != hash:
            return f"{name}: message {seq} does not fit the hash chain"
        if seq == told.last and hash != told.hash:
            return f"{name}: message {seq} is not the one that was acknowledged"
        if seq == head.first - 1:
            base = hash
        if seq % _STEP == 0:
            step(seq)
        expected += 1
    if expected - 1 < told.last:
        return f"{name}: it ends at {expected - 1}; {told.last} were acknowledged"
    if (head.last, head.hash, head.base) != (expected - 1, hash, base):
        return f"{name}: its head is not that of its last message"
    return None
