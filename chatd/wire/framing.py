"""Netstrings in and out, bounded (protocol section 1).

A frame is ``length ":" payload ","`` with a decimal length without leading zeros; its
payload is a Fernet token, so no legal length is under 100.
"""

from __future__ import annotations

SHORTEST_TOKEN = 100
"""Bytes of the token of an empty plaintext: no frame of the protocol is shorter."""


def token_length(plaintext: int) -> int:
    """Bytes of the Fernet token of `plaintext` bytes (protocol section 1)."""
    return 4 * -(-(57 + 16 * (plaintext // 16 + 1)) // 3)


def encode(payload: bytes) -> bytes:
    """`payload` as one netstring."""
    return b"%d:%b," % (len(payload), payload)


class FrameDecoder:
    """Cuts a stream of bytes into frames.

    At most one unfinished frame is buffered, `longest` bytes and its header; the work
    is linear in the bytes fed, however they are split. After a malformed frame
    `fault` says why, and nothing more is delivered: what stood before it in the same
    chunk is.
    """

    __slots__ = ("_header", "_longest", "_needed", "_rest", "_sizes", "fault")

    def __init__(self, longest: int, sizes: dict[bytes, int] | None = None) -> None:
        """`longest`: bytes of the longest payload taken.

        `sizes` remembers legal spellings of lengths; decoders of one `longest` may
        share it, and then it holds at most `longest` entries.
        """
        self._longest = longest
        self._sizes = {} if sizes is None else sizes
        self._header = len(str(longest)) + 1
        self._rest: bytearray | None = None
        self._needed = 0
        self.fault: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether the beginning of an unfinished frame is buffered."""
        return self._rest is not None

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes, in order."""
        if self.fault is not None:
            return []
        rest = self._rest
        if rest is not None:
            rest += data
            if len(rest) < self._needed:
                return []
            data = bytes(rest)
            self._rest = None
        frames: list[bytes] = []
        sizes, header = self._sizes, self._header
        position, end = 0, len(data)
        while position < end:
            colon = data.find(b":", position, position + header)
            digits = data[position : colon if colon >= 0 else position + header]
            if colon < 0:
                if len(digits) < header and _begins_length(digits):
                    self._keep(data, position, end - position + 1)
                else:
                    self.fault = self._length_fault(digits)
                return frames
            size = sizes.get(digits)
            if size is None:
                if (fault := self._length_fault(digits)) is not None:
                    self.fault = fault
                    return frames
                size = sizes[digits] = int(digits)
            stop = colon + 1 + size
            if stop >= end:
                self._keep(data, position, stop + 1 - position)
                return frames
            if data[stop] != 0x2C:
                self.fault = "no comma behind the payload"
                return frames
            frames.append(data[colon + 1 : stop])
            position = stop + 1
        return frames

    def _keep(self, data: bytes, position: int, needed: int) -> None:
        self._rest = bytearray(data[position:])
        self._needed = needed

    def _length_fault(self, digits: bytes) -> str | None:
        """Why `digits` is no legal length; None if it is one."""
        if not digits.isdigit():
            return "the length is not a decimal number"
        if digits[0] == 0x30 and len(digits) > 1:
            return "the length has a leading zero"
        if len(digits) >= self._header or int(digits) > self._longest:
            return f"the length is over {self._longest}"
        if int(digits) < SHORTEST_TOKEN:
            return f"the length is under {SHORTEST_TOKEN}"
        return None


def _begins_length(digits: bytes) -> bool:
    return digits.isdigit() and digits[0] != 0x30
