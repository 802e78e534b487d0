"""Messages, answers and pushes of a live session (protocol sections 4.2 to 4.5)."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple, TypeGuard

from chatd.wire.json_text import LARGEST_INTEGER, BadJSON, Object, read_object, write
from chatd.wire.names import SERVER, is_guest, is_hook, is_name, is_room
from chatd.wire.requests import is_id

ROOT_HASH = "0" * 64
"""hash(0), what an empty room begins with."""


class Message(NamedTuple):
    """One message of a room; times in ms since the epoch, hashes in lower-case hex."""

    room: str
    seq: int
    id: str
    sender: str
    time: int
    """When it was stored."""
    composed: int | None
    """When it was written, by the sender's clock."""
    body: str | None
    """None where it was removed."""
    digest: str
    hash: str


def digest(body: str) -> str:
    """What stands for `body` in the chain."""
    return sha256(body.encode()).hexdigest()


def chained(
    previous: str,
    room: str,
    seq: int,
    id: str,
    sender: str,
    time: int,
    composed: int | None,
    digest: str,
) -> str:
    """hash(seq), which fixes the message and, by `previous`, all before it (4.5)."""
    link = bytes.fromhex(previous)
    link += write([room, seq, id, sender, time, composed, digest])
    return sha256(link).hexdigest()


def holds(previous: str, message: Message) -> bool:
    """Whether `message` stands unchanged behind what `previous` is the hash of."""
    room, seq, id, sender, time, composed, body, said, hash = message
    if body is not None and digest(body) != said:
        return False
    return chained(previous, room, seq, id, sender, time, composed, said) == hash


def ack(id: str, **fields: object) -> bytes:
    """The JSON of the answer that a request was done."""
    return write({"op": "ack", "id": id, **fields})


def error(id: str, code: str, reason: str, **fields: object) -> bytes:
    """The JSON of the answer that a request was not done."""
    return write({"op": "error", "id": id, "code": code, "reason": reason, **fields})


def push(op: str, **fields: object) -> bytes:
    """The JSON of what the server tells unasked."""
    return write({"op": op, **fields})


def message_fields(message: Message) -> Object:
    """`message` as it travels."""
    members: Object = {
        "room": message.room,
        "seq": message.seq,
        "id": message.id,
        "sender": message.sender,
        "time": message.time,
    }
    if message.composed is not None:
        members["composed"] = message.composed
    if message.body is None:
        members["digest"] = message.digest
    else:
        members["body"] = message.body
    members["hash"] = message.hash
    return members


class BadAnswer(Exception):
    """The server said what it must not. Fit for a log."""


def parse_told(text: bytes) -> Object:
    """What a server told in a frame's JSON: its members, op among them.

    Raises BadAnswer where it is no object with an op.
    """
    try:
        members = read_object(text)
    except BadJSON as fault:
        raise BadAnswer(str(fault)) from None
    if not isinstance(members.get("op"), str):
        raise BadAnswer("no op")
    return members


def parse_message(members: Object) -> Message:
    """The message whose fields travelled as `members`. Raises BadAnswer."""
    room, seq, id = members.get("room"), members.get("seq"), members.get("id")
    sender, time = members.get("sender"), members.get("time")
    composed, body = members.get("composed"), members.get("body")
    said, hash = members.get("digest"), members.get("hash")
    if not (isinstance(room, str) and is_room(room)):
        raise BadAnswer("a message without a room")
    if not isinstance(id, str) or not is_id(id):
        raise BadAnswer("a message without an id")
    if not isinstance(sender, str) or not _is_sender(sender):
        raise BadAnswer("a message without a sender")
    if not (is_integer(seq) and is_integer(time) and seq > 0):
        raise BadAnswer("a message without seq and time")
    if not (composed is None or is_integer(composed)):
        raise BadAnswer("a message whose composed is no time")
    if isinstance(body, str) and "digest" not in members:
        try:
            said = digest(body)
        except UnicodeEncodeError:
            raise BadAnswer("a message that is no text") from None
    elif "body" in members or not is_hash(said):
        raise BadAnswer("a message without body and digest")
    if not is_hash(hash):
        raise BadAnswer("a message without hash")
    return Message(room, seq, id, sender, time, composed, body, str(said), str(hash))


def is_integer(value: object) -> TypeGuard[int]:
    """Whether `value` is an integer as the protocol has them."""
    return type(value) is int and 0 <= value <= LARGEST_INTEGER


def is_hash(value: object) -> bool:
    """Whether `value` is a hash as it travels."""
    return (
        isinstance(value, str)
        and len(value) == 64
        and not value.strip("0123456789abcdef")
    )


def _is_sender(text: str) -> bool:
    return is_name(text) or is_guest(text) or is_hook(text) or text == SERVER
