"""Which room a person means, and whether it is still the one that was seen before."""

from __future__ import annotations

from dataclasses import dataclass

from twisted.internet.defer import Deferred

from chatd.client.chat import ChatClient
from chatd.client.events import Arrived, Event, Trouble
from chatd.client.reach import PERMANENT, reach
from chatd.clients.chat_term.run import CommandFailed, Run, Told
from chatd.journal.copies import Copy
from chatd.wire.messages import Message
from chatd.wire.names import SERVER, direct, is_name, is_public, is_room

PAGE = 200
"""Messages asked for at once; the server gives no more."""

TALK = f"@{SERVER}"
"""How people write their own conversation with the server."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end of the copy held here, and what is wrong with the room, if anything."""

    copy: Copy
    trouble: Trouble | None


async def online(run: Run) -> ChatClient:
    """The account's client, with a live session. Raises Unreached."""
    client = run.client()
    await reach(client, run.reactor, run.timeout, final=PERMANENT)
    return client


def may_be_room(word: str) -> bool:
    """Whether `word` is a way to write a room: ``#name``, ``@other``, ``@a+b``."""
    other = word.removeprefix("@")
    return is_room(word) or (word != other and (is_name(other) or other == SERVER))


def room_of(word: str, client: ChatClient) -> str:
    """The room that `word` means to the one whose `client` it is.

    Raises CommandFailed.
    """
    me, other = client.name or "", word.removeprefix("@")
    if is_room(word):
        return word
    if may_be_room(word) and me and other != me:
        return direct(me, other)
    raise CommandFailed(f"{word[:40]!r} is no room: give #name, or @name for a person")


async def existing(run: Run, client: ChatClient, word: str) -> str:
    """The room of `word`. Raises CommandFailed where there is none.

    Reading makes no room: a name that was mistyped would stay taken for ever.
    """
    room = room_of(word, client)
    if is_public(room) and client.copy(room) is None:
        asked = client.rooms().addTimeout(run.timeout, run.reactor)
        if all(each.room != room for each in await asked):
            raise CommandFailed(
                f"there is no room {room}; made by: chat-term join '{room}'"
            )
    return room


async def joined(run: Run, client: ChatClient, room: str) -> Copy:
    """Follow `room`. Raises Told where its history is not what it was."""
    troubles: list[Trouble] = []
    unlisten = client.listen(lambda event: _note(event, room, troubles))
    try:
        copy = await client.join(room).addTimeout(run.timeout, run.reactor)
    finally:
        unlisten()
    if troubles:
        raise Told
    return copy


async def verified(run: Run, client: ChatClient, room: str) -> Verdict:
    """Catch up with `room`, check what is new and a page of what is older."""
    troubles: list[Trouble] = []
    unlisten = client.listen(lambda event: _note(event, room, troubles))
    try:
        copy = await client.join(room).addTimeout(run.timeout, run.reactor)
        if not troubles:
            infos = await client.rooms().addTimeout(run.timeout, run.reactor)
            last = max((each.last for each in infos if each.room == room), default=0)
            await _caught_up(run, client, room, last)
        if not troubles:
            await last_messages(run, client, room, PAGE)
        if not troubles:  # the server has to hold this very hash
            await client.join(room).addTimeout(run.timeout, run.reactor)
    finally:
        unlisten()
    return Verdict(client.copy(room) or copy, troubles[-1] if troubles else None)


async def last_messages(
    run: Run, client: ChatClient, room: str, count: int, before: int | None = None
) -> list[Message]:
    """The last `count` messages of a joined room, the oldest first."""
    found: list[Message] = []
    while len(found) < count:
        wanted = min(PAGE, count - len(found))
        where = found[0].seq if found else before
        asked = client.messages(room, where, wanted)
        page = await asked.addTimeout(run.timeout, run.reactor)
        found = page + found
        if not page:
            break
    return found


async def _caught_up(run: Run, client: ChatClient, room: str, last: int) -> None:
    """Wait until the copy goes to `last`, or does not go on at all."""
    reached: Deferred[None] = Deferred()

    def heard(event: Event) -> None:
        copy = client.copy(room)
        there = copy is None or copy.last >= last or copy.trouble is not None
        if isinstance(event, Arrived | Trouble) and there and not reached.called:
            reached.callback(None)

    copy = client.copy(room)
    if copy is None or copy.last >= last or copy.trouble is not None:
        return
    unlisten = client.listen(heard)
    try:
        await reached.addTimeout(run.timeout, run.reactor)
    finally:
        unlisten()


def _note(event: Event, room: str, troubles: list[Trouble]) -> None:
    if isinstance(event, Trouble) and event.room == room:
        troubles.append(event)
