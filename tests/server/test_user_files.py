"""The folder of the users' keys: what is read, refused, noticed, locked."""

from __future__ import annotations

import fcntl
import os
import shutil
from unittest.mock import patch

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import implementer

from chatd.keyfile import KeyFileError
from chatd.server.users import Standing
from tests.server.users_case import DAY, START, UsersCase, new_key


class FolderTests(UsersCase):
    def test_modes(self) -> None:
        """The folder has mode 0700, each file 0600, whatever the umask."""
        before = os.umask(0)
        self.addCleanup(os.umask, before)
        shutil.rmtree(self.folder)
        users = self.users = self.opened()
        key = self.user()
        users.announce(key, new_key())
        users.invite("bob", None, 60)
        users.remove("bob")
        self.assertEqual(self.folder.stat().st_mode & 0o777, 0o700)
        for path in self.folder.iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600, path)

    def test_made_by_root(self) -> None:
        """What root makes belongs to the folder's owner, who runs the daemon."""
        owner = self.folder.stat()
        with patch("os.geteuid", lambda: 0), patch("os.fchown") as give:
            self.users.add("alice", None)
        self.assertEqual(give.call_count, 3)  # the lock, alice.user and alice.key
        for call in give.call_args_list:
            self.assertEqual(call.args[1:], (owner.st_uid, owner.st_gid))

    def test_folder_others_write(self) -> None:
        """A folder that others can write to is refused, with the mend."""
        self.folder.chmod(0o777)
        with self.assertRaisesRegex(KeyFileError, "chmod 700"):
            self.opened()

    def test_copied_in(self) -> None:
        """A key file that an operator copied in makes the user exist."""
        key = new_key()
        self.put("alice@phone.key", key)
        self.users.reload()
        self.assertEqual(self.users.names, {"alice"})
        credential = self.users.credentials[key]
        self.assertEqual((credential.name, credential.device), ("alice", "phone"))
        self.assertIs(self.standing(key), Standing.LIVE)

    def test_names_with_dots(self) -> None:
        """A name that looks like a file's suffix is a name."""
        for name in ("a.user", "a.pending", "a.invite", "0a0b0c0d.retired"):
            self.assertIs(self.standing(self.user(name)), Standing.LIVE)
        self.assertEqual(
            self.users.names, {"a.user", "a.pending", "a.invite", "0a0b0c0d.retired"}
        )

    def test_refused_files(self) -> None:
        """A fault in a file is one error that names it, and all stays as it was."""
        key = self.user()
        invite = self.users.invite("alice", None, 60)
        record = self.folder / f"{invite.id}.invite"
        for path, text, mode in [
            (self.folder / "bob.key", new_key().text, 0o640),
            (self.folder / "bob.key", "junk", 0o600),
            (self.folder / "bob.key", key.text, 0o600),
            (self.folder / "0a0b0c0d.invite", record.read_text(), 0o600),
            (self.folder / "0a0b0c0d.invite", "{}", 0o600),
            (self.folder / "0a0b0c0d.retired", record.read_text(), 0o600),
            (self.folder / "0a0b0c0d.retired", "junk", 0o600),
            (self.folder / "0a0b0c0d.retired", "{}", 0o644),
        ]:
            with self.subTest(file=path.name, text=text[:4], mode=mode):
                before = self.users.credentials
                path.write_text(text)
                path.chmod(mode)
                with self.assertRaises(KeyFileError) as caught:
                    self.users.reload()
                self.assertIn(str(path), str(caught.exception))
                self.assertNotIn(key.text, str(caught.exception))
                self.assertEqual(self.users.credentials, before)
                path.unlink()
        self.users.reload()

    def test_equal_keys(self) -> None:
        """Two live keys that are equal: the error names both files."""
        first = self.put("alice.key", new_key())
        second = self.folder / "bob@phone.key"
        shutil.copy(first, second)
        with self.assertRaises(KeyFileError) as caught:
            self.users.reload()
        self.assertIn(str(first), str(caught.exception))
        self.assertIn(str(second), str(caught.exception))

    def test_unknown_files(self) -> None:
        """Files that mean nothing are left alone, with one warning each."""
        events: list[str] = []

        @implementer(ILogObserver)
        def observe(event: LogEvent) -> None:
            if event.get("log_format") == "unknown-key-file":
                events.append(str(event["name"]))

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        names = {"README", "Bad.key", "alice@.key", "server.user", "x.retired"}
        for name in names | {".hidden"}:
            self.put(name)
        self.users.reload()
        self.users.reload()
        self.assertEqual(sorted(events), sorted(names))
        self.assertEqual(self.users.credentials, {})
        self.assertEqual(self.files(), names)

    def test_temporaries(self) -> None:
        """Temporary files are deleted once they are a day old, not before."""
        old = self.put(f".alice.key.{'0a' * 8}")
        young = self.put(f".alice.key.{'0b' * 8}")
        other = self.put(".hidden")
        for path, age in ((old, DAY + 1), (young, DAY - 1), (other, 9 * DAY)):
            os.utime(path, (self.time - age, self.time - age))
        self.users.reload()
        self.assertFalse(old.exists())
        self.assertTrue(young.exists())
        self.assertTrue(other.exists())

    def test_lock(self) -> None:
        """Who finds the folder locked waits a bounded time, and changes nothing."""
        key = self.user()
        with (self.folder / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for act in (
                self.users.reload,
                lambda: self.users.announce(key, new_key()),
                lambda: self.users.remove("alice"),
            ):
                self.assertRaises(BlockingIOError, act)
            self.assertTrue(self.users.changed())
        self.users.reload()
        self.assertIs(self.standing(key), Standing.LIVE)

    def test_full_disk_at_reload(self) -> None:
        """Where nothing can be cleaned up, what was read counts all the same."""
        invite = self.users.invite("alice", None, 60)
        self.time += 61
        with patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            self.users.reload()
        self.assertIs(self.users.credentials[invite].standing, Standing.EXPIRED)
        self.assertEqual(self.files(".retired"), set())
        self.users.reload()
        self.assertEqual(self.files(".retired"), {f"{invite.id}.retired"})


class ChangedTests(UsersCase):
    def settle(self) -> None:
        os.utime(self.folder, ns=(0, int(START * 1e9) - 10**10))
        self.users.reload()

    def test_unchanged(self) -> None:
        """A folder that nobody touched has not changed."""
        self.settle()
        self.assertFalse(self.users.changed())

    def test_others_change(self) -> None:
        """What another process does is seen, until it is read."""
        self.settle()
        other = self.opened()
        other.add("alice", None)
        self.assertTrue(self.users.changed())
        self.assertFalse(self.users.exists("alice"))
        self.users.reload()
        self.assertTrue(self.users.exists("alice"))
        self.assertFalse(self.users.changed())

    def test_young(self) -> None:
        """A folder modified just before it was read counts as changed once more."""
        os.utime(self.folder, ns=(0, int(START * 1e9) - 10**8))
        self.users.reload()
        self.assertTrue(self.users.changed())
        self.time += 2
        self.users.reload()
        self.assertFalse(self.users.changed())

    def test_mended(self) -> None:
        """A file at fault is looked at again when its mode is mended, and only then."""
        path = self.put("alice.key", new_key(), 0o644)
        self.assertRaises(KeyFileError, self.users.reload)
        self.assertFalse(self.users.changed())
        path.chmod(0o600)
        self.assertTrue(self.users.changed())
        self.users.reload()
        self.assertTrue(self.users.exists("alice"))

    def test_gone(self) -> None:
        """A folder that is gone takes no user away."""
        self.user()
        shutil.rmtree(self.folder)
        self.assertTrue(self.users.changed())
        self.assertRaises(OSError, self.users.reload)
        self.assertTrue(self.users.exists("alice"))
        self.assertFalse(self.users.changed())
