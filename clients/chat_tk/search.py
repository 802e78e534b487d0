"""Searching the room in front: what was found, and which of it is shown. No Tk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from chatd.client.chat import ChatClient

MOST = 500  # messages that one search goes through
PAUSE = 0.25  # seconds without a key after which it is searched


@dataclass(frozen=True, slots=True)
class SearchState:
    """What the search bar shows."""

    text: str = ""
    """As "5 of 7"."""
    words: tuple[str, ...] = ()
    """To be pointed at in what is shown."""
    steps: bool = False
    """Whether there is another to go to."""


class SearchView(Protocol):
    """What is asked of the window."""

    def show_search(self, state: SearchState) -> None: ...


class Search:
    """One search at a time; what comes late for another is dropped."""

    def __init__(
        self,
        view: SearchView,
        clock: IReactorTime,
        jump: Callable[[int], None],
        logged: Callable[[Deferred[Any]], object],
    ) -> None:
        """`jump`: brings the message of a seq into view."""
        self._view, self._clock, self._jump, self._logged = view, clock, jump, logged
        self._client: ChatClient | None = None
        self._room = self._query = ""
        self._found: list[int] = []  # seqs, newest first
        self._more = False
        self._at = 0
        self._due: IDelayedCall | None = None

    def close(self) -> None:
        """Forget it; no delayed call is left behind."""
        if self._due is not None and self._due.active():
            self._due.cancel()
        self._due = None
        self._query, self._found = "", []

    def typed(self, client: ChatClient | None, room: str, query: str) -> None:
        """The reader has typed so much: searched when the typing pauses."""
        self.close()
        self._client, self._room = client, room
        self._query = query.strip()
        if self._query:
            self._due = self._clock.callLater(PAUSE, self._begin)
        else:
            self._view.show_search(SearchState())

    def step(self, way: int) -> None:
        """To the one before (1: older) or after (-1) the one that is shown."""
        if self._due is not None:  # the reader cannot wait
            self._due.cancel()
            self._begin()
        elif self._found:
            self._at = (self._at + way) % len(self._found)
            self._show()

    def _begin(self) -> None:
        self._due = None
        self._logged(Deferred.fromCoroutine(self._search(self._query)))

    async def _search(self, query: str) -> None:
        client, room, found = self._client, self._room, list[int]()
        next: str | None = None
        while client is not None:
            page = await client.search(query, room, next)
            if query != self._query or room != self._room:
                return
            found += [each.seq for each in page.messages]
            next = page.next
            if next is None or len(found) >= MOST:
                break
        self._found, self._more, self._at = found[:MOST], next is not None, 0
        self._show()

    def _show(self) -> None:
        count = len(self._found)
        text = "nothing found"
        if count:
            text = f"{self._at + 1} of {count}{'+' if self._more else ''}"
        words = tuple(self._query.split())
        self._view.show_search(SearchState(text, words, count > 1))
        if count:
            self._jump(self._found[self._at])
