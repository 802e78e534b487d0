"""What a client may ask in a live session (protocol section 4.2): typed, both ways.

`parse_request` is the one total parser of what a client says: whatever the bytes, the
outcome is a Request, an Invalid one that is answered with an error, or BadFrame.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from chatd.wire.json_text import (
    LARGEST_INTEGER,
    BadJSON,
    Object,
    read_object,
    write,
)
from chatd.wire.names import is_guest, is_name, is_room
from chatd.wire.tokens import BadKey, Key

DEFAULT_PAGE = 50
LARGEST_PAGE = 200
LONGEST_QUERY = 256
"""Bytes of UTF-8 in a search."""

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_HASH = re.compile(r"[0-9a-f]{64}")
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class BadFrame(Exception):
    """The session ends for what came: see ``goodbye`` `bad-frame`. Fit for a log."""


@dataclass(frozen=True, slots=True)
class Invalid:
    """A request that is answered with an error."""

    id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Join:
    id: str
    room: str
    after: int | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class Send:
    id: str
    room: str
    body: str
    composed: int | None = None


@dataclass(frozen=True, slots=True)
class History:
    id: str
    room: str
    before: int | None = None
    after: int | None = None
    limit: int = DEFAULT_PAGE


@dataclass(frozen=True, slots=True)
class Search:
    id: str
    query: str
    room: str | None = None
    limit: int = DEFAULT_PAGE
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Rooms:
    id: str
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Members:
    id: str
    room: str
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    id: str
    room: str
    received: int | None = None
    read: int | None = None


@dataclass(frozen=True, slots=True)
class Rekey:
    id: str
    key: Key


@dataclass(frozen=True, slots=True)
class Ping:
    id: str


Request: TypeAlias = (
    Join | Send | History | Search | Rooms | Members | Mark | Rekey | Ping
)


class _Wrong(Exception):
    """A field that is not as it should be; the message says how it should."""

    def __init__(self, reason: str, code: str = "bad-request") -> None:
        super().__init__(reason)
        self.code = code


_Check: TypeAlias = Callable[[Any], Any]


def is_id(value: object) -> bool:
    """Whether `value` may be a request's id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def body_fault(body: str, longest: int) -> str | None:
    """Why `body` is no message body where one has `longest` bytes; None: it is."""
    if not body:
        return "body is empty"
    if _FORBIDDEN.search(body):
        return "body holds a control character, or half of a surrogate pair"
    if len(body.encode()) > longest:
        return f"body is longer than {longest} bytes"
    return None


def request_text(request: Request) -> bytes:
    """The JSON that a client sends for `request`."""
    members: Object = {"op": type(request).__name__.lower()}
    for field in fields(request):
        value = getattr(request, field.name)
        if value is not None:
            members[field.name] = value.text if isinstance(value, Key) else value
    return write(members)


def parse_request(text: bytes, longest_body: int) -> Request | Invalid:
    """The request that `text`, a frame's JSON, is. Raises BadFrame."""
    try:
        members = read_object(text)
    except BadJSON as error:
        raise BadFrame(str(error)) from None
    id = members.get("id")
    if not isinstance(id, str) or _ID.fullmatch(id) is None:
        raise BadFrame("no valid id")
    op = members.get("op")
    if not isinstance(op, str):
        return Invalid(id, "bad-request", "op is not text")
    try:
        match op:
            case "send":
                return _send(id, members, longest_body)
            case "ping":
                return Ping(id)
            case "mark":
                return _mark(id, members)
            case "join":
                return Join(
                    id,
                    _need(members, "room", _room),
                    _may(members, "after", _integer),
                    _may(members, "hash", _hash),
                )
            case "history":
                return _history(id, members)
            case "search":
                return Search(
                    id,
                    _need(members, "query", _query),
                    _may(members, "room", _room),
                    _may(members, "limit", _page) or DEFAULT_PAGE,
                    _may(members, "next", _place),
                )
            case "rooms":
                return Rooms(id, _may(members, "after", _room))
            case "members":
                return Members(
                    id, _need(members, "room", _room), _may(members, "after", _member)
                )
            case "rekey":
                return Rekey(id, _need(members, "key", _key))
    except _Wrong as wrong:
        return Invalid(id, wrong.code, str(wrong))
    return Invalid(id, "unknown-op", "this op is not known here")


def _send(id: str, members: Object, longest: int) -> Send:
    room = _need(members, "room", _room)
    body = _need(members, "body", _text)
    if (fault := body_fault(body, longest)) is not None:
        raise _Wrong(fault, "too-long" if "longer" in fault else "bad-request")
    return Send(id, room, body, _may(members, "composed", _integer))


def _history(id: str, members: Object) -> History:
    if "before" in members and "after" in members:
        raise _Wrong("give before or after, not both")
    return History(
        id,
        _need(members, "room", _room),
        _may(members, "before", _integer),
        _may(members, "after", _integer),
        _may(members, "limit", _page) or DEFAULT_PAGE,
    )


def _mark(id: str, members: Object) -> Mark:
    room = _need(members, "room", _room)
    received = _may(members, "received", _integer)
    read = _may(members, "read", _integer)
    if received is None and read is None:
        raise _Wrong("give received or read")
    return Mark(id, room, received, read)


def _need(members: Object, name: str, check: _Check) -> Any:
    if name not in members:
        raise _Wrong(f"{name} is missing")
    return _may(members, name, check)


def _may(members: Object, name: str, check: _Check) -> Any:
    """The field `name` as `check` makes it; None where it is absent."""
    if name not in members:
        return None
    try:
        return check(members[name])
    except ValueError as wrong:
        raise _Wrong(f"{name} is not {wrong}") from None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    return value


def _integer(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_INTEGER:
        raise ValueError("an integer in 0..2^53-1")
    return value


def _page(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= LARGEST_PAGE:
        raise ValueError(f"an integer in 1..{LARGEST_PAGE}")
    return value


def _room(value: Any) -> str:
    if not isinstance(value, str) or not is_room(value):
        raise ValueError("the name of a room")
    return value


def _member(value: Any) -> str:
    if not isinstance(value, str) or not (is_name(value) or is_guest(value)):
        raise ValueError("a name")
    return value


def _hash(value: Any) -> str:
    if not isinstance(value, str) or _HASH.fullmatch(value) is None:
        raise ValueError("64 lower-case hex digits")
    return value


def _query(value: Any) -> str:
    if (
        not isinstance(value, str)
        or _FORBIDDEN.search(value)
        or not value.split()
        or len(value.encode()) > LONGEST_QUERY
    ):
        raise ValueError(f"words of up to {LONGEST_QUERY} bytes")
    return value


def _place(value: Any) -> str:
    place = _text(value)
    room, _, seq = place.partition(" ")
    if not (is_room(room) and seq.isascii() and seq.isdigit() and len(seq) <= 15):
        raise ValueError("what a search's ack gave as next")
    return place


def _key(value: Any) -> Key:
    try:
        return Key.parse(_text(value))
    except BadKey:
        raise ValueError("a key: 44 characters of URL-safe base64") from None
