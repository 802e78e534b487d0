"""News whose latest value alone matters, told once a period at most."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

PERIOD = 1.0
"""Seconds between two news about the same (protocol section 4.6)."""

_TOLERANCE = 0.001  # seconds that a timer may come early


class Merge:
    """The first news about something goes out at once, later ones after the period.

    Remembers what was told in the last period, and no more.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._told: dict[Hashable, float] = {}
        self._pending: dict[Hashable, Callable[[], None]] = {}
        self._timer: IDelayedCall | None = None

    def tell(self, about: Hashable, news: Callable[[], None]) -> None:
        """Call `news`, now or when the period is over; only the last one of these."""
        if about in self._told:
            self._pending[about] = news
            return
        self._told[about] = self._clock.seconds()
        if self._timer is None:
            self._timer = self._clock.callLater(PERIOD, self._over)
        news()

    def stop(self) -> None:
        """Tell nothing more."""
        self._pending.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _over(self) -> None:
        now = self._clock.seconds()
        over = [
            about for about, at in self._told.items() if now - at >= PERIOD - _TOLERANCE
        ]
        for about in over:
            del self._told[about]
        self._timer = None
        for about in over:
            if (news := self._pending.pop(about, None)) is not None:
                self.tell(about, news)
        if self._timer is None and self._told:
            first = min(self._told.values())
            self._timer = self._clock.callLater(
                max(0.0, first + PERIOD - now), self._over
            )
