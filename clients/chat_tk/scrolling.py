"""A Text that stays at its end until its reader scrolls away.

Only the reader's own acts unpin it: a resize, a banner or late line heights move the
view too, and must not.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from tkinter import ttk

_END = 0.9995
_EDGE = 0.04  # part of the text above or below that is soon to be reached


class Scrolling:
    """`on_scroll` is told whether the end is in view, when the reader changes that;
    `on_edge`, when the reader comes near the top (-1) or the bottom (1).

    The bar keeps its place when there is nothing to scroll: one that comes and goes
    changes the wrapping, which brings it back, for ever.
    """

    def __init__(
        self,
        text: tk.Text,
        bar: ttk.Scrollbar,
        on_scroll: Callable[[bool], None],
        on_edge: Callable[[int], None],
        step: int,
    ) -> None:
        self._text, self._bar = text, bar
        self._on_scroll, self._on_edge = on_scroll, on_edge
        self._step = step  # pixels of a notch of the wheel
        self.at_end = True
        self._quiet = False
        self._pinning = False
        text.configure(yscrollcommand=self._moved)
        bar.configure(command=self._barred)
        text.bind("<Configure>", lambda event: self._pin())
        text.bind("<Prior>", lambda event: self.page(-1))
        text.bind("<Next>", lambda event: self.page(1))
        for event in ("<KeyRelease>", "<B1-Motion>", "<ButtonRelease-1>"):
            text.bind(event, lambda event: self._look(), add=True)
        text.bind("<MouseWheel>", lambda event: self._notch(event.delta < 0))
        text.bind("<Button-4>", lambda event: self._notch(False))
        text.bind("<Button-5>", lambda event: self._notch(True))

    def to_end(self) -> None:
        """Go to the end, and stay there."""
        self.at_end = True
        self._text.yview_moveto(1.0)

    def settle(self) -> None:
        """Something was written: go to the end if that is where the reader is."""
        if self.at_end:
            self.to_end()

    def show(self, index: str) -> None:
        """Bring a place into view, a third below the top, where there is so much."""
        text = self._text
        self.at_end = False
        text.tk.call(str(text), "sync")  # all line heights, or it lands elsewhere
        text.yview(index)
        text.yview_scroll(-text.winfo_height() // 3, "pixels")
        self.at_end = text.yview()[1] > _END
        self._on_scroll(self.at_end)

    def page(self, way: int) -> str:
        """A page down (1) or up (-1), as by the reader."""
        self._text.yview_scroll(way, "pages")
        self._look()
        return "break"

    @contextmanager
    def held(self, start: str, end: str) -> Iterator[None]:
        """Keep what is in view where it is while the text up to `end` is rewritten.

        `start` is a mark in it that is set again when it is rewritten.
        """
        text = self._text
        top = text.index("@0,0")
        where = start
        if text.compare(top, ">=", end):
            text.mark_set("hold", top)
            where = "hold"
        before = text.dlineinfo(where)
        self._quiet = True
        try:
            yield
        finally:
            self._quiet = False
        if self.at_end:
            self.to_end()
            return
        text.yview(where)
        after = text.dlineinfo(where)
        if before and after and before[1] != after[1]:
            text.yview_scroll(int(after[1] - before[1]), "pixels")
        self._look()

    def _notch(self, down: bool) -> str:
        self._text.yview_scroll(self._step if down else -self._step, "pixels")
        self._look()
        return "break"

    def _barred(self, *how: str) -> None:
        self._text.tk.call(str(self._text), "yview", *how)
        self._look()

    def _look(self) -> None:
        """The reader moved the view: is its end in sight, or nearly?"""
        first, last = self._text.yview()
        at_end = last > _END
        if at_end != self.at_end:
            self.at_end = at_end
            self._on_scroll(at_end)
        if first < _EDGE and not at_end:
            self._on_edge(-1)
        elif last > 1 - _EDGE:
            self._on_edge(1)

    def _moved(self, first: float, last: float) -> None:
        """Tcl gives strings, whatever typeshed says."""
        self._bar.set(first, last)
        if not self._quiet and self.at_end and float(last) < 1:
            self._pin()

    def _pin(self) -> None:
        if self.at_end and not self._pinning:
            self._pinning = True
            self._text.after_idle(self._pinned)

    def _pinned(self) -> None:
        self._pinning = False
        if self.at_end:
            self._text.yview_moveto(1.0)
