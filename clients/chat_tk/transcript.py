"""The messages of the room in front: what is written, and what became of each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.clients.chat_tk.spans import Mark, Message, Row, rows

SHOWN = 600  # messages in the window at most
PAGE = 100  # messages taken out at its top, or fetched above it, at once
FLUSH = 0.05  # seconds for which arriving messages are gathered


class ListView(Protocol):
    """What is asked of the window."""

    def reset_rows(self, rows: Sequence[Row], see: int | None) -> None:
        """Write these in place of all; bring `see` to the top, None: the end."""

    def append_rows(self, rows: Sequence[Row]) -> None:
        """Write below what is there."""

    def replace_top(self, rows: Sequence[Row], through: int) -> None:
        """Write `rows` in place of all up to the end of message `through`."""

    def set_mark(self, id: int, mark: Mark, why: str) -> None:
        """Show what became of a message."""

    def show_below(self, count: int) -> None:
        """Say that `count` messages arrived below what is in view; 0: take it away."""


class Transcript:
    """Numbers the messages it shows, rising by one."""

    def __init__(
        self,
        view: ListView,
        clock: IReactorTime,
        now: Callable[[], float],
        tz: dt.tzinfo | None = None,
    ) -> None:
        """`now`: seconds since the epoch; `tz`: None for the computer's own."""
        self._view, self._clock, self._now, self._tz = view, clock, now, tz
        self.messages: list[Message] = []
        self.at_end = True
        self._written = 0  # of these, how many are in the view
        self._last_id = 0
        self._below = 0
        self._flush_due: IDelayedCall | None = None

    def close(self) -> None:
        """Leave no delayed call behind."""
        if self._flush_due is not None and self._flush_due.active():
            self._flush_due.cancel()
        self._flush_due = None

    def reset(self, messages: Sequence[Message], see: int | None = None) -> list[int]:
        """Show these alone; their numbers. `see`: the first in view; None: the end."""
        self.close()
        self.messages = []
        for message in messages:
            self._number(message)
        self._written = len(self.messages)
        self.at_end = see is None
        first = None if see is None or not messages else self.messages[see].id
        self._view.reset_rows(rows(self.messages, None, self._now(), self._tz), first)
        self._tell_below(0)
        return [message.id for message in self.messages]

    def add(self, message: Message, *, at_once: bool = False) -> int:
        """One more at the end; its number. Many are gathered, unless `at_once`."""
        id = self._number(message)
        if at_once:
            self.at_end = True
            self.flush()
            return id
        if not self.at_end:
            self._tell_below(self._below + 1)
        if self._flush_due is None:  # many in one repaint, not a repaint for each
            self._flush_due = self._clock.callLater(FLUSH, self.flush)
        return id

    def message(self, id: int) -> Message | None:
        """The message of that number, if it is still in the window."""
        at = self._place(id)
        return None if at is None else self.messages[at]

    def set_mark(self, id: int, mark: Mark, why: str = "") -> None:
        at = self._place(id)
        if at is None:
            return
        message = self.messages[at]
        if (message.mark, message.why) == (mark, why):
            return
        self.messages[at] = replace(message, mark=mark, why=why)
        if at < self._written:
            self._view.set_mark(id, mark, why)

    def flush(self) -> None:
        """Write what arrived; take the oldest page out when there is too much."""
        self.close()
        new = self.messages[self._written :]
        if not new:
            return
        above = self.messages[self._written - 1] if self._written else None
        self._written = len(self.messages)
        self._view.append_rows(rows(new, above, self._now(), self._tz))
        if len(self.messages) > SHOWN:
            del self.messages[: len(self.messages) - SHOWN + PAGE]
            self._written = len(self.messages)
            first = self.messages[0]
            top = rows([first], None, self._now(), self._tz)
            self._view.replace_top(top, first.id)

    def scrolled(self, at_end: bool) -> None:
        """The reader went away from the end, or came back to it."""
        self.at_end = at_end
        if at_end and self._below:
            self._tell_below(0)

    def _tell_below(self, count: int) -> None:
        if count or self._below:
            self._below = count
            self._view.show_below(count)

    def _number(self, message: Message) -> int:
        self._last_id += 1
        self.messages.append(replace(message, id=self._last_id))
        return self._last_id

    def _place(self, id: int) -> int | None:
        """Ids rise by one: the place follows from the first."""
        at = id - self.messages[0].id if self.messages else -1
        return at if 0 <= at < len(self.messages) else None
