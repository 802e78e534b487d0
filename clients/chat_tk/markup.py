"""A message's text as runs of one kind: links, code, mentions; folded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FOLDED_LINES = 14  # shown of a message that is longer than
FOLD_LINES = 18
FOLDED_LETTERS = 1_200
FOLD_LETTERS = 1_800


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text of one kind.

    "" plain, "link", "code", "block" (lines of code), "mention", "me" (a mention of
    the reader), "fold" (what shows the rest).
    """

    text: str
    kind: str = ""
    href: str = ""


_BLOCK = re.compile(r"^```[^\n`]*\n(.*?)(?:^```[ \t]*(?:\n|\Z)|\Z)", re.M | re.S)
_CODE = re.compile(r"`([^`\n]+)`")
_URL = re.compile(r"\b(?:https?://|www\.)[^\s<>\"'`]+", re.IGNORECASE)
_MENTION = re.compile(
    r"(?<![\w@/.-])@[a-z0-9][a-z0-9_.-]{0,31}(?![\w-])", re.IGNORECASE
)
_BARE = ("http:", "http:/", "http://", "https:", "https:/", "https://", "www")
_OPENER = {")": "(", "]": "[", "}": "{"}


def runs(text: str, me: str = "") -> tuple[Span, ...]:
    """Split a message for the reader called `me`."""
    return tuple(span for span in _runs(text, me) if span.text)


def mentions(text: str, me: str) -> bool:
    """Whether the reader called `me` is spoken of, outside of code."""
    return any(span.kind == "me" for span in _runs(text, me))


def folded(text: str) -> tuple[str, str]:
    """The beginning of a long text, and what offers the rest; "" where none is left."""
    lines = text.split("\n")
    if len(lines) > FOLD_LINES:
        rest = len(lines) - FOLDED_LINES
        return "\n".join(lines[:FOLDED_LINES]), f"Show {rest} more lines"
    if len(text) > FOLD_LETTERS:
        return text[:FOLDED_LETTERS] + "…", "Show all of it"
    return text, ""


def _runs(text: str, me: str) -> Iterator[Span]:
    at = 0
    for found in _BLOCK.finditer(text):
        yield from _outside_blocks(text[at : found.start()], me)
        yield Span(found.group(1).rstrip("\n"), "block")
        at = found.end()
    yield from _outside_blocks(text[at:], me)


def _outside_blocks(text: str, me: str) -> Iterator[Span]:
    at = 0
    for found in _CODE.finditer(text):
        yield from _links(text[at : found.start()], me)
        yield Span(found.group(1), "code")
        at = found.end()
    yield from _links(text[at:], me)


def _links(text: str, me: str) -> Iterator[Span]:
    at = 0
    for found in _URL.finditer(text):
        url = _without_trail(found.group())
        if url.lower() in _BARE:
            continue
        yield from _mentions(text[at : found.start()], me)
        yield Span(url, "link", url if "://" in url else f"https://{url}")
        at = found.start() + len(url)
    yield from _mentions(text[at:], me)


def _mentions(text: str, me: str) -> Iterator[Span]:
    """``@name``; the reader's own name without the sign, too."""
    pattern = _MENTION
    if me:
        own = re.escape(me)
        pattern = re.compile(
            rf"{_MENTION.pattern}|(?<![\w@/.-]){own}(?![\w-])", re.IGNORECASE
        )
    at = 0
    for found in pattern.finditer(text):
        yield Span(text[at : found.start()])
        name = found.group().removeprefix("@").rstrip(".").lower()
        mine = bool(me) and name == me.lower()
        cut = found.group().rstrip(".")
        yield Span(cut, "me" if mine else "mention")
        at = found.start() + len(cut)
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
