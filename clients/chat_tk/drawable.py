"""What strangers write, made fit for Tk 8.6: it neither ends nor steers us. Pure."""

from __future__ import annotations

import re

LONGEST_SHOWN = 20_000  # characters of one message

_DROPPED = dict.fromkeys(
    [c for c in range(0x20) if c not in (0x09, 0x0A)]
    + [0x7F, *range(0x80, 0xA0)]  # DEL and C1
    + [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]  # bidi embeddings, overrides
)
_LINE_ENDS = {0x2028: "\n", 0x2029: "\n"}
_COLOURED = re.compile(
    "[\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\ufe0f\U00010000-\U0010ffff]"
)


def whole(text: str) -> str:
    """`text` with halves of surrogate pairs replaced: Tk 8.6 can give and take none."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def clean(text: str, limit: int = LONGEST_SHOWN) -> str:
    """What may go into the widget: no controls, no bidi overrides, a bounded length.

    Tk cuts an inserted string at a NUL, and cannot take half of a surrogate pair.
    """
    text = whole(text).replace("\r\n", "\n").translate(_DROPPED | _LINE_ENDS)
    return text if len(text) <= limit else text[:limit] + " … (cut)"


def without_colour_pictures(text: str) -> str:
    """`text` with a placeholder for what a colour font would draw.

    For libXft below 2.3.5, which ends the process on a colour glyph.
    """
    return _COLOURED.sub("\u25a1", text)


def width(text: str) -> int:
    """Its length as Tk 8.6 counts: characters from U+10000 up are two."""
    return len(text) + sum(c >= "\U00010000" for c in text)
