"""Tables and times for people; peers' text without what could steer a terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from unicodedata import combining, east_asian_width


def printable(text: str) -> str:
    """`text` on one line, without what could steer a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """In columns; None and no text are a dash. A terminal's lines are not broken."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for line in table(headings, rows, width):
        print(line)


def table(
    headings: Sequence[str], rows: Sequence[Sequence[object]], width: int | None = None
) -> Iterator[str]:
    """Its lines; what is longer than `width` ends with a mark."""
    cells = [[_cell(each) for each in row] for row in [headings, *rows]]
    widths = [max(map(_columns, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [
            cell + " " * (most - _columns(cell))
            for cell, most in zip(row, widths, strict=True)
        ]
        line = "  ".join(padded).rstrip()
        yield line if width is None else _cut(line, width)


def moment(ms: int | None) -> str:
    """A time of the daemon's, ms since the epoch."""
    if ms is None:
        return ""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _columns(text: str) -> int:
    """How many a terminal takes for it: Unicode's annex 11, and marks above letters."""
    return sum(
        0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text
    )


def _cut(line: str, width: int) -> str:
    if _columns(line) <= width:
        return line
    while line and _columns(line) >= width:
        line = line[:-1]
    return f"{line}…"


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))
