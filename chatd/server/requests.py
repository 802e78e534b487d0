"""What becomes of each request of a live session (protocol sections 4.2 to 4.7)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.journal.interface import (
    Draft,
    Head,
    IJournal,
    Lane,
    Marks,
    Outcome,
    Refusal,
)
from chatd.keyfile import KeyFileError
from chatd.server.flood import Flood
from chatd.server.hub import Hub
from chatd.server.limits import Limits
from chatd.server.lists import fitting
from chatd.server.live import LiveSession
from chatd.server.rooms import Room, Subscription
from chatd.server.users import InviteUsed, KeyTaken, Users
from chatd.wire.json_text import Object
from chatd.wire.messages import ROOT_HASH, ack, error, message_fields
from chatd.wire.names import SERVER, direct, is_guest, pair
from chatd.wire.plain import PREFIX
from chatd.wire.requests import (
    History,
    Invalid,
    Join,
    Mark,
    Members,
    Ping,
    Rekey,
    Request,
    Rooms,
    Search,
    Send,
)

_log = Logger()

_REASONS = {
    "slow-down": "too much at once: send it again later",
    "held": "an earlier message to this room has to come first",
    "not-stored": "it could not be stored: send it again",
    "internal": "something failed here: send it again",
    "conflict": "this id was used for another message",
    "no-such-room": "there is no such room",
    "forbidden": "not allowed here",
    "full": "there are too many rooms",
}


_MUTED = "you are muted here for now: ask the operator"


class Denied(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: str, reason: str = "", **fields: object) -> None:
        super().__init__(reason or _REASONS[code])
        self.code = code
        self.fields = fields


class Requests:
    """Answers the requests of all live sessions, each exactly once."""

    def __init__(
        self,
        clock: IReactorTime,
        hub: Hub,
        journal: IJournal,
        users: Users,
        limits: Limits,
        now: Callable[[], float],
    ) -> None:
        """`now`: seconds since the epoch."""
        self._hub = hub
        self._journal = journal
        self._users = users
        self._limits = limits
        self._now = now
        self._seconds = clock.seconds
        self._meters = hub.meters
        rate, burst = limits.messages, limits.message_burst
        self._messages = Flood(clock.seconds, rate, burst)
        self._messages_of_address = Flood(clock.seconds, 10 * rate, 10 * burst)
        self._requests = Flood(clock.seconds, limits.requests, limits.request_burst)

    def answer(self, session: LiveSession, request: Request | Invalid) -> None:
        """Answer `request`, now or later, exactly once."""
        try:
            self._limit(session, request)
            match request:
                case Send():
                    self._send(session, request)
                case Ping(id):
                    session.answer(ack(id, time=self._time()))
                case Invalid(id, code, reason):
                    session.answer(error(id, code, reason))
                case Mark():
                    self._later(session, request.id, self._mark(session, request))
                case Join():
                    self._later(session, request.id, self._join(session, request))
                case History():
                    self._later(session, request.id, self._history(session, request))
                case Search():
                    self._later(session, request.id, self._search(session, request))
                case Rooms():
                    session.answer(self._list_rooms(session, request))
                case Members():
                    session.answer(self._list_members(session, request))
                case Rekey():
                    session.answer(self._rekey(session, request))
        except Denied as denied:
            session.answer(_denial(request.id, denied))

    def _limit(self, session: LiveSession, request: Request | Invalid) -> None:
        who = session.who
        if not isinstance(request, Ping | Invalid | Rekey) and not who.may_talk:
            raise Denied("forbidden", "an invite's session may only rekey and ping")
        if isinstance(request, Rekey | Mark) and who.guest:
            raise Denied("forbidden", "guests may not")
        if isinstance(request, Ping | Send):
            return
        cost = 5.0 if isinstance(request, Search | History) else 1.0
        if wait := self._requests.take(_spender(session), cost):
            raise Denied("slow-down", retry_after=_ms(wait))

    def _later(
        self, session: LiveSession, id: str, work: Coroutine[Any, Any, bytes]
    ) -> None:
        def failed(failure: Failure) -> bytes:
            if isinstance(failure.value, Denied):
                return _denial(id, failure.value)
            _log.failure("request-failed", failure)
            return _denial(id, Denied("internal"))

        def answer(text: bytes) -> None:
            session.answer(text)
            if session.stalled:
                self._hub.resume(session)

        Deferred.fromCoroutine(work).addErrback(failed).addCallback(answer)

    def _send(self, session: LiveSession, request: Send) -> None:
        who, room, refusal = session.who, request.room, None
        if who.guest and room == direct(who.name, SERVER):
            if wait := self._flood(session):
                raise Denied("slow-down", retry_after=_ms(wait))
            self._hub.guests.send(session, request)
            return
        lane = Lane()
        if not self._hub.may_see(session, room):
            refusal = Refusal("no-such-room")
        elif self._hub.left(room):
            refusal = Refusal("forbidden")
        elif self._hub.policy.muted(who.name) and room != direct(who.name, SERVER):
            refusal = Refusal("forbidden", reason=_MUTED)
        else:
            lane = session.lane(room)
            held = lane.waits_for not in (None, request.id)  # as far as is known here
            if not held and (wait := self._flood(session)):
                refusal = Refusal("slow-down", _ms(wait))
        answer = None
        if room == direct(who.name, SERVER):
            answer = (PREFIX + request.body.encode()).decode()
        draft = Draft(
            room,
            who.name,
            request.id,
            request.body,
            request.composed,
            lane,
            refusal,
            answer,
        )
        began = self._seconds()
        self._journal.append(draft).addCallback(self._sent, session, request.id, began)

    def _sent(
        self, outcome: Outcome, session: LiveSession, id: str, began: float
    ) -> None:
        if isinstance(outcome, Refusal):
            self._meters.errors[outcome.code] += 1
        else:
            self._meters.ack_seconds.add(self._seconds() - began)
        if not isinstance(outcome, Refusal):
            room, seq, time, hash = (
                outcome.room,
                outcome.seq,
                outcome.time,
                outcome.hash,
            )
            session.answer(ack(id, room=room, seq=seq, time=time, hash=hash))
        elif outcome.retry_after is None:
            session.answer(_denial(id, Denied(outcome.code, outcome.reason)))
        else:
            after = outcome.retry_after
            session.answer(_denial(id, Denied(outcome.code, retry_after=after)))

    def _flood(self, session: LiveSession) -> float:
        """Spend one message; or the seconds until there is one to spend."""
        return self._messages.take(_spender(session)) or self._messages_of_address.take(
            session.who.address
        )

    async def _join(self, session: LiveSession, request: Join) -> bytes:
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
        head = room.head
        if not session.gone:
            position = head.last if after is None else after
            subscription = Subscription(session, room, position, self._journal.read)
            session.subscriptions[room.name] = subscription
            room.readers[session] = subscription
            session.stalled = True  # its pushes begin behind the ack
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
                raise Denied("forbidden", _REASONS["full"])
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

    async def _history(self, session: LiveSession, request: History) -> bytes:
        room = self._seen(session, request.room)
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
        items = [message_fields(message) for message in found[:limit]]
        count = fitting(items, self._limits.frame)
        items = items[:count]
        if request.after is None:
            items.reverse()
        return ack(request.id, messages=items, more=len(found) > count)

    async def _search(self, session: LiveSession, request: Search) -> bytes:
        if request.room is not None:
            names = [self._seen(session, request.room).name]
        else:
            names = [
                name for name in self._hub.rooms if self._hub.may_see(session, name)
            ]
        next = None if request.next is None else int(request.next)
        found = await self._journal.search(
            request.query.split(), names, request.limit, next
        )
        items = [message_fields(message) for message in found.messages]
        count = fitting(items, self._limits.frame)
        if count < len(items):  # the rest did not fit: ask again for so many
            found = await self._journal.search(
                request.query.split(), names, count, next
            )
        more = found.next is not None
        where = {"next": str(found.next)} if more else {}
        return ack(request.id, messages=items[:count], more=more, **where)

    def _list_rooms(self, session: LiveSession, request: Rooms) -> bytes:
        after, name = request.after or "", session.who.name
        visible = {each for each in self._hub.rooms if self._hub.may_see(session, each)}
        if not session.who.guest:
            visible.add(direct(name, SERVER))
        items = []
        for each in sorted(each for each in visible if each > after):
            room = self._hub.rooms.get(each) or Room(each, Head(), {})
            head, marks = room.head, room.marks.get(name, Marks())
            items.append(
                {
                    "room": each,
                    "first": head.first,
                    "last": head.last,
                    "hash": head.hash,
                    **marks._asdict(),
                }
            )
        return _page(request.id, "rooms", items, self._limits.frame)

    def _list_members(self, session: LiveSession, request: Members) -> bytes:
        room, after = self._seen(session, request.room), request.after or ""
        names = set(room.marks) | (set(pair(room.name) or ()) - {session.who.name})
        if not room.public:
            names |= {session.who.name}
        items = [
            {
                "name": name,
                "online": name == SERVER or self._hub.presence.online(name),
                **room.marks.get(name, Marks())._asdict(),
            }
            for name in sorted(names)
            if name > after and self._hub.belongs(room, name)
        ]
        return _page(request.id, "members", items, self._limits.frame)

    async def _mark(self, session: LiveSession, request: Mark) -> bytes:
        room, name = self._seen(session, request.room), session.who.name
        read = request.read or 0
        received = max(request.received or 0, read)
        if received > room.head.last:
            raise Denied("bad-request", "there is no message with this seq")
        old = room.marks.get(name)
        new = Marks(
            max(received, old.received if old else 0), max(read, old.read if old else 0)
        )
        if new != old:
            if not await self._journal.mark(room.name, name, new):
                raise Denied("not-stored")
            now = room.marks.get(name, Marks())
            room.marks[name] = Marks(*map(max, now, new))
            self._hub.merge.tell(
                ("cursor", room.name, name), lambda: self._hub.tell_cursor(room, name)
            )
        return ack(request.id)

    def _rekey(self, session: LiveSession, request: Rekey) -> bytes:
        who = session.who
        try:
            self._users.announce(who.key, request.key)
        except InviteUsed:
            self._hub.invite_misused(self._users.credentials[who.key], who.address)
            raise Denied("used", "this invite is bound to another key") from None
        except KeyTaken:
            raise Denied("conflict", "this key is held already") from None
        except (KeyFileError, OSError) as fault:
            _log.error(
                "rekey-failed",
                connection=who.connection,
                user=who.name,
                reason=str(fault),
            )
            raise Denied("not-stored") from None
        _log.info(
            "rekey",
            connection=who.connection,
            user=who.name,
            key=who.key.id,
            new=request.key.id,
        )
        return ack(request.id)

    def _seen(self, session: LiveSession, name: str) -> Room:
        """A room that the session may see. Raises Denied."""
        room = self._hub.rooms.get(name)
        if self._hub.may_see(session, name):
            if room is not None:
                return room
            if pair(name) is not None:
                return Room(name, Head(), {})
        raise Denied("no-such-room")

    def _may_create(self, session: LiveSession, name: str) -> bool:
        if name.startswith("#"):
            return self._limits.create
        return self._hub.may_see(session, name)

    def _time(self) -> int:
        return int(self._now() * 1000)


def _page(id: str, name: str, items: list[Object], frame: int) -> bytes:
    count = fitting(items, frame)
    return ack(id, **{name: items[:count]}, more=count < len(items))


def _denial(id: str, denied: Denied) -> bytes:
    return error(id, denied.code, str(denied), **denied.fields)


def _spender(session: LiveSession) -> tuple[str, str]:
    """Whose budget a session spends: guests of one address share one."""
    who = session.who
    return ("guest", who.address) if who.guest else ("user", who.name)


def _ms(seconds: float) -> int:
    return int(seconds * 1000) + 1
