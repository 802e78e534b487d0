"""JSON as the protocol has it: strict when read, canonical when written."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]

LARGEST_INTEGER = 2**53 - 1
DEEPEST = 8
"""How deep arrays and objects may be nested (protocol section 4.2)."""


class BadJSON(ValueError):
    """Not one JSON object as the protocol wants it. Never holds the text."""


def _object(pairs: list[tuple[str, Any]]) -> Object:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise BadJSON("a key stands there twice")
    return members


def _constant(name: str) -> Any:
    raise BadJSON(f"{name} is no JSON")


def _integer(digits: str) -> int | float:
    # int() refuses very long ones, which JSON does not; out of range is all that counts
    return int(digits) if len(digits) < 20 else float("inf")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer
)
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def read_object(data: bytes) -> Object:
    """The object that `data`, UTF-8, is. Raises BadJSON.

    Refuses a key given twice, NaN and Infinity, and nesting deeper than DEEPEST.
    Integers past 64 bits come out as infinite floats.
    """
    try:
        text = data.decode()
        value = _decoder.decode(text)
    except BadJSON:
        raise
    except (ValueError, RecursionError):
        raise BadJSON("not JSON") from None
    if not isinstance(value, dict):
        raise BadJSON("not a JSON object")
    if text.count("{") + text.count("[") > DEEPEST and _deeper(value, DEEPEST):
        raise BadJSON(f"nested deeper than {DEEPEST}")
    return value


def write(value: object) -> bytes:
    """`value` in UTF-8 as RFC 8785 writes strings and integers, without spaces.

    Members of objects keep their order.
    """
    return _encoder.encode(value).encode()


def _deeper(value: object, levels: int) -> bool:
    """Whether `value` is nested deeper than `levels`."""
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    inner = value.values() if isinstance(value, dict) else value
    return any(_deeper(item, levels - 1) for item in inner)
