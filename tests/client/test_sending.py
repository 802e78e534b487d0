"""Own messages on the wire: when they are sent again, and what ends them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.events import OwnState
from chatd.client.limits import Limits
from chatd.client.link import Phase, Reason
from chatd.wire.handshake import refused
from chatd.wire.messages import push
from chatd.wire.tokens import Key
from tests.client.peer import KEY
from tests.client.session_peer import SessionServer, SessionWorld


class SendingTests(SynchronousTestCase):
    """One client online, its server played by the test."""

    def setUp(self) -> None:
        self.world = SessionWorld()
        self.client, self.clock = self.world.client, self.world.clock
        self.server = self.world.online()
        self.addCleanup(self.world.store.close)

    def say(self, room: str, text: str) -> None:
        self.client.say(room, text)
        self.clock.advance(0)

    def bodies(self) -> list[str]:
        return [each["body"] for each in self.server.requests()]

    def test_refusals_of_two_rooms(self) -> None:
        """A room waits its own time, not another's that waits longer."""
        self.say("#slow", "a")
        self.server.error(self.server.ask("send"), "slow-down", retry_after=20_000)
        self.say("#fast", "b")
        self.server.error(self.server.ask("send"), "not-stored")
        self.clock.advance(Limits().retry)
        self.assertEqual(self.bodies(), ["b"])

    def test_same_id(self) -> None:
        """What was not taken is sent again as it was: id, text and time of writing."""
        self.say("#a", "text")
        first = self.server.ask("send")
        for code in ("held", "not-stored", "internal", "never-heard-of"):
            self.server.error(first, code)
            self.clock.advance(10)
            sends = [e for e in self.server.requests() if e["op"] == "send"]
            self.assertEqual(sends, [first])
            self.server.say(push("presence", name="bob", online=True))

    def test_for_good(self) -> None:
        """Each code that is for good fails the message, with the server's words."""
        for code in ("forbidden", "too-long", "conflict", "bad-request"):
            self.say("#a", code)
            self.server.error(self.server.ask("send"), code)
            own = self.client.own()[-1]
            self.assertEqual((own.state, own.code), (OwnState.FAILED, code))
            self.assertEqual(own.reason, "so")
        self.assertEqual(len(self.world.store.outbox.all()), 4)

    def test_no_answer_to_a_send(self) -> None:
        """An ack without a seq is none of a chatd: the line ends, the text stays."""
        self.say("#a", "text")
        self.server.ack(self.server.ask("send"), seq="1")
        self.assertIs(self.client.state.reason, Reason.NOT_CHATD)
        self.assertEqual([own.body for own in self.client.own()], ["text"])
        self.server = self.world.again(self.server)
        self.assertEqual(self.bodies(), ["text"])

    def test_resent_on_the_next_connection(self) -> None:
        """All that was not answered goes out again, in typed order, with the same
        ids."""
        for n in range(5):
            self.say("#a", f"{n}")
        before = self.server.requests()
        self.server = self.world.again(self.server)
        self.assertEqual(
            [each["id"] for each in self.server.requests()],
            [each["id"] for each in before],
        )

    def test_at_most_so_many(self) -> None:
        """64 are on the wire at once; each answer lets the next go."""
        for n in range(70):
            self.client.say("#a", f"{n}")
        self.clock.advance(0)
        sends = self.server.requests()
        self.assertEqual(len(sends), 64)
        self.server.ack(sends[0], seq=1)
        self.assertEqual(self.bodies(), ["64"])

    def test_a_full_disk(self) -> None:
        """Where the outbox cannot be written when the ack comes, it is logged, and
        the message is sent once more: it stands in the room only once."""
        self.say("#a", "text")
        self.world.store._connection.execute("PRAGMA query_only=1")
        self.server.ack(self.server.ask("send"), seq=1)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.world.store._connection.execute("PRAGMA query_only=0")
        self.server = self.world.again(self.server)
        self.server.ack(self.server.ask("send"), seq=1)
        self.assertEqual(self.client.own(), [])


class EndTests(SynchronousTestCase):
    """How sessions end, and which key is tried next."""

    def setUp(self) -> None:
        self.world = SessionWorld()
        self.client, self.clock = self.world.client, self.world.clock
        self.addCleanup(self.world.store.close)

    def end(self, reason: str, **fields: object) -> SessionServer:
        server = self.world.online()
        server.say(push("goodbye", reason=reason, **fields))
        return server

    def test_told_to_stay_away(self) -> None:
        """Without a time to come back the client does not, whatever the reason."""
        for reason, why in (
            ("kicked", Reason.KICKED),
            ("banned", Reason.BANNED),
            ("removed", Reason.REMOVED),
            ("rotated", Reason.ROTATED),
            ("shutdown", Reason.ENDED),
            ("bad-frame", Reason.ENDED),
            ("slow", Reason.ENDED),
            ("never-heard-of", Reason.ENDED),
        ):
            self.end(reason)
            state = self.client.state
            self.assertEqual((state.phase, state.reason), (Phase.STOPPED, why), reason)

    def test_told_to_come_back(self) -> None:
        """With a time the client waits so long."""
        self.end("never-heard-of", retry_after=2500)
        state = self.client.state
        self.assertEqual((state.phase, state.retry_in), (Phase.WAITING, 2.5))
        self.clock.advance(2.5)
        self.assertIs(self.client.state.phase, Phase.CONNECTING)

    def test_banned(self) -> None:
        """A ban that ends is waited out, told by goodbye or refusal; one that does not
        end is the person's business."""
        ending, lasting = {"retry_after": 90_000}, dict[str, object]()
        for fields, expected in (
            (ending, (Phase.WAITING, Reason.BANNED, 90.0)),
            (lasting, (Phase.STOPPED, Reason.BANNED, None)),
        ):
            world = SessionWorld()
            self.addCleanup(world.store.close)
            server = world.online()
            server.say(push("goodbye", reason="banned", **fields))
            state = world.client.state
            self.assertEqual((state.phase, state.reason, state.retry_in), expected)
            world.client.stop()
            world.client.start()
            server = world.attempt()
            server.handshake(refused(server.hello(), "banned", "so", **fields))
            state = world.client.state
            self.assertEqual((state.phase, state.reason, state.retry_in), expected)
            self.assertIn("Ask its operator", state.advice)

    def test_longest_wait(self) -> None:
        """It is asked again within the hour, whatever it says: it may have thought
        better of it."""
        self.end("banned", retry_after=2**53 - 1)
        self.assertEqual(self.client.state.retry_in, 3600.0)

    def test_every_key_again(self) -> None:
        """Started after a refusal the client tries all its keys again: an interrupted
        rotation is not given up."""
        other = Key(bytes(32))
        world = SessionWorld(keys=[other, KEY])
        self.addCleanup(world.store.close)
        world.client.start()
        for key in (other, KEY):
            server = world.attempt(key)
            server.handshake(refused(server.hello(), "removed", "so"))
        self.assertIs(world.client.state.phase, Phase.STOPPED)
        world.client.start()
        world.attempt(other).live()
        self.assertIs(world.client.state.phase, Phase.ONLINE)
        self.assertEqual(world.client.key, other)

    def test_nothing_left(self) -> None:
        """Stopped amid everything, no timer is left."""
        server = self.world.online()
        self.world.follow(server, "#a")
        self.client.join("#b").addErrback(lambda _: None)
        server.error(server.ask("join"), "internal")
        self.client.say("#a", "text")
        self.clock.advance(0)
        server.error(server.ask("send"), "internal")
        self.client.say("#a", "more")
        self.client.read("#a", 1)
        self.client.messages("#c").addErrback(lambda _: None)
        stopped = self.client.stop()
        self.world.lose(server)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
