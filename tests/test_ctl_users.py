"""chatctl user and invite: what they do, say and exit with."""

from __future__ import annotations

import contextlib
import io
import os
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import ctl, keyfile
from chatd.paths import KEYS_NAME
from chatd.proquint import proquints
from chatd.server.users import Standing, Users
from chatd.wire import invite
from chatd.wire.tokens import Key


class UserCommandCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir()
        self.keys = self.state / KEYS_NAME

    def run_command(self, *argv: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = ctl.main([*argv, "--state", str(self.state)])
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else 99
        for file in self.keys.glob("*.key"):
            self.assertNotIn(file.read_text().strip(), out.getvalue() + err.getvalue())
        return code, out.getvalue(), err.getvalue()

    def done(self, *argv: str) -> str:
        """The output of a command that succeeds, without a word on stderr."""
        code, out, err = self.run_command(*argv)
        self.assertEqual((code, err), (0, ""))
        return out

    def fails(self, *argv: str) -> str:
        """The one line on stderr of a command that fails with exit code 1."""
        code, out, err = self.run_command(*argv)
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"\Achatctl: [^\n]+\n\Z")
        return err

    def invited(self, *argv: str) -> tuple[invite.Invite, str]:
        """The invite that is printed, alone, and what is noted."""
        code, out, err = self.run_command("invite", *argv)
        self.assertEqual((code, out.count("\n")), (0, 1))
        found = invite.parse(out)
        self.assertNotIn(found.key.text, err)
        return found, err

    def users(self) -> Users:
        return Users(self.keys, time.time)


class AddTests(UserCommandCase):
    def test_add(self) -> None:
        """add makes the user and the key file, and says what to do with it."""
        path, *steps = self.done("user", "add", "alice").splitlines()
        self.assertEqual(path, str(self.keys / "alice.key"))
        self.assertIn("safe way", " ".join(steps))
        credential = self.users().credentials[keyfile.read(Path(path))]
        self.assertEqual((credential.name, credential.device), ("alice", None))

    def test_device(self) -> None:
        """A further device has a key file of its own."""
        self.done("user", "add", "alice")
        self.done("user", "add", "alice", "--device", "phone")
        self.assertEqual(len(self.users().credentials), 2)

    def test_twice(self) -> None:
        """A key that is there is left alone."""
        self.done("user", "add", "alice")
        key = keyfile.read(self.keys / "alice.key")
        self.assertIn("--device", self.fails("user", "add", "alice"))
        self.assertEqual(keyfile.read(self.keys / "alice.key"), key)

    def test_no_state(self) -> None:
        """A state folder that is not there is not made."""
        self.state.rmdir()
        self.assertIn("--state", self.fails("user", "add", "alice"))
        self.assertFalse(self.state.exists())

    def test_state_from_the_environment(self) -> None:
        """Without --state it is the daemon's own default."""
        before = os.environ.get("STATE_DIRECTORY")
        os.environ["STATE_DIRECTORY"] = str(self.state)
        if before is None:
            self.addCleanup(os.environ.pop, "STATE_DIRECTORY")
        else:
            self.addCleanup(os.environ.__setitem__, "STATE_DIRECTORY", before)
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(ctl.main(["user", "add", "alice"]), 0)
        self.assertTrue((self.keys / "alice.key").exists())

    def test_usage(self) -> None:
        """What is no name, device, time or host is a wrong option."""
        for argv in (
            ["user"],
            ["user", "add"],
            ["user", "add", "Alice"],
            ["user", "add", "../alice"],
            ["user", "add", "alice", "--device", "a@b"],
            ["user", "remove", "server"],
            ["invite", "alice", "--expires", "59"],
            ["invite", "alice", "--expires", "0m"],
            ["invite", "alice", "--expires", "91d"],
            ["invite", "alice", "--host", "::1"],
            ["invite", "alice", "--host", "den:0"],
        ):
            with self.subTest(argv=argv):
                code, out, err = self.run_command(*argv)
                self.assertEqual((code, out), (2, ""))
                self.assertIn("usage: chatctl", err)
        self.assertFalse(self.keys.exists())


class RemoveTests(UserCommandCase):
    def test_remove(self) -> None:
        """remove makes the user's keys dead; a second time there is no such user."""
        self.done("user", "add", "alice")
        key = keyfile.read(self.keys / "alice.key")
        self.assertIn("alice", self.done("user", "remove", "alice"))
        self.assertIs(self.users().credentials[key].standing, Standing.REMOVED)
        self.assertIn("no user alice", self.fails("user", "remove", "alice"))


class InviteTests(UserCommandCase):
    def test_invite(self) -> None:
        """One line on stdout that leads here, makes the user, and says until when."""
        found, notes = self.invited("alice")
        self.assertEqual(found.hosts, (("127.0.0.1", 5555),))
        self.assertEqual(found.name, "alice")
        users = self.users()
        self.assertEqual(users.names, {"alice"})
        self.assertIs(users.credentials[found.key].standing, Standing.INVITE)
        (line,) = users.listing()
        assert line.expires is not None
        self.assertLess(abs(line.expires / 1000 - time.time() - 7 * 86_400), 60)
        for words in ("is a user now", "UTC", "safe way", "--host"):
            self.assertIn(words, notes)

    def test_options(self) -> None:
        """Hosts, device and expiry are those that were given."""
        self.done("user", "add", "alice")
        hosts = ("--host", "den.example", "--host", "[::1]:7")
        found, notes = self.invited(
            "alice", *hosts, "--device", "phone", "--expires", "2h"
        )
        self.assertEqual(found.hosts, (("den.example", 5555), ("::1", 7)))
        (line,) = [each for each in self.users().listing() if each.expires]
        assert line.expires is not None
        self.assertLess(abs(line.expires / 1000 - time.time() - 7_200), 60)
        self.assertEqual(line.device, "phone")
        self.assertNotIn("is a user now", notes)
        self.assertNotIn("--host", notes)


HEADINGS = ["NAME", "DEVICE", "KEY", "IN", "WORDS", "STANDING", "NOTE"]


class ListTests(UserCommandCase):
    def rows(self) -> list[list[str]]:
        return [line.split() for line in self.done("user", "list").splitlines()]

    def test_nobody(self) -> None:
        """Without users, list says how to make one."""
        self.assertIn("chatctl invite NAME", self.done("user", "list"))

    def test_list(self) -> None:
        """Users, devices, key ids, standings; used invites that were tried again."""
        self.done("user", "add", "bob", "--device", "phone")
        key = keyfile.read(self.keys / "bob@phone.key")
        used, _ = self.invited("alice")
        users, new = self.users(), Key.generate(os.urandom)
        users.announce(used.key, new)
        users.proven(new)
        waiting, _ = self.invited("alice")
        self.done("user", "add", "carl")
        self.done("user", "remove", "carl")
        rows = self.rows()
        self.assertEqual(rows[0], HEADINGS)
        self.assertIn(["bob", "phone", key.id, proquints(key.id), "live", "-"], rows)
        self.assertIn(["alice", "-", new.id, proquints(new.id), "live", "-"], rows)
        self.assertIn(["carl", "-", "-", "-", "removed", "-"], rows)
        self.assertIn(
            ["alice", "-", waiting.key.id, "invite", "until"],
            [[*r[:3], *r[4:6]] for r in rows],
        )
        self.assertEqual(len(rows), 5)
        users.misused(used.key, "10.0.0.1")
        (row,) = [row for row in self.rows() if row[2] == used.key.id]
        self.assertEqual(row[4:9], ["used", "tried", "again", "by", "10.0.0.1"])
