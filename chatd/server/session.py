"""A plain conversation, as data in, answers out: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from chatd.server.keyring import Opened
from chatd.wire.plain import reply
from chatd.wire.tokens import Refusal, Sealer


class PlainSession:
    """One frame in, one answer out (protocol section 3).

    `ended` is None until the connection is to be closed, behind the answers given so
    far; then it is the reason, fit for a log, and nothing more is answered.
    """

    __slots__ = ("_frame", "_sealer", "ended")

    def __init__(self, frame: int) -> None:
        """`frame`: bytes of the largest plaintext."""
        self._frame = frame
        self._sealer: Sealer | None = None  # of the last frame
        self.ended: str | None = None

    def receive(
        self, frames: Sequence[Opened | Refusal], banned: Collection[str] = ()
    ) -> list[Opened]:
        """The answers to the next frames, in order: one a frame until it ends.

        `banned`: the ids of keys that open nothing.
        """
        answers: list[Opened] = []
        frame = self._frame
        for opened in frames:
            if isinstance(opened, Refusal):
                self.ended = opened.value
                break
            text, self._sealer = opened
            if banned and self.shut_out(banned):
                break
            answers.append((reply(text, frame), self._sealer))
        return answers

    def shut_out(self, banned: Collection[str]) -> bool:
        """End, if what it speaks under is one of the keys that are `banned`, by id."""
        if self._sealer is not None and self._sealer.key.id in banned:
            self.ended = "its key is banned"
            return True
        return False
