"""The lines of the conversation in front, and their writing into the view.

A bounded window on a room's log. What is not in the log yet stands at the bottom.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.clients.chat_tk.rows import Body, Mark, Message, Reader, Row, body, rows

SHOWN = 600  # messages in the window at most
PAGE = 100  # messages fetched at once, or taken out where there are too many
FLUSH = 0.05  # seconds for which arriving messages are gathered


class ListView(Protocol):
    """What is asked of the window. Messages are known by their numbers."""

    def reset_rows(self, rows: Sequence[Row], see: int | None) -> None:
        """Write these in place of all; bring `see` into view, None: the end."""

    def append_rows(self, rows: Sequence[Row]) -> None:
        """Write below what is there."""

    def replace_top(self, rows: Sequence[Row], through: int) -> None:
        """Write `rows` in place of all up to the end of message `through`."""

    def cut_below(self, last: int | None) -> None:
        """Take out all below message `last`; None: all there is."""

    def replace_body(self, body: Body) -> None:
        """Write one message's text anew."""

    def set_mark(self, id: int, mark: Mark, why: str) -> None:
        """Show what became of a message."""

    def show_below(self, count: int) -> None:
        """Say that `count` messages arrived below what is in view; 0: take it away."""


class Transcript:
    """Numbers the messages it shows, each once."""

    def __init__(
        self, view: ListView, clock: IReactorTime, reader: Callable[[], Reader]
    ) -> None:
        self._view, self._clock, self._reader = view, clock, reader
        self.messages: list[Message] = []
        self.at_end = True
        """Whether the reader is at the end of what is shown."""
        self._written = 0  # of these, how many stand in the view as they are here
        self._last_id = 0
        self._below = 0
        self._flush_due: IDelayedCall | None = None

    def close(self) -> None:
        """Leave no delayed call behind."""
        if self._flush_due is not None and self._flush_due.active():
            self._flush_due.cancel()
        self._flush_due = None

    def reset(self, messages: Sequence[Message], see: int | None = None) -> None:
        """Show these alone. `see`: the index of the one in view; None: the end."""
        self.close()
        self.messages = [self._numbered(message) for message in messages]
        self._written = len(self.messages)
        self.at_end = see is None
        target = None if see is None else self.messages[see].id
        self._view.reset_rows(rows(self.messages, None, self._reader()), target)
        self.tell_below(0)

    def add(self, message: Message, *, at_once: bool = False) -> None:
        """One more: behind the log's, if it stands in the log; else at the end.

        Many are gathered, unless `at_once`.
        """
        at = len(self.messages)
        while message.seq and at and not self.messages[at - 1].seq:
            at -= 1
        self.messages.insert(at, self._numbered(message))
        self._change_from(at)
        if at_once:
            self.at_end = True
            self.flush()
        elif self._flush_due is None:  # many in one repaint, not a repaint for each
            self._flush_due = self._clock.callLater(FLUSH, self.flush)

    def prepend(self, messages: Sequence[Message]) -> bool:
        """Show these above. Whether the bottom had to be taken out for them."""
        self.flush()
        first = self.messages[0]
        above = [self._numbered(message) for message in messages]
        self.messages = [*above, *self.messages]
        self._written += len(above)
        top = rows([*above, first], None, self._reader())
        self._view.replace_top(top, first.id)
        if len(self.messages) <= SHOWN:
            return False
        del self.messages[SHOWN - PAGE :]
        self._view.cut_below(self.messages[-1].id)
        self._written = len(self.messages)
        return True

    def extend(self, messages: Sequence[Message]) -> None:
        """Show these of the log below, where the bottom had been taken out."""
        self.messages += [self._numbered(message) for message in messages]
        self.flush()

    def replace_unlogged(self, messages: Sequence[Message]) -> None:
        """Show these in place of what is not in the log yet."""
        at = len(self.messages)
        while at and not self.messages[at - 1].seq:
            at -= 1
        self._change_from(at)
        self.messages[at:] = [self._numbered(message) for message in messages]
        self.flush()

    def index(self, *, id: int = 0, own: str = "", seq: int = 0) -> int | None:
        """The place of the message that is known so, if it is in the window."""
        for at in range(len(self.messages) - 1, -1, -1):
            each = self.messages[at]
            if (
                (id and each.id == id)
                or (own and each.own == own)
                or (seq and each.seq == seq)
            ):
                return at
        return None

    def update(self, at: int, message: Message) -> None:
        """The message at `at` is in another state; its text is the same."""
        old = self.messages[at]
        self.messages[at] = message
        if at < self._written and (old.mark, old.why) != (message.mark, message.why):
            self._view.set_mark(message.id, message.mark, message.why)

    def place(self, at: int) -> None:
        """The own message at `at` has come into the log: above those that have not."""
        message = self.messages.pop(at)
        to = at
        while to and not self.messages[to - 1].seq:
            to -= 1
        self.messages.insert(to, message)
        if to != at:
            self._change_from(to)

    def unfold(self, id: int) -> None:
        """Show all of a long message."""
        at = self.index(id=id)
        if at is not None:
            self.messages[at] = replace(self.messages[at], unfolded=True)
            self._view.replace_body(body(self.messages[at], self._reader().name))

    def flush(self) -> None:
        """Write what has changed; take the oldest page out when there is too much."""
        self.close()
        if self._written == len(self.messages):
            return
        above = self.messages[self._written - 1] if self._written else None
        new = self.messages[self._written :]
        self._written = len(self.messages)
        self._view.append_rows(rows(new, above, self._reader()))
        if len(self.messages) > SHOWN:
            del self.messages[: len(self.messages) - SHOWN + PAGE]
            self._written = len(self.messages)
            first = self.messages[0]
            self._view.replace_top(rows([first], None, self._reader()), first.id)

    def tell_below(self, count: int) -> None:
        """So many arrived below what the reader sees."""
        if count or self._below:
            self._below = count
            self._view.show_below(count)

    def one_more_below(self) -> None:
        self.tell_below(self._below + 1)

    def _change_from(self, at: int) -> None:
        """What stands from `at` on is to be written anew."""
        if at < self._written:
            self._view.cut_below(self.messages[at - 1].id if at else None)
            self._written = at

    def _numbered(self, message: Message) -> Message:
        self._last_id += 1
        return replace(message, id=self._last_id)
