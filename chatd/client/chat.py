"""The client of the session dialect: rooms, an outbox on disk, copies that are checked.

Public. What it promises: a text that `say` has taken is on this disk, is sent in the
order of typing however often the connection or the program dies, and stands in the
room exactly once; what arrives is stored and checked against the hash chain first.
"""

from __future__ import annotations

import os
import random as random_module
import time
from collections.abc import Callable, Sequence
from typing import TypeGuard

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IDelayedCall,
    IProtocol,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.logger import Logger

from chatd import __version__
from chatd.client.errors import (
    Crowded,
    NotText,
    RequestFailed,
    SayFailed,
    TooLong,
)
from chatd.client.events import (
    Arrived,
    CursorMoved,
    Event,
    Found,
    Member,
    Own,
    OwnState,
    PresenceChanged,
    RoomBegun,
    RoomInfo,
    Trouble,
)
from chatd.client.limits import Limits
from chatd.client.link import Backoff, Delays, Phase, Reason
from chatd.client.marks import Marks
from chatd.client.reconnect import Reconnecting
from chatd.client.sending import Sending
from chatd.client.session_line import SessionLine
from chatd.journal.client_store import ClientStore
from chatd.journal.copies import ChainBroken, Copy
from chatd.journal.outbox import OutboxFull
from chatd.wire.handshake import Refused, Welcome
from chatd.wire.json_text import Object
from chatd.wire.messages import BadAnswer, Message, is_integer, parse_message
from chatd.wire.names import is_guest
from chatd.wire.requests import (
    DEFAULT_PAGE,
    History,
    Join,
    Members,
    Rekey,
    Rooms,
    Search,
    body_fault,
)
from chatd.wire.tokens import Key

_log = Logger()

BODY = 16_384
"""Bytes of the longest body, until a server has said its own limit."""

_REFUSED = {
    "bad-hello": Reason.REFUSED_HELLO,
    "version": Reason.VERSION,
    "name": Reason.NAME,
    "guests-off": Reason.GUESTS_OFF,
    "banned": Reason.BANNED,
    "removed": Reason.REMOVED,
    "rotated": Reason.ROTATED,
    "used": Reason.USED,
    "expired": Reason.EXPIRED,
}
_GOODBYE = {
    "kicked": Reason.KICKED,
    "banned": Reason.BANNED,
    "removed": Reason.REMOVED,
    "rotated": Reason.ROTATED,
    "restart": Reason.RESTART,
    "shutdown": Reason.RESTART,
}


class ChatClient(Reconnecting[SessionLine]):
    """A person's, or a program's, place in the rooms of one server.

    ONLINE means that the session is live: the server has proved that it holds the key.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        endpoint: IStreamClientEndpoint,
        keys: Sequence[Key],
        store: ClientStore,
        *,
        name: str | None = None,
        agent: str = f"chatd/{__version__}",
        where: str = "the server's address",
        random: Callable[[], float] = random_module.random,
        now: Callable[[], float] = time.time,
        urandom: Callable[[int], bytes] = os.urandom,
        limits: Limits | None = None,
        delays: Delays | None = None,
    ) -> None:
        """`keys`: tried in this order, for a rotation that may have been interrupted;
        `name`: as a guest wants to be called, None: as the key says; `where`: the
        endpoint's place as people write it; `random`: uniform in [0, 1); `now`:
        seconds since the epoch; `urandom`: fit for cryptography.
        """
        self._limits = Limits() if limits is None else limits
        backoff = Backoff(random, delays)
        super().__init__(reactor, endpoint, where, backoff, self._limits.connect)
        self._keys = list(keys)
        self._key = 0  # index of the one that is tried, or opened the session
        self._store = store
        self._copies = store.copies
        self._wanted = name
        self._agent = agent
        self._now = now
        self._urandom = urandom
        self._welcome: Welcome | None = None
        self._listeners: dict[object, Callable[[Event], None]] = {}
        self._joins: dict[str, list[Deferred[Copy]]] = {}
        self._marks = Marks(reactor, self._copies, self._limits.mark)
        self._sending = Sending(
            reactor, store.outbox, self._copies, self._limits, self._tell_event
        )
        self._kick: IDelayedCall | None = None

    # Who, where, how long.

    @property
    def name(self) -> str | None:
        """As the server calls us; None before it ever did."""
        return self._store.get("name") if self._welcome is None else self._welcome.name

    @property
    def guest(self) -> bool:
        return is_guest(self.name or "")

    @property
    def server(self) -> str:
        """As the server calls itself; empty before it ever did."""
        return (
            self._welcome.server if self._welcome else self._store.get("server") or ""
        )

    @property
    def key(self) -> Key:
        """The key that opened the session, or is tried now."""
        return self._keys[self._key]

    @property
    def lag(self) -> float | None:
        """Seconds that the last ping took; None without a session."""
        return None if self._line is None else self._line.lag

    def listen(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Call `callback` with each event, until the function returned is called."""
        ticket = object()
        self._listeners[ticket] = callback

        def unsubscribe() -> None:
            self._listeners.pop(ticket, None)

        return unsubscribe

    # One's own messages.

    def say(self, room: str, text: str, id: str | None = None) -> Own:
        """Take `text` for `room`: on this disk when it returns, sent in its turn.

        Raises TooLong, NotText, Crowded; nothing was taken then. `id`: the message's
        own, by which it is known if it was said before; None: a new one.
        """
        self._check(text)
        try:
            own = self._sending.add(room, id or self._new_id(), text, self._ms())
        except OutboxFull:
            raise Crowded from None
        self._soon()
        return own

    def own(self, room: str | None = None) -> list[Own]:
        """Own messages that have not come back in their room's log yet."""
        return [each for each in self._sending.all() if room in (None, each.room)]

    def retry(self, id: str) -> None:
        """Send one that FAILED once more, as if it was typed now."""
        for own in self._sending.all():
            if own.id == id and own.state is OwnState.FAILED:
                self._sending.discard(id)
                self.say(own.room, own.body)

    def edit(self, id: str, text: str) -> bool:
        """Change one that is not on the wire; False where it is too late."""
        self._check(text)
        changed = self._sending.edit(id, self._new_id(), text, self._ms())
        self._soon()
        return changed

    def discard(self, id: str) -> bool:
        """Do not send it; False where it is too late."""
        return self._sending.discard(id)

    # Rooms.

    def copies(self) -> list[Copy]:
        """What is held here of all rooms."""
        return self._copies.all()

    def copy(self, room: str) -> Copy | None:
        return self._copies.of(room)

    def join(self, room: str) -> Deferred[Copy]:
        """Follow `room`: now, and after every reconnect, without a gap.

        Fires when the server has agreed; waits for the session, if there is none.
        Fails with RequestFailed where it does not, SayFailed where the client stops.
        """
        joined: Deferred[Copy] = Deferred()
        waiting = self._joins.setdefault(room, [])
        waiting.append(joined)
        if self._state.phase is Phase.ONLINE and len(waiting) == 1:
            self._join(room)
        return joined

    def leave(self, room: str) -> None:
        """Follow `room` no more; what is held of it stays."""
        self._copies.follow(room, False)

    def forget(self, room: str) -> None:
        """Drop the copy of `room`: the person starts over with the server's."""
        followed = (
            self._copies.of(room) or Copy("", 0, 0, "", 0, 0, None, False)
        ).followed
        self._copies.forget(room)
        if followed:
            self.join(room).addErrback(lambda _: None)

    def messages(
        self, room: str, before: int | None = None, limit: int = DEFAULT_PAGE
    ) -> Deferred[list[Message]]:
        """Up to `limit` messages below `before`, the newest of these, ascending.

        From the copy where it has them, else from the server, checked, and kept.
        """
        held = self._copies.history(room, before, limit)
        copy = self._copies.of(room)
        reaches = copy is not None and (copy.first <= 1 or len(held) == limit)
        if reaches or copy is None or copy.trouble or self._line is None:
            return succeed(held)
        start = copy.first if before is None else min(before, copy.first)
        if before is not None and before > copy.first and len(held) == limit:
            return succeed(held)
        asked = self._ask(
            History(self._number(), room, before=start, limit=limit)
        ).addCallback(self._older, room)
        return asked.addCallback(lambda _: self._copies.history(room, before, limit))

    def search(
        self, query: str, room: str | None = None, next: str | None = None
    ) -> Deferred[Found]:
        """Messages with all words of `query`, newest first; here, if offline."""
        if self._line is None or self._state.phase is not Phase.ONLINE:
            found = self._copies.search(query.split(), room, DEFAULT_PAGE)
            return succeed(Found(found, None))
        request = Search(self._number(), query, room, next=next)
        return self._ask(request).addCallback(_found)

    def rooms(self) -> Deferred[list[RoomInfo]]:
        """All rooms that may be seen, by name."""
        return Deferred.fromCoroutine(self._all_rooms())

    def members(self, room: str) -> Deferred[list[Member]]:
        """All members of `room`, by name."""
        return Deferred.fromCoroutine(self._all_members(room))

    def delivered(self, room: str, seq: int, sender: str) -> tuple[int, int]:
        """How many of the other members have stored message `seq`, and of how many.

        As far as `members` and the server's news have told.
        """
        return self._marks.delivered(room, seq, sender)

    def read(self, room: str, seq: int) -> None:
        """The person has seen everything up to `seq`."""
        self._marks.read(room, seq)

    def rekey(self, new: Key) -> Deferred[None]:
        """Announce the key that replaces this session's; it is on disk here already.

        Fires when the server keeps both (protocol section 4.7, step 2).
        """
        asked = self._ask(Rekey(self._number(), new))
        return asked.addCallback(lambda _: None)

    # What the line tells.

    def line_welcomed(self, welcome: Welcome) -> None:
        self._welcome = welcome
        if not is_guest(welcome.name):
            self._store.set("name", welcome.name)
        self._store.set("server", welcome.server)

    def line_refused(self, refused: Refused) -> None:
        line, self._line = self._line, None
        reason = _REFUSED.get(refused.code)
        if reason is not None and self._try_next_key():
            self._retry(reason, line, 0.0)
        elif reason is not None:
            self._leave_for(reason, line)
        else:
            after = 5.0 if refused.retry_after is None else refused.retry_after / 1000
            self._retry(Reason.FULL, line, after)

    def line_goodbye(self, reason: str, retry_after: int | None) -> None:
        line, self._line = self._line, None
        why = _GOODBYE.get(reason, Reason.LOST)
        if retry_after is None and why is not Reason.LOST:
            self._leave_for(why, line)
        elif retry_after is None:
            self._retry(why, line)
        else:
            self._retry(why, line, max(retry_after / 1000, 0.1))

    def line_ended(self, reason: Reason) -> None:
        if reason is Reason.WRONG_KEY and self._try_next_key():
            line, self._line = self._line, None
            self._retry(reason, line, 0.0)
            return
        if reason is Reason.WRONG_KEY:
            self._key = 0
        super().line_ended(reason)

    def line_messages(self, messages: Sequence[Message]) -> None:
        broken: ChainBroken | None = None
        told = [each for each in messages if not self._is_guests_own(each)]
        try:
            fresh = self._copies.add(told)
        except ChainBroken as trouble:
            broken = trouble
            fresh = []
        self._sending.arrived(messages, self.name or "")
        own = [each for each in messages if self._is_guests_own(each)]
        for room in {message.room for message in fresh}:
            self._marks.received(room)
        if fresh or own:
            self._tell_event(Arrived((*own, *fresh)))
        if broken is not None:
            self._troubled(broken.room, "broken")

    def line_told(self, push: Object) -> None:
        match push:
            case {"op": "presence", "name": str(name), "online": bool(online)}:
                self._tell_event(PresenceChanged(name, online))
            case {"op": "room", "room": str(room)}:
                self._tell_event(RoomBegun(room))
            case {"op": "cursor", "room": str(room), "name": str(name)}:
                received, read = push.get("received"), push.get("read")
                if is_integer(received) and is_integer(read):
                    self._marks.of_member(room, name, received, read)
                    self._tell_event(CursorMoved(room, name, received, read))

    # The life of the link.

    def _make_line(self) -> SessionLine:
        return SessionLine(
            self._reactor,
            self.key,
            self._agent,
            self._wanted,
            self._limits,
            self._now,
            self._urandom,
        )

    def _is_line(self, protocol: IProtocol) -> TypeGuard[SessionLine]:
        return isinstance(protocol, SessionLine)

    def _came_online(self) -> None:
        line = self._line
        if line is None:
            return
        self._keys = [self.key]
        self._key = 0
        self._marks.online(line)
        self._sending.online(line)
        follow = [copy.room for copy in self._copies.all() if copy.followed]
        for room in dict.fromkeys([*self._joins, *follow]):
            self._join(room)

    def _went_offline(self, reason: Reason, line: SessionLine | None) -> None:
        self._marks.offline()
        self._sending.offline()
        for call in [] if line is None else line.release():
            if not call.called:
                call.errback(SayFailed(reason))
        if self._state.phase is Phase.STOPPED:
            joins, self._joins = self._joins, {}
            for waiting in joins.values():
                for joined in waiting:
                    joined.errback(SayFailed(reason))

    def _leave_for(self, reason: Reason, line: SessionLine | None) -> None:
        """Stop until the person acts."""
        self._line = line
        self._halt(reason)

    def _try_next_key(self) -> bool:
        if self._key + 1 < len(self._keys):
            self._key += 1
            return True
        return False

    # Requests.

    def _ask(self, request: object) -> Deferred[Object]:
        line = self._line
        if line is None or self._state.phase is not Phase.ONLINE:
            return fail(SayFailed(self._state.reason or Reason.LOST))
        return line.ask(request)  # type: ignore[arg-type]

    def _number(self) -> str:
        return "q0" if self._line is None else self._line.number()

    def _join(self, room: str) -> None:
        copy = self._copies.of(room)
        if copy is not None and copy.trouble is not None:
            self._joined_all(room, copy)
            self._troubled(room, copy.trouble)
            return
        request = Join(self._number(), room)
        if copy is not None:
            request = Join(self._number(), room, copy.last, copy.hash)
        asked = self._ask(request)
        asked.addCallbacks(
            self._joined, self._not_joined, callbackArgs=(room,), errbackArgs=(room,)
        )

    def _joined(self, ack: Object, room: str) -> None:
        first, last = ack.get("first"), ack.get("last")
        base, hash = ack.get("base"), ack.get("hash")
        if not (is_integer(first) and is_integer(last)):
            _log.warn("not-chatd", why="a join's ack without first and last")
            return
        copy = self._copies.of(room)
        if copy is None:
            copy = self._copies.begin(room, last, str(hash))
        elif first > copy.last + 1:
            self._copies.skip(room, first, str(base))
        self._copies.follow(room, True)
        self._joined_all(room, self._copies.of(room) or copy)

    def _joined_all(self, room: str, copy: Copy) -> None:
        for joined in self._joins.pop(room, []):
            joined.callback(copy)

    def _not_joined(self, failure: object, room: str) -> None:
        error = getattr(failure, "value", None)
        if not isinstance(error, RequestFailed):
            return  # the line went: it is joined again with the next
        if error.code == "diverged":
            self._copies.trouble(room, "diverged")
            copy = self._copies.of(room)
            if copy is not None:
                self._joined_all(room, copy)
            self._troubled(room, "diverged")
            return
        if error.retry_after is not None or error.code in ("not-stored", "internal"):
            self._reactor.callLater(error.retry_after or 1.0, self._join_again, room)
            return
        self._copies.follow(room, False)
        for joined in self._joins.pop(room, []):
            joined.errback(error)

    def _join_again(self, room: str) -> None:
        if self._state.phase is Phase.ONLINE:
            self._join(room)

    def _older(self, ack: Object, room: str) -> None:
        """Keep an older page."""
        page = [parse_message(each) for each in _list(ack, "messages")]
        try:
            self._copies.prepend(room, page)
        except ChainBroken:
            self._troubled(room, "broken")

    async def _all_rooms(self) -> list[RoomInfo]:
        found: list[RoomInfo] = []
        more = True
        while more:
            after = found[-1].room if found else None
            ack = await self._ask(Rooms(self._number(), after))
            page = [
                RoomInfo(**_members_of(each, _ROOM)) for each in _list(ack, "rooms")
            ]
            found += page
            more = ack.get("more") is True and bool(page)
        return found

    async def _all_members(self, room: str) -> list[Member]:
        found: list[Member] = []
        more = True
        while more:
            after = found[-1].name if found else None
            ack = await self._ask(Members(self._number(), room, after))
            items = [_members_of(each, _MEMBER) for each in _list(ack, "members")]
            page = [Member(**each) for each in items]
            found += page
            more = ack.get("more") is True and bool(page)
        for member in found:
            self._marks.of_member(room, member.name, member.received, member.read)
        return found

    # Small things.

    def _is_guests_own(self, message: Message) -> bool:
        """Whether it is of a guest's talk with the server, which is kept nowhere."""
        return self.guest and message.room.startswith("@")

    def _troubled(self, room: str, kind: str) -> None:
        copy = self._copies.of(room)
        if copy is not None:
            self._tell_event(Trouble(room, kind, copy.last, copy.hash))

    def _check(self, text: str) -> None:
        longest = self._welcome.body if self._welcome else BODY
        fault = body_fault(text, longest)
        if fault is not None and "longer" in fault:
            raise TooLong(longest)
        if fault is not None:
            raise NotText

    def _soon(self) -> None:
        """Send what is due, together with what else is said in this turn."""
        if self._kick is None:
            self._kick = self._reactor.callLater(0, self._flush)

    def _flush(self) -> None:
        self._kick = None
        self._sending.send()

    def _new_id(self) -> str:
        return self._urandom(16).hex()

    def _ms(self) -> int:
        return int(self._now() * 1000)

    def _tell_event(self, event: Event) -> None:
        for ticket, callback in list(self._listeners.items()):
            if ticket in self._listeners:
                try:
                    callback(event)
                except Exception:
                    _log.failure("listener-failed")


_ROOM = {
    "room": str,
    "first": int,
    "last": int,
    "hash": str,
    "received": int,
    "read": int,
}
_MEMBER = {"name": str, "online": bool, "received": int, "read": int}


def _list(ack: Object, name: str) -> list[Object]:
    found = ack.get(name)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise BadAnswer(f"no list of {name}")
    return found


def _members_of(item: Object, types: dict[str, type]) -> Object:
    for name, kind in types.items():
        if type(item.get(name)) is not kind:
            raise BadAnswer(f"an item without {name}")
    return {name: item[name] for name in types}


def _found(ack: Object) -> Found:
    messages = [parse_message(each) for each in _list(ack, "messages")]
    next = ack.get("next")
    return Found(messages, next if isinstance(next, str) else None)
