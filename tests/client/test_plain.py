"""chatd.client.plain: the link's life and the calls on it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
)
from twisted.internet.interfaces import IProtocolFactory, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from chatd.client.errors import Crowded, Declined, NotText, SayFailed, TooLong
from chatd.client.limits import Limits
from chatd.client.line import Line
from chatd.client.link import LinkState, Phase, Reason
from chatd.wire.framing import encode
from chatd.wire.plain import NOT_UTF8, PREFIX, TOO_LONG
from chatd.wire.tokens import Key, Sealer
from tests.client.peer import Peer, World, urandom


class LinkTests(SynchronousTestCase):
    def test_online_after_reply(self) -> None:
        """ONLINE comes with the right reply to the probe, not with TCP."""
        world = World()
        world.client.start()
        peer = Peer(world.endpoint)
        self.assertIs(world.client.state.phase, Phase.CONNECTING)
        online = world.client.when_online()
        self.assertNoResult(online)
        self.assertEqual(len(peer.answer()), 1)
        self.successResultOf(online)
        self.successResultOf(world.client.when_online())
        self.assertEqual(
            [state.phase for state in world.states], [Phase.CONNECTING, Phase.ONLINE]
        )

    def test_reasons_of_failed_attempts(self) -> None:
        """Each way an attempt fails has its own reason."""
        for error, reason in (
            (ConnectionRefusedError(), Reason.REFUSED),
            (DNSLookupError(), Reason.UNREACHABLE),
            (TCPTimedOutError(), Reason.TIMEOUT),
        ):
            world = World()
            world.client.start()
            world.endpoint.attempts[-1][1].errback(error)
            self.assertIs(world.client.state.reason, reason)
            self.assertIs(world.client.state.phase, Phase.WAITING)
            self.assertEqual(world.client.state.retry_in, 0.5)

    def test_wrong_key(self) -> None:
        """A close ahead of any answer means a wrong key, and a long wait."""
        for error in (None, ConnectionLost()):
            world = World()
            world.client.start()
            Peer(world.endpoint).lose(error)
            self.assertIs(world.client.state.reason, Reason.WRONG_KEY)
            self.assertEqual(world.client.state.retry_in, 5.0)
            self.assertIn("chatctl key show-id", world.client.state.advice)

    def test_not_chatd(self) -> None:
        """Junk, unasked and wrong replies, other keys' tokens abort the connection."""
        other = Sealer(Key(bytes(32)), lambda: 0.0, urandom)
        foreign = encode(other.seal([PREFIX])[0])
        for junk in (
            lambda peer: peer.protocol.dataReceived(b"HTTP/1.1 400\r\n"),
            lambda peer: peer.send(PREFIX + b"something else"),
            lambda peer: peer.send(TOO_LONG),
            lambda peer: (peer.answer(), peer.send(PREFIX)),
            lambda peer: peer.protocol.dataReceived(foreign),
        ):
            world = World()
            world.client.start()
            peer = Peer(world.endpoint)
            junk(peer)
            self.assertIs(world.client.state.reason, Reason.NOT_CHATD)
            self.assertTrue(peer.transport.disconnecting)

    def test_junk_then_close(self) -> None:
        """A close behind half a frame is no wrong key."""
        world = World()
        world.client.start()
        peer = Peer(world.endpoint)
        peer.protocol.dataReceived(b"1")
        peer.lose()
        self.assertIs(world.client.state.reason, Reason.NOT_CHATD)

    def test_accept_and_drop_backs_off(self) -> None:
        """A server that accepts and drops is tried less and less often."""
        world = World()
        world.client.start()
        waits = []
        for _ in range(5):
            Peer(world.endpoint).lose()
            waits.append(world.client.state.retry_in)
            world.clock.advance(waits[-1] or 0.0)
        self.assertEqual(waits, [5.0, 10.0, 20.0, 30.0, 30.0])

    def test_lost_and_back(self) -> None:
        """A link that is lost comes back after the first delay."""
        world = World()
        world.online().lose()
        self.assertIs(world.client.state.reason, Reason.LOST)
        world.clock.advance(0.25)
        self.assertEqual(world.client.state.retry_in, 0.25)
        world.clock.advance(0.25)
        Peer(world.endpoint).answer()
        self.assertEqual(
            world.client.state, LinkState(Phase.ONLINE, where="127.0.0.1:5555")
        )

    def test_retry_now(self) -> None:
        """retry_now ends the wait, and does nothing elsewhere."""
        world = World()
        world.client.retry_now()
        world.online().lose()
        world.client.retry_now()
        self.assertEqual(len(world.endpoint.attempts), 2)
        world.client.retry_now()
        world.client.start()
        self.assertEqual(len(world.endpoint.attempts), 2)

    def test_connect_timeout(self) -> None:
        """An attempt that hangs is cancelled; a late connection is closed."""
        world = World()
        world.client.start()
        world.clock.advance(15.0)
        self.assertIs(world.client.state.reason, Reason.TIMEOUT)
        self.assertEqual(world.endpoint.cancelled, 1)

    def test_silence(self) -> None:
        """An idle link is probed; without an answer it is given up."""
        world = World()
        peer = world.online()
        world.clock.advance(20.0)
        self.assertEqual(len(peer.answer()), 1)
        world.clock.advance(20.0)
        world.clock.advance(9.9)
        self.assertIs(world.client.state.phase, Phase.ONLINE)
        world.clock.advance(0.1)
        self.assertIs(world.client.state.reason, Reason.TIMEOUT)

    def test_probe_unanswered(self) -> None:
        """A server that never answers the probe is given up."""
        world = World()
        world.client.start()
        Peer(world.endpoint)
        world.clock.advance(10.0)
        self.assertIs(world.client.state.reason, Reason.TIMEOUT)

    def test_observers(self) -> None:
        """An observer that raises disturbs nobody; one that left hears nothing."""
        world = World()
        heard: list[LinkState] = []

        def broken(state: LinkState) -> None:
            raise RuntimeError

        world.client.observe(broken)
        world.client.observe(heard.append)
        leave = world.client.observe(lambda state: self.fail("left"))
        leave()
        leave()
        world.client.start()
        self.assertEqual(heard, world.states)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_observer_that_stops(self) -> None:
        """What an observer causes is told to all, in order."""
        world = World()
        heard: list[Phase] = []

        def stop(state: LinkState) -> None:
            if state.phase is Phase.ONLINE:
                world.client.stop()

        world.client.observe(stop)
        world.client.observe(lambda state: heard.append(state.phase))
        world.online().lose()
        self.assertEqual(heard, [Phase.CONNECTING, Phase.ONLINE, Phase.STOPPED])
        self.assertEqual(world.clock.getDelayedCalls(), [])


class StopTests(SynchronousTestCase):
    def test_stop_in_each_phase(self) -> None:
        """After stop nothing is pending, in whatever phase it came."""
        for phase in ("stopped", "connecting", "probing", "online", "waiting"):
            world = World()
            calls: list[Deferred[str]] = []
            peer = None
            if phase != "stopped":
                world.client.start()
                calls.append(world.client.say("one"))
                waiter = world.client.when_online()
            if phase in ("probing", "online", "waiting"):
                peer = Peer(world.endpoint)
            if phase in ("online", "waiting") and peer is not None:
                peer.answer()
                calls.append(world.client.say("two"))
            if phase == "waiting" and peer is not None:
                peer.lose()
                peer = None
            done = world.client.stop()
            if peer is not None:
                self.assertNoResult(done)
                peer.lose()
            self.successResultOf(done)
            for call in calls:
                self.failureResultOf(call, SayFailed)
            if phase in ("connecting", "probing"):
                self.failureResultOf(waiter, SayFailed)
            self.assertEqual(world.clock.getDelayedCalls(), [])
            self.assertIs(world.client.state.phase, Phase.STOPPED)
            self.failureResultOf(world.client.when_online(), SayFailed)
            self.failureResultOf(world.client.say("x"), SayFailed)

    def test_close_is_bounded(self) -> None:
        """A connection that does not close in time is aborted."""
        world = World()
        peer = world.online()
        done = world.client.stop()
        again = world.client.stop()
        self.assertTrue(peer.transport.disconnecting)
        world.clock.advance(2.0)
        self.successResultOf(done)
        self.successResultOf(again)
        self.assertEqual(world.clock.getDelayedCalls(), [])


class SayTests(SynchronousTestCase):
    def test_burst_in_one_write(self) -> None:
        """Texts of one turn go out in one write and are answered in order."""
        world = World()
        peer = world.online()
        calls = [world.client.say(text) for text in ("a", "é", "")]
        self.assertEqual(peer.requests(), [])
        world.clock.advance(0)
        self.assertEqual(peer.answer(), [b"a", "é".encode(), b""])
        self.assertEqual(
            [self.successResultOf(call) for call in calls],
            ["Server received: a", "Server received: é", "Server received: "],
        )

    def test_waits_for_the_link(self) -> None:
        """Texts said while CONNECTING go out when the link stands."""
        world = World()
        world.client.start()
        call = world.client.say("early")
        peer = Peer(world.endpoint)
        peer.answer()
        self.assertEqual(peer.answer(), [b"early"])
        self.successResultOf(call)

    def test_fails_while_waiting(self) -> None:
        """Without a link a text fails at once, with the link's reason."""
        world = World()
        world.online().lose()
        failure = self.failureResultOf(world.client.say("x"), SayFailed)
        self.assertIs(failure.value.reason, Reason.LOST)

    def test_size_limit(self) -> None:
        """The longest text is sent; one byte more fails as TooLong."""
        world = World()
        peer = world.online()
        world.client.say("x" * 65_519)
        world.clock.advance(0)
        self.assertEqual(len(peer.answer()[0]), 65_519)
        failure = self.failureResultOf(world.client.say("x" * 65_520), TooLong)
        self.assertEqual(failure.value.limit, 65_519)

    def test_surrogates(self) -> None:
        """A lone surrogate fails before sending."""
        self.failureResultOf(World().client.say("\ud800"), NotText)

    def test_refusals(self) -> None:
        """A refused text fails its call alone; the link stays."""
        world = World()
        peer = world.online()
        calls = [world.client.say(text) for text in "abc"]
        world.clock.advance(0)
        peer.requests()
        peer.send(NOT_UTF8, TOO_LONG, PREFIX + b"c")
        self.failureResultOf(calls[0], Declined)
        self.failureResultOf(calls[1], Declined)
        self.successResultOf(calls[2])
        self.assertIs(world.client.state.phase, Phase.ONLINE)

    def test_bounds(self) -> None:
        """n texts are on the wire and m wait; the next one is Crowded."""
        world = World(Limits(outstanding=2, waiting=3))
        peer = world.online()
        calls = [world.client.say(text) for text in "abc"]
        self.failureResultOf(world.client.say("d"), Crowded)
        world.clock.advance(0)
        self.assertEqual(peer.answer(), [b"a", b"b"])
        self.assertEqual(peer.answer(), [b"c"])
        for call in calls:
            self.successResultOf(call)

    def test_byte_bounds(self) -> None:
        """Bytes are bounded as well as texts."""
        limits = Limits(frame=100, outstanding_bytes=100, waiting_bytes=160)
        world = World(limits)
        peer = world.online()
        world.client.say("x" * 80)
        world.client.say("y" * 80)
        self.failureResultOf(world.client.say("z"), Crowded)
        world.clock.advance(0)
        self.assertEqual(len(peer.answer()), 1)
        self.assertEqual(len(peer.answer()), 1)

    def test_backpressure(self) -> None:
        """A transport that is full gets nothing more until it has room."""
        world = World()
        peer = world.online()
        verifyObject(IPushProducer, peer.protocol)
        producer = peer.protocol
        self.assertIs(peer.transport.producer, producer)
        if not isinstance(producer, Line):
            self.fail()
        producer.pauseProducing()
        producer.pauseProducing()
        world.client.say("a")
        world.clock.advance(0)
        self.assertEqual(peer.requests(), [])
        producer.resumeProducing()
        self.assertEqual(peer.requests(), [b"a"])
        producer.stopProducing()

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(st.lists(st.sampled_from(["say", "flush", "answer", "cancel", "lose"])))
    def test_every_call_fires_once(self, steps: list[str]) -> None:
        """However say, cancel and loss interleave, replies go where they belong."""
        world = World(Limits(outstanding=3))
        peer = world.online()
        calls: list[tuple[str, Deferred[str]]] = []
        fired: list[tuple[str, object]] = []

        def note(result: object, text: str) -> None:
            fired.append((text, result))

        for number, step in enumerate(steps):
            match step:
                case "say":
                    text = str(number)
                    call = world.client.say(text)
                    call.addBoth(note, text)
                    calls.append((text, call))
                case "flush":
                    world.clock.advance(0)
                case "answer":
                    peer.answer()
                case "cancel" if calls:
                    calls[number % len(calls)][1].cancel()
                case "lose":
                    peer.lose()
                    world.client.retry_now()
                    peer = Peer(world.endpoint)
                    peer.answer()
        world.client.stop()
        peer.lose()
        self.assertEqual(sorted(t for t, _ in fired), sorted(t for t, _ in calls))
        replies = [(t, result) for t, result in fired if isinstance(result, str)]
        for text, reply in replies:
            self.assertEqual(reply, "Server received: " + text)
        self.assertEqual(
            [int(t) for t, _ in replies], sorted(int(t) for t, _ in replies)
        )
        self.assertEqual(world.clock.getDelayedCalls(), [])

    @settings(deadline=None, derandomize=True, max_examples=100)
    @given(st.lists(st.integers(1, 400), max_size=20))
    def test_replies_split_anywhere(self, sizes: list[int]) -> None:
        """Replies come whole however the bytes are cut."""
        world = World()
        peer = world.online()
        calls = [world.client.say(text) for text in "abcdefgh"]
        world.clock.advance(0)
        data = peer.frames(*(PREFIX + text for text in peer.requests()))
        for size in sizes:
            peer.protocol.dataReceived(data[:size])
            data = data[size:]
        peer.protocol.dataReceived(data)
        self.assertEqual(
            [self.successResultOf(call)[-1] for call in calls], list("abcdefgh")
        )

    def test_cancel(self) -> None:
        """A cancelled call fails with CancelledError; the next gets its own reply."""
        world = World()
        peer = world.online()
        first, second = world.client.say("a"), world.client.say("b")
        world.clock.advance(0)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        peer.answer()
        self.assertEqual(self.successResultOf(second), "Server received: b")

    def test_factory(self) -> None:
        """What the endpoint gets is a protocol factory."""
        world = World()
        world.client.start()
        verifyObject(IProtocolFactory, world.endpoint.attempts[0][0])
