"""Who may connect: connections counted, altogether and by address."""

from __future__ import annotations

from collections import Counter

from twisted.internet.interfaces import IAddress

from chatd.server.addresses import group
from chatd.server.limits import Limits


class Admission:
    """Counts the connections that are there against the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._total = 0
        self._by_address: Counter[str] = Counter()

    def fault(self, address: IAddress) -> str | None:
        """Why one more connection from `address` is not let in; None: it is."""
        if self._total >= self._limits.connections:
            return "there are too many connections"
        if self._by_address[group(address)] >= self._limits.per_address:
            return "there are too many connections from this address"
        return None

    def enter(self, address: IAddress) -> None:
        self._total += 1
        self._by_address[group(address)] += 1

    def leave(self, address: IAddress) -> None:
        self._total -= 1
        where = group(address)
        self._by_address[where] -= 1
        if not self._by_address[where]:
            del self._by_address[where]
