"""Rooms and people as the side lists them: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
    calls: int = 0
    """How many of the unread ones speak of the reader, or to the reader alone."""
    online: bool = False
    chosen: bool = False
    followed: bool = False
    quiet: bool = False
    """Whether its rule says that nothing in it calls the reader."""


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
    copies: Mapping[str, Copy],
    chosen: str,
    mentions: Callable[[str], int] = lambda room: 0,
    rule: Callable[[str], str] = lambda room: "",
) -> list[SideItem]:
    """The server first, then rooms, then people, each by name.

    `mentions`: of a room, unread ones; `rule`: a room's.
    """

    def item(room: str, kind: str) -> SideItem:
        label, copy = title(room, me), copies.get(room)
        count = 0 if kind == "server" else unread(copy)
        return SideItem(
            room,
            label,
            kind,
            count,
            count if kind == "person" else min(count, mentions(room)),
            kind == "server" or label in online,
            room == chosen,
            copy is not None and copy.followed,
            rule(room) == "none",
        )

    return [
        item(direct(me, SERVER_NAME), "server"),
        *(item(room, "room") for room in sorted(set(rooms))),
        *(
            item(direct(me, name), "person")
            for name in sorted(set(people) - {me, SERVER_NAME})
        ),
    ]


def matching(items: Sequence[SideItem], text: str) -> list[SideItem]:
    """The conversations that the find box asks for, the best one first."""
    word = text.strip().lower().lstrip("#@")
    if not word:
        return list(items)
    found = [each for each in items if word in each.label.lower()]
    return sorted(
        found, key=lambda each: not each.label.lower().lstrip("#").startswith(word)
    )


def neighbour(items: Sequence[SideItem], way: int) -> SideItem | None:
    """The conversation above (-1) or below (1) the chosen one; around at the ends."""
    if not items:
        return None
    at = next((n for n, each in enumerate(items) if each.chosen), None)
    return items[0] if at is None else items[(at + way) % len(items)]


def next_unread(items: Sequence[SideItem]) -> SideItem | None:
    """The one to read next: what calls first, then in their order from the chosen."""
    at = next((n for n, each in enumerate(items) if each.chosen), 0)
    others = [*items[at + 1 :], *items[:at]]
    waiting = [each for each in others if each.unread and not each.quiet]
    return next((each for each in waiting if each.calls), None) or next(
        iter(waiting), None
    )
