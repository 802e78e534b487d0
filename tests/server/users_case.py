"""A folder of users' keys, for tests."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile
from chatd.server.users import Standing, Users
from chatd.wire.tokens import Key

DAY = 86_400.0
START = 1_000_000_000.0  # long before the files' own times: none looks young


def new_key() -> Key:
    return Key.generate(os.urandom)


class UsersCase(SynchronousTestCase):
    """A folder of keys of the test's own, and a clock that stands."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.time = START
        self.users = self.opened()

    def opened(self) -> Users:
        """The folder as a process sees it that has just started."""
        return Users(self.folder, lambda: self.time, patience=0.02)

    def standing(self, key: Key) -> Standing | None:
        """The same, read afresh and in memory."""
        found = [users.credentials.get(key) for users in (self.users, self.opened())]
        self.assertEqual(found[0], found[1])
        return found[0].standing if found[0] is not None else None

    def user(self, name: str = "alice", device: str | None = None) -> Key:
        return keyfile.read(self.users.add(name, device))

    def put(self, name: str, key: Key | None = None, mode: int = 0o600) -> Path:
        """A file as an operator would put it there."""
        path = self.folder / name
        path.write_text(key.text if key else "")
        path.chmod(mode)
        return path

    def files(self, suffix: str = "") -> set[str]:
        return {path.name for path in self.folder.glob(f"[!.]*{suffix}")}
