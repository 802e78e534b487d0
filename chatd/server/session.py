"""One connection's state, as data in, effects out: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.server.keyring import Opened
from chatd.server.limits import Limits
from chatd.wire.handshake import is_hello, refused
from chatd.wire.plain import reply
from chatd.wire.tokens import Refusal


class Session:
    """What a connection has said decides what it is answered.

    `ended` is None until the connection is to be closed, behind the answers given so
    far; then it is the reason, fit for a log, and nothing more is answered.
    """

    __slots__ = ("_limits", "_plain", "ended")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._plain = False
        self.ended: str | None = None

    def receive(self, frames: Sequence[Opened | Refusal]) -> list[Opened]:
        """The answers to the next frames, in order: one a frame until it ends."""
        answers: list[Opened] = []
        largest = self._limits.frame
        for frame in frames:
            if isinstance(frame, Refusal):
                self.ended = frame.value
                break
            text, sealer = frame
            if not self._plain:
                if is_hello(text):
                    answers.append((self._refuse(text), sealer))
                    break
                if not self._limits.plain:
                    self.ended = "the plain dialect is switched off"
                    break
                self._plain = True
            answers.append((reply(text, largest), sealer))
        return answers

    def _refuse(self, hello: bytes) -> bytes:
        self.ended = "the session dialect is not spoken here"
        return refused(hello, "version", self.ended, versions=[])
