"""What one peer does or meets, others do not feel."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile
from chatd.journal.interface import Draft, Outcome
from chatd.server.factory import GREETINGS_A_TURN
from chatd.server.rooms import Subscription
from chatd.wire.framing import encode
from chatd.wire.tokens import Key, Sealer
from tests.journal.list_journal import ListJournal
from tests.server.house import House, Peer


class _Broken(ListJournal):
    """Has a bug that one message meets."""

    def append(self, draft: Draft) -> Deferred[Outcome]:
        if draft.body == "break":
            raise RuntimeError("a bug")
        return super().append(draft)


class HostileTests(SynchronousTestCase):
    def test_bug(self) -> None:
        """A bug that one session meets ends it alone; all others talk on."""
        house = House(self)
        house = House(self, journal=_Broken(house.now))
        eve, alice = house.session("eve"), house.session("alice")
        eve.post("send", room="#lobby", body="break")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertTrue(eve.closed)
        self.assertEqual(alice.say("#lobby", "x")["op"], "ack")

    def test_strangers_at_once(self) -> None:
        """Of first frames that come together, some are tried in each turn."""
        house = House(self)
        strange = Sealer(Key.generate(os.urandom), house.now, os.urandom)
        (token,) = strange.seal([b"x"])
        there = []
        for number in range(GREETINGS_A_TURN + 1):
            protocol, _ = house.connect(f"192.0.2.{number}")
            protocol.dataReceived(encode(token))
            there.append(protocol)
        house.factory.flush()
        self.assertEqual([p.closing for p in there].count(False), 1)
        house.factory.flush()
        self.assertEqual([p.closing for p in there].count(False), 0)

    def test_many_rooms(self) -> None:
        """A join costs nothing for the rooms that are joined already."""
        house = House(self)
        alice = house.session("alice")
        alice.ask("join", room="#other")
        live = alice.protocol.live
        assert live is not None
        pumped = []

        class Counted(Subscription):
            def pump(self) -> None:
                pumped.append(self.room.name)
                super().pump()

        room = house.hub.rooms["#other"]
        other = Counted(live, room, 0, house.journal.read)
        live.subscriptions["#other"] = room.readers[live] = other
        alice.ask("join", room="#lobby")
        self.assertEqual(pumped, [])

    def test_invited_is_not_online(self) -> None:
        """A session by an invite makes nobody appear, nor hides who comes and goes."""
        house = House(self)
        bob = house.session("bob")
        bob.pushed("presence")  # his own
        invite = Peer(house, house.users.invite("alice", None, 60), "alice")
        invite.begin()
        self.assertEqual(bob.pushed("presence"), [])
        bob.say("@alice+bob", "hello")
        self.assertEqual(invite.look(), [])
        alice = Peer(house, keyfile.read(house.users.add("alice", None)), "alice")
        alice.begin()
        house.clock.advance(2)
        self.assertEqual([p["online"] for p in bob.pushed("presence")], [True])
        alice.lose()
        house.clock.advance(2)
        self.assertEqual([p["online"] for p in bob.pushed("presence")], [False])
