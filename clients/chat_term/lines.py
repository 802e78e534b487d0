"""Standard input as messages, whatever it is: terminal, pipe, file, closed.

A daemon thread that reads by os.read(). twisted.internet.stdio leaves O_NONBLOCK on
the terminal, where the shell finds it; and a thread that sits in a buffered read of
sys.stdin when the interpreter ends is a fatal error.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from twisted.internet.interfaces import IReactorFromThreads

from chatd.wire.plain import DEFAULT_FRAME

LONGEST = DEFAULT_FRAME
"""Bytes of a message kept; of a longer one the beginning, one byte over this."""

READ_AHEAD = 64
"""Messages read and not yet settled; reading waits at this many."""

_CHUNK = 65_536


class Splitter:
    """Bytes in, messages out: one a line, or one in all."""

    def __init__(self, whole: bool) -> None:
        """`whole`: everything up to the end is one message."""
        self._whole = whole
        self._rest = b""
        self._any = False

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, without their line ends."""
        if self._whole:
            self._any = True
            self._rest += data[: LONGEST + 2 - len(self._rest)]
            return []
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: LONGEST + 1]
        return [line.removesuffix(b"\r")[: LONGEST + 1] for line in lines]

    def end(self) -> list[bytes]:
        """What is left at the end of the input."""
        if self._whole:
            return [self._rest.removesuffix(b"\n")] if self._any else []
        return [self._rest] if self._rest else []


def read_messages(
    reactor: IReactorFromThreads,
    got: Callable[[bytes], None],
    ended: Callable[[], None],
    *,
    whole: bool = False,
    fd: int = 0,
) -> Callable[[], None]:
    """Call `got` in the reactor's thread for each message of `fd`, `ended` at its end.

    Returns what is to be called once for each message that is settled: reading stops
    while READ_AHEAD are not.
    """
    splitter = Splitter(whole)
    room = threading.Semaphore(READ_AHEAD)

    def deliver(messages: list[bytes]) -> None:
        for message in messages:
            room.acquire()
            reactor.callFromThread(got, message)

    def run() -> None:
        while data := _read(fd):
            deliver(splitter.feed(data))
        deliver(splitter.end())
        reactor.callFromThread(ended)

    threading.Thread(target=run, daemon=True, name="stdin").start()
    return room.release


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _CHUNK)
    except OSError:  # closed, or a terminal that hung up
        return b""
