"""The commands about rooms: each a coroutine that ends with an exit code."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from chatd.client import account
from chatd.client.chat import ChatClient
from chatd.client.events import Arrived, Event, Own, OwnChanged, OwnState, Trouble
from chatd.client.reach import PERMANENT, reach
from chatd.clients.chat_term.run import FAILED, OK, CommandFailed, Run
from chatd.journal.copies import Copy
from chatd.wire.messages import Message
from chatd.wire.names import SERVER, direct, is_name, is_public
from chatd.wire.tokens import Key

PAGE = 200


async def online(run: Run) -> ChatClient:
    """The account's client, with a live session. Raises Unreached."""
    client = run.client()
    await reach(client, run.reactor, run.timeout, final=PERMANENT)
    return client


def room_of(word: str, client: ChatClient) -> str:
    """The room that a person means: ``#name``, ``@other``, or a room's whole name.

    Raises CommandFailed.
    """
    me = client.name or ""
    other = word.removeprefix("@")
    if word.startswith("@") and (is_name(other) or other == SERVER) and other != me:
        return direct(me, other)
    if is_public(word) or (word.startswith("@") and "+" in word):
        return word
    raise CommandFailed(f"{word[:40]!r} is no room: give #name, or @name for a person")


async def joined(run: Run, client: ChatClient, room: str) -> Copy:
    """Follow `room`. Raises CommandFailed where its history is not what it was."""
    troubles: list[Trouble] = []

    def heard(event: Event) -> None:
        if isinstance(event, Trouble) and event.room == room:
            troubles.append(event)

    unlisten = client.listen(heard)
    copy = await client.join(room).addTimeout(run.timeout, run.reactor)
    unlisten()
    if troubles:
        raise CommandFailed(troubles[-1].advice)
    return copy


async def send(run: Run, word: str, text: str) -> int:
    """Say `text` in a room: done when it is on the server's disk."""
    client = run.client()
    if client.name is None:
        await reach(client, run.reactor, run.timeout)
    own = client.say(room_of(word, client), text)
    stored = await _stored(run, client, own)
    run.output.receipt(stored)
    return OK


async def _stored(run: Run, client: ChatClient, own: Own) -> Own:
    """`own`, stored. Raises CommandFailed."""
    settled: Deferred[Own] = Deferred()

    def heard(event: Event) -> None:
        if (
            isinstance(event, OwnChanged)
            and event.own.id == own.id
            and event.own.state is not OwnState.QUEUED
            and not settled.called
        ):
            settled.callback(event.own)

    unlisten = client.listen(heard)
    try:
        await reach(client, run.reactor, run.timeout, final=PERMANENT)
        found = await settled.addTimeout(run.timeout, run.reactor)
    except Exception as error:
        kept = " It is kept, and goes out with the next run." if run.kept else ""
        why = str(error) or "no answer in time"
        raise CommandFailed(f"not said: {why}{kept}") from None
    finally:
        unlisten()
    if found.state is OwnState.FAILED:
        client.discard(found.id)
        raise CommandFailed(f"not said: {found.reason or found.code}")
    return found


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
    room = room_of(word, client)
    ended: Deferred[None] = Deferred()
    left = [most]
    live: list[Message] = []

    def heard(event: Event) -> None:
        match event:
            case Arrived(messages):
                live.extend(each for each in messages if each.room == room)
                flush()
            case Trouble() if event.room == room and not ended.called:
                ended.errback(CommandFailed(event.advice))

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
        for message in await _last(run, client, room, count):
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
    room = room_of(word, client)
    await joined(run, client, room)
    for message in await _last(run, client, room, count, before):
        run.output.message(message)
    return OK


async def _last(
    run: Run, client: ChatClient, room: str, count: int, before: int | None = None
) -> list[Message]:
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


async def search(run: Run, words: str, word: str | None, count: int) -> int:
    """Print messages that hold all words, the newest first."""
    client = await online(run)
    room = None if word is None else room_of(word, client)
    next, left = None, count
    while left > 0:
        page = await client.search(words, room, next)
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
    for room in await client.rooms():
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
    for each in await client.members(room_of(word, client)):
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
    room = room_of(word, client)
    await joined(run, client, room)
    await _last(run, client, room, PAGE)
    copy = await joined(run, client, room)
    run.output.record(
        f"{room}\tmessage {copy.last}\t{copy.hash}\tchecked from message {copy.first}",
        room=room,
        seq=copy.last,
        hash=copy.hash,
        first=copy.first,
    )
    return OK


async def accept(run: Run, invite: Key) -> int:
    """Turn an invite into a key file."""
    path = run.chosen.key_path
    name = await account.accept(invite, path, run.make, run.reactor, run.timeout)
    run.output.notice(f"you are {name}; your key is in {path}")
    run.output.notice(f"next: chat-term --host {run.chosen.host} --key {path}")
    return OK


async def rekey(run: Run) -> int:
    """Replace the user's key by a new one."""
    path = run.chosen.key_path
    name = await account.rotate(path, run.make, run.reactor, run.timeout)
    run.output.notice(f"{name} has a new key, in {path}; the old one is dead")
    return OK
