"""Fernet keys, and sealing and opening with them, one at a time and in batches.

Byte-compatible with ``cryptography.fernet`` (https://github.com/fernet/spec), but
stricter: a token is taken in its canonical text alone (protocol section 1). Several
times faster, too, because the cipher and HMAC objects live as long as the key:

* one CBC encryptor is fed a random block ahead of each text. What comes out for that
  block is the IV: uniform and unpredictable, since the random block went through AES
  (RFC 4346, 6.2.3.2, option 2);
* one CBC decryptor is fed the IV ahead of each ciphertext, and what comes out for the
  IV is dropped;
* the HMAC object is made once and copied.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from hashlib import sha256
from hmac import compare_digest

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC

_VERSION = 0x80
_OVERHEAD = 57  # version 1, time 8, IV 16, HMAC 32
_FUTURE_SECONDS = 60  # how far a token's clock may run ahead where ttl is checked

_TO_URL = bytes.maketrans(b"+/", b"-_")
# The standard alphabet's own "+" and "/" are not the token's: they become junk.
_TO_STANDARD = bytes.maketrans(b"-_+/", b"+/!!")
_PADDING = [bytes([16 - n]) * (16 - n) for n in range(16)]  # by length modulo 16
_PADDING_OF = [b""] + [bytes([n]) * n for n in range(1, 17)]  # by its last byte


class BadKey(ValueError):
    """The text is no Fernet key. The message never holds the text."""


class Refusal(Enum):
    """Why a token did not open."""

    MALFORMED = "not a canonical Fernet token"
    WRONG_KEY = "no accepted key opens the token"
    EXPIRED = "the token is older than the time to live"
    FUTURE = "the token comes from the future"


class Key:
    """A Fernet key: 16 bytes that sign, 16 that encrypt.

    Shows itself by `id` alone, in logs and in ``repr``.
    """

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        """`raw`: the 32 bytes."""
        if len(raw) != 32:
            raise BadKey("a key has 32 bytes")
        self._raw = raw

    @classmethod
    def parse(cls, text: str | bytes) -> Key:
        """The key of 44 characters of URL-safe base64, with or without white space."""
        data = text.encode("ascii", "replace") if isinstance(text, str) else text
        data = data.strip()
        try:
            raw = a2b_base64(data.translate(_TO_STANDARD))
        except Error:
            raw = b""
        if len(raw) != 32 or urlsafe_b64encode(raw) != data:
            raise BadKey("not a Fernet key: 44 characters of URL-safe base64 expected")
        return cls(raw)

    @classmethod
    def generate(cls, urandom: Callable[[int], bytes]) -> Key:
        """A new key from `urandom`, a source fit for cryptography."""
        return cls(urandom(32))

    @property
    def raw(self) -> bytes:
        """The 32 bytes: secret."""
        return self._raw

    @property
    def text(self) -> str:
        """The 44 characters: secret."""
        return urlsafe_b64encode(self._raw).decode("ascii")

    @property
    def id(self) -> str:
        """8 hex digits that name the key and do not help to guess it."""
        return sha256(b"chatd key id\0" + self._raw).hexdigest()[:8]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Key):
            return NotImplemented
        return compare_digest(self._raw, other._raw)

    def __hash__(self) -> int:
        return hash(self._raw)

    def __repr__(self) -> str:
        return f"<Key {self.id}>"


class Signatures:
    """Tells by whose key, of many, a token was sealed."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._macs = [(key, HMAC(key.raw[:16], hashes.SHA256())) for key in keys]

    def find(self, token: bytes) -> Key | None:
        """The key that signed `token`; None: none did. Whether it opens is not said."""
        try:
            raw = a2b_base64(token.translate(_TO_STANDARD))
        except Error:
            return None
        signed, mac = raw[:-32], raw[-32:]
        for key, fresh in self._macs:
            copy = fresh.copy()
            copy.update(signed)
            if compare_digest(copy.finalize(), mac):
                return key
        return None


class Sealer:
    """Seals and opens tokens under one key.

    Not to be shared between threads: the ciphers roll on from call to call.
    """

    __slots__ = ("_decrypt", "_encrypt", "_mac", "_now", "_urandom", "key")

    def __init__(
        self, key: Key, now: Callable[[], float], urandom: Callable[[int], bytes]
    ) -> None:
        """`now`: seconds since the epoch; `urandom`: fit for cryptography."""
        self.key = key
        self._now = now
        self._urandom = urandom
        aes = algorithms.AES(key.raw[16:])
        self._encrypt = Cipher(aes, modes.CBC(urandom(16))).encryptor()
        self._decrypt = Cipher(aes, modes.CBC(urandom(16))).decryptor()
        self._mac = HMAC(key.raw[:16], hashes.SHA256())

    def seal(self, texts: Sequence[bytes]) -> list[bytes]:
        """A token for each text, in order."""
        blocks = self._urandom(16 * len(texts))
        parts: list[bytes] = []
        position = 0
        for text in texts:
            parts += (
                blocks[position : position + 16],
                text,
                _PADDING[len(text) & 15],
            )
            position += 16
        sealed = self._encrypt.update(b"".join(parts))
        head = b"\x80" + int(self._now()).to_bytes(8, "big")
        copy = self._mac.copy
        tokens: list[bytes] = []
        position = 0
        for text in texts:
            end = position + 32 + (len(text) & -16)
            signed = head + sealed[position:end]
            position = end
            mac = copy()
            mac.update(signed)
            token = b2a_base64(signed + mac.finalize(), newline=False)
            tokens.append(token.translate(_TO_URL))
        return tokens

    def open(
        self, tokens: Sequence[bytes], ttl: int | None = None
    ) -> list[bytes | Refusal]:
        """The text of each token, or why it has none, in order.

        `ttl`: seconds that a token may be old; with it, one from over 60 s ahead is
        refused too.
        """
        copy = self._mac.copy
        results: list[bytes | Refusal] = []
        ciphertexts: list[bytes] = []
        opened: list[tuple[int, int]] = []  # index in results, bytes with the IV
        for token in tokens:
            text = token.translate(_TO_STANDARD)
            try:
                raw = a2b_base64(text)
            except Error:
                results.append(Refusal.MALFORMED)
                continue
            size = len(raw) - 41
            if (
                size < 32
                or size & 15
                or raw[0] != _VERSION
                or b2a_base64(raw, newline=False) != text
            ):
                results.append(Refusal.MALFORMED)
                continue
            signed = raw[:-32]
            mac = copy()
            mac.update(signed)
            if not compare_digest(mac.finalize(), raw[-32:]):
                results.append(Refusal.WRONG_KEY)
                continue
            if ttl is not None and (outdated := self._outdated(raw, ttl)):
                results.append(outdated)
                continue
            opened.append((len(results), size))
            results.append(Refusal.MALFORMED)  # until its padding proves right
            ciphertexts.append(signed[9:])
        plain = self._decrypt.update(b"".join(ciphertexts))
        position = 0
        for index, size in opened:
            end = position + size
            pad = plain[end - 1]
            if 1 <= pad <= 16 and plain[end - pad : end] == _PADDING_OF[pad]:
                results[index] = plain[position + 16 : end - pad]
            position = end
        return results

    def _outdated(self, raw: bytes, ttl: int) -> Refusal | None:
        made, now = int.from_bytes(raw[1:9], "big"), int(self._now())
        if made + ttl < now:
            return Refusal.EXPIRED
        return Refusal.FUTURE if made > now + _FUTURE_SECONDS else None
