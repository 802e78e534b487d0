"""The plain dialect's answers (protocol section 3)."""

from __future__ import annotations

DEFAULT_FRAME = 65_536
"""Bytes of the largest plaintext, unless the operator chose another."""

PREFIX = b"Server received: "
_PREFIX_LENGTH = len(PREFIX)
NOT_UTF8 = b"Server refused: not UTF-8 text"
TOO_LONG = b"Server refused: too long"


def longest_text(frame: int) -> int:
    """Bytes of the longest text that is answered, where a plaintext has `frame`."""
    return frame - _PREFIX_LENGTH


def reply(text: bytes, frame: int) -> bytes:
    """What the server says to `text`, where the largest plaintext has `frame` bytes."""
    if len(text) > frame - _PREFIX_LENGTH:
        return TOO_LONG
    try:
        text.decode()
    except UnicodeDecodeError:
        return NOT_UTF8
    return PREFIX + text
