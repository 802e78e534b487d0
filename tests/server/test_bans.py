"""A banned key opens nothing: not by a race, not by its heir, in neither dialect."""

from __future__ import annotations

import os

from chatd import keyfile
from chatd.wire.framing import encode
from chatd.wire.handshake import Refused
from chatd.wire.tokens import Key
from tests.server.house import Peer
from tests.server.test_policy import HOUR, OperatorCase


class BanCase(OperatorCase):
    """Helps to see who is turned away."""

    def turned_away(self, key: Key, name: str) -> int | None:
        """A hello is refused as banned; the ms after which it may come again."""
        answer = Peer(self.house, key, name).hello()
        assert isinstance(answer, Refused), answer
        self.assertEqual(answer.code, "banned")
        return answer.retry_after


class HeirTests(BanCase):
    """Whoever holds a banned key cannot have it replaced."""

    def test_announced_before(self) -> None:
        """A key announced by rekey is out while the ban of the older one holds."""
        heir = Key.generate(os.urandom)
        self.eve.ask("rekey", key=heir.text)
        self.do(self.operator.ban(self.eve.key.id, self.ms + HOUR))
        self.turned_away(heir, "eve")
        self.turned_away(self.eve.key, "eve")
        self.house.clock.advance(HOUR / 1000 + 1)
        Peer(self.house, heir, "eve").begin()

    def test_invite(self) -> None:
        """Nor does an invite, or the key bound to it."""
        invite = self.house.users.invite("dora", None, 3_600)
        peer = Peer(self.house, invite, "dora")
        peer.begin()
        heir = Key.generate(os.urandom)
        self.assertEqual(peer.ask("rekey", key=heir.text)["op"], "ack")
        self.do(self.operator.ban(invite.id, None))
        self.assertEqual(peer.pushed("goodbye")[0]["reason"], "banned")
        self.turned_away(invite, "dora")
        self.turned_away(heir, "dora")

    def test_other_devices_stay(self) -> None:
        """A ban of one key leaves the user's others alone."""
        other = keyfile.read(self.house.users.add("eve", "phone"))
        self.house.users.reload()
        self.do(self.operator.ban(self.eve.key.id, None))
        Peer(self.house, other, "eve").begin()


class MomentTests(BanCase):
    """From the moment of the ban on nothing is done for the key."""

    def test_welcomed_before(self) -> None:
        """A session that was welcomed and not yet live when the ban came stays out;
        what its first frames ask is not done."""
        for key, name in (
            (self.house.user("dora"), "dora"),
            (self.house.shared, "~gus"),
        ):
            peer = Peer(self.house, key, name)
            peer.hello()
            self.do(self.operator.ban(key.id, None))
            peer.post("send", room="#lobby", body="too late")
            self.assertEqual(peer.pushed("goodbye")[0]["reason"], "banned")
            self.assertTrue(peer.closed)
        self.assertEqual(self.house.journal.log, [])

    def test_nothing_after_goodbye(self) -> None:
        """What came in the same turn as the ban, behind it, is not done."""
        assert self.eve._channel is not None
        text = b'{"op":"send","id":"late","room":"#lobby","body":"x"}'
        self.eve.protocol.dataReceived(encode(self.eve._channel.seal([text])[0]))
        self.do(self.operator.ban("eve", None))
        self.assertEqual(self.eve.pushed("goodbye")[0]["reason"], "banned")
        self.assertEqual((self.eve.answers, self.house.journal.log), ({}, []))

    def test_when_to_come_again(self) -> None:
        """Goodbye and refusal say when a ban ends, if it does."""
        self.do(self.operator.ban("bob", None))
        self.assertNotIn("retry_after", self.bob.pushed("goodbye")[0])
        self.assertIsNone(self.turned_away(self.bob.key, "bob"))
        self.do(self.operator.ban("eve", self.ms + HOUR))
        self.assertEqual(self.eve.pushed("goodbye")[0]["retry_after"], HOUR)
        self.house.clock.advance(HOUR / 2_000)
        self.assertEqual(self.turned_away(self.eve.key, "eve"), HOUR // 2)


class PlainTests(BanCase):
    """The plain dialect under a banned shared key."""

    def setUp(self) -> None:
        super().setUp()
        self.old = self.house.shared
        new = self.house.folder / "new.key"
        keyfile.create(new, Key.generate(os.urandom))
        self.new = keyfile.read(new)
        self.house.keyring._paths = [*self.house.keyring._paths, new]
        self.house.keyring.reload()

    def text(self, key: Key) -> bytes:
        peer = Peer(self.house, key, None, "192.0.2.9")
        return encode(peer._sealer.seal([b"hello"])[0])

    def test_silent_connections(self) -> None:
        """One that says nothing is closed by the next sweep; another key's is not."""
        old, _ = self.house.connect("192.0.2.7")
        new, _ = self.house.connect("192.0.2.7")
        old.dataReceived(self.text(self.old))
        new.dataReceived(self.text(self.new))
        self.house.turn()
        self.do(self.operator.ban(self.old.id, None))
        self.house.clock.advance(1)
        self.assertEqual((old.closing, new.closing), (True, False))

    def test_begun_under_another_key(self) -> None:
        """What the banned key sealed is not answered on such a connection either."""
        protocol, transport = self.house.connect("192.0.2.7")
        protocol.dataReceived(self.text(self.new))
        self.house.turn()
        self.do(self.operator.ban(self.old.id, None))
        transport.clear()
        protocol.dataReceived(self.text(self.old))
        self.house.turn()
        self.assertTrue(protocol.closing)
        self.assertEqual(transport.value(), b"")
