"""Drives a real window: never sleeps for a guess, pumps until something is true."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable
from types import TracebackType

from twisted.trial.unittest import SynchronousTestCase

from tests.chat_tk import xvfb

_PATIENCE = 20.0  # seconds
_DONT_WAIT = 2
_MOST_EVENTS = 20_000  # more at a stretch is a loop without end
_KEYSYMS = {" ": "space", "\n": "Return", ".": "period", "/": "slash"}


class WindowTestCase(SynchronousTestCase):
    """A test with a Tk() of its own; errors in callbacks fail it."""

    def setUp(self) -> None:
        if not xvfb.display():
            self.skipTest(xvfb.MISSING)
        self.errors: list[str] = []
        self.root = root = tk.Tk(className="ChatTest")
        root.report_callback_exception = self._failed
        root.geometry("1000x700+0+0")
        self.addCleanup(self._end)
        self.until(root.winfo_viewable)

    def _failed(
        self, kind: type[BaseException], value: BaseException, _: TracebackType | None
    ) -> None:
        self.errors.append(f"{kind.__name__}: {value}")

    def _end(self) -> None:
        self.root.update_idletasks()
        self.root.destroy()
        self.assertEqual(self.errors, [])

    def until(self, true: Callable[[], object]) -> None:
        """Pump until `true` says so; a failure when that takes too long."""
        end = time.monotonic() + _PATIENCE
        while not true():
            if not self.root.tk.dooneevent(_DONT_WAIT):
                time.sleep(0.001)  # yield to the X server
            if time.monotonic() > end:
                self.fail("it did not happen in time")
        self.rest()

    def rest(self) -> None:
        """All events that are there; a failure when they never end."""
        for _ in range(_MOST_EVENTS):
            if not self.root.tk.dooneevent(_DONT_WAIT):
                return
        self.fail("the window never comes to rest")

    def keys(self, widget: tk.Misc, *sequences: str) -> None:
        """Press keys in `widget`; no window manager is there to give it the focus."""
        widget.focus_force()
        self.until(lambda: self.root.focus_get() is widget)
        for sequence in sequences:
            widget.event_generate(sequence)
            self.rest()

    def type(self, widget: tk.Misc, text: str) -> None:
        """Type `text` in `widget`."""
        self.keys(widget)
        for char in text:
            widget.event_generate("<Key>", keysym=_KEYSYMS.get(char, char))
        self.rest()

    def click(self, widget: tk.Misc, x: int, y: int) -> None:
        """Press and release the first button there."""
        for event in ("<Enter>", "<Motion>", "<Button-1>", "<ButtonRelease-1>"):
            widget.event_generate(event, x=x, y=y)
        self.rest()
