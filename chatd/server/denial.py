"""Why a request is answered with an error."""

from __future__ import annotations

from chatd.wire.messages import error

_REASONS = {
    "slow-down": "too much at once: send it again later",
    "held": "an earlier message to this room has to come first",
    "not-stored": "it could not be stored: send it again",
    "internal": "something failed here: send it again",
    "conflict": "this id was used for another message",
    "no-such-room": "there is no such room",
    "forbidden": "not allowed here",
}


class Denied(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: str, reason: str = "", **fields: object) -> None:
        super().__init__(reason or _REASONS[code])
        self.code = code
        self.fields = fields


def denial(id: str, denied: Denied) -> bytes:
    return error(id, denied.code, str(denied), **denied.fields)
