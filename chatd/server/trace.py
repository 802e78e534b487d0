"""What became of the last messages, never their text."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

KEPT = 10_000


class Step(NamedTuple):
    """One send that was answered."""

    id: str
    sender: str
    room: str
    connection: int
    peer: str
    """As limits group addresses."""
    received: int
    """ms since the epoch."""
    took: float
    """Seconds until it was answered."""
    outcome: str
    """``stored``, ``known`` (it stood there before), or an error's code."""
    seq: int | None


class Trace:
    """The last sends, in the order of their answers; one append each."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque(maxlen=KEPT)

    def add(self, step: Step) -> None:
        self._steps.append(step)

    def of(self, id: str) -> list[Step]:
        """All sends of that id, the oldest first."""
        return [step for step in self._steps if step.id == id]
