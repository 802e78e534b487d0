"""The keys that the daemon accepts, reloaded without a disconnect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TypeAlias

from chatd import keyfile
from chatd.wire.tokens import Key, Refusal, Sealer

Opened: TypeAlias = tuple[bytes, Sealer]
"""A text, and the sealer whose key opened it: its answer is sealed with it."""


class Keyring:
    """The shared keys: all of them open, each answer goes out under its request's."""

    def __init__(
        self,
        paths: Sequence[Path],
        now: Callable[[], float],
        urandom: Callable[[int], bytes],
    ) -> None:
        """`paths`: key files; older keys beside each are accepted too.

        Raises KeyFileError.
        """
        self._paths = paths
        self._now = now
        self._urandom = urandom
        self._sealers: list[Sealer] = []
        self.reload()

    @property
    def ids(self) -> list[str]:
        """The ids of the accepted keys, the first file's current one first."""
        return [sealer.key.id for sealer in self._sealers]

    def reload(self) -> None:
        """Read the key files again.

        Raises KeyFileError, and then all stays as it was.
        """
        known = {sealer.key: sealer for sealer in self._sealers}
        found: dict[Key, Sealer] = {}
        for path in self._paths:
            for key in keyfile.accepted(path):
                if key not in found:
                    found[key] = known.get(key) or Sealer(key, self._now, self._urandom)
        self._sealers = list(found.values())

    def open(
        self, tokens: Sequence[bytes], ttl: int | None = None
    ) -> list[Opened | Refusal]:
        """Open tokens, of whatever connections, in one batch; in order."""
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
