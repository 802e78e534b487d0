"""Names of users, guests and rooms (protocol section 4.3)."""

from __future__ import annotations

import re

SERVER = "server"
"""Who answers in the conversations ``@name+server``; nobody else's name."""

LOBBY = "#lobby"
"""The public room that always exists."""

LONGEST_NAME = 32

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,31}")


def is_name(text: str) -> bool:
    """Whether `text` may be a user's name."""
    return (
        _NAME.fullmatch(text) is not None
        and text != SERVER
        and not text.endswith(".key")
    )


def is_guest(text: str) -> bool:
    """Whether `text` is spelled as a guest's name."""
    return text.startswith("~") and is_name(text[1:])


def is_public(room: str) -> bool:
    """Whether `room` is spelled as a public room's name."""
    return room.startswith("#") and is_name(room[1:])


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


def direct(one: str, other: str) -> str:
    """The room in which two talk."""
    return "@" + "+".join(sorted((one, other)))
