"""How much one may do: token buckets, by whatever key."""

from __future__ import annotations

from collections.abc import Callable, Hashable


class Flood:
    """Each key may spend `burst` at once and `rate` a second in the long run.

    Remembers `keys` keys at most: past that the ones that have their whole burst
    again are forgotten, and if none has, all keys not known share one bucket.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        rate: float,
        burst: float,
        keys: int = 4096,
    ) -> None:
        """`rate` 0: no limit."""
        self._seconds = seconds
        self._rate, self._burst = rate, burst
        self._keys = keys
        self._left: dict[Hashable, tuple[float, float]] = {}  # key: (left, when)

    def limit(self, rate: float, burst: float) -> None:
        """Other limits from now on; what was spent stays spent."""
        self._rate, self._burst = rate, burst

    def take(self, key: Hashable, cost: float = 1.0) -> float:
        """Spend `cost`. 0, or the seconds until it can be spent: then nothing was."""
        if not self._rate:
            return 0.0
        wait, key, left = self._look(key, cost)
        if not wait:
            self._left[key] = (left - cost, self._seconds())
        return wait

    def spent(self, key: Hashable) -> bool:
        """Whether not even 1 could be spent now; spends nothing."""
        return bool(self._rate) and self._look(key, 1.0)[0] > 0

    def _look(self, key: Hashable, cost: float) -> tuple[float, Hashable, float]:
        """Seconds to wait, the bucket's key, what is in it."""
        now = self._seconds()
        if key not in self._left and len(self._left) >= self._keys:
            self._forget(now)
            if len(self._left) >= self._keys:
                key = None
        left, when = self._left.get(key, (self._burst, now))
        left = min(self._burst, left + (now - when) * self._rate)
        cost = min(cost, self._burst)
        return max(0.0, (cost - left) / self._rate), key, left

    def _forget(self, now: float) -> None:
        self._left = {
            key: (left, when)
            for key, (left, when) in self._left.items()
            if left + (now - when) * self._rate < self._burst
        }
