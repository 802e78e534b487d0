"""Users and their keys: standings, rotation, invites, removal."""

from __future__ import annotations

from unittest.mock import patch

from chatd import keyfile
from chatd.keyfile import KeyFileError
from chatd.server.retiring import RETIRED_MS
from chatd.server.user_records import MOST_MISUSES
from chatd.server.users import InviteUsed, KeyTaken, Standing
from tests.server.users_case import DAY, START, UsersCase, new_key


class RekeyTests(UsersCase):
    def test_rekey(self) -> None:
        """Announced, both keys open; proven, only the new one does."""
        old, new = self.user(), new_key()
        self.users.announce(old, new)
        self.assertIs(self.standing(old), Standing.LIVE)
        self.assertIs(self.standing(new), Standing.PENDING)
        self.assertEqual(self.users.proven(new), old)
        self.assertIs(self.standing(old), Standing.ROTATED)
        self.assertIs(self.standing(new), Standing.LIVE)
        self.assertEqual(keyfile.read(self.folder / "alice.key"), new)
        self.assertIsNone(self.users.proven(new))

    def test_of_one_device(self) -> None:
        """A rekey touches the key of its own device alone."""
        one, other, new = self.user(), self.user(device="phone"), new_key()
        self.users.announce(other, new)
        self.users.proven(new)
        self.assertIs(self.standing(one), Standing.LIVE)
        self.assertEqual(keyfile.read(self.folder / "alice@phone.key"), new)

    def test_again(self) -> None:
        """The same key again changes nothing; another takes its place."""
        old, first, second = self.user(), new_key(), new_key()
        self.users.announce(old, first)
        before = (self.folder / "alice.pending").stat().st_ino
        self.users.announce(old, first)
        self.assertEqual((self.folder / "alice.pending").stat().st_ino, before)
        self.users.announce(old, second)
        self.assertIsNone(self.standing(first))
        self.assertIs(self.standing(second), Standing.PENDING)

    def test_taken(self) -> None:
        """A key that is held, dead or alive, or reserved, cannot be announced."""
        mine, other = self.user(), self.user("bob")
        invite = self.users.invite("bob", None, 60)
        pending, reserved = new_key(), new_key()
        self.users.announce(other, pending)
        gone = self.user("eve")
        self.users.remove("eve")
        self.users.reserved = frozenset({reserved})
        for key in (mine, other, invite, pending, gone, reserved):
            self.assertRaises(KeyTaken, self.users.announce, mine, key)
            self.assertRaises(KeyTaken, self.users.announce, invite, key)
        self.assertEqual(self.files(".pending"), {"bob.pending"})

    def test_dead(self) -> None:
        """A session whose key was retired meanwhile announces nothing."""
        key = self.user()
        self.opened().remove("alice")
        self.assertRaises(PermissionError, self.users.announce, key, new_key())
        self.assertRaises(PermissionError, self.users.announce, new_key(), new_key())
        self.assertEqual(self.files(".pending"), set())

    def test_removed_meanwhile(self) -> None:
        """A pending key of a user who was removed does not come alive."""
        old, new = self.user(), new_key()
        self.users.announce(old, new)
        self.opened().remove("alice")
        self.assertIsNone(self.users.proven(new))
        self.assertIs(self.standing(new), Standing.REMOVED)

    def test_key_taken_away(self) -> None:
        """With the key file that an operator deletes, its pending key goes too."""
        old, new = self.user(), new_key()
        self.users.announce(old, new)
        (self.folder / "alice.key").unlink()
        self.users.reload()
        self.assertIsNone(self.standing(old))
        self.assertIs(self.standing(new), Standing.REMOVED)
        self.user()
        self.assertIs(self.standing(new), Standing.REMOVED)

    def test_retired_keys_are_kept(self) -> None:
        """A retired key is known for 90 days, and not for ever."""
        old, new = self.user(), new_key()
        self.users.announce(old, new)
        self.users.proven(new)
        self.time += RETIRED_MS / 1000
        self.users.reload()
        self.assertIs(self.standing(old), Standing.ROTATED)
        self.time += 1
        self.users.reload()
        self.assertIsNone(self.standing(old))

    def test_equal_ids(self) -> None:
        """The record of a key survives that of another one with the same id."""
        first, second = self.user("alice"), self.user("bob")
        self.users.remove("alice")
        record = self.folder / f"{second.id}.retired"
        (self.folder / f"{first.id}.retired").rename(record)
        self.users.remove("bob")
        self.assertIn(first.text, record.read_text())
        self.assertIs(self.standing(first), Standing.REMOVED)
        self.assertIs(self.standing(second), Standing.REMOVED)


class InviteTests(UsersCase):
    def setUp(self) -> None:
        super().setUp()
        self.invite = self.users.invite("alice", "phone", 60)

    def test_used_once(self) -> None:
        """An invite binds the first key; proven, that is the device's."""
        self.assertTrue(self.users.exists("alice"))
        self.assertIs(self.standing(self.invite), Standing.INVITE)
        new = new_key()
        self.users.announce(self.invite, new)
        self.assertIs(self.standing(self.invite), Standing.INVITE)
        self.assertIs(self.standing(new), Standing.BOUND)
        self.users.announce(self.invite, new)
        self.assertRaises(InviteUsed, self.users.announce, self.invite, new_key())
        self.assertEqual(self.users.proven(new), self.invite)
        self.assertIs(self.standing(self.invite), Standing.USED)
        self.assertIs(self.standing(new), Standing.LIVE)
        self.assertRaises(InviteUsed, self.users.announce, self.invite, new)
        self.assertEqual(keyfile.read(self.folder / "alice@phone.key"), new)
        self.assertEqual(self.files(".invite"), set())
        self.assertIsNone(self.users.proven(new))

    def test_itself_is_never_proven(self) -> None:
        """A live session of the invite's own key changes nothing."""
        self.assertIsNone(self.users.proven(self.invite))
        self.assertIs(self.standing(self.invite), Standing.INVITE)

    def test_expiry(self) -> None:
        """An invite past its time is dead at once, and recorded by expire."""
        self.time += 60
        expired = self.users.credentials[self.invite]
        self.assertIs(expired.standing, Standing.EXPIRED)
        self.assertFalse(expired.alive)
        self.users.expire()
        self.assertEqual(self.files(".invite"), set())
        self.assertIs(self.standing(self.invite), Standing.EXPIRED)
        self.assertRaises(PermissionError, self.users.announce, self.invite, new_key())

    def test_expiry_spares_a_bound_key(self) -> None:
        """Once bound, an invite and its key do not expire."""
        new = new_key()
        self.users.announce(self.invite, new)
        self.time += 300 * DAY
        self.users.expire()
        self.assertIs(self.standing(self.invite), Standing.INVITE)
        self.users.announce(self.invite, new)
        self.assertEqual(self.users.proven(new), self.invite)

    def test_device_taken(self) -> None:
        """Where the device has a key by then, another name is found."""
        self.user("alice", "phone")
        places = ["alice.key", None]
        for place in places:
            invite, new = self.users.invite("alice", "phone", 60), new_key()
            self.users.announce(invite, new)
            self.users.proven(new)
            path = self.folder / (place or f"alice@{invite.id}.key")
            self.assertEqual(keyfile.read(path), new)

    def test_without_a_device(self) -> None:
        """An invite for no device goes to the plain name, if it is free."""
        for _ in range(2):
            invite, new = self.users.invite("bob", None, 60), new_key()
            self.users.announce(invite, new)
            self.users.proven(new)
        self.assertEqual(self.files(".key"), {"bob.key", f"bob@{invite.id}.key"})

    def test_put_back(self) -> None:
        """The file of an invite that was used, put back, does not open again."""
        path, new = self.folder / f"{self.invite.id}.invite", new_key()
        text = path.read_text()
        self.users.announce(self.invite, new)
        self.users.proven(new)
        self.put(path.name).write_text(text)
        with patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            self.users.reload()
        self.assertIs(self.users.credentials[self.invite].standing, Standing.USED)
        self.put(path.name).write_text(text)
        self.users.reload()
        self.assertFalse(path.exists())
        self.assertIs(self.standing(self.invite), Standing.USED)

    def test_two_invites(self) -> None:
        """One key is bound to one invite."""
        other, new = self.users.invite("bob", None, 60), new_key()
        self.users.announce(self.invite, new)
        self.assertRaises(KeyTaken, self.users.announce, other, new)

    def test_misused(self) -> None:
        """Each address that tries a used invite is noted once, on disk, bounded."""
        new = new_key()
        self.users.announce(self.invite, new)
        self.assertTrue(self.users.misused(self.invite, "10.0.0.1"))
        self.users.proven(new)
        self.assertFalse(self.users.misused(self.invite, "10.0.0.1"))
        self.time += 5
        self.assertTrue(self.users.misused(self.invite, "10.0.0.2"))
        self.assertFalse(self.opened().misused(self.invite, "10.0.0.2"))
        (line,) = [each for each in self.opened().listing() if each.misused]
        self.assertEqual(line.key_id, self.invite.id)
        noted = [(misuse.address, misuse.at / 1000) for misuse in line.misused]
        self.assertEqual(noted, [("10.0.0.1", START), ("10.0.0.2", START + 5)])
        told = [self.users.misused(self.invite, f"::{n}") for n in range(20)]
        self.assertEqual(told.count(True), MOST_MISUSES - 2)
        self.assertFalse(self.users.misused(new, "10.0.0.1"))
        self.assertFalse(self.users.misused(new_key(), "10.0.0.1"))

    def test_misused_on_a_full_disk(self) -> None:
        """A misuse that cannot be noted is reported all the same."""
        self.users.announce(self.invite, new_key())
        with patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            self.assertTrue(self.users.misused(self.invite, "10.0.0.1"))

    def test_no_names(self) -> None:
        """What is no name makes no file."""
        before = self.files()
        for name, device in (("../eve", None), ("server", None), ("eve", "a@b")):
            self.assertRaises(ValueError, self.users.invite, name, device, 60)
            self.assertRaises(ValueError, self.users.add, name, device)
        self.assertEqual(self.files(), before)


class RemoveTests(UsersCase):
    def test_remove(self) -> None:
        """All keys of a removed user are dead; the name stays known."""
        key, phone, new = self.user(), self.user(device="phone"), new_key()
        other = self.user("bob")
        invite, bound, over = (self.users.invite("alice", None, 60) for _ in range(3))
        unproven = new_key()
        self.users.announce(key, new)
        self.users.announce(bound, unproven)
        self.users.remove("alice")
        for each in (key, phone, new, invite, bound, unproven, over):
            self.assertIs(self.standing(each), Standing.REMOVED)
        self.assertIs(self.standing(other), Standing.LIVE)
        self.assertEqual(self.users.names, {"bob"})
        self.assertTrue(self.users.known("alice"))
        self.assertEqual(
            self.files() - self.files(".retired"),
            {"alice.removed", "bob.key", "bob.user"},
        )

    def test_by_rename_alone(self) -> None:
        """The rename of .user is the removal: it needs no clean-up."""
        key = self.user()
        (self.folder / "alice.user").rename(self.folder / "alice.removed")
        with patch("os.fsync", side_effect=OSError(28, "No space left on device")):
            self.users.reload()
        self.assertTrue((self.folder / "alice.key").exists())
        self.assertIs(self.users.credentials[key].standing, Standing.REMOVED)

    def test_copied_in(self) -> None:
        """A user who exists by a key file alone is removed too."""
        key = new_key()
        self.put("alice.key", key)
        self.users.remove("alice")
        self.assertIs(self.standing(key), Standing.REMOVED)
        self.assertFalse(self.users.exists("alice"))

    def test_add_again(self) -> None:
        """Added again, the user is the same, and the old keys stay dead."""
        old = self.user()
        self.users.remove("alice")
        new = self.user()
        self.assertIs(self.standing(old), Standing.REMOVED)
        self.assertIs(self.standing(new), Standing.LIVE)
        self.assertEqual(self.files(".removed"), set())
        self.users.remove("alice")
        self.users.invite("alice", None, 60)
        self.assertTrue(self.users.exists("alice"))

    def test_nobody(self) -> None:
        """Nobody of that name: an error that says so."""
        self.user("bob")
        self.users.remove("bob")
        for name in ("alice", "bob"):
            with self.assertRaisesRegex(KeyFileError, f"no user {name}"):
                self.users.remove(name)

    def test_add_twice(self) -> None:
        """The key file of a device is never overwritten."""
        key = self.user()
        with self.assertRaisesRegex(KeyFileError, "is there already"):
            self.user()
        self.assertIs(self.standing(key), Standing.LIVE)

    def test_listing(self) -> None:
        """The listing holds keys, users without one, and names that are reserved."""
        self.user("alice")
        invite = self.users.invite("bob", "phone", 60)
        self.users.invite("carl", None, 60)
        self.users.remove("carl")
        lines = [
            (line.name, line.standing, line.expires)
            for line in self.users.listing()
            if line.key_id is None or line.standing is not Standing.REMOVED
        ]
        self.assertEqual(
            lines,
            [
                ("alice", Standing.LIVE, None),
                ("bob", Standing.INVITE, int((START + 60) * 1000)),
                ("carl", Standing.REMOVED, None),
            ],
        )
        self.time += 61
        self.users.expire()
        self.assertIn(("bob", None), [(n.name, n.key_id) for n in self.users.listing()])
        self.assertNotIn(invite.text, repr(self.users.listing()))
