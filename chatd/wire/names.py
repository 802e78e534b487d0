"""Names of users, guests, hooks and rooms (protocol section 4.3)."""

from __future__ import annotations

import re

SERVER = "server"
"""Who answers in the conversations ``@name+server``; nobody else's name."""

LOBBY = "#lobby"
"""The public room that always exists."""

HOOK = "hook-"
"""What the names of programs that post begin with, and nobody else's."""

LONGEST_NAME = 32

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")


def is_name(text: str) -> bool:
    """Whether `text` may be a user's name."""
    return _is_spelled(text) and not text.startswith(HOOK)


def is_guest(text: str) -> bool:
    """Whether `text` is spelled as a guest's name."""
    return text.startswith("~") and is_name(text[1:])


def hook_name(name: str) -> str:
    """The sender of what comes in by the hook `name`."""
    return HOOK + name


def is_hook(text: str) -> bool:
    """Whether `text` is spelled as a hook's name, as a sender."""
    return text.startswith(HOOK) and _is_spelled(text) and text != HOOK


def is_public(room: str) -> bool:
    """Whether `room` is spelled as a public room's name."""
    return room.startswith("#") and _is_spelled(room[1:])


def is_room(text: str) -> bool:
    """Whether `text` is a room's one right spelling."""
    return is_public(text) or pair(text) is not None


def pair(room: str) -> tuple[str, str] | None:
    """The two who talk in the direct conversation `room`; None: it is none.

    A guest talks to the server alone.
    """
    if not room.startswith("@"):
        return None
    first, _, second = room[1:].partition("+")
    if first >= second:
        return None
    users = {first, second} - {SERVER}
    if all(map(is_name, users)) or (len(users) == 1 and is_guest(*users)):
        return first, second
    return None


def _is_spelled(text: str) -> bool:
    return (
        _NAME.fullmatch(text) is not None
        and text != SERVER
        and not text.endswith(".key")
    )


def direct(one: str, other: str) -> str:
    """The room in which two talk."""
    return "@" + "+".join(sorted((one, other)))
