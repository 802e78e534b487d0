"""A connection's state, the keyring and the limits: no sockets."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.fernet import Fernet
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile
from chatd.server.addresses import group, peer_name
from chatd.server.keyring import Keyring, Opened, seal
from chatd.server.limits import Throttle
from chatd.server.session import PlainSession
from chatd.server.users import Users
from chatd.wire.tokens import Key, Refusal, Sealer

SEALER = Sealer(Key(bytes(32)), lambda: 0, os.urandom)


def opened(*texts: bytes) -> list[Opened | Refusal]:
    return [(text, SEALER) for text in texts]


class SessionTests(SynchronousTestCase):
    """What a connection says decides what it is answered."""

    def test_one_answer_a_frame(self) -> None:
        """Each frame has its answer, in order, for the key that opened it."""
        answers = PlainSession(65_536).receive(opened(b"a", b"\xff", b"b"))
        self.assertEqual(
            [text for text, _ in answers],
            [
                b"Server received: a",
                b"Server refused: not UTF-8 text",
                b"Server received: b",
            ],
        )
        self.assertEqual({sealer for _, sealer in answers}, {SEALER})

    def test_refused_token_ends(self) -> None:
        """Behind a token that does not open nothing is answered."""
        session = PlainSession(65_536)
        answers = session.receive([*opened(b"a"), Refusal.WRONG_KEY, *opened(b"b")])
        self.assertEqual(len(answers), 1)
        self.assertEqual(session.ended, Refusal.WRONG_KEY.value)


class KeyringTests(SynchronousTestCase):
    """Several accepted keys."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "secret.key"
        self.path.parent.mkdir()
        keyfile.create(self.path, Key.generate(os.urandom))

    def keyring(self) -> Keyring:
        users = Users(self.path.with_name("keys"), lambda: 1.7e9)
        return Keyring([self.path], users, lambda: 1.7e9, os.urandom)

    def test_each_under_its_own(self) -> None:
        """Old and new keys open, mixed in one batch; answers go out under the same."""
        old = Fernet(keyfile.read(self.path).text)
        new = Fernet(keyfile.rotate(self.path).text)
        wrong = Fernet(Fernet.generate_key())
        senders = [old, new, wrong, old, new, old]
        found = self.keyring().open(
            [f.encrypt(b"%d" % n) for n, f in enumerate(senders)]
        )
        self.assertIs(found.pop(2), Refusal.WRONG_KEY)
        senders.remove(wrong)
        answers = [frame for frame in found if not isinstance(frame, Refusal)]
        self.assertEqual([text for text, _ in answers], [b"0", b"1", b"3", b"4", b"5"])
        for sender, token, answer in zip(senders, seal(answers), answers, strict=True):
            self.assertEqual(sender.decrypt(token), answer[0])

    def test_reload(self) -> None:
        """A reload takes new keys in and retired ones out."""
        keyring = self.keyring()
        old = Fernet(keyfile.read(self.path).text)
        new = Fernet(keyfile.rotate(self.path).text)
        self.assertEqual(keyring.open([new.encrypt(b"x")]), [Refusal.WRONG_KEY])
        keyring.reload()
        self.assertEqual(len(keyring.ids), 2)
        self.assertNotIsInstance(keyring.open([new.encrypt(b"x")])[0], Refusal)
        keyfile.retire(self.path)
        keyring.reload()
        self.assertEqual(keyring.open([old.encrypt(b"x")]), [Refusal.WRONG_KEY])

    def test_failed_reload(self) -> None:
        """With a fault in a key file all stays as it was."""
        keyring = self.keyring()
        ids = keyring.ids
        self.path.chmod(0o644)
        self.assertRaises(keyfile.KeyFileError, keyring.reload)
        self.assertEqual(keyring.ids, ids)

    def test_a_key_given_twice(self) -> None:
        """The same key from two files counts once."""
        users = Users(self.path.with_name("keys"), lambda: 1.7e9)
        keyring = Keyring([self.path, self.path], users, lambda: 0, os.urandom)
        self.assertEqual(len(keyring.ids), 1)

    def test_empty(self) -> None:
        """Nothing opened, nothing sealed."""
        self.assertEqual(self.keyring().open([]), [])
        self.assertEqual(seal([]), [])


class ThrottleTests(SynchronousTestCase):
    """The log's throttle."""

    def test_burst_then_one_a_period(self) -> None:
        """The first three pass, then one a period that tells how many did not."""
        clock = Clock()
        throttle = Throttle(clock.seconds, period=10, burst=3)
        self.assertEqual(
            [throttle.passes("a") for _ in range(5)], [0, 0, 0, None, None]
        )
        self.assertEqual(throttle.passes("b"), 0)
        clock.advance(10)
        self.assertEqual(throttle.passes("a"), 2)

    def test_bounded(self) -> None:
        """At most so many keys are remembered; the rest share one."""
        clock = Clock()
        throttle = Throttle(clock.seconds, period=10, burst=1, keys=2)
        passed = [throttle.passes(key) for key in range(5)]
        self.assertEqual(passed, [0, 0, 0, None, None])
        clock.advance(10)
        self.assertEqual(throttle.passes(9), 0)


class AddressTests(SynchronousTestCase):
    """Peers by their addresses."""

    def test_names(self) -> None:
        """A peer's name in the log."""
        for address, name, one in [
            (IPv4Address("TCP", "192.0.2.1", 7), "192.0.2.1:7", "192.0.2.1"),
            (IPv6Address("TCP", "2001:db8::1", 7), "[2001:db8::1]:7", "2001:db8::/64"),
            (IPv6Address("TCP", "fe80::1%eth0", 7), "[fe80::1%eth0]:7", "fe80::/64"),
            (
                IPv6Address("TCP", "::ffff:192.0.2.1", 7),
                "[::ffff:192.0.2.1]:7",
                "192.0.2.1",
            ),
            (UNIXAddress(b"/s"), "unix", "unix"),
        ]:
            self.assertEqual(peer_name(address), name)
            self.assertEqual(group(address), one)
