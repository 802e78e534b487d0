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
    """Requests on the wire without a reply, in the plain dialect."""
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
    """Seconds that a probe, or a handshake, may go unanswered."""
    close: float = 2.0
    """Seconds that closing may take before the connection is aborted."""
    quiet: float = 8.0
    """Seconds without a word in a session after which the client pings."""
    dead: float = 16.0
    """Seconds without a word after which it gives the connection up."""
    request: float = 30.0
    """Seconds that a session's request may go unanswered."""
    sends: int = 64
    """Messages on the wire without an answer."""
    mark: float = 1.0
    """Seconds between two marks of one room."""
    retry: float = 0.5
    """Seconds before a message that was not taken is sent again: doubled, up to"""
    retry_most: float = 10.0
