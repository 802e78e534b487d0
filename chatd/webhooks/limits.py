"""Every bound of the webhooks, in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HookLimits:
    """What one daemon allows its webhooks. Sizes in bytes, times in seconds."""

    outgoing: int = 64
    """Outgoing hooks; each has one request under way at most."""
    incoming: int = 256
    url: int = 2_048
    page: int = 16
    """Messages that are read at once for one hook."""
    timeout: float = 15.0
    """From a request to its answer's headers, and again to its answer's end."""
    answer: int = 65_536
    """Of an answer's body so much is read, and dropped."""
    first_retry: float = 1.0
    last_retry: float = 300.0
    retry_after: float = 3_600.0
    """A receiver may ask for so long a pause."""
    failing: float = 5 * 86_400.0
    """A hook that has failed for so long is disabled."""
    posts: float = 5.0
    """Messages a second of one incoming hook, in the long run."""
    post_burst: float = 50.0
    key: int = 200
    """Characters of an Idempotency-Key."""
