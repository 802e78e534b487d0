"""Key files: created, read, rotated; never lost, never shown."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from unittest.mock import patch

from cryptography.fernet import Fernet
from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile, paths
from chatd.wire.tokens import Key


class KeyFileTests(SynchronousTestCase):
    """Files in a folder of the test's own."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "secret.key"
        self.key = Key.generate(os.urandom)

    def error(self, act: object, *args: object) -> str:
        """What `act` has to complain of."""
        with self.assertRaises(keyfile.KeyFileError) as caught:
            act(*args)  # type: ignore[operator]  # any of the module's functions
        return str(caught.exception)

    def test_create(self) -> None:
        """A created file has mode 0600 whatever the umask, and holds the key."""
        old = os.umask(0)
        try:
            keyfile.create(self.path, self.key)
        finally:
            os.umask(old)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(keyfile.read(self.path), self.key)
        self.assertEqual(list(self.folder.iterdir()), [self.path])

    def test_never_overwrites(self) -> None:
        """A file that is there stays as it is."""
        keyfile.create(self.path, self.key)
        other = Key.generate(os.urandom)
        self.assertIn("is there already", self.error(keyfile.create, self.path, other))
        self.assertEqual(keyfile.read(self.path), self.key)
        self.assertEqual(list(self.folder.iterdir()), [self.path])

    def test_unwritable(self) -> None:
        """A folder that is not there is one clear error."""
        gone = self.folder / "gone" / "secret.key"
        self.assertIn("cannot write", self.error(keyfile.create, gone, self.key))

    def test_seed_way(self) -> None:
        """What Fernet.generate_key() gives is as good a key file."""
        self.path.touch(0o600)
        self.path.write_bytes(Fernet.generate_key())
        self.assertEqual(keyfile.read(self.path).text.encode(), self.path.read_bytes())

    def test_missing(self) -> None:
        """A missing file is named with the command that makes it."""
        self.assertIn("chatctl keygen", self.error(keyfile.read, self.path))

    def test_readable_by_others(self) -> None:
        """A file that the group or others can read is refused, with the mend."""
        keyfile.create(self.path, self.key)
        for mode in (0o604, 0o640, 0o602, 0o610):
            self.path.chmod(mode)
            self.assertIn("chmod 600", self.error(keyfile.read, self.path))

    def test_malformed(self) -> None:
        """Junk is refused, and not repeated; a huge file is not read whole."""
        for junk in ("junkjunk", "", "x" * 100_000, self.key.text[:-1]):
            self.path.touch(0o600)
            self.path.write_text(junk)
            message = self.error(keyfile.read, self.path)
            self.assertIn("44 characters", message)
            if junk:
                self.assertNotIn(junk, message)

    def test_unreadable(self) -> None:
        """A folder or a pipe in a key file's place is one clear error."""
        self.path.mkdir()
        self.assertIn("cannot read", self.error(keyfile.read, self.path))
        pipe = self.folder / "pipe.key"
        os.mkfifo(pipe, 0o600)
        self.assertIn("not a regular file", self.error(keyfile.read, pipe))

    def test_rotate(self) -> None:
        """After a rotation the new key is current and the old one still accepted."""
        keyfile.create(self.path, self.key)
        second = keyfile.rotate(self.path)
        third = keyfile.rotate(self.path)
        self.assertEqual(keyfile.read(self.path), third)
        accepted = keyfile.accepted(self.path)
        self.assertEqual(accepted[0], third)
        self.assertEqual(set(accepted), {self.key, second, third})
        for path in self.folder.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_retire(self) -> None:
        """Retiring leaves the current key alone and names the ones that went."""
        keyfile.create(self.path, self.key)
        new = keyfile.rotate(self.path)
        self.assertEqual(keyfile.retire(self.path), [self.key.id])
        self.assertEqual(keyfile.accepted(self.path), [new])
        self.assertEqual(keyfile.retire(self.path), [])

    def test_rotation_survives_a_crash_at_each_step(self) -> None:
        """Killed before any of its steps, a rotation loses no key, and can go on."""
        steps = ["os.open", "os.link", "os.fsync", "os.rename", "os.unlink"]
        for step in steps:
            for nth in range(4):
                with self.subTest(step=step, nth=nth):
                    self._crash(step, nth)

    def _crash(self, step: str, nth: int) -> None:
        path = self.folder / f"{step}-{nth}.key"
        keyfile.create(path, self.key)
        real, calls = getattr(os, step.removeprefix("os.")), [0]

        class Killed(BaseException):
            """Nothing of the code under test catches it."""

        def dying(*args: object, **kwargs: object) -> object:
            calls[0] += 1
            if calls[0] > nth:
                raise Killed
            return real(*args, **kwargs)

        with patch(step, dying), contextlib.suppress(Killed):
            keyfile.rotate(path)
        self.assertIn(self.key, keyfile.accepted(path))
        new = keyfile.rotate(path)
        self.assertEqual(keyfile.accepted(path)[0], new)
        self.assertIn(self.key, keyfile.accepted(path))

    def test_a_name_that_lies(self) -> None:
        """A sibling that holds another key than its name says is refused."""
        keyfile.create(self.path, self.key)
        other = self.folder / "secret-00000000.key"
        keyfile.create(other, Key.generate(os.urandom))
        self.assertIn("move it away", self.error(keyfile.accepted, self.path))

    def test_only_siblings_of_its_own(self) -> None:
        """Other files beside a key file are not taken for keys."""
        keyfile.create(self.path, self.key)
        for name in ("secret-backup.key", "other.key", "secret-12345678.txt"):
            keyfile.create(self.folder / name, Key.generate(os.urandom))
        self.assertEqual(keyfile.accepted(self.path), [self.key])

    def test_wildcards_in_a_name(self) -> None:
        """A file name with wildcards stands for itself."""
        path = self.folder / "se[c]*.key"
        keyfile.create(path, self.key)
        new = keyfile.rotate(path)
        self.assertEqual(keyfile.accepted(path), [new, self.key])


class PathTests(SynchronousTestCase):
    """Where things lie."""

    def test_default_state(self) -> None:
        """$STATE_DIRECTORY, else $XDG_STATE_HOME/chatd, else ~/.local/state/chatd."""
        for environ, expected in [
            ({"STATE_DIRECTORY": "/a:/b", "XDG_STATE_HOME": "/x"}, "/a"),
            ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/chatd"),
            ({"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/chatd"),
            ({"HOME": "/h"}, "/h/.local/state/chatd"),
        ]:
            self.assertEqual(paths.default_state(environ), Path(expected))
        self.assertTrue(paths.default_state({}).is_absolute())

    def test_default_key(self) -> None:
        """secret.key here if there is one, else the daemon's."""
        here = Path(self.mktemp())
        here.mkdir()
        environ = {"STATE_DIRECTORY": "/state"}
        key = paths.default_key(environ, here)
        self.assertEqual(key, Path("/state/secret.key"))
        (here / "secret.key").touch()
        self.assertEqual(paths.default_key(environ, here), here / "secret.key")
