"""The server's lists, page by page, and what a search found: typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from chatd.client.events import Found, Member, RoomInfo
from chatd.wire.json_text import Object
from chatd.wire.messages import ROOT_HASH, BadAnswer, Message, holds, parse_message

_MARKS: dict[str, type] = {"received": int, "read": int}
_ROOM = {"room": str, "first": int, "last": int, "hash": str} | _MARKS
_MEMBER = {"name": str, "online": bool} | _MARKS

Page = Callable[[str | None], Awaitable[Object]]
"""Asks for what stands behind a name; None: from the beginning."""


async def all_rooms(ask: Page) -> list[RoomInfo]:
    """Every page of ``rooms``. Raises what `ask` raises, and BadAnswer."""
    return [RoomInfo(**item) for item in await _all(ask, "rooms", "room", _ROOM)]


async def all_members(ask: Page) -> list[Member]:
    """Every page of ``members``. Raises what `ask` raises, and BadAnswer."""
    return [Member(**item) for item in await _all(ask, "members", "name", _MEMBER)]


def found(ack: Object) -> Found:
    """What a ``search`` was answered. Raises BadAnswer."""
    next = ack.get("next")
    return Found(messages(ack), next if isinstance(next, str) else None)


def messages(ack: Object) -> list[Message]:
    """The messages in an answer. Raises BadAnswer."""
    return [parse_message(each) for each in items(ack, "messages")]


def page(ack: Object, room: str, before: int | None) -> list[Message]:
    """A page of the history of `room` where no copy can check it: each message by the
    one ahead of it. Raises BadAnswer where they do not fit."""
    found = messages(ack)
    last, hash = (0, ROOT_HASH) if found and found[0].seq == 1 else (None, "")
    for message in found:
        right = message.room == room and (before is None or message.seq < before)
        if last is not None:
            right = right and message.seq == last + 1 and holds(hash, message)
        if not right:
            raise BadAnswer("a page of history that does not fit together")
        last, hash = message.seq, message.hash
    return found


def items(ack: Object, name: str) -> list[Object]:
    """A list of objects in an answer. Raises BadAnswer."""
    value = ack.get(name)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadAnswer(f"no list of {name}")
    return value


async def _all(ask: Page, name: str, by: str, types: dict[str, type]) -> list[Object]:
    gathered: list[Object] = []
    more = True
    while more:
        ack = await ask(gathered[-1][by] if gathered else None)
        page = [_item(each, types) for each in items(ack, name)]
        gathered += page
        more = ack.get("more") is True and bool(page)
    return gathered


def _item(item: Object, types: dict[str, type]) -> Object:
    for name, kind in types.items():
        if type(item.get(name)) is not kind:
            raise BadAnswer(f"an item without {name}")
    return {name: item[name] for name in types}
