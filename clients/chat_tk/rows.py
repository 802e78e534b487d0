"""From messages to what is written into the list: pure, no Tk.

The view knows a few kinds of row and writes spans as they come; everything that can be
wrong (grouping, days, times, strangers' characters) is decided and tested here.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass

from chatd.clients.chat_tk.drawable import clean
from chatd.clients.chat_tk.markup import Span, folded, runs

GROUP_GAP = 60  # seconds after which a sender's name is written again
LONGEST_NAME = 64  # characters


class Mark(enum.Enum):
    """What became of a message; the value names its icon."""

    RECEIVED = "received"  # somebody else's: no mark
    PENDING = "pending"
    STORED = "stored"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the conversation. `when` is in seconds since 1970."""

    id: int
    """Its number in the window."""
    sender: str
    text: str
    when: float
    mark: Mark = Mark.RECEIVED
    why: str = ""
    """How many have it, or why it failed."""
    seq: int = 0
    """Its place in the room's log; 0: it is not there yet."""
    own: str = ""
    """The id of one's own message."""
    unfolded: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """The line between two days."""

    label: str


@dataclass(frozen=True, slots=True)
class New:
    """The line above what was not read when the room was opened."""


@dataclass(frozen=True, slots=True)
class Head:
    """The face, name and time above a group of messages of one sender."""

    sender: str
    time: str


@dataclass(frozen=True, slots=True)
class Body:
    """One message's text and mark."""

    id: int
    spans: tuple[Span, ...]
    mark: Mark
    why: str

    @property
    def mentions_me(self) -> bool:
        return any(span.kind == "me" for span in self.spans)


Row = Day | New | Head | Body


@dataclass(frozen=True, slots=True)
class Reader:
    """For whom rows are written, and when."""

    name: str
    now: float
    """Seconds since 1970."""
    tz: dt.tzinfo | None = None
    """None: the computer's own."""
    new: int | None = None
    """The seq of the first message that is new; None: none is."""


def day_label(when: dt.date, today: dt.date) -> str:
    """How people name that day."""
    away = (today - when).days
    if away == 0:
        return "Today"
    if away == 1:
        return "Yesterday"
    if 1 < away < 7:
        return when.strftime("%A")
    year = "" if when.year == today.year else f" {when.year}"
    return f"{when:%A} {when.day} {when:%B}{year}"


def rows(
    messages: Sequence[Message], before: Message | None, reader: Reader
) -> list[Row]:
    """The rows of some messages in order; `before` is the one shown above them."""
    tz = reader.tz
    today = dt.datetime.fromtimestamp(reader.now, tz).date()
    out: list[Row] = []
    last = before
    for message in messages:
        at = dt.datetime.fromtimestamp(message.when, tz)
        breaks = last is None or message.sender != last.sender
        if last is None or dt.datetime.fromtimestamp(last.when, tz).date() != at.date():
            out.append(Day(day_label(at.date(), today)))
            breaks = True
        if message.seq and message.seq == reader.new:
            out.append(New())
            breaks = True
        if breaks or (last is not None and message.when - last.when > GROUP_GAP):
            sender = clean(message.sender, LONGEST_NAME).replace("\n", " ")
            out.append(Head(sender, f"{at:%H:%M}"))
        out.append(body(message, reader.name))
        last = message
    return out


def body(message: Message, me: str) -> Body:
    """One message's own row, for the reader called `me`."""
    text, rest = clean(message.text), ""
    if not message.unfolded:
        text, rest = folded(text)
    spans = runs(text, "" if message.sender == me else me)
    if rest:
        spans = (*spans, Span("\n"), Span(rest, "fold"))
    return Body(message.id, spans, message.mark, message.why)


def initials(name: str) -> str:
    """One or two letters for a face."""
    words = re.findall(r"[^\W_]+", name.split("@")[0])
    if not words:
        return "?"
    return "".join(word[0] for word in words[:2]).upper()
