"""From messages to what is written into the list: pure, no Tk.

The view knows three kinds of row and writes spans as they come; everything that can be
wrong (grouping, days, links, times, strangers' characters) is decided and tested here.
"""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

GROUP_GAP = 5 * 60  # seconds after which a sender's name is written again
LONGEST_SHOWN = 16_000  # characters of one message
LONGEST_NAME = 64  # characters


class Mark(enum.Enum):
    """What became of a message; the value names its icon."""

    RECEIVED = "received"  # the server's: no mark
    PENDING = "pending"
    STORED = "stored"
    DELIVERED = "delivered"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Message:
    """One line of the conversation. `when` is in seconds since 1970."""

    id: int
    sender: str
    text: str
    when: float
    mark: Mark = Mark.RECEIVED
    why: str = ""  # why it failed

    @property
    def mine(self) -> bool:
        """Whether it was written here."""
        return self.mark is not Mark.RECEIVED


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text of one kind: "" plain, "link" or "code"."""

    text: str
    kind: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """The line between two days."""

    label: str


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


Row = Day | Head | Body

_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"'`]+", re.IGNORECASE)
_CODE = re.compile(r"`([^`\n]+)`")
_BARE = ("http:", "http:/", "http://", "https:", "https:/", "https://", "www")
_OPENER = {")": "(", "]": "[", "}": "{"}


def linkify(text: str) -> tuple[Span, ...]:
    """Split a message into plain, link and code spans."""
    spans: list[Span] = []
    at = 0
    for found in _CODE.finditer(text):
        spans += _links(text[at : found.start()])
        spans.append(Span(found.group(1), "code"))
        at = found.end()
    spans += _links(text[at:])
    return tuple(spans)


def _links(text: str) -> Iterator[Span]:
    at = 0
    for found in _URL.finditer(text):
        url = _without_trail(found.group())
        if url.lower() in _BARE:
            continue
        if found.start() > at:
            yield Span(text[at : found.start()])
        yield Span(url, "link", url if "://" in url else f"https://{url}")
        at = found.start() + len(url)
    if at < len(text):
        yield Span(text[at:])


def _without_trail(url: str) -> str:
    """Less the punctuation after it, and brackets that were not opened in it."""
    while url:
        last = url[-1]
        unopened = last in _OPENER and url.count(last) > url.count(_OPENER[last])
        if last not in ".,;:!?…" and not unopened:
            break
        url = url[:-1]
    return url


_DROPPED = dict.fromkeys(
    [c for c in range(0x20) if c not in (0x09, 0x0A)]
    + [0x7F, *range(0x80, 0xA0)]  # DEL and C1
    + [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # bidi embeddings, overrides
)
_LINE_ENDS = {0x2028: "\n", 0x2029: "\n"}


def whole(text: str) -> str:
    """`text` with halves of surrogate pairs replaced: Tk 8.6 can give and take none."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean(text: str, limit: int = LONGEST_SHOWN) -> str:
    """What may go into the widget: no controls, no bidi overrides, a bounded length.

    Tk cuts an inserted string at a NUL, and cannot take half of a surrogate pair.
    """
    text = whole(text).replace("\r\n", "\n").translate(_DROPPED | _LINE_ENDS)
    return text if len(text) <= limit else text[:limit] + " … (cut)"


_COLOURED = re.compile(
    "[\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\ufe0f\U00010000-\U0010ffff]"
)


def without_colour_pictures(text: str) -> str:
    """`text` with a placeholder for what a colour font would draw.

    For libXft below 2.3.5, which ends the process on a colour glyph.
    """
    return _COLOURED.sub("\u25a1", text)


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
    messages: Sequence[Message],
    before: Message | None,
    now: float,
    tz: dt.tzinfo | None = None,
) -> list[Row]:
    """The rows of some messages in order; `before` is the one shown above them.

    `now` is in seconds since 1970; `tz` None means the computer's own.
    """
    today = dt.datetime.fromtimestamp(now, tz).date()
    out: list[Row] = []
    last = before
    for message in messages:
        at = dt.datetime.fromtimestamp(message.when, tz)
        new_day = (
            last is None or dt.datetime.fromtimestamp(last.when, tz).date() != at.date()
        )
        if new_day:
            out.append(Day(day_label(at.date(), today)))
        if (
            new_day
            or last is None
            or last.sender != message.sender
            or message.when - last.when > GROUP_GAP
        ):
            sender = clean(message.sender, LONGEST_NAME).replace("\n", " ")
            out.append(Head(sender, f"{at:%H:%M}"))
        spans = linkify(clean(message.text))
        out.append(Body(message.id, spans, message.mark, message.why))
        last = message
    return out


def initials(name: str) -> str:
    """One or two letters for a face."""
    words = re.findall(r"[^\W_]+", name.split("@")[0])
    if not words:
        return "?"
    return "".join(word[0] for word in words[:2]).upper()
