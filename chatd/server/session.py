"""A plain conversation, as data in, answers out: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.server.keyring import Opened
from chatd.wire.plain import reply
from chatd.wire.tokens import Refusal


class PlainSession:
    """One frame in, one answer out (protocol section 3).

    `ended` is None until the connection is to be closed, behind the answers given so
    far; then it is the reason, fit for a log, and nothing more is answered.
    """

    __slots__ = ("_frame", "ended", "key_id")

    def __init__(self, frame: int, key_id: str = "") -> None:
        """`frame`: bytes of the largest plaintext; `key_id`: of its first frame."""
        self._frame = frame
        self.key_id = key_id
        self.ended: str | None = None

    def receive(self, frames: Sequence[Opened | Refusal]) -> list[Opened]:
        """The answers to the next frames, in order: one a frame until it ends."""
        answers: list[Opened] = []
        frame = self._frame
        for opened in frames:
            if isinstance(opened, Refusal):
                self.ended = opened.value
                break
            text, sealer = opened
            answers.append((reply(text, frame), sealer))
        return answers
