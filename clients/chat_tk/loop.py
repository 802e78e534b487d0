"""Tk in the reactor, with the traps of tksupport closed."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Protocol

from twisted.internet import tksupport
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()

ACTIVE_MS = 20  # the reader is at work in the window
IDLE_MS = 50  # it is in view
HIDDEN_MS = 200  # it is iconified
REST_MS = 2_000  # without a key or a move of the pointer the reader is not at work
BUDGET = 0.030  # seconds of Tk events at a stretch
DONT_WAIT = 2  # TCL_DONT_WAIT, Tcl_DoOneEvent(3)


class Report(Protocol):
    """Told of an error in a Tk callback, by its type's name."""

    def __call__(self, kind: str, /) -> None: ...


class Stoppable(Protocol):
    """What is asked of the reactor: a part of IReactorCore."""

    def addSystemEventTrigger(
        self, phase: str, eventType: str, callable: Callable[..., object], /
    ) -> object:
        """Call at shutdown."""

    def stop(self) -> None:
        """End the program."""


class TkLoop:
    """Runs `root` in the reactor.

    * The rate follows the window: tksupport is taken out and put in again.
    * An error in a Tk callback is logged and reported, and the window lives on.
    * A window destroyed by another hand stops the reactor; tksupport alone would leave
      a process with no window.
    * At the end the reactor's shutdown triggers run with the window alive, then the
      pump is taken out once and the window destroyed.
    """

    def __init__(self, root: tk.Tk, reactor: Stoppable, report: Report) -> None:
        self._root, self._reactor, self._report = root, reactor, report
        self.period = 0  # milliseconds; 0: not running
        self._closing = False
        self._look_due = ""  # Tk's name of the idle call
        root.report_callback_exception = self._failed
        self._acted_at = monotonic()
        self._rest_due = ""  # Tk's name of the next look
        for event in ("<Key>", "<Button>", "<Motion>", "<MouseWheel>"):
            root.bind_all(event, self._acted, add=True)
        for event in ("<FocusIn>", "<FocusOut>", "<Map>", "<Unmap>"):
            root.bind(event, self._look_again, add=True)
        root.bind("<Destroy>", self._destroyed, add=True)
        reactor.addSystemEventTrigger("after", "shutdown", self.close)

    def start(self) -> None:
        """Begin to pump."""
        self.rate(ACTIVE_MS)
        self.adapt()

    def adapt(self) -> None:
        """Choose the rate that the window's state asks for.

        Tk is asked, since the events mislead: a child's FocusOut comes after the
        FocusIn of the next.
        """
        self._look_due = ""
        if self._closing:
            return
        if self._root.state() in ("iconic", "withdrawn"):
            self.rate(HIDDEN_MS)
            return
        at_work = (monotonic() - self._acted_at) * 1_000 < REST_MS
        self.rate(ACTIVE_MS if at_work else IDLE_MS)
        if at_work and not self._rest_due:
            self._rest_due = self._root.after(REST_MS, self._rested)

    def rate(self, period: int) -> None:
        """Pump every `period` milliseconds."""
        if self._closing or period == self.period:
            return
        if self.period:
            tksupport.uninstall()
        self.period = period
        tksupport.install(_Pump(self._root, self._lost), period)

    def stop(self) -> None:
        """End the program: stop the reactor, once."""
        if not self._closing:
            self._closing = True
            self._reactor.stop()

    def close(self) -> None:
        """Take the pump out and destroy the window. Safe to call again."""
        self._closing = True
        if self.period:
            tksupport.uninstall()
            self.period = 0
        try:
            for due in (self._look_due, self._rest_due):
                if due:
                    self._root.after_cancel(due)
            self._look_due = self._rest_due = ""
            self._root.update_idletasks()  # or ttk complains of its own pending work
            self._root.destroy()
        except tk.TclError:
            _log.debug("window-gone-already")

    def _acted(self, event: tk.Event[tk.Misc]) -> None:
        self._acted_at = monotonic()
        if self.period != ACTIVE_MS:
            self.adapt()

    def _rested(self) -> None:
        self._rest_due = ""
        self.adapt()

    def _look_again(self, event: tk.Event[tk.Misc]) -> None:
        if not self._look_due and not self._closing:
            self._look_due = self._root.after_idle(self.adapt)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self._root:
            self.stop()

    def _lost(self) -> None:
        _log.error("tk-is-gone")
        self.stop()

    def _failed(
        self,
        kind: type[BaseException],
        value: BaseException,
        trace: TracebackType | None,
    ) -> None:
        _log.failure("tk-callback-failed", Failure(value, kind, trace))
        self._report(kind.__name__)


class _Pump:
    """Has the one method that tksupport calls.

    Not root.update(): that runs until there are no more events. Two widgets that answer
    each other's <Configure> would keep it there for good: no network, no SIGTERM.
    """

    def __init__(self, root: tk.Tk, lost: Callable[[], None]) -> None:
        self._root, self._lost = root, lost

    def update(self) -> None:
        """Run Tk's events for BUDGET seconds at most, and paint."""
        until = monotonic() + BUDGET
        try:
            while self._root.tk.dooneevent(DONT_WAIT):
                if monotonic() > until:
                    self._root.update_idletasks()
                    break
        except tk.TclError:
            self._lost()
