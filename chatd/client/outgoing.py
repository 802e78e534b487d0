"""Which messages are sent when: so that none overtakes another of its room. Pure.

Protocol section 4.5: what was not taken, or not answered, is sent again under its id,
and nothing behind it in its room is sent before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from chatd.journal.outbox import Queued

_TOLERANCE = 0.001  # seconds that a timer may come early


@dataclass(slots=True)
class _Room:
    waiting: list[Queued] = field(default_factory=list)
    """In the order of typing, those in flight too."""
    in_flight: set[str] = field(default_factory=set)
    refused: bool = False
    """Whether one was not taken: what is in flight behind it is waited for."""
    not_before: float = 0.0
    failures: int = 0


class Outgoing:
    """The messages that wait, room by room."""

    def __init__(self, most: int, retry: float, retry_most: float) -> None:
        """`most`: in flight at once; `retry`, `retry_most`: seconds."""
        self._most = most
        self._retry = retry
        self._retry_most = retry_most
        self._rooms: dict[str, _Room] = {}
        self._tried: set[str] = set()

    def add(self, message: Queued, tried: bool = False) -> None:
        """One more, typed last. `tried`: a server may have it."""
        if tried:
            self._tried.add(message.id)
        self._rooms.setdefault(message.room, _Room()).waiting.append(message)

    def replace(self, id: str, message: Queued) -> None:
        """One that is not in flight was edited."""
        room = self._rooms[message.room]
        room.waiting = [message if each.id == id else each for each in room.waiting]

    def tried(self, id: str) -> bool:
        """Whether it was ever on the wire: the server may have it."""
        return id in self._tried

    def due(self, now: float) -> list[Queued]:
        """What is to be sent now, in order; it is in flight from now on."""
        left = self._most - sum(len(room.in_flight) for room in self._rooms.values())
        found: list[Queued] = []
        for room in self._rooms.values():
            over = now >= room.not_before - _TOLERANCE
            if room.refused and not room.in_flight and over:
                room.refused = False
            if room.refused:
                continue
            for message in room.waiting:
                if message.id not in room.in_flight and len(found) < left:
                    found.append(message)
                    room.in_flight.add(message.id)
                    self._tried.add(message.id)
                elif message.id not in room.in_flight:
                    break
        return sorted(found, key=lambda message: message.n)

    def next_due(self) -> float | None:
        """When `due` is to be asked again; None: not before something happens."""
        times = [
            room.not_before
            for room in self._rooms.values()
            if room.refused and not room.in_flight
        ]
        return min(times, default=None)

    def settled(self, room_name: str, id: str) -> None:
        """It was stored, or failed for good, or was discarded."""
        self._tried.discard(id)
        room = self._rooms.get(room_name)
        if room is None:
            return
        room.in_flight.discard(id)
        room.waiting = [each for each in room.waiting if each.id != id]
        room.failures = 0
        if not room.waiting:
            del self._rooms[room_name]

    def not_taken(
        self, room_name: str, id: str, now: float, after: float | None
    ) -> None:
        """It is to be sent again, `after` seconds or as the failures in a row say."""
        room = self._rooms.get(room_name)
        if room is None or id not in room.in_flight:
            return
        room.in_flight.discard(id)
        if not room.refused:
            room.refused = True
            room.failures += 1
            wait = self._retry * 2.0 ** min(room.failures - 1, 20)
            after = min(self._retry_most, wait) if after is None else after
            room.not_before = now + after

    def lost(self) -> None:
        """The connection is gone: all that was in flight is to be sent again."""
        for room in self._rooms.values():
            room.in_flight.clear()
            room.refused = False
