"""What the HTTP side may look at, in one place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from chatd.journal.journal import SQLiteJournal
from chatd.server.factory import ChatFactory
from chatd.server.hub import Hub
from chatd.server.keyring import Keyring
from chatd.server.live import LiveSession
from chatd.server.meters import Meters
from chatd.server.operator import Operator
from chatd.server.users import Users
from chatd.webhooks.registry import Registry


@dataclass(frozen=True, slots=True)
class House:
    """One daemon's parts."""

    factory: ChatFactory
    hub: Hub
    journal: SQLiteJournal
    users: Users
    keyring: Keyring
    hooks: Registry
    operator: Operator
    now: Callable[[], float]
    """Seconds since the epoch."""
    started: float
    """The same, when it was started."""
    listening: Callable[[], Sequence[str]]
    """The addresses."""

    @property
    def meters(self) -> Meters:
        return self.hub.meters

    @property
    def sessions(self) -> list[LiveSession]:
        return list(self.hub.presence)

    @property
    def lags(self) -> list[int]:
        """How many messages each reader of a room is behind its end."""
        return [
            room.head.last - subscription.position
            for room in self.hub.rooms.values()
            for subscription in room.readers.values()
        ]

    def unready(self) -> list[str]:
        """Why messages cannot be acknowledged now; nothing: they can."""
        reasons = {
            "starting: the journal is not open": not self.hub.opened,
            "stopping: connections are drained": self.factory.draining,
            "the store failed: look at the disk and the log": self.meters.away,
        }
        return [reason for reason, holds in reasons.items() if holds]
