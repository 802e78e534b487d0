"""Tk in the real reactor."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor, task, tksupport
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from chatd.clients.chat_tk import loop
from chatd.clients.chat_tk.loop import ACTIVE_MS, IDLE_MS, TkLoop
from tests.chat_tk import xvfb


class FakeReactor:
    """Counts the stops."""

    stopped = 0

    def addSystemEventTrigger(self, *what: Any) -> None:
        """The test closes the loop itself."""

    def stop(self) -> None:
        self.stopped += 1


class LoopTests(TestCase):
    timeout = 30

    def setUp(self) -> None:
        if not xvfb.display():
            self.skipTest(xvfb.MISSING)
        self.root, self.reactor = tk.Tk(), FakeReactor()
        self.reports: list[str] = []
        self.loop = TkLoop(self.root, self.reactor, self.reports.append)
        self.loop.start()
        self.addCleanup(self.loop.close)

    def until(self, true: Callable[[], object]) -> Deferred[task.LoopingCall]:
        """Fires when `true` says so."""

        def look() -> None:
            if true():
                looking.stop()

        looking = task.LoopingCall(look)
        return looking.start(0.01)

    async def test_callback_errors_are_logged_and_reported(self) -> None:
        """The window lives on, the log has the error, the reader is told its kind."""
        after: list[int] = []
        self.root.after(1, lambda: 1 / 0)
        self.root.after(20, after.append, 1)
        await self.until(lambda: after)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.reports, ["ZeroDivisionError"])

    async def test_window_destroyed_by_another_hand_ends_the_program(self) -> None:
        """No process is left without a window; the reactor is stopped once."""
        self.root.update_idletasks()
        self.root.destroy()
        await self.until(lambda: self.reactor.stopped)
        self.loop.stop()
        self.assertEqual(self.reactor.stopped, 1)

    async def test_rate_follows(self) -> None:
        """A change of rate takes the old pump out."""
        self.loop.rate(IDLE_MS)
        old: Any = vars(tksupport)["_task"]
        self.loop.rate(ACTIVE_MS)
        self.assertEqual((self.loop.period, old.running), (ACTIVE_MS, False))

    async def test_rate_rests(self) -> None:
        """Where nobody acts it slows down; the pointer brings it back."""
        self.patch(loop, "REST_MS", 50)
        self.root.event_generate("<Motion>", x=1, y=1)
        await self.until(lambda: self.loop.period == ACTIVE_MS)
        await self.until(lambda: self.loop.period == IDLE_MS)
        self.root.event_generate("<Motion>", x=2, y=2)
        await self.until(lambda: self.loop.period == ACTIVE_MS)

    async def test_endless_events_do_not_hold_the_reactor(self) -> None:
        """root.update() would never come back from this."""

        def again() -> None:
            self.root.event_generate("<<Again>>", when="tail")

        self.root.bind("<<Again>>", lambda event: again())
        again()
        turns: list[int] = []
        counting = task.LoopingCall(turns.append, 1)
        counting.clock = reactor
        counting.start(0.01)
        await self.until(lambda: len(turns) > 5)
        counting.stop()
        self.root.unbind("<<Again>>")

    async def test_close_is_safe_twice(self) -> None:
        """Shutdown may follow a window that is gone."""
        self.loop.close()
        self.loop.close()
        self.assertEqual(self.loop.period, 0)
