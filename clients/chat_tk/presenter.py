"""The client's logic with no Tk in it: state in, calls on a small view out.

One conversation: own lines go to the server, each is matched to its own answer by the
Deferred that the client library gives for it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.client.errors import SayError, SayFailed, TooLong
from chatd.client.link import LinkState, Phase, Reason
from chatd.clients.chat_tk.spans import Mark, Message, Row, rows, whole

_log = Logger()

SERVER = "Server"
SHOWN = 600  # messages in the window at most
PAGE = 100  # messages taken out at its top at once
FLUSH = 0.05  # seconds for which arriving messages are gathered


@dataclass(frozen=True, slots=True)
class Banner:
    """The strip under the head. `kind` is "warn" or "bad"."""

    kind: str
    text: str
    detail: str = ""
    retry: bool = False  # offer Try now
    settings: bool = False  # offer another server or key


class View(Protocol):
    """What the presenter asks of the window."""

    def show_server(self, address: str) -> None:
        """The conversation is with the server at `address`, "host:port"."""

    def show_banner(self, banner: Banner | None) -> None:
        """Show the state of the connection, or nothing when all is well."""

    def show_status(self, phase: Phase, text: str) -> None:
        """The same in two words, beside the own name."""

    def append_rows(self, rows: Sequence[Row]) -> None:
        """Write below what is there."""

    def replace_top(self, rows: Sequence[Row], through: int) -> None:
        """Write `rows` in place of all up to the end of message `through`."""

    def set_mark(self, id: int, mark: Mark, why: str) -> None:
        """Show what became of a message."""

    def show_below(self, count: int) -> None:
        """Say that `count` messages arrived below what is in view; 0: take it away."""

    def show_trouble(self, text: str) -> None:
        """Say that something went wrong, until the reader has seen it."""


class Client(Protocol):
    """What the presenter asks of the connection: a part of PlainClient."""

    @property
    def state(self) -> LinkState:
        """How the connection is now."""

    def say(self, text: str) -> Deferred[str]:
        """Send; fires with the answer, or fails with a SayError."""

    def retry_now(self) -> None:
        """Do not wait for the next try."""

    def observe(self, callback: Callable[[LinkState], None]) -> Callable[[], None]:
        """Tell each change of state; returns what ends it."""


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
        self._view, self._clock, self._now, self._tz = view, clock, now, tz
        self.name = name
        self.messages: list[Message] = []
        self._written = 0  # of these, how many are in the view
        self._last_id = 0
        self._client: Client | None = None
        self._address = ""
        self._unobserve: Callable[[], None] = _nothing
        self._at_end = True
        self._below = 0
        self._flush_due: IDelayedCall | None = None
        self._tick_due: IDelayedCall | None = None

    # -- the connection

    def attach(self, client: Client, address: str) -> None:
        """From now on talk through `client`, which goes to `address`."""
        self._unobserve()
        self._client, self._address = client, address
        self._view.show_server(address)
        self._unobserve = client.observe(self._show_link)
        self._show_link(client.state)

    def close(self) -> None:
        """Leave no delayed call behind, and no subscription."""
        self._unobserve()
        self._unobserve = _nothing
        for due in (self._flush_due, self._tick_due):
            if due is not None and due.active():
                due.cancel()
        self._flush_due = self._tick_due = None

    @property
    def connected(self) -> bool:
        """Whether a connection is up or coming up: no nested event loop then."""
        return self._client is not None and self._client.state.phase in (
            Phase.ONLINE,
            Phase.CONNECTING,
        )

    def retry_now(self) -> None:
        """The reader does not want to wait for the countdown."""
        if self._client is not None:
            self._client.retry_now()

    def _show_link(self, state: LinkState) -> None:
        if self._tick_due is not None and self._tick_due.active():
            self._tick_due.cancel()
        self._tick_due = None
        settings = state.reason in (Reason.WRONG_KEY, Reason.NOT_CHATD)
        match state.phase:
            case Phase.ONLINE:
                self._view.show_banner(None)
                self._view.show_status(state.phase, "Online")
            case Phase.CONNECTING:
                text = f"Connecting to {self._address}…"
                self._view.show_banner(Banner("warn", text))
                self._view.show_status(state.phase, "Connecting…")
            case Phase.WAITING:
                left = state.retry_in or 0.0
                again = f"Trying again in {ceil(left)} s"
                banner = Banner("bad", state.advice, again, True, settings)
                self._view.show_banner(banner)
                self._view.show_status(state.phase, f"Offline, {ceil(left)} s")
                wait = left - ceil(left) + 1 if left else 1.0
                self._tick_due = self._clock.callLater(wait, self._tick)
            case Phase.STOPPED:
                banner = Banner("bad", state.advice or "Not connected.", settings=True)
                self._view.show_banner(banner)
                self._view.show_status(state.phase, "Offline")

    def _tick(self) -> None:
        self._tick_due = None
        if self._client is not None:
            self._show_link(self._client.state)

    # -- own lines

    def submit(self, text: str) -> bool:
        """The reader pressed Enter. True when the text was taken."""
        text = whole(text).strip("\n")
        if not text.strip() or self._client is None:
            return False
        message = self._add(self.name, text, Mark.PENDING)
        self._at_end = True
        self.flush()
        self._send(message)
        return True

    def retry(self, id: int) -> None:
        """Send a failed line once more."""
        message = self.message(id)
        if message is not None and message.mark is Mark.FAILED:
            self._set_mark(id, Mark.PENDING)
            self._send(message)

    def _send(self, message: Message) -> None:
        if self._client is None:
            self._set_mark(message.id, Mark.FAILED, "Not sent: no connection")
            return
        sent = self._client.state.phase is Phase.ONLINE
        answer = self._client.say(message.text)
        answer.addCallback(self._answered, message.id)
        answer.addErrback(self._unanswered, message.id, sent)

    def _answered(self, reply: str, id: int) -> None:
        self._set_mark(id, Mark.ANSWERED)
        self._add(SERVER, reply, Mark.RECEIVED)
        if not self._at_end:
            self._below += 1
            self._view.show_below(self._below)
        if self._flush_due is None:  # many in one repaint, not a repaint for each
            self._flush_due = self._clock.callLater(FLUSH, self.flush)

    def _unanswered(self, failure: Failure, id: int, sent: bool) -> None:
        error = failure.value
        if not isinstance(error, SayError):
            _log.failure("line-failed", failure)
        why = _why(error, sent)
        if self.message(id) is None:
            self._view.show_trouble(f"A line that is no longer shown: {why}.")
        self._set_mark(id, Mark.FAILED, why)

    # -- the list

    def message(self, id: int) -> Message | None:
        """The message of that number, if it is still in the window."""
        at = self._place(id)
        return None if at is None else self.messages[at]

    def _place(self, id: int) -> int | None:
        """Ids rise by one: the place follows from the first."""
        at = id - self.messages[0].id if self.messages else -1
        return at if 0 <= at < len(self.messages) else None

    def _add(self, sender: str, text: str, mark: Mark) -> Message:
        self._last_id += 1
        message = Message(self._last_id, sender, text, self._now(), mark)
        self.messages.append(message)
        return message

    def _set_mark(self, id: int, mark: Mark, why: str = "") -> None:
        at = self._place(id)
        if at is None:
            return
        self.messages[at] = replace(self.messages[at], mark=mark, why=why)
        if at < self._written:
            self._view.set_mark(id, mark, why)

    def flush(self) -> None:
        """Write what arrived; take the oldest page out when there is too much."""
        if self._flush_due is not None and self._flush_due.active():
            self._flush_due.cancel()
        self._flush_due = None
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
        self._at_end = at_end
        if at_end and self._below:
            self._below = 0
            self._view.show_below(0)


def _nothing() -> None:
    """Ends no subscription."""


def _why(error: BaseException | None, sent: bool) -> str:
    """What became of a line, in few words. `sent`: the server may have seen it."""
    match error:
        case SayFailed(reason=reason) if sent and reason is not Reason.REFUSED:
            return f"No answer: {_SHORT[reason]}; it may have arrived"
        case SayFailed(reason=reason):
            return f"Not sent: {_SHORT[reason]}"
        case TooLong(limit=limit):
            return f"Not sent: longer than {limit} bytes"
        case SayError():
            return f"Not sent: {str(error).rstrip('.')}"
        case _:
            return "No answer: an error in this program, see its log"


_SHORT = {
    Reason.REFUSED: "connection refused",
    Reason.UNREACHABLE: "server out of reach",
    Reason.TIMEOUT: "no answer in time",
    Reason.WRONG_KEY: "probably the wrong key",
    Reason.LOST: "connection lost",
    Reason.NOT_CHATD: "not a chatd server",
    Reason.STOPPED: "connection closed",
}
