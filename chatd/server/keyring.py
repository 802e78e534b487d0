"""The keys that the daemon holds, reloaded without a disconnect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, TypeAlias

from chatd import keyfile
from chatd.server.users import Credential, Users
from chatd.wire.handshake import LARGEST_HELLO, is_hello
from chatd.wire.tokens import Key, Refusal, Sealer, Signatures

Opened: TypeAlias = tuple[bytes, Sealer]
"""A text, and the sealer whose key opened it: its answer is sealed with it."""


class Greeting(NamedTuple):
    """The first text of a connection, and by whose key it was said."""

    text: bytes
    sealer: Sealer
    credential: Credential | None
    """None: the shared key."""


class Keyring:
    """The shared keys, and the users' own.

    All shared keys open; each answer goes out under its request's. A user's key opens
    nothing but a hello.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        users: Users,
        now: Callable[[], float],
        urandom: Callable[[int], bytes],
    ) -> None:
        """`paths`: shared key files; older keys beside each are accepted too.

        Raises KeyFileError.
        """
        self.users = users
        self._paths = paths
        self._now = now
        self._urandom = urandom
        self._sealers: list[Sealer] = []
        self._held: dict[Key, Credential] = {}
        self._signatures = Signatures(())  # of the keys that are held
        self._read_shared()

    @property
    def ids(self) -> list[str]:
        """The ids of the shared keys, the first file's current one first."""
        return [sealer.key.id for sealer in self._sealers]

    def reload(self) -> None:
        """Read all key files again.

        Raises KeyFileError, and then what could not be read stays as it was.
        """
        self.users.reload()
        self._read_shared()

    def _read_shared(self) -> None:
        known = {sealer.key: sealer for sealer in self._sealers}
        found: dict[Key, Sealer] = {}
        for path in self._paths:
            for key in keyfile.accepted(path):
                if key in self.users.credentials:
                    raise keyfile.KeyFileError(
                        f"{path} holds a user's key: make another"
                    )
                if key not in found:
                    found[key] = known.get(key) or Sealer(key, self._now, self._urandom)
        self._sealers = list(found.values())
        self.users.reserved = frozenset(found)

    def greet(self, token: bytes, ttl: int | None = None) -> Greeting | Refusal:
        """Open the first frame of a connection.

        `ttl`: seconds that it may be old, if it is no hello.
        """
        (opened,) = self.open([token])
        if not isinstance(opened, Refusal):
            text, sealer = opened
            if ttl is not None and not is_hello(text):
                (fresh,) = sealer.open([token], ttl)
                if isinstance(fresh, Refusal):
                    return fresh
            return Greeting(text, sealer, None)
        if opened is Refusal.WRONG_KEY and len(token) <= LARGEST_HELLO:
            held = self.users.credentials
            if held is not self._held:  # what holds is judged anew after each change
                self._held, self._signatures = held, Signatures(held)
            if (key := self._signatures.find(token)) is not None:
                sealer = Sealer(key, self._now, self._urandom)
                (said,) = sealer.open([token])
                if not isinstance(said, Refusal) and is_hello(said):
                    return Greeting(said, sealer, held[key])
        return opened

    def open(
        self, tokens: Sequence[bytes], ttl: int | None = None
    ) -> list[Opened | Refusal]:
        """Open tokens of the plain dialect, of whatever connections, in one batch."""
        results: list[Opened | Refusal] = [Refusal.WRONG_KEY] * len(tokens)
        closed: Sequence[int] = range(len(tokens))
        for sealer in self._sealers:
            opened = sealer.open([tokens[index] for index in closed], ttl)
            for index, text in zip(closed, opened, strict=True):
                results[index] = text if isinstance(text, Refusal) else (text, sealer)
            closed = [i for i in closed if results[i] is Refusal.WRONG_KEY]
            if not closed:
                break
        return results


def seal(answers: Sequence[Opened]) -> list[bytes]:
    """A token for each answer under its own sealer, in order, in batches."""
    tokens: list[bytes] = []
    for sealer, batch in groupby(answers, key=itemgetter(1)):
        tokens += sealer.seal([text for text, _ in batch])
    return tokens
