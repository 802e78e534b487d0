"""What the daemon counts, as plain numbers; others make them known."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds, as upper bounds."""
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0)
MOST_REASONS = 64
"""Kinds of one thing that are told apart; further ones are "other"."""


class Histogram:
    """How many values lay at or under each bound, and their sum."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)  # of each step; the last: above all
        self.sum = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


class Meters:
    """Only grows, but for `away`. Of one thread: the reactor's."""

    def __init__(self) -> None:
        self.connections = 0
        self.turned_away: Counter[str] = Counter()
        """Connections, by reason."""
        self.ended: Counter[str] = Counter()
        """Connections that the daemon closed, by event: refused, bad-frame, slow..."""
        self.refused: Counter[str] = Counter()
        """First frames and tokens that were refused, by reason."""
        self.frames_in = 0
        self.frames_out = 0
        self.opened = 0
        self.ack_seconds = Histogram(LATENCIES)
        """From the arrival of a send to its ack."""
        self.errors: Counter[str] = Counter()
        """Sends that were answered with an error, by code."""
        self.batch_sizes = Histogram(SIZES)
        self.commit_seconds = Histogram(LATENCIES)
        self.away = False
        """Whether the store failed and is not proven again."""

    def refuse(self, reason: str) -> None:
        if reason not in self.refused and len(self.refused) >= MOST_REASONS:
            reason = "other"
        self.refused[reason] += 1

    def committed(self, size: int, seconds: float) -> None:
        """One group commit, of so many writes."""
        self.batch_sizes.add(size)
        self.commit_seconds.add(seconds)

    def set_away(self, away: bool) -> None:
        self.away = away
