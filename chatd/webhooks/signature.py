"""What proves to a receiver that a delivery is ours, and new.

Stands on the standard library alone, so that a receiver may copy it.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

LONGEST_AGE = 300
"""Seconds that a delivery may be old, or early."""


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The header Chatd-Signature of a `body` sent at `timestamp`, s of the epoch."""
    signed = b"%d." % timestamp + body
    return "v1=" + hmac.new(secret.encode(), signed, sha256).hexdigest()


def verify(
    secret: str,
    timestamp: str,
    signature: str,
    body: bytes,
    now: float,
    age: int = LONGEST_AGE,
) -> bool:
    """Whether these headers, Chatd-Timestamp and Chatd-Signature, belong to `body`.

    `now`: seconds of the epoch; a delivery further away from it than `age` is refused,
    so that a recorded one cannot be sent again later. Takes the same time wherever a
    wrong signature differs.
    """
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        return False
    if abs(now - int(timestamp)) > age:
        return False
    wanted = sign(secret, int(timestamp), body)
    return hmac.compare_digest(wanted.encode(), signature.encode())
