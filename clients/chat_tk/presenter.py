"""The window's logic with no Tk in it: events in, calls on a small view out.

One room is in front: what is typed goes there, and what is at its end counts as read
while the reader looks. All others are told of by their unread counts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
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
    OwnChanged,
    PresenceChanged,
    RoomBegun,
    Trouble,
)
from chatd.client.link import LinkState, Phase
from chatd.clients.chat_tk import side_list
from chatd.clients.chat_tk.caller import Caller, CallerView
from chatd.clients.chat_tk.conversation import Conversation, ConversationView
from chatd.clients.chat_tk.link_status import Banner, LinkStatus, LinkView
from chatd.clients.chat_tk.preferences import Preferences
from chatd.clients.chat_tk.roster import Roster
from chatd.clients.chat_tk.search import Search, SearchView
from chatd.clients.chat_tk.side_list import SERVER, SideItem, title
from chatd.clients.chat_tk.transcript import FLUSH, PAGE, SHOWN
from chatd.clients.chat_tk.writing import Writing, WritingView
from chatd.proquint import proquints
from chatd.wire.messages import Message as Stored
from chatd.wire.names import LOBBY, direct, is_name, is_public
from chatd.wire.names import SERVER as SERVER_NAME

__all__ = ["FLUSH", "PAGE", "SERVER", "SHOWN", "Banner", "Presenter", "View"]

_log = Logger()


class View(LinkView, SearchView, CallerView, WritingView, Protocol):
    """What the presenter asks of the window."""

    @property
    def list(self) -> ConversationView:
        """Where the conversation in front is shown."""

    def show_server(self, address: str) -> None:
        """The connection is to the server at `address`, "host:port"."""

    def show_name(self, name: str) -> None:
        """The person is called so."""

    def show_room(self, label: str) -> None:
        """This conversation is in front."""

    def show_side(self, items: Sequence[SideItem]) -> None:
        """List these conversations."""

    def show_preferences(self, preferences: Preferences) -> None:
        """Look so from now on."""


class Presenter:
    """`clock` for countdowns, `now` for the time of day in seconds since 1970."""

    def __init__(
        self,
        view: View,
        clock: IReactorTime,
        now: Callable[[], float],
        name: str,
        tz: dt.tzinfo | None = None,
        preferences: Preferences | None = None,
    ) -> None:
        """`name`: how the person is called until the server says."""
        self._view, self._clock, self._login = view, clock, name
        self.preferences = preferences or Preferences()
        self.conversation = Conversation(view.list, clock, now, tz, self._logged)
        self.writing = Writing(view, self.conversation, self.preferences.drafts)
        self.search = Search(view, clock, self.conversation.jump, self._logged)
        self._roster: Roster | None = None
        self._caller = Caller(view, clock)
        self._client: chat.ChatClient | None = None
        self._status: LinkStatus | None = None
        self._undo: list[Callable[[], None]] = []
        self._items: Sequence[SideItem] = ()
        self._looks = True  # whether the window has the focus

    @property
    def room(self) -> str:
        """The one in front; empty before there is one."""
        return self.conversation.room

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

    @property
    def key_words(self) -> tuple[str, str]:
        """The id of the key in use, and the same as words; empty without one."""
        id = "" if self._client is None else self._client.key.id
        return id, proquints(id)

    # -- the connection

    def attach(self, client: chat.ChatClient, address: str) -> None:
        """From now on talk through `client`, which goes to `address`."""
        self.detach()
        self._client = client
        client.tell_read = self.preferences.tell_read
        self._view.show_server(address)
        self._roster = Roster(client, lambda: self.name)
        self._undo = [client.listen(self._heard), client.observe(self._changed)]
        self._status = LinkStatus(self._view, self._clock, client, address)
        self._view.show_name(self.name)
        self._logged(Deferred.fromCoroutine(self._roster.recall()))
        if client.name is not None:
            held = {copy.room for copy in client.copies()}
            last = self.preferences.room
            self.open(last if last in held else direct(self.name, SERVER_NAME))
        self._changed(client.state)
        self._show_side()

    def detach(self) -> None:
        """Hear nothing more of the client."""
        self.writing.open(None, "")
        for undo in self._undo:
            undo()
        self._undo = []
        if self._status is not None:
            self._status.close()
            self._status = None
        self._client = self._roster = None
        self.search.close()
        self.conversation.open(None, "")

    def close(self) -> None:
        """Leave no delayed call behind, and no subscription."""
        self.detach()
        self._caller.close()
        self.conversation.close()

    def retry_now(self) -> None:
        """The reader does not want to wait for the countdown."""
        if self._client is not None:
            self._client.retry_now()

    def _changed(self, state: LinkState) -> None:
        client = self._client
        if client is None or self._roster is None or state.phase is not Phase.ONLINE:
            return
        self._view.show_name(self.name)
        talk = direct(self.name, SERVER_NAME)
        renamed = client.guest and self.room.startswith("@") and self.room != talk
        if not self.room or renamed:
            self.open(talk)
        for room in [LOBBY] if client.guest else [talk, LOBBY]:
            self._follow(room)
        self._ask_members(client)
        self._logged(Deferred.fromCoroutine(self._look_around(self._roster)))

    async def _look_around(self, roster: Roster) -> None:
        """Learn which rooms there are, and who; follow one's direct conversations."""
        for room in await roster.look_around():
            if not is_public(room):
                self._follow(room)
        self._show_side()

    def _follow(self, room: str) -> None:
        client = self._client
        if client is None or (client.guest and room.startswith("@")):
            return  # a guest's talk with the server is kept nowhere
        copy = client.copy(room)
        if copy is None or not copy.followed:
            joined = client.join(room)
            joined.addCallback(lambda _: self._joined(client, room))
            self._logged(joined)

    def _joined(self, client: chat.ChatClient, room: str) -> None:
        if room == self.room:
            self.conversation.open(client, room)
            self._ask_members(client)
        self._show_side()

    def _ask_members(self, client: chat.ChatClient) -> None:
        """How far the others in front have come."""
        room = self.room
        copy = client.copy(room)
        if client.state.phase is Phase.ONLINE and copy is not None and copy.followed:
            asked = client.members(room)
            asked.addCallback(lambda _: self.conversation.cursors_moved())
            self._logged(asked)

    # -- rooms

    def open(self, room: str) -> None:
        """Bring `room` to the front."""
        client = self._client
        if client is None or room == self.room:
            return
        self.writing.open(client, room)
        self.search.close()
        self.preferences = replace(self.preferences, room=room)
        self._view.show_room(title(room, self.name))
        self.conversation.open(client, room)
        self._follow(room)
        self._ask_members(client)
        self._mark_read()
        self._show_side()

    def join(self, text: str) -> bool:
        """Go to the room or person that was typed; False: there can be none."""
        word = text.strip().lower()
        person = word.removeprefix("@")
        room = "#" + word.removeprefix("#")
        if word.startswith("@") and is_name(person) and person != self.name:
            room = direct(self.name, person)
        elif not is_public(room):
            self._view.show_trouble("A room is #name, a person @name: a-z, 0-9, _ . -")
            return False
        if self._roster is not None:
            self._roster.note(room)
        self.open(room)
        return True

    def leave(self, room: str) -> None:
        """Follow `room` no more; what is held of it stays."""
        if self._client is not None and is_public(room) and room != LOBBY:
            self._client.leave(room)
            if room == self.room:
                self.open(LOBBY)
            self._show_side()

    def step(self, way: int) -> None:
        """To the conversation above (-1) or below (1)."""
        if item := side_list.neighbour(self._items, way):
            self.open(item.room)

    def to_unread(self) -> None:
        """To the next conversation with something unread."""
        if item := side_list.next_unread(self._items):
            self.open(item.room)

    def find(self, query: str) -> None:
        """Search the room in front."""
        self.search.typed(self._client, self.room, query)

    # -- what the client tells

    def _heard(self, event: Event) -> None:
        roster = self._roster
        if roster is None:
            return
        match event:
            case Arrived(messages):
                for message in messages:
                    self._arrived(message, roster.heard(message))
                self._mark_read()
                self._show_side()
            case OwnChanged(own) if own.room == self.room:
                self.conversation.own_changed(own)
            case PresenceChanged(name, online):
                roster.presence(name, online)
                self._show_side()
            case RoomBegun(room):
                roster.note(room)
                self._follow(room)
                self._show_side()
            case CursorMoved(room) if room == self.room:
                self.conversation.cursors_moved()
            case Trouble():
                self._view.show_trouble(event.advice)

    def _arrived(self, message: Stored, mentioned: bool) -> None:
        room, me = message.room, self.name
        front = room == self.room
        if front:
            self.conversation.arrived(message, me, self._looks)
        if message.sender in (me, SERVER_NAME) or (front and self._looks):
            return
        preferences = self.preferences
        self._caller.heard(message, mentioned, preferences.rule(room), preferences.bell)

    # -- reading

    def looks(self, focused: bool) -> None:
        """Whether the reader has the window before the eyes."""
        self._looks = focused
        self._mark_read()
        self._show_side()

    def scrolled(self, at_end: bool) -> None:
        """The reader went away from the end of what is shown, or came back to it."""
        self.conversation.scrolled(at_end)
        self._mark_read()

    def _mark_read(self) -> None:
        client, roster, conversation = self._client, self._roster, self.conversation
        copy = conversation.copy
        if client is None or roster is None or copy is None or not self._looks:
            return
        if conversation.at_end and copy.read < copy.last:
            client.read(self.room, copy.last)
            roster.read(self.room, copy.last)
            self._show_side()

    def _show_side(self) -> None:
        if self._roster is None:
            return
        self._items = self._roster.items(self.room, self.preferences)
        self._view.show_side(self._items)
        self._caller.count(sum(each.calls for each in self._items if not each.quiet))

    # -- preferences

    def prefer(self, **changes: Any) -> None:
        """Other preferences, by their names."""
        self.preferences = replace(self.preferences, **changes)
        if self._client is not None:
            self._client.tell_read = self.preferences.tell_read
        self._view.show_preferences(self.preferences)
        self._show_side()

    def set_rule(self, room: str, rule: str) -> None:
        """When `room` calls the reader; "": as all others do."""
        rooms = {**self.preferences.rooms, room: rule}
        self.prefer(rooms={each: rooms[each] for each in rooms if rooms[each]})

    def leaving(self, geometry: str) -> Preferences:
        """What is to be kept until the next start."""
        self.writing.keep()
        drafts = self.writing.drafts
        return replace(self.preferences, geometry=geometry, drafts=drafts)

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
