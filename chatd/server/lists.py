"""Lists in answers: as many whole items as fit a frame (protocol section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.wire.json_text import Object, write

_REST = 1024  # bytes for what stands around the list in its frame


def fitting(items: Sequence[Object], frame: int) -> int:
    """How many of the first `items` fit one plaintext of `frame` bytes.

    At least one, if there is any.
    """
    left = frame - _REST
    for count, item in enumerate(items):
        left -= len(write(item)) + 1
        if left < 0:
            return max(1, count)
    return len(items)
