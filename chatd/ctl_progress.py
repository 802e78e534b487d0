"""One line on stderr about what takes its time."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, TextIO


class Progress:
    """Shown each second where `stream` is a terminal, and removed at the end."""

    def __init__(
        self,
        what: str,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._stream, self._clock = what, stream, clock
        self._began = clock()
        self._shown = 0
        self._terminal = stream.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._write("")

    def told(self, done: int, total: int) -> None:
        """So much is done, of so much; 0: not known."""
        seconds = int(self._clock() - self._began)
        if self._terminal and seconds > self._shown:
            self._shown = seconds
            share = f", {done * 100 // total} %" if total else ""
            self._write(f"{self._what}: {seconds} s{share}")

    def line(self, told: dict[str, Any]) -> None:
        """The same, in the daemon's words."""
        self.told(int(told.get("done", 0)), int(told.get("total", 0)))

    def _write(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()
