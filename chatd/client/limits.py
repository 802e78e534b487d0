"""The client's limits, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from chatd.wire.plain import DEFAULT_FRAME


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client takes and how long it waits."""

    frame: int = DEFAULT_FRAME
    """Bytes of the largest plaintext, as the server has it."""
    outstanding: int = 256
    """Requests on the wire without a reply."""
    outstanding_bytes: int = 1 << 20
    """Bytes of their texts; at least `frame`."""
    waiting: int = 10_000
    """Texts that wait to be sent."""
    waiting_bytes: int = 1 << 24
    """Their bytes."""
    connect: float = 15.0
    """Seconds until the TCP connection stands, name resolution included."""
    idle: float = 20.0
    """Seconds without a reply after which the client makes sure of the server."""
    answer: float = 10.0
    """Seconds that a probe may go unanswered."""
    close: float = 2.0
    """Seconds that closing may take before the connection is aborted."""
