"""hello, welcome, refused, and the keys of a session (protocol sections 2 and 4.1)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chatd.wire.json_text import BadJSON, Object, read_object, write
from chatd.wire.tokens import Key

VERSION = 1
LARGEST_HELLO = 1_024
"""Bytes of the longest first frame that user keys are tried on."""
LONGEST_AGENT = 64
"""Characters of a client's name for itself, or a server's."""

_MARK = b"\x1e"  # ASCII record separator, ahead of every handshake object


class BadHandshake(Exception):
    """What the peer said is no hello, or no answer to ours. Fit for a log."""


class SessionKeys(NamedTuple):
    """One key a direction."""

    to_server: Key
    to_client: Key


class Ephemeral:
    """One side's fresh X25519 key pair."""

    def __init__(self, urandom: Callable[[int], bytes]) -> None:
        """`urandom`: fit for cryptography."""
        self._private = X25519PrivateKey.from_private_bytes(urandom(32))
        self.public: bytes = self._private.public_key().public_bytes_raw()

    def keys(self, peer: bytes, key: Key, hello: bytes, welcome: bytes) -> SessionKeys:
        """The keys of the session that these two plaintexts opened under `key`.

        Raises BadHandshake where the shared secret is all zero.
        """
        try:
            shared = self._private.exchange(X25519PublicKey.from_public_bytes(peer))
        except ValueError:
            raise BadHandshake("the public key gives an all-zero secret") from None
        info = b"chatd/1" + sha256(hello).digest() + sha256(welcome).digest()
        okm = HKDF(SHA256(), 64, salt=key.raw, info=info).derive(shared)
        return SessionKeys(Key(okm[:32]), Key(okm[32:]))


@dataclass(frozen=True, slots=True)
class Hello:
    """A client's wish for a session."""

    agent: str
    name: str | None
    """As a user or guest would be called; None: as the key says."""
    public: bytes


@dataclass(frozen=True, slots=True)
class Welcome:
    """A server's consent, whose `name` the client has from now on."""

    server: str
    name: str
    public: bytes
    body: int
    """Bytes of the longest message body."""
    frame: int
    """Bytes of the largest plaintext."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A server's refusal. `retry_after`: milliseconds; None: a person has to act."""

    code: str
    reason: str
    retry_after: int | None = None


class HelloFault(Exception):
    """Why a hello is refused: a code and, as the message, its reason."""

    def __init__(self, code: str, reason: str, **fields: object) -> None:
        super().__init__(reason)
        self.code = code
        self.fields = fields


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


def hello(agent: str, name: str | None, public: bytes) -> bytes:
    """The plaintext of a hello."""
    members: Object = {"op": "hello", "v": VERSION, "agent": agent}
    if name is not None:
        members["name"] = name
    return _MARK + write(members | {"pub": _text(public)})


def parse_hello(plaintext: bytes) -> Hello:
    """The hello that `plaintext` is: see `is_hello`. Raises HelloFault."""
    try:
        members = read_object(plaintext[1:])
    except BadJSON as error:
        raise HelloFault("bad-hello", str(error)) from None
    version = members.get("v")
    if type(version) is not int:
        raise HelloFault("bad-hello", "v is not an integer")
    if version != VERSION:
        raise HelloFault("version", "version 1 is spoken here", versions=[VERSION])
    agent, name = members.get("agent", ""), members.get("name")
    if not _is_label(agent):
        raise HelloFault("bad-hello", f"agent is not text of up to {LONGEST_AGENT}")
    if "name" in members and not isinstance(name, str):
        raise HelloFault("bad-hello", "name is not text")
    public = _bytes(members.get("pub"))
    if public is None:
        raise HelloFault("bad-hello", "pub is not 32 bytes of URL-safe base64")
    return Hello(agent, name, public)


def welcome(hello: bytes, answer: Welcome) -> bytes:
    """The plaintext that grants `hello`, a plaintext."""
    return _MARK + write(
        {
            "op": "welcome",
            "v": VERSION,
            "to": sha256(hello).hexdigest(),
            "server": answer.server,
            "name": answer.name,
            "pub": _text(answer.public),
            "limits": {"body": answer.body, "frame": answer.frame},
            "features": [],
        }
    )


def refused(hello: bytes, code: str, reason: str, **fields: object) -> bytes:
    """The plaintext that refuses `hello`, a plaintext."""
    refusal = {
        "op": "refused",
        "v": VERSION,
        "to": sha256(hello).hexdigest(),
        "code": code,
        "reason": reason,
        **fields,
    }
    return _MARK + write(refusal)


def parse_answer(hello: bytes, plaintext: bytes) -> Welcome | Refused:
    """The server's answer to `hello`, a plaintext. Raises BadHandshake."""
    if not plaintext.startswith(_MARK):
        raise BadHandshake("the answer to the hello is no handshake")
    try:
        members = read_object(plaintext[1:])
    except BadJSON as error:
        raise BadHandshake(f"the answer to the hello is {error}") from None
    if members.get("to") != sha256(hello).hexdigest() or members.get("v") != VERSION:
        raise BadHandshake("the answer is not to this hello")
    match members:
        case {"op": "refused", "code": str(code), "reason": str(reason)}:
            after = members.get("retry_after")
            return Refused(code, reason, after if type(after) is int else None)
        case {
            "op": "welcome",
            "server": str(server),
            "name": str(name),
            "pub": public,
            "limits": {"body": int(body), "frame": int(frame)},
        } if body > 0 and frame >= 3 * body + 4096:
            if (raw := _bytes(public)) is not None:
                return Welcome(server, name, raw, body, frame)
    raise BadHandshake("the answer to the hello is neither welcome nor refused")


def _is_label(text: object) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST_AGENT and text.isprintable()


def _text(public: bytes) -> str:
    return urlsafe_b64encode(public).decode("ascii").rstrip("=")


def _bytes(public: Any) -> bytes | None:
    """The 32 bytes that `public` spells in its one right way, or None."""
    if not isinstance(public, str) or len(public) != 43 or not public.isascii():
        return None
    try:
        raw = urlsafe_b64decode(public + "=")
    except Error:
        return None
    return raw if len(raw) == 32 and _text(raw) == public else None
