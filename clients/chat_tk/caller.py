"""Calls the reader: the bell, the desktop, the count in the title. No Tk."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.clients.chat_tk import attention
from chatd.wire.messages import Message

GATHER = 0.5  # seconds for which messages of one room become one call
PERIOD = 3.0  # seconds between two calls at least


class CallerView(Protocol):
    """What is asked of the window."""

    def show_count(self, count: int) -> None:
        """So many messages call the reader: the title says it."""

    def ring(self) -> None:
        """Ring the bell."""

    def notify(self, text: str) -> None:
        """Let the desktop show `text`."""


class Caller:
    """A flood of messages is few calls."""

    def __init__(self, view: CallerView, clock: IReactorTime) -> None:
        self._view, self._clock = view, clock
        self._waiting: dict[str, list[Message]] = {}
        self._mentioned: set[str] = set()
        self._bell = False
        self._count = 0
        self._last = -PERIOD
        self._due: IDelayedCall | None = None

    def close(self) -> None:
        """Leave no delayed call behind."""
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._due = None

    def heard(self, message: Message, mentioned: bool, rule: str, bell: bool) -> None:
        """A message that the reader does not see. `rule`: one of attention.RULES."""
        room = message.room
        if not attention.calls(rule, room, mentioned):
            return
        self._waiting.setdefault(room, []).append(message)
        self._bell = self._bell or bell
        if mentioned:
            self._mentioned.add(room)
        if self._due is None:
            wait = max(GATHER, self._last + PERIOD - self._clock.seconds())
            self._due = self._clock.callLater(wait, self._call)

    def count(self, count: int) -> None:
        """So many unread messages call the reader."""
        if count != self._count:
            self._count = count
            self._view.show_count(count)

    def _call(self) -> None:
        self._due, self._last = None, self._clock.seconds()
        waiting, self._waiting = self._waiting, {}
        mentioned, self._mentioned = self._mentioned, set()
        for room, messages in waiting.items():
            self._view.notify(attention.words(messages, room in mentioned))
        if self._bell:
            self._view.ring()
        self._bell = False
