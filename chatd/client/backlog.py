"""Texts that wait for their turn to be sent: in order, bounded."""

from __future__ import annotations

from collections import OrderedDict

from twisted.internet.defer import Deferred

from chatd.client.errors import Crowded


class Backlog:
    """A queue of texts and the Deferreds of their replies."""

    def __init__(self, most: int, most_bytes: int) -> None:
        """`most`: texts; `most_bytes`: bytes of all of them."""
        self._most = most
        self._most_bytes = most_bytes
        self._bytes = 0
        self._calls: OrderedDict[Deferred[str], bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._calls)

    def add(self, text: bytes) -> Deferred[str]:
        """Queue `text`. Cancelling the Deferred takes it out. Raises Crowded."""
        size = self._bytes + len(text)
        if len(self._calls) >= self._most or size > self._most_bytes:
            raise Crowded
        call: Deferred[str] = Deferred(self._drop)
        self._calls[call] = text
        self._bytes = size
        return call

    def take(self, most: int, most_bytes: int) -> list[tuple[Deferred[str], bytes]]:
        """The first texts, at most so many and so large together."""
        taken: list[tuple[Deferred[str], bytes]] = []
        while self._calls and len(taken) < most:
            text = self._calls[next(iter(self._calls))]
            most_bytes -= len(text)
            if most_bytes < 0:
                break
            taken.append(self._calls.popitem(last=False))
            self._bytes -= len(text)
        return taken

    def release(self) -> list[Deferred[str]]:
        """Hand over all calls, in order: nothing waits then."""
        calls, self._calls = self._calls, OrderedDict()
        self._bytes = 0
        return list(calls)

    def _drop(self, call: Deferred[str]) -> None:
        text = self._calls.pop(call, None)
        if text is not None:
            self._bytes -= len(text)
