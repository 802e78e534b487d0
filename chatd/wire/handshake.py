"""The first frame of a connection: which dialect it asks for (protocol section 2)."""

from __future__ import annotations

import json
from hashlib import sha256

_MARK = b"\x1e"  # ASCII record separator, ahead of every handshake object


def is_hello(plaintext: bytes) -> bool:
    """Whether `plaintext`, of a first frame, asks for the session dialect.

    It does if it is 0x1E and a UTF-8 JSON object whose op is "hello"; any other text,
    one that merely begins with 0x1E too, belongs to the plain dialect. In doubt (op
    given twice, an object nested too deep to be read) it is taken for a hello, so
    that none is ever answered as text.
    """
    if not plaintext.startswith(_MARK):
        return False
    try:
        members = json.loads(
            plaintext[1:].decode(),
            object_pairs_hook=tuple,
            parse_int=str,  # int() refuses very long ones, which JSON does not
        )
    except RecursionError:
        return plaintext[1:].lstrip().startswith(b"{")
    except ValueError:
        return False
    return isinstance(members, tuple) and ("op", "hello") in members


def refused(hello: bytes, code: str, reason: str, **fields: object) -> bytes:
    """The plaintext that refuses `hello` (protocol section 4.1)."""
    refusal = {
        "op": "refused",
        "v": 1,
        "to": sha256(hello).hexdigest(),
        "code": code,
        "reason": reason,
        **fields,
    }
    return _MARK + json.dumps(refusal, separators=(",", ":")).encode()
