"""Rooms and people as the side lists them: pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from chatd.journal.copies import Copy
from chatd.wire.names import SERVER as SERVER_NAME
from chatd.wire.names import direct, pair

SERVER = "Server"


@dataclass(frozen=True, slots=True)
class SideItem:
    """One conversation. `kind` is "server", "room" or "person"."""

    room: str
    label: str
    kind: str
    unread: int = 0
    online: bool = False
    chosen: bool = False


def title(room: str, me: str) -> str:
    """What a person calls `room`."""
    two = pair(room)
    if two is None:
        return room
    other = two[0] if two[1] == me else two[1]
    return SERVER if other == SERVER_NAME else other


def unread(copy: Copy | None) -> int:
    """Messages behind what was read, and held here or to come."""
    if copy is None or copy.trouble is not None:
        return 0
    return max(0, copy.last - max(copy.read, copy.first - 1))


def side_items(
    me: str,
    rooms: Iterable[str],
    people: Iterable[str],
    online: set[str],
    copies: dict[str, Copy],
    chosen: str,
) -> list[SideItem]:
    """The server first, then rooms, then people, each by name."""
    talk = direct(me, SERVER_NAME)
    items = [SideItem(talk, SERVER, "server", 0, True, chosen == talk)]
    for room in sorted(set(rooms)):
        items.append(
            SideItem(
                room, room, "room", unread(copies.get(room)), False, chosen == room
            )
        )
    for name in sorted(set(people) - {me, SERVER_NAME}):
        room = direct(me, name)
        count = unread(copies.get(room))
        items.append(
            SideItem(room, name, "person", count, name in online, chosen == room)
        )
    return items
