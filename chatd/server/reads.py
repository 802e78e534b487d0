"""What a session is told of the rooms that it may see (protocol section 4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge

from chatd.journal.interface import Head, IJournal, Marks, Place
from chatd.server.denial import Denied
from chatd.server.hub import Hub
from chatd.server.limits import Limits
from chatd.server.lists import fitting
from chatd.server.live import LiveSession
from chatd.server.rooms import Room, Subscription
from chatd.wire.json_text import Object
from chatd.wire.messages import ROOT_HASH, ack, message_fields
from chatd.wire.names import SERVER, direct, is_guest, pair
from chatd.wire.requests import History, Join, Members, Rooms, Search


class Reads:
    """Answers what is asked of the rooms. All raise Denied."""

    def __init__(self, hub: Hub, journal: IJournal, limits: Limits) -> None:
        self._hub = hub
        self._journal = journal
        self._limits = limits

    def seen(self, session: LiveSession, name: str) -> Room:
        """A room that the session may see. Raises Denied."""
        room = self._hub.rooms.get(name)
        if self._hub.may_see(session, name):
            if room is not None:
                return room
            if pair(name) is not None:
                return Room(name, Head(), {})
        raise Denied("no-such-room")

    async def join(self, session: LiveSession, request: Join) -> bytes:
        if is_guest(who := session.who.name) and request.room == direct(who, SERVER):
            head = self._hub.guests.head(session)
            return ack(request.id, room=request.room, **head._asdict())
        room = await self._entered(session, request.room)
        after = request.after
        if after is not None:
            known = await self._hash_at(room, after)
            if known is None or request.hash not in (None, known):
                head = room.head
                raise Denied(
                    "diverged",
                    "this server does not hold what you were told",
                    last=head.last,
                    hash=head.hash,
                )
        if not self._hub.may_see(session, room.name):  # shut out meanwhile
            raise Denied("no-such-room")
        head = room.head
        if not session.gone:
            position = head.last if after is None else after
            subscription = Subscription(session, room, position, self._journal.read)
            session.subscriptions[room.name] = subscription
            room.readers[session] = subscription
            session.stalled[subscription] = None  # its pushes begin behind the ack
        return ack(request.id, room=room.name, **head._asdict())

    async def _entered(self, session: LiveSession, name: str) -> Room:
        """The room, of which the user is a member from now on."""
        room = self._hub.rooms.get(name)
        who = session.who
        if room is None or not self._hub.may_see(session, name):
            hidden = room is not None and name.startswith("#")
            if who.guest or hidden or not self._may_create(session, name):
                raise Denied("no-such-room")
            if len(self._hub.rooms) >= self._limits.rooms:
                raise Denied("forbidden", "there are too many rooms")
            if not await self._journal.create(name):
                raise Denied("not-stored")
            room = self._hub.rooms.setdefault(name, Room(name, Head(), {}))
        if not who.guest and who.name not in room.marks:
            if not await self._journal.mark(name, who.name, Marks()):
                raise Denied("not-stored")
            room.marks.setdefault(who.name, Marks())
        return room

    async def _hash_at(self, room: Room, seq: int) -> str | None:
        """hash(seq); None where it lies beyond the end."""
        head = room.head
        if seq > head.last:
            return None
        if seq == head.last:
            return head.hash
        if seq == 0:
            return ROOT_HASH
        if seq == head.first - 1:
            return head.base
        return await self._journal.hash_at(room.name, seq)

    async def history(self, session: LiveSession, request: History) -> bytes:
        room = self.seen(session, request.room)
        first, limit = room.head.first, request.limit
        if request.after is not None:
            after = max(request.after, first - 1)
            found = await self._journal.read(room.name, after, limit + 1)
            found = [each for each in found if each.seq <= room.head.last]
        else:
            before = min(request.before or room.head.last + 1, room.head.last + 1)
            if request.before == 0:
                before = 0
            found = await self._journal.read(
                room.name, first - 1, limit + 1, before=before
            )
            found.reverse()
        items, _ = fitting(map(message_fields, found[:limit]), self._limits.frame)
        more = len(found) > len(items)
        if request.after is None:
            items.reverse()
        return ack(request.id, messages=items, more=more)

    async def search(self, session: LiveSession, request: Search) -> bytes:
        if request.room is not None:
            names = [self.seen(session, request.room).name]
        else:
            names = [
                name for name in self._hub.rooms if self._hub.may_see(session, name)
            ]
        next = None
        if request.next is not None:
            where, _, seq = request.next.partition(" ")
            next = Place(self.seen(session, where).name, int(seq))
        found = await self._journal.search(
            request.query.split(), names, request.limit, next
        )
        items, more = fitting(map(message_fields, found.messages), self._limits.frame)
        last = found.messages[len(items) - 1] if more else found.next
        if last is None:
            return ack(request.id, messages=items, more=False)
        place = f"{last.room} {last.seq}"
        return ack(request.id, messages=items, more=True, next=place)

    def rooms(self, session: LiveSession, request: Rooms) -> bytes:
        items = self._rooms_seen(session, request.after or "")
        return _page(request.id, "rooms", items, self._limits.frame)

    def _rooms_seen(self, session: LiveSession, after: str) -> Iterator[Object]:
        hub, name = self._hub, session.who.name
        own = direct(name, SERVER)  # is there before anything was said in it
        new = own not in hub.rooms and own > after and not session.who.guest
        for each in merge(hub.names_behind(after), [own] if new else []):
            if not hub.may_see(session, each):
                continue
            room = hub.rooms.get(each) or Room(each, Head(), {})
            head, marks = room.head, room.marks.get(name, Marks())
            yield {
                "room": each,
                "first": head.first,
                "last": head.last,
                "hash": head.hash,
                **marks._asdict(),
            }

    def members(self, session: LiveSession, request: Members) -> bytes:
        room, after = self.seen(session, request.room), request.after or ""
        names = set(room.marks) | set(pair(room.name) or ())
        items = (
            {
                "name": name,
                "online": name == SERVER or self._hub.presence.online(name),
                **room.marks.get(name, Marks())._asdict(),
            }
            for name in sorted(name for name in names if name > after)
            if self._hub.belongs(room, name)
        )
        return _page(request.id, "members", items, self._limits.frame)

    def _may_create(self, session: LiveSession, name: str) -> bool:
        if name.startswith("#"):
            return self._limits.create
        return self._hub.may_see(session, name)


def _page(id: str, name: str, items: Iterable[Object], frame: int) -> bytes:
    page, more = fitting(items, frame)
    return ack(id, **{name: page}, more=more)
