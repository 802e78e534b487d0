"""Lists in answers: as many whole items as fit a frame (protocol section 4.2)."""

from __future__ import annotations

from collections.abc import Iterable

from chatd.wire.json_text import Object, write

_REST = 1024  # bytes for what stands around the list in its frame


def fitting(items: Iterable[Object], frame: int) -> tuple[list[Object], bool]:
    """The first `items` that fit one plaintext of `frame` bytes; whether more follow.

    At least one, if there is any. Takes no more of them than it has to look at.
    """
    left = frame - _REST
    taken: list[Object] = []
    for item in items:
        left -= len(write(item)) + 1
        if left < 0 and taken:
            return taken, True
        taken.append(item)
    return taken, False
