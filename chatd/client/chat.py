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
from chatd.client import lists
from chatd.client.errors import (
    Crowded,
    NotText,
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
    PresenceChanged,
    RoomBegun,
    RoomInfo,
)
from chatd.client.following import Following
from chatd.client.limits import Limits
from chatd.client.link import Backoff, Delays, Phase, Reason
from chatd.client.marks import Marks
from chatd.client.reconnect import Reconnecting
from chatd.client.sending import Sending
from chatd.client.session_line import SessionLine
from chatd.journal.client_store import ClientStore
from chatd.journal.copies import Copy
from chatd.journal.outbox import OutboxFull
from chatd.wire.handshake import Refused, Welcome
from chatd.wire.json_text import Object
from chatd.wire.messages import ROOT_HASH, Message, is_integer
from chatd.wire.names import is_guest, is_room
from chatd.wire.requests import (
    DEFAULT_PAGE,
    Members,
    Rekey,
    Request,
    Rooms,
    Search,
    body_fault,
)
from chatd.wire.tokens import Key

_log = Logger()

LONGEST_WAIT = 3600.0
"""Seconds until a server is tried again that asked for a longer wait."""
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
        self._given = self._wanted = name
        self._agent = agent
        self._now = now
        self._urandom = urandom
        self._welcome: Welcome | None = None
        self._listeners: dict[object, Callable[[Event], None]] = {}
        self._marks = Marks(reactor, self._copies, self._limits.mark)
        self._sending = Sending(
            reactor, store.outbox, self._copies, self._limits, self._tell_event
        )
        self._following = Following(
            reactor, self._copies, self._marks, self._tell_event
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

    @property
    def tell_read(self) -> bool:
        """Whether others learn how far the person has read; True at first."""
        return self._marks.tell_read

    @tell_read.setter
    def tell_read(self, tell: bool) -> None:
        self._marks.tell_read = tell

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

    def retry(self, id: str) -> bool:
        """Send one that FAILED once more, as if it was typed now, under a new id."""
        again = self._sending.retry(id, self._new_id(), self._ms())
        self._soon()
        return again

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
        return self._following.join(room)

    def leave(self, room: str) -> None:
        """Follow `room` no more; what is held of it stays."""
        self._following.leave(room)
        self._sending.dropped(room)

    def forget(self, room: str) -> None:
        """Drop the copy of `room`: the person starts over with the server's."""
        self._following.forget(room)
        self._sending.dropped(room)

    def messages(
        self, room: str, before: int | None = None, limit: int = DEFAULT_PAGE
    ) -> Deferred[list[Message]]:
        """Up to `limit` messages below `before`, the newest of these, ascending.

        From the copy where it has them, else from the server: checked, with all that
        lies between, and kept; of a room without a copy it is not kept. Fewer than
        `limit` where there are no more, or no session. Fails with RequestFailed,
        SayFailed, BadAnswer.
        """
        return self._following.messages(room, before, limit)

    def search(
        self, query: str, room: str | None = None, next: str | None = None
    ) -> Deferred[Found]:
        """Messages with all words of `query`, newest first; here, if offline."""
        if self._line is None or self._state.phase is not Phase.ONLINE:
            found = self._copies.search(query.split(), room, DEFAULT_PAGE)
            return succeed(Found(found, None))
        request = Search(self._number(), query, room, next=next)
        return self._ask(request).addCallback(lists.found)

    def rooms(self) -> Deferred[list[RoomInfo]]:
        """All rooms that may be seen, by name."""
        return Deferred.fromCoroutine(
            lists.all_rooms(lambda after: self._ask(Rooms(self._number(), after)))
        )

    def members(self, room: str) -> Deferred[list[Member]]:
        """All members of `room`, by name."""
        asked = Deferred.fromCoroutine(
            lists.all_members(
                lambda after: self._ask(Members(self._number(), room, after))
            )
        )

        def keep(members: list[Member]) -> list[Member]:
            for each in members:
                self._marks.of_member(room, each.name, each.received, each.read)
            return members

        return asked.addCallback(keep)

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
        if is_guest(welcome.name):
            self._wanted = welcome.name  # keep it, as long as nobody else has it
        else:
            self._store.set("name", welcome.name)
        self._store.set("server", welcome.server)

    def line_refused(self, refused: Refused) -> None:
        line, self._line = self._line, None
        reason = _REFUSED.get(refused.code)
        if reason is Reason.NAME and self._wanted != self._given:
            self._wanted = self._given
            self._connect()
            return
        after = refused.retry_after
        if reason is not None and self._try_next_key():
            self._connect()
        elif reason is Reason.BANNED and after is not None:
            self._retry(reason, line, _seconds(after))
        elif reason is not None:
            self._leave_for(reason, line)
        else:
            self._retry(Reason.FULL, line, 5.0 if after is None else _seconds(after))

    def line_goodbye(self, reason: str, retry_after: int | None) -> None:
        line, self._line = self._line, None
        why = _GOODBYE.get(reason, Reason.ENDED)
        if retry_after is None:
            self._leave_for(why, line)
        else:
            self._retry(why, line, _seconds(retry_after))

    def line_ended(self, reason: Reason) -> None:
        if reason is Reason.WRONG_KEY and self._try_next_key():
            self._line = None
            self._connect()
            return
        if reason is Reason.WRONG_KEY:
            self._key = 0
        super().line_ended(reason)

    def line_messages(self, messages: Sequence[Message]) -> None:
        if self.guest:  # its talk with the server is kept nowhere
            own = tuple(each for each in messages if each.room.startswith("@"))
            if own:
                self._tell_event(Arrived(own))
            messages = [each for each in messages if each not in own]
        self._following.arrived(messages)

    def line_told(self, push: Object) -> None:
        match push:
            case {"op": "presence", "name": str(name), "online": bool(online)}:
                self._tell_event(PresenceChanged(name, online))
            case {"op": "room", "room": str(room)} if is_room(room):
                if self._copies.of(room) is None and push.get("first") == 1:
                    self._copies.begin(room, 0, ROOT_HASH)  # new: all of it, then
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
        self._following.online(line)

    def _went_offline(self, reason: Reason, line: SessionLine | None) -> None:
        self._marks.offline()
        self._sending.offline()
        self._following.offline()
        if self._kick is not None:
            self._kick.cancel()
            self._kick = None
        for call in [] if line is None else line.release():
            if not call.called:
                call.errback(SayFailed(reason))
        if self._state.phase is Phase.STOPPED:
            self._following.stopped(reason)

    def _leave_for(self, reason: Reason, line: SessionLine | None) -> None:
        """Stop until the person acts; every key is tried again then."""
        self._line = line
        self._key = 0
        self._halt(reason)

    def _try_next_key(self) -> bool:
        if self._key + 1 < len(self._keys):
            self._key += 1
            return True
        return False

    # Requests.

    def _ask(self, request: Request) -> Deferred[Object]:
        line = self._line
        if line is None or self._state.phase is not Phase.ONLINE:
            return fail(SayFailed(self._state.reason or Reason.LOST))
        return line.ask(request)

    def _number(self) -> str:
        return "q0" if self._line is None else self._line.number()

    # Small things.

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
        if isinstance(event, Arrived):
            self._sending.arrived(event.messages, self.name or "")
        for ticket, callback in list(self._listeners.items()):
            if ticket in self._listeners:
                try:
                    callback(event)
                except Exception:
                    _log.failure("listener-failed")


def _seconds(retry_after: int) -> float:
    """How long to wait where the server asked for so many ms."""
    return min(max(retry_after / 1000, 0.1), LONGEST_WAIT)
