"""How the connection stands, as the window shows it: a banner and a countdown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.client.link import LinkState, Phase, Reason

LAG_PERIOD = 5.0
"""Seconds between two looks at how long the server takes to answer."""


@dataclass(frozen=True, slots=True)
class Banner:
    """The strip under the head. `kind` is "warn" or "bad"."""

    kind: str
    text: str
    detail: str = ""
    retry: bool = False  # offer Try now
    settings: bool = False  # offer another server or key


class LinkView(Protocol):
    """What is asked of the window."""

    def show_banner(self, banner: Banner | None) -> None:
        """Show the state of the connection, or nothing when all is well."""

    def show_status(self, phase: Phase, text: str) -> None:
        """The same in two words, beside the own name."""


class Link(Protocol):
    """What is asked of the client."""

    @property
    def state(self) -> LinkState: ...

    @property
    def lag(self) -> float | None: ...

    def observe(
        self, callback: Callable[[LinkState], None], /
    ) -> Callable[[], None]: ...


class LinkStatus:
    """Follows one client's link until it is closed."""

    def __init__(
        self, view: LinkView, clock: IReactorTime, client: Link, address: str
    ) -> None:
        """`address`: "host:port", for people."""
        self._view, self._clock = view, clock
        self._client, self._address = client, address
        self._tick_due: IDelayedCall | None = None
        self._unobserve = client.observe(self._show)
        self._show(client.state)

    def close(self) -> None:
        """Leave no delayed call behind, and no subscription."""
        self._unobserve()
        self._untick()

    def _untick(self) -> None:
        if self._tick_due is not None and self._tick_due.active():
            self._tick_due.cancel()
        self._tick_due = None

    def _show(self, state: LinkState) -> None:
        self._untick()
        settings = state.reason in (Reason.WRONG_KEY, Reason.NOT_CHATD)
        match state.phase:
            case Phase.ONLINE:
                self._view.show_banner(None)
                lag = self._client.lag
                told = (
                    "Online"
                    if lag is None
                    else f"Online, {max(1, round(lag * 1000))} ms"
                )
                self._view.show_status(state.phase, told)
                self._tick_due = self._clock.callLater(LAG_PERIOD, self._tick)
            case Phase.CONNECTING:
                text = f"Connecting to {self._address}…"
                self._view.show_banner(Banner("warn", text))
                self._view.show_status(state.phase, "Connecting…")
            case Phase.WAITING:
                left = state.retry_in or 0.0
                again = f"Trying again in {ceil(left)} s"
                banner = Banner("bad", state.advice, again, True, settings)
                self._view.show_banner(banner)
                self._view.show_status(state.phase, f"Offline, {ceil(left)} s")
                wait = max(0.05, left - ceil(left) + 1) if left else 1.0
                self._tick_due = self._clock.callLater(wait, self._tick)
            case Phase.STOPPED:
                banner = Banner("bad", state.advice or "Not connected.", settings=True)
                self._view.show_banner(banner)
                self._view.show_status(state.phase, "Offline")

    def _tick(self) -> None:
        self._tick_due = None
        self._show(self._client.state)
