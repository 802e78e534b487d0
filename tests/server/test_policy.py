"""What the operator decides holds at once, for everybody, and after a restart."""

from __future__ import annotations

import os
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.journal.interface import IJournal
from chatd.server import policy as policy_module
from chatd.server.operator import Operator
from chatd.server.policy import Mute, NotDecided, Policy, Rule
from chatd.wire.framing import encode
from chatd.wire.handshake import Refused
from tests.journal.list_journal import ListJournal
from tests.server.house import House, Peer

HOUR = 3_600_000


class OperatorCase(SynchronousTestCase):
    """Alice, Bob and Eve, and an operator."""

    def setUp(self) -> None:
        self.house = House(self)
        self.operator = Operator(
            self.house.hub,
            IJournal(self.house.journal),
            self.house.users,
            self.house.keyring,
            self.house.limits,
            os.urandom,
        )
        self.alice, self.bob, self.eve = map(
            self.house.session, ("alice", "bob", "eve")
        )

    def do(self, act: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(act))

    def refused(self, act: Coroutine[Any, Any, Any]) -> str:
        failure = self.failureResultOf(Deferred.fromCoroutine(act), NotDecided)
        return str(failure.value)

    @property
    def ms(self) -> int:
        return int(self.house.now() * 1000)


class PrivateTests(OperatorCase):
    """A private room is nothing to others, in every op."""

    def setUp(self) -> None:
        super().setUp()
        self.alice.ask("join", room="#ops")
        self.alice.say("#ops", "secret needle")

    def told(self, peer: Peer, room: str) -> list[dict[str, Any]]:
        """What each op answers about `room`."""
        asked = [
            peer.ask("history", room=room),
            peer.ask("members", room=room),
            peer.ask("search", query="needle", room=room),
            peer.ask("search", query="needle"),
            peer.ask("mark", room=room, read=1),
            peer.say(room, "x"),
            peer.ask("rooms"),
        ]
        for answer in asked:
            del answer["id"]
        return asked

    def test_outsiders_learn_nothing(self) -> None:
        """Their answers are those of a room that does not exist; guests', too."""
        self.do(self.operator.make_private("#ops", ["alice", "bob"]))
        for peer in (self.eve, self.house.session("~gus")):
            self.assertEqual(self.told(peer, "#ops"), self.told(peer, "#none"))
            self.assertEqual(peer.ask("join", room="#ops")["code"], "no-such-room")
        self.assertEqual(self.bob.ask("join", room="#ops", after=0)["op"], "ack")
        self.assertEqual(self.bob.bodies(), ["secret needle"])

    def test_readers_are_shut_out(self) -> None:
        """Who loses access is told nothing more of the room; the others are."""
        for peer in (self.bob, self.eve):
            peer.ask("join", room="#ops")
        self.do(self.operator.make_private("#ops", ["alice", "bob"]))
        self.alice.say("#ops", "for us")
        self.assertEqual((self.bob.bodies(), self.eve.bodies()), (["for us"], []))
        self.do(self.operator.expel("#ops", "bob"))
        self.alice.say("#ops", "for me")
        self.assertEqual(self.bob.bodies(), [])
        names = [m["name"] for m in self.alice.ask("members", room="#ops")["members"]]
        self.assertEqual(names, ["alice"])

    def test_admitted(self) -> None:
        """Who is let in is told of the room, and may join."""
        self.do(self.operator.make_private("#ops", ["alice"]))
        self.do(self.operator.admit("#ops", "eve"))
        (push,) = self.eve.pushed("room")
        self.assertEqual((push["room"], push["last"]), ("#ops", 1))
        self.assertEqual(self.eve.ask("join", room="#ops", after=0)["op"], "ack")
        self.do(self.operator.make_public("#ops"))
        self.assertEqual(self.bob.ask("join", room="#ops")["op"], "ack")

    def test_members_so_far(self) -> None:
        """Without names, those who are members keep it."""
        self.bob.ask("join", room="#ops")
        self.do(self.operator.make_private("#ops", []))
        allowed = self.house.hub.policy.rule("#ops").allowed
        self.assertEqual(allowed, {"alice", "bob"})

    def test_said_why_not(self) -> None:
        """What cannot be decided says why, and changes nothing."""
        for act, word in (
            (self.operator.make_private("#none", []), "no room"),
            (self.operator.make_private("#lobby", []), "everybody"),
            (self.operator.make_private("#ops", ["nobody"]), "no user"),
            (self.operator.admit("#ops", "bob"), "public"),
            (self.operator.expel("#ops", "bob"), "public"),
            (self.operator.retain("#ops", 0), "days"),
            (self.operator.create("#ops"), "already"),
            (self.operator.create("ops"), "#name"),
            (self.operator.say("#ops", ""), "empty"),
            (self.operator.mute("bob", self.ms), "later"),
            (self.operator.ban("bob", self.ms), "later"),
            (self.operator.unmute("bob"), "not muted"),
            (self.operator.unban("bob"), "banned"),
            (self.operator.ban("nobody", None), "no user"),
        ):
            self.assertIn(word, self.refused(act))
        self.assertEqual(self.house.journal.kept, {})

    def test_said_by_the_server(self) -> None:
        """The operator's words come in the server's name, in the room's log."""
        receipt = self.do(self.operator.say("#ops", "back in five minutes"))
        self.assertEqual(receipt.seq, 2)
        (push,) = self.alice.pushed("message")[-1:]
        self.assertEqual(
            (push["sender"], push["body"]), ("server", "back in five minutes")
        )

    def test_retention(self) -> None:
        """A room's own days go before the daemon's."""
        self.alice.ask("join", room="#keep")
        self.alice.say("#keep", "stays")
        self.house.clock.advance(2 * 86_400)
        self.do(self.operator.retain("#ops", 1))
        self.assertEqual(self.house.hub.rooms["#ops"].head.first, 2)
        self.assertEqual(self.house.hub.rooms["#keep"].head.first, 1)


class PeopleTests(OperatorCase):
    """Mutes, bans and kicks."""

    def test_mute(self) -> None:
        """A muted user's sends are refused, but to the server; others' are not."""
        self.alice.ask("join", room="#ops")
        self.do(self.operator.mute("alice", self.ms + HOUR))
        answer = self.alice.say("#ops", "x")
        self.assertEqual(answer["code"], "forbidden")
        self.assertIn("muted", answer["reason"])
        self.assertEqual(self.alice.say("@alice+bob", "x")["code"], "forbidden")
        self.assertEqual(self.alice.say("@alice+server", "x")["op"], "ack")
        self.bob.ask("join", room="#ops")
        self.assertEqual(self.bob.say("#ops", "x")["op"], "ack")

    def test_mute_ends(self) -> None:
        """When its time is over it is gone, from the disk too, within the hour."""
        self.do(self.operator.mute("alice", self.ms + HOUR // 2))
        self.house.clock.advance(HOUR / 2_000)
        alice = self.house.session("alice")
        self.assertEqual(alice.say("#lobby", "x")["op"], "ack")
        self.assertEqual(self.house.hub.policy.mutes, {})
        self.house.clock.advance(HOUR / 2_000)
        self.assertEqual(self.house.journal.kept, {})

    def test_unmute(self) -> None:
        self.alice.ask("join", room="#ops")
        self.do(self.operator.mute("alice", None))
        self.do(self.operator.unmute("alice"))
        self.assertEqual(self.alice.say("#ops", "x")["op"], "ack")

    def test_ban(self) -> None:
        """All keys of the user are out at once, and refused until it is over."""
        ids = self.do(self.operator.ban("eve", self.ms + HOUR))
        self.assertEqual(ids, [self.eve.key.id])
        self.assertEqual(self.eve.pushed("goodbye")[0]["reason"], "banned")
        self.assertTrue(self.eve.closed)
        peer = Peer(self.house, self.eve.key, "eve")
        answer = peer.hello()
        assert isinstance(answer, Refused)
        self.assertEqual(answer.code, "banned")
        self.assertFalse(self.alice.closed)
        self.house.clock.advance(3_601)
        self.house.session("eve")

    def test_unban(self) -> None:
        """By the key's id, or by the name."""
        self.do(self.operator.ban(self.eve.key.id, None))
        self.do(self.operator.unban("eve"))
        self.house.session("eve")

    def test_shared_key(self) -> None:
        """Guests and the plain dialect are out; users stay."""
        guest = self.house.session("~gus")
        protocol, transport = self.house.connect("192.0.2.7")
        text = encode(guest._sealer.seal([b"hello"])[0])
        protocol.dataReceived(text)
        self.house.turn()
        self.assertTrue(transport.value())
        self.do(self.operator.ban(self.house.shared.id, None))
        self.assertEqual(guest.pushed("goodbye")[0]["reason"], "banned")
        protocol.dataReceived(text)
        self.house.turn()
        self.assertTrue(protocol.closing)
        late, transport = self.house.connect("192.0.2.8")
        late.dataReceived(text)
        self.house.turn()
        self.assertTrue(late.closing)
        self.assertEqual(transport.value(), b"")
        answer = Peer(self.house, self.house.shared, "~new", "192.0.2.9").hello()
        assert isinstance(answer, Refused)
        self.assertEqual(answer.code, "banned")
        self.assertFalse(self.alice.closed)

    def test_kick(self) -> None:
        """All sessions end; the user may come again."""
        second = self.house.session("eve")
        self.assertEqual(self.operator.kick("eve"), 2)
        for peer in (self.eve, second):
            self.assertEqual(peer.pushed("goodbye")[0]["reason"], "kicked")
            self.assertTrue(peer.closed)
        self.assertRaises(NotDecided, self.operator.kick, "nobody")
        self.eve.lose()
        second.lose()
        self.house.session("eve")

    def test_logged(self) -> None:
        """Each act is a line of the log; what was said is not in it."""
        with capturedLogs() as logs:
            self.do(self.operator.mute("eve", None))
            self.do(self.operator.say("#lobby", "hush-hush"))
        acts = [(event["act"], event["about"]) for event in logs]
        self.assertEqual(acts, [("mute", "eve"), ("say", "#lobby")])
        self.assertNotIn("hush", repr([dict(event) for event in logs]))


class KeptTests(SynchronousTestCase):
    """What is decided is on disk first, and comes back."""

    def setUp(self) -> None:
        self.now = 1_000.0
        self.journal = ListJournal(lambda: self.now)

    def policy(self) -> Policy:
        policy = Policy(IJournal(self.journal), lambda: self.now)
        policy.load(self.journal.kept)
        return policy

    def test_comes_back(self) -> None:
        """All kinds, after a restart; what was lifted does not."""
        first = self.policy()
        for act in (
            first.set_private("#ops", frozenset({"bob", "al"})),
            first.retain("#ops", 30),
            first.mute("eve", None),
            first.mute("gone", None),
            first.unmute("gone"),
            first.set_ban("0123abcd", 2_000_000, "eve"),
        ):
            self.successResultOf(Deferred.fromCoroutine(act))
        second = self.policy()
        for name in ("rules", "mutes", "bans"):
            self.assertEqual(getattr(first, name), getattr(second, name))
        self.assertEqual(second.rule("#ops"), Rule(frozenset({"bob", "al"}), 30))
        self.assertEqual(second.mutes, {"eve": Mute()})

    def test_one_after_the_other(self) -> None:
        """Changes that are asked for together do not undo each other."""
        waiting: list[Deferred[bool]] = []

        def keep(name: str, text: str | None) -> Deferred[bool]:
            self.journal.kept[name] = text or ""
            waiting.append(Deferred())
            return waiting[-1]

        policy = self.policy()
        act = policy.set_private("#ops", frozenset({"eve"}))
        self.successResultOf(Deferred.fromCoroutine(act))
        self.patch(self.journal, "keep", keep)
        acts = [
            Deferred.fromCoroutine(policy.expel("#ops", "eve")),
            Deferred.fromCoroutine(policy.admit("#ops", "bob")),
            Deferred.fromCoroutine(policy.retain("#ops", 7)),
        ]
        for n, act_done in enumerate(acts):
            self.assertNoResult(act_done)
            waiting[n].callback(True)
            self.successResultOf(act_done)
        self.assertEqual(policy.rule("#ops"), Rule(frozenset({"bob"}), 7))
        self.assertEqual(self.policy().rules, policy.rules)

    def test_limits(self) -> None:
        """n mutes and n names in a room, not one more; those that end make room."""
        self.patch(policy_module, "MOST_ENTRIES", 2)
        self.patch(policy_module, "MOST_MEMBERS", 2)
        policy = self.policy()
        two = frozenset({"al", "bob"})
        for act in (
            policy.mute("al", 1_000_001),
            policy.mute("bob", None),
            policy.mute("bob", 1_000_001),
            policy.set_private("#ops", two),
        ):
            self.successResultOf(Deferred.fromCoroutine(act))
        for act in (policy.mute("eve", None), policy.admit("#ops", "eve")):
            failure = self.failureResultOf(Deferred.fromCoroutine(act), NotDecided)
            self.assertIn("2", str(failure.value))
        self.now += 1
        for act in (policy.forget_expired(), policy.mute("eve", None)):
            self.successResultOf(Deferred.fromCoroutine(act))
        self.assertEqual(sorted(self.journal.kept), ["mute/eve", "room/#ops"])

    def test_usual_again_leaves_nothing(self) -> None:
        """A room as all others are needs no text."""
        policy = self.policy()
        for act in (
            policy.set_private("#ops", frozenset()),
            policy.set_public("#ops"),
        ):
            self.successResultOf(Deferred.fromCoroutine(act))
        self.assertEqual(self.journal.kept, {})

    def test_not_stored(self) -> None:
        """Where the disk takes nothing, nothing holds."""
        policy = self.policy()
        self.patch(
            self.journal, "keep", lambda name, text: Deferred.fromCoroutine(no())
        )

        async def no() -> bool:
            return False

        act = Deferred.fromCoroutine(policy.mute("eve", None))
        self.assertIn("disk", str(self.failureResultOf(act, NotDecided).value))
        self.assertFalse(policy.muted("eve"))

    def test_unreadable(self) -> None:
        """What cannot be read is taken for the strictest, and logged."""
        for text in (
            *("", "{", "[]", "{}", '{"days":1}', '{"allowed":null}'),
            *('{"allowed":[1],"days":1}', '{"allowed":["a b"],"days":1}'),
            *('{"allowed":null,"days":0}', '{"allowed":null,"days":true}'),
        ):
            self.journal.kept = {"room/#ops": text}
            with capturedLogs() as logs:
                self.assertEqual(self.policy().rule("#ops"), Rule(frozenset()))
            self.assertEqual(logs[0]["log_level"], LogLevel.error)
        self.journal.kept = {"mute/eve": "x", "ban/0123abcd": '{"until":"x"}'}
        with capturedLogs():
            policy = self.policy()
        self.assertTrue(policy.muted("eve"))
        self.assertIsNotNone(policy.ban("0123abcd"))
