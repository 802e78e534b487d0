"""The frames of a live session: sealed, opened and counted (protocol section 4.2)."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.wire.tokens import Refusal, Sealer

_COUNTER = 8  # bytes, big-endian


class Channel:
    """Both directions of one session; each counts its frames from 0, by one.

    A token of another session, of the other direction, one that comes twice or out
    of order does not open: `fault` says why, and nothing opens from then on.
    """

    __slots__ = ("_incoming", "_outgoing", "_received", "_sent", "fault")

    def __init__(self, outgoing: Sealer, incoming: Sealer) -> None:
        self._outgoing = outgoing
        self._incoming = incoming
        self._sent = 0
        self._received = 0
        self.fault: str | None = None

    def seal(self, texts: Sequence[bytes]) -> list[bytes]:
        """A token for each text, in the order in which they are to be sent."""
        first = self._sent
        self._sent += len(texts)
        return self._outgoing.seal(
            [
                number.to_bytes(_COUNTER, "big") + text
                for number, text in enumerate(texts, first)
            ]
        )

    def open(self, tokens: Sequence[bytes]) -> list[bytes]:
        """The texts of the tokens, in order, up to the first that does not open."""
        texts: list[bytes] = []
        if self.fault is not None:
            return texts
        for plaintext in self._incoming.open(tokens):
            if isinstance(plaintext, Refusal):
                self.fault = plaintext.value
                break
            if plaintext[:_COUNTER] != self._received.to_bytes(_COUNTER, "big"):
                self.fault = "a frame out of its order"
                break
            self._received += 1
            texts.append(plaintext[_COUNTER:])
        return texts
