"""Tables and times for people; peers' text without what could steer a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def printable(text: str) -> str:
    """`text` on one line, without what could steer a terminal."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """In columns; None and no text are a dash."""
    cells = [[_cell(each) for each in row] for row in [headings, *rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("  ".join(padded).rstrip())


def moment(ms: int | None) -> str:
    """A time of the daemon's, ms since the epoch."""
    if ms is None:
        return ""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))
