"""Every bound of the daemon, in one place, and the throttle of its log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from chatd.wire.framing import token_length
from chatd.wire.plain import DEFAULT_FRAME

LARGEST_BODY = 16_384
SMALLEST_FRAME = 3 * LARGEST_BODY + 4096  # protocol section 1
LARGEST_FRAME = 16 * 1024 * 1024


@dataclass(slots=True)
class Limits:
    """What one daemon allows. Sizes in bytes, times in seconds.

    One object for all that obey it: `adopt` changes what holds while people talk.
    """

    frame: int = DEFAULT_FRAME
    """The largest plaintext."""
    ttl: int | None = None
    """How old a plain token may be; None: any age."""
    idle: float = 600.0
    """A connection silent for so long is closed; 0: never."""
    unfinished: float = 30.0
    """A frame that began must be complete in this time."""
    unread: float = 30.0
    """A peer that does not read its answers is closed after this time."""
    grace: float = 3.0
    """From a polite close to an abort, where the peer does not let go."""
    connections: int = 10_000
    per_address: int = 2_000
    plain: bool = True
    """Whether the plain dialect is spoken."""
    guests: bool = True
    """Whether the shared key opens sessions."""
    create: bool = True
    """Whether a user's join makes a public room."""
    body: int = LARGEST_BODY
    """The longest message body."""
    keep: int | None = None
    """Days that the text of messages is kept; None: for ever."""
    rooms: int = 10_000
    sessions: int = 16
    """Sessions of one user."""
    handshake: float = 10.0
    """From a welcome to the session's first frame."""
    silence: float = 30.0
    """A live session silent for so long is closed."""
    messages: float = 50.0
    """Messages a second of one user, in the long run; 0: any."""
    message_burst: float = 500.0
    requests: float = 100.0
    """Other requests a second of one user, in the long run."""
    request_burst: float = 1_000.0
    guesses: float = 0.5
    """Failed handshakes a second of one address, in the long run."""
    guess_burst: float = 30.0

    def adopt(self, others: Limits) -> list[str]:
        """Be as `others` from now on; what has changed, in words."""
        changes = []
        for each in fields(self):
            old, new = getattr(self, each.name), getattr(others, each.name)
            if old != new:
                setattr(self, each.name, new)
                changes.append(f"{each.name} {old} -> {new}")
        return changes

    @property
    def longest_token(self) -> int:
        return token_length(self.frame)


class Throttle:
    """Lets the first events of a key through, then one a period.

    Remembers `keys` keys at most: past that, keys whose period is over are forgotten,
    and if all are live, further keys share one.
    """

    def __init__(
        self,
        seconds: Callable[[], float],
        period: float = 10.0,
        burst: int = 3,
        keys: int = 4096,
    ) -> None:
        self._seconds = seconds
        self._period = period
        self._burst = burst
        self._keys = keys
        self._seen: dict[object, tuple[float, int]] = {}  # key: (since, events)

    def passes(self, key: object) -> int | None:
        """None to hold this event back, else how many were held back before it."""
        now = self._seconds()
        if key not in self._seen and len(self._seen) >= self._keys:
            self._forget(now)
            if len(self._seen) >= self._keys:
                key = None
        since, events = self._seen.get(key, (now, 0))
        if now - since >= self._period:
            self._seen[key] = (now, 1)
            return max(0, events - self._burst)
        self._seen[key] = (since, events + 1)
        return 0 if events < self._burst else None

    def _forget(self, now: float) -> None:
        self._seen = {
            key: entry
            for key, entry in self._seen.items()
            if now - entry[0] < self._period
        }
