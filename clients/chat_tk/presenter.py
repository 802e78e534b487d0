"""The window's logic with no Tk in it: events in, calls on a small view out.

One room is in front: its messages are shown, what is typed goes there, and what is at
its end counts as read. All others are told of by their unread counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.client import chat
from chatd.client.errors import RequestFailed, SayError, SayFailed
from chatd.client.events import (
    Arrived,
    CursorMoved,
    Event,
    Own,
    OwnChanged,
    OwnState,
    PresenceChanged,
    RoomBegun,
    Trouble,
)
from chatd.client.link import LinkState, Phase
from chatd.clients.chat_tk.link_status import Banner, LinkStatus, LinkView
from chatd.clients.chat_tk.side_list import SERVER, SideItem, side_items, title
from chatd.clients.chat_tk.spans import Mark, Message, whole
from chatd.clients.chat_tk.transcript import FLUSH, PAGE, SHOWN, ListView, Transcript
from chatd.wire.messages import Message as Stored
from chatd.wire.names import LOBBY, direct, is_name, is_public
from chatd.wire.names import SERVER as SERVER_NAME

__all__ = ["FLUSH", "PAGE", "SERVER", "SHOWN", "Banner", "Presenter", "View"]

_log = Logger()

_REMOVED = "(this message was removed)"


class View(LinkView, ListView, Protocol):
    """What the presenter asks of the window."""

    def show_server(self, address: str) -> None:
        """The connection is to the server at `address`, "host:port"."""

    def show_name(self, name: str) -> None:
        """The person is called so."""

    def show_room(self, label: str) -> None:
        """This conversation is in front."""

    def show_side(self, items: Sequence[SideItem]) -> None:
        """List these conversations."""

    def show_trouble(self, text: str) -> None:
        """Say that something went wrong, until the reader has seen it."""


class Presenter:
    """`clock` for countdowns, `now` for the time of day in seconds since 1970."""

    def __init__(
        self,
        view: View,
        clock: IReactorTime,
        now: Callable[[], float],
        name: str,
        tz: dt.tzinfo | None = None,
    ) -> None:
        """`name`: how the person is called until the server says."""
        self._view, self._clock, self._now = view, clock, now
        self._login = name
        self.transcript = Transcript(view, clock, now, tz)
        self.room = ""
        self._client: chat.ChatClient | None = None
        self._status: LinkStatus | None = None
        self._undo: list[Callable[[], None]] = []
        self._rooms: set[str] = set()
        self._people: set[str] = set()
        self._online: set[str] = set()
        self._own: dict[str, int] = {}  # own messages not in the log yet: their lines
        self._seqs: dict[int, int] = {}  # own messages in the log: seq by line
        self._oldest = 0  # seq of the first message shown; 0: none
        self._fetching = False

    @property
    def name(self) -> str:
        """As the server calls the person, or as the login does."""
        known = None if self._client is None else self._client.name
        return known or self._login

    @property
    def connected(self) -> bool:
        """Whether a connection is up or coming up: no nested event loop then."""
        return self._client is not None and self._client.state.phase in (
            Phase.ONLINE,
            Phase.CONNECTING,
        )

    # -- the connection

    def attach(self, client: chat.ChatClient, address: str) -> None:
        """From now on talk through `client`, which goes to `address`."""
        self.detach()
        self._client = client
        self._view.show_server(address)
        self._rooms = {c.room for c in client.copies() if is_public(c.room)} | {LOBBY}
        self._people, self._online = set(), set()
        self._undo = [client.listen(self._heard), client.observe(self._changed)]
        self._status = LinkStatus(self._view, self._clock, client, address)
        self._view.show_name(self.name)
        if client.name is not None:
            self.open(direct(self.name, SERVER_NAME))
        self._changed(client.state)
        self._show_side()

    def detach(self) -> None:
        """Hear nothing more of the client."""
        for undo in self._undo:
            undo()
        self._undo = []
        if self._status is not None:
            self._status.close()
            self._status = None
        self._client = None
        self.room = ""

    def close(self) -> None:
        """Leave no delayed call behind, and no subscription."""
        self.detach()
        self.transcript.close()

    def retry_now(self) -> None:
        """The reader does not want to wait for the countdown."""
        if self._client is not None:
            self._client.retry_now()

    def _changed(self, state: LinkState) -> None:
        client = self._client
        if client is None or state.phase is not Phase.ONLINE:
            return
        self._view.show_name(self.name)
        talk = direct(self.name, SERVER_NAME)
        renamed = client.guest and self.room.startswith("@") and self.room != talk
        if not self.room or renamed:
            self.open(talk)
        for room in [LOBBY] if client.guest else [talk, LOBBY]:
            self._follow(room)
        self._logged(Deferred.fromCoroutine(self._look_around(client)))

    async def _look_around(self, client: chat.ChatClient) -> None:
        """Which rooms there are, and who."""
        for each in await client.rooms():
            if is_public(each.room):
                self._rooms.add(each.room)
            else:
                self._follow(each.room)
                self._people.add(title(each.room, self.name))
        members = await client.members(LOBBY)
        self._people |= {each.name for each in members}
        self._people.discard(SERVER)
        self._online = {each.name for each in members if each.online}
        self._show_side()

    def _follow(self, room: str) -> None:
        client = self._client
        if client is None or (client.guest and room.startswith("@")):
            return  # a guest's talk with the server is kept nowhere
        copy = client.copy(room)
        if copy is None or not copy.followed:
            joined = client.join(room)
            joined.addCallback(lambda _: self._joined(room))
            self._logged(joined)

    def _joined(self, room: str) -> None:
        if room == self.room:
            self._load()
        self._show_side()

    # -- rooms

    def open(self, room: str) -> None:
        """Bring `room` to the front."""
        if self._client is None:
            return
        self.room = room
        self._view.show_room(title(room, self.name))
        self._follow(room)
        self._load()
        self._show_side()

    def join(self, text: str) -> bool:
        """Go to the room or person that was typed; False: there can be none."""
        word = text.strip().lower()
        person = word.removeprefix("@")
        if word.startswith("@") and is_name(person) and person != self.name:
            self._people.add(person)
            self.open(direct(self.name, person))
        elif is_public(room := "#" + word.removeprefix("#")):
            self._rooms.add(room)
            self.open(room)
        else:
            self._view.show_trouble("A room is #name, a person @name: a-z, 0-9, _ . -")
            return False
        return True

    def older(self) -> None:
        """The reader is at the top: show what was said before."""
        client, first = self._client, self._oldest
        if client is None or first <= 1 or self._fetching:
            return
        self._fetching = True
        room = self.room
        asked = client.messages(room, first, PAGE)

        def got(page: list[Stored]) -> None:
            self._fetching = False
            if page and room == self.room and self._oldest == first:
                held = self._client_messages(first - 1)
                self._show([*page, *held], see=len(page))

        def failed(failure: Failure) -> None:
            self._fetching = False
            self._unexpected(failure)

        asked.addCallbacks(got, failed)

    def _client_messages(self, after: int) -> list[Stored]:
        """What is shown now, again, from the copy."""
        client = self._client
        if client is None:
            return []
        copy = client.copy(self.room)
        limit = min(SHOWN - PAGE, (copy.last - after) if copy is not None else 0)
        found: list[Stored] = []
        if limit > 0:
            client.messages(self.room, None, limit).addCallback(found.extend)
        return [each for each in found if each.seq > after]

    def _load(self) -> None:
        client, room = self._client, self.room
        if client is None:
            return
        self._show([])

        def got(page: list[Stored]) -> None:
            if room == self.room:
                self._show(page)

        asked = client.messages(room, None, PAGE)
        self._logged(asked.addCallback(got))

    def _show(self, page: Sequence[Stored], see: int | None = None) -> None:
        """Show these and the own ones behind them alone."""
        client = self._client
        if client is None:
            return
        own = client.own(self.room)
        lines = [self._line(each) for each in page] + [
            _own_line(o, self.name) for o in own
        ]
        ids = self.transcript.reset(lines, see)
        self._oldest = page[0].seq if page else 0
        self._seqs = {
            id: stored.seq
            for id, stored in zip(ids, page, strict=False)
            if stored.sender == self.name
        }
        self._own = dict(zip([each.id for each in own], ids[len(page) :], strict=True))
        self._mark_read()

    # -- own lines

    def submit(self, text: str) -> bool:
        """The reader pressed Enter. True when the text was taken."""
        text = whole(text).strip("\n")
        if not text.strip() or self._client is None or not self.room:
            return False
        try:
            self._client.say(self.room, text)
        except SayError as error:
            self._view.show_trouble(f"Not sent: {str(error).rstrip('.')}")
            return False
        return True

    def retry(self, id: int) -> None:
        """Send a failed line once more."""
        for own_id, line in self._own.items():
            if line == id and self._client is not None:
                self._client.retry(own_id)
                self._load()
                return

    # -- what the client tells

    def _heard(self, event: Event) -> None:
        match event:
            case Arrived(messages):
                for message in messages:
                    self._arrived(message)
                self._mark_read()
                self._show_side()
            case OwnChanged(own) if own.room == self.room:
                self._own_changed(own)
            case PresenceChanged(name, online):
                self._people.add(name)
                (self._online.add if online else self._online.discard)(name)
                self._show_side()
            case RoomBegun(room):
                self._people |= {title(room, self.name)} - {SERVER}
                self._follow(room)
            case CursorMoved(room) if room == self.room:
                for id in self._seqs:
                    self._mark_delivered(id)
            case Trouble():
                self._view.show_trouble(event.advice)

    def _arrived(self, message: Stored) -> None:
        if message.room != self.room:
            return
        line = self._own.pop(message.id, None) if message.sender == self.name else None
        if line is None:
            line = self.transcript.add(self._line(message))
            self._oldest = self._oldest or message.seq
        if message.sender == self.name:
            self._seqs[line] = message.seq
            self._mark_delivered(line)

    def _own_changed(self, own: Own) -> None:
        line = self._own.get(own.id)
        if line is None:
            if own.state is OwnState.QUEUED:
                added = self.transcript.add(_own_line(own, self.name), at_once=True)
                self._own[own.id] = added
            return
        shown = _own_line(own, self.name)
        self.transcript.set_mark(line, shown.mark, shown.why)

    def _mark_delivered(self, line: int) -> None:
        client = self._client
        if client is None:
            return
        n, m = client.delivered(self.room, self._seqs[line], self.name)
        mark = Mark.DELIVERED if n else Mark.STORED
        self.transcript.set_mark(line, mark, f"{n} of {m}" if n else "")

    def _line(self, message: Stored) -> Message:
        mine = message.sender == self.name
        sender = SERVER if message.sender == SERVER_NAME else message.sender
        text = _REMOVED if message.body is None else message.body
        mark, why = Mark.RECEIVED, ""
        if mine:
            mark = Mark.STORED
            if self._client is not None:
                n, m = self._client.delivered(message.room, message.seq, self.name)
                mark, why = (Mark.DELIVERED, f"{n} of {m}") if n else (mark, why)
        return Message(0, sender, text, message.time / 1000, mark, why)

    # -- reading

    def scrolled(self, at_end: bool) -> None:
        """The reader went away from the end, or came back to it."""
        self.transcript.scrolled(at_end)
        self._mark_read()

    def _mark_read(self) -> None:
        client = self._client
        copy = None if client is None else client.copy(self.room)
        if client is None or copy is None or not self.transcript.at_end:
            return
        if copy.read < copy.last:
            client.read(self.room, copy.last)
            self._show_side()

    def _show_side(self) -> None:
        client = self._client
        if client is None:
            return
        copies = {copy.room: copy for copy in client.copies()}
        items = side_items(
            self.name, self._rooms, self._people, self._online, copies, self.room
        )
        self._view.show_side(items)

    # -- small things

    def _logged(self, done: Deferred[Any]) -> None:
        done.addErrback(self._unexpected)

    def _unexpected(self, failure: Failure) -> None:
        if failure.check(SayFailed):
            return  # the banner says it
        if failure.check(RequestFailed, SayError):
            self._view.show_trouble(str(failure.value))
        else:
            _log.failure("presenter-failed", failure)
            self._view.show_trouble(
                "Something went wrong in this program; see its log."
            )


def _own_line(own: Own, name: str) -> Message:
    mark = {
        OwnState.QUEUED: Mark.PENDING,
        OwnState.STORED: Mark.STORED,
        OwnState.FAILED: Mark.FAILED,
    }[own.state]
    why = ""
    if own.state is OwnState.FAILED:
        why = f"Not sent: {own.reason or own.code}"
    return Message(0, name, own.body, own.composed / 1000, mark, why)
