"""The room in front: a window on its log, and one's own messages behind it. No Tk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from chatd.client.chat import ChatClient
from chatd.client.events import Own, OwnState
from chatd.clients.chat_tk.rows import Mark, Message, Reader
from chatd.clients.chat_tk.side_list import SERVER
from chatd.clients.chat_tk.transcript import PAGE, ListView, Transcript
from chatd.journal.copies import Copy
from chatd.wire.messages import Message as Stored
from chatd.wire.names import SERVER as SERVER_NAME

_REMOVED = "(this message was removed)"
_MARKS = {
    OwnState.QUEUED: Mark.PENDING,
    OwnState.STORED: Mark.STORED,
    OwnState.FAILED: Mark.FAILED,
}


class ConversationView(ListView, Protocol):
    """What is asked of the window."""

    def show_message(self, id: int) -> None:
        """Bring a message into view, and point at it."""

    def show_above(self, count: int) -> None:
        """Say that `count` messages above what is shown are new; 0: take it away."""


class Conversation:
    """One room, from its opening until another is opened."""

    def __init__(
        self,
        view: ConversationView,
        clock: IReactorTime,
        now: Callable[[], float],
        tz: dt.tzinfo | None,
        logged: Callable[[Deferred[Any]], object],
    ) -> None:
        """`now`: seconds since the epoch; `logged`: takes a Deferred's failures."""
        self._view, self._now, self._tz, self._logged = view, now, tz, logged
        self.transcript = Transcript(view, clock, self._reader)
        self.room = ""
        self._client: ChatClient | None = None
        self._new: int | None = None
        self._read = 0  # of the room when it was opened
        self._live = True  # whether the window reaches the end of the log
        self._fetching = False
        self._fetches = 0

    @property
    def at_end(self) -> bool:
        """Whether the reader sees the end of the log."""
        return self._live and self.transcript.at_end

    @property
    def copy(self) -> Copy | None:
        return None if self._client is None else self._client.copy(self.room)

    def open(self, client: ChatClient | None, room: str) -> None:
        """Show the end of `room`, as `client` has it."""
        self._client, self.room = client, room
        copy = self.copy
        self._read = 2**53 if copy is None else max(copy.read, copy.first - 1)
        self._new, self._live, self._fetching = None, True, False
        self.transcript.reset([])
        self._view.show_above(0)
        self.load()

    def close(self) -> None:
        """Leave no delayed call behind."""
        self._client = None
        self.transcript.close()

    def load(self, seq: int | None = None) -> None:
        """Show the log's end anew, or the part around message `seq`."""
        before = None if seq is None else seq + PAGE // 2

        def show(page: list[Stored]) -> None:
            lines, see = self._lines(page), None
            self._find_new(lines)
            if seq is not None and lines:
                see = next((n for n, m in enumerate(lines) if m.seq >= seq), 0)
            self._live = self._reaches_end(page)
            self.transcript.reset(
                lines + (self._own_lines() if self._live else []), see
            )
            if see is not None:
                self._view.show_message(self.transcript.messages[see].id)
            self._tell_above(page)

        self._fetching = False  # what is fetched for another part is of no use now
        self._fetch(before, show)

    def older(self) -> None:
        """The reader is at the top: show what was said before."""
        first = self._first
        if first > 1:
            self._fetch(first, self._older)

    def newer(self) -> None:
        """The reader is at the bottom of a part: show what was said after."""
        last = self._last
        if not self._live and last:
            self._fetch(last + PAGE + 1, lambda page: self._newer(page, last))

    def jump(self, seq: int) -> None:
        """Bring message `seq` into view."""
        at = self.transcript.index(seq=seq)
        if at is None:
            self.load(seq)
            return
        self.scrolled(False)
        self._view.show_message(self.transcript.messages[at].id)

    def to_new(self) -> None:
        """Bring the first message that was new at the opening into view."""
        self._view.show_above(0)
        self.jump(self._read + 1)

    def to_end(self) -> None:
        """Go on with the newest."""
        if not self._live:
            self.load()

    def scrolled(self, at_end: bool) -> None:
        """The reader went away from the end of what is shown, or came back to it."""
        self.transcript.at_end = at_end
        if self.at_end:
            self.transcript.tell_below(0)

    def message(self, id: int) -> Message | None:
        """The message of that number, if it is still in the window."""
        at = self.transcript.index(id=id)
        return None if at is None else self.transcript.messages[at]

    # -- what comes

    def arrived(self, message: Stored, me: str, seen: bool) -> None:
        """One more in this room's log. `seen`: whether the reader looks at it."""
        mine = message.sender == me
        if not mine and not (seen and self.at_end):
            self._new = self._new or message.seq
            self.transcript.one_more_below()
        if not self._live:
            return
        at = self.transcript.index(own=message.id) if mine else None
        if at is None:
            if not message.seq <= self._last:
                self.transcript.add(self._line(message))
            return
        line = replace(self.transcript.messages[at], seq=message.seq)
        self.transcript.update(at, self._marked(line))
        self.transcript.place(at)

    def own_changed(self, own: Own) -> None:
        """One's own message in this room is in another state."""
        at = self.transcript.index(own=own.id)
        line = self._own_line(own)
        if at is not None:
            old = self.transcript.messages[at]
            self.transcript.update(at, replace(old, mark=line.mark, why=line.why))
        elif own.state is OwnState.QUEUED and self._live:
            self.transcript.add(line, at_once=True)

    def own_anew(self) -> None:
        """Show one's own messages that are not in the log as they are now."""
        if self._live:
            self.transcript.replace_unlogged(self._own_lines())

    def cursors_moved(self) -> None:
        """Others have more of the room than before."""
        for at, line in enumerate(self.transcript.messages):
            if line.own and line.seq:
                self.transcript.update(at, self._marked(line))

    # -- how

    @property
    def _first(self) -> int:
        """The first seq shown; 0: none."""
        messages = self.transcript.messages
        return messages[0].seq if messages else 0

    @property
    def _last(self) -> int:
        messages = self.transcript.messages
        return next((each.seq for each in reversed(messages) if each.seq), 0)

    def _fetch(self, before: int | None, got: Callable[[list[Stored]], object]) -> None:
        """One at a time; what comes for a part that is shown no more is dropped."""
        client = self._client
        if client is None or self._fetching:
            return
        self._fetching = True
        self._fetches = number = self._fetches + 1

        def done(page: list[Stored]) -> None:
            if number == self._fetches and self._client is not None:
                self._fetching = False
                got(page)

        def failed(failure: Failure) -> Failure:
            if number == self._fetches:
                self._fetching = False
            return failure

        asked = client.messages(self.room, before, PAGE)
        self._logged(asked.addCallbacks(done, failed))

    def _older(self, page: Sequence[Stored]) -> None:
        page = [each for each in page if each.seq < self._first]
        if page:
            lines = self._lines(page)
            self._find_new([*lines, *self.transcript.messages])
            if self.transcript.prepend(lines):
                self._live = False
            self._tell_above(page)

    def _newer(self, page: Sequence[Stored], last: int) -> None:
        self.transcript.extend(self._lines([m for m in page if m.seq > last]))
        if self._reaches_end(page):
            self._live = True
            self.own_anew()
            self.scrolled(self.transcript.at_end)

    def _reaches_end(self, page: Sequence[Stored]) -> bool:
        copy = self.copy
        return copy is None or not page or page[-1].seq >= copy.last

    def _find_new(self, lines: Sequence[Message]) -> None:
        """Where the line above what is new goes."""
        if self._new is None and lines and lines[0].seq <= self._read + 1:
            found = (m.seq for m in lines if m.seq > self._read and not m.own)
            self._new = next(found, None)

    def _tell_above(self, page: Sequence[Stored]) -> None:
        first = page[0].seq if page else 0
        self._view.show_above(
            max(0, first - self._read - 1) if self._new is None else 0
        )

    def _reader(self) -> Reader:
        return Reader(self._name, self._now(), self._tz, self._new)

    @property
    def _name(self) -> str:
        return "" if self._client is None else self._client.name or ""

    def _lines(self, page: Sequence[Stored]) -> list[Message]:
        return [self._line(each) for each in page]

    def _line(self, message: Stored) -> Message:
        sender = SERVER if message.sender == SERVER_NAME else message.sender
        text = _REMOVED if message.body is None else message.body
        line = Message(0, sender, text, message.time / 1000, seq=message.seq)
        if message.sender != self._name:
            return line
        return self._marked(replace(line, own=message.id))

    def _marked(self, line: Message) -> Message:
        """An own message that stands in the log, with how many others have it."""
        n = m = 0
        if self._client is not None:
            n, m = self._client.delivered(self.room, line.seq, self._name)
        if not n:
            return replace(line, mark=Mark.STORED, why="")
        return replace(line, mark=Mark.DELIVERED, why=f"{n} of {m}")

    def _own_lines(self) -> list[Message]:
        client = self._client
        return (
            [] if client is None else [self._own_line(o) for o in client.own(self.room)]
        )

    def _own_line(self, own: Own) -> Message:
        why = ""
        if own.state is OwnState.FAILED:
            why = f"Not sent: {own.reason or own.code}"
        when = own.composed / 1000
        return Message(
            0, self._name, own.body, when, _MARKS[own.state], why, own=own.id
        )
