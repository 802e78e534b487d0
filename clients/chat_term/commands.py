"""The commands about rooms: each a coroutine that ends with an exit code."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.client.events import Arrived, Event, Trouble
from chatd.clients.chat_term.place import (
    existing,
    joined,
    last_messages,
    online,
    room_of,
    verified,
)
from chatd.clients.chat_term.run import FAILED, OK, Run, Told
from chatd.wire.messages import Message


async def join(run: Run, word: str) -> int:
    """Follow a room; a public one is made where there is none."""
    client = await online(run)
    room = room_of(word, client)
    await joined(run, client, room)
    run.output.notice(f"{room} is followed")
    return OK


async def tail(run: Run, word: str, count: int, most: int | None) -> int:
    """Print the last `count` messages of a room, then what comes, `most` of that."""
    client = await online(run)
    room = await existing(run, client, word)
    ended: Deferred[None] = Deferred()
    left = [most]
    live: list[Message] = []

    def heard(event: Event) -> None:
        match event:
            case Arrived(messages):
                live.extend(each for each in messages if each.room == room)
                flush()
            case Trouble() if event.room == room and not ended.called:
                ended.errback(Told())

    shown = [0]
    ready = [False]

    def flush() -> None:
        while ready[0] and live and not ended.called:
            message = live.pop(0)
            if message.seq <= shown[0]:
                continue
            run.output.message(message)
            shown[0] = message.seq
            if left[0] is not None:
                left[0] -= 1
            if left[0] == 0 or run.output.gone:
                ended.callback(None)

    client.listen(heard)
    await joined(run, client, room)
    if count:
        for message in await last_messages(run, client, room, count):
            run.output.message(message)
            shown[0] = message.seq
    else:
        copy = client.copy(room)
        shown[0] = copy.last if copy is not None else 0
    if run.output.gone or most == 0:
        return OK
    ready[0] = True
    flush()
    await ended
    return OK


async def history(run: Run, word: str, count: int, before: int | None) -> int:
    """Print messages of a room, the oldest first."""
    client = await online(run)
    room = await existing(run, client, word)
    await joined(run, client, room)
    for message in await last_messages(run, client, room, count, before):
        run.output.message(message)
    return OK


async def search(run: Run, words: str, word: str | None, count: int) -> int:
    """Print messages that hold all words, the newest first; FAILED: none does."""
    client = await online(run)
    room = None if word is None else room_of(word, client)
    next, left = None, count
    while left > 0:
        asked = client.search(words, room, next)
        page = await asked.addTimeout(run.timeout, run.reactor)
        for message in page.messages[:left]:
            run.output.message(message, with_room=True)
        left -= len(page.messages)
        next = page.next
        if next is None:
            break
    return OK if left < count else FAILED


async def rooms(run: Run) -> int:
    """Print the rooms that may be seen, with what is unread."""
    client = await online(run)
    asked = client.rooms()
    for room in await asked.addTimeout(run.timeout, run.reactor):
        run.output.record(
            f"{room.room}\t{max(0, room.last - room.read)} unread of {room.last}",
            room=room.room,
            first=room.first,
            last=room.last,
            hash=room.hash,
            received=room.received,
            read=room.read,
        )
    return OK


async def members(run: Run, word: str) -> int:
    """Print who is in a room."""
    client = await online(run)
    asked = client.members(room_of(word, client))
    for each in await asked.addTimeout(run.timeout, run.reactor):
        run.output.record(
            f"{each.name}\t{'online' if each.online else 'away'}\tread {each.read}",
            name=each.name,
            online=each.online,
            received=each.received,
            read=each.read,
        )
    return OK


async def verify(run: Run, word: str) -> int:
    """Print the end of the checked copy: to be compared with another member's."""
    client = await online(run)
    room = await existing(run, client, word)
    verdict = await verified(run, client, room)
    copy, trouble = verdict.copy, verdict.trouble
    found = "the server agrees" if trouble is None else trouble.kind
    run.output.record(
        f"{room}\tmessage {copy.last}\t{copy.hash}\t{found};"
        f" checked from message {copy.first}",
        room=room,
        seq=copy.last,
        hash=copy.hash,
        first=copy.first,
        agrees=trouble is None,
        **({} if trouble is None else {"trouble": trouble.kind}),
    )
    return OK if trouble is None else FAILED
