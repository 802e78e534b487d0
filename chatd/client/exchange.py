"""Requests and replies of one connection in the plain dialect: pure.

Protocol sections 1 and 3.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from enum import Enum

from chatd.wire.framing import FrameDecoder, encode, token_length
from chatd.wire.plain import NOT_UTF8, PREFIX, TOO_LONG
from chatd.wire.tokens import Refusal, Sealer


class Refused(Enum):
    """The server's answer that it does not take a text."""

    NOT_UTF8 = NOT_UTF8
    TOO_LONG = TOO_LONG


_REFUSALS = {refusal.value: refusal for refusal in Refused}


class Exchange:
    """Seals requests, opens replies, and holds each reply against its request.

    After the first thing the server should not have said, `fault` tells what it was;
    the replies before it are delivered, nothing behind it is.
    """

    def __init__(self, sealer: Sealer, frame: int) -> None:
        """`frame`: bytes of the largest plaintext."""
        self._sealer = sealer
        self._decoder = FrameDecoder(token_length(frame))
        self._texts: deque[bytes] = deque()
        self.outstanding_bytes = 0
        self.fault: str | None = None

    @property
    def outstanding(self) -> int:
        """Requests without a reply yet."""
        return len(self._texts)

    def ask(self, texts: Sequence[bytes]) -> bytes:
        """The bytes that send `texts`, in order, sealed in one batch."""
        self._texts.extend(texts)
        self.outstanding_bytes += sum(map(len, texts))
        return b"".join(map(encode, self._sealer.seal(texts)))

    def receive(self, data: bytes) -> list[str | Refused]:
        """The answers that `data` completes: to the oldest requests, in order.

        A str is ``Server received: `` and the request's own text, checked.
        """
        if self.fault is not None:
            return []
        tokens = self._decoder.feed(data)
        answers: list[str | Refused] = []
        for plain in self._sealer.open(tokens):
            answer = self._match(plain)
            if answer is None:
                return answers
            answers.append(answer)
        self.fault = self._decoder.fault
        return answers

    def _match(self, plain: bytes | Refusal) -> str | Refused | None:
        if isinstance(plain, Refusal):
            self.fault = plain.value
            return None
        if not self._texts:
            self.fault = "an answer that nobody asked for"
            return None
        text = self._texts.popleft()
        self.outstanding_bytes -= len(text)
        if plain == PREFIX + text:
            return plain.decode()
        refusal = _REFUSALS.get(plain)
        if refusal is None:
            self.fault = "the reply does not repeat the text"
        return refusal
