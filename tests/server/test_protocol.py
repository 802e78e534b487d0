"""Connections over transports in memory, under a clock of the test's own."""

from __future__ import annotations

from cryptography.fernet import Fernet
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPushProducer,
)
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from chatd.server.factory import ChatFactory
from chatd.server.limits import Limits
from chatd.server.protocol import ChatProtocol, TurnedAway
from chatd.wire.framing import FrameDecoder
from tests.helpers import netstring
from tests.server.house import House, TCPTransport, TLSTransport

DEFAULTS = Limits()


class ProtocolTests(TestCase):
    """What a peer sees, and what the operator is told."""

    def setUp(self) -> None:
        self.factory = self.make_factory()
        self.events = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

    def make_factory(self, limits: Limits = DEFAULTS) -> ChatFactory:
        house = House(self, limits)
        self.fernet = Fernet(house.shared.text)
        self.clock = house.clock
        return house.factory

    def connect(
        self, port: int = 40_000, host: str = "192.0.2.1"
    ) -> tuple[ChatProtocol, TCPTransport]:
        address = IPv4Address("TCP", host, port)
        protocol = self.factory.buildProtocol(address)
        assert isinstance(protocol, ChatProtocol)
        transport = TCPTransport(peerAddress=address)
        protocol.makeConnection(transport)
        return protocol, transport

    def lose(self, protocol: ChatProtocol) -> None:
        protocol.connectionLost(Failure(ConnectionDone()))

    def say(self, *texts: bytes) -> bytes:
        return b"".join(netstring(self.fernet.encrypt(text)) for text in texts)

    def replies(self, transport: TCPTransport) -> list[bytes]:
        """What the transport was given since last asked."""
        frames = FrameDecoder(10**6).feed(transport.value())
        transport.clear()
        return [self.fernet.decrypt(frame) for frame in frames]

    def logged(self, name: str) -> list[dict[str, object]]:
        return [dict(e) for e in self.events if e.get("log_format") == name]

    def test_interfaces(self) -> None:
        """The protocol is what its transport takes it for."""
        verifyObject(IPushProducer, self.connect()[0])
        verifyObject(IHalfCloseableProtocol, self.connect()[0])

    def test_peer_ends_its_half(self) -> None:
        """What a peer said before it ended its half is answered, then all ends."""
        protocol, transport = self.connect()
        protocol.dataReceived(self.say(b"a"))
        protocol.readConnectionLost()
        protocol.writeConnectionLost()
        self.assertEqual(self.replies(transport), [b"Server received: a"])
        self.assertTrue(transport.disconnecting)

    def test_answers(self) -> None:
        """Each frame of a chunk is answered, in order, in one write."""
        protocol, transport = self.connect()
        protocol.dataReceived(self.say(b"a", b"b", b"c"))
        self.assertEqual(transport.value(), b"")
        self.clock.advance(0)
        self.assertEqual(
            self.replies(transport),
            [b"Server received: " + c for c in (b"a", b"b", b"c")],
        )

    def test_batches_of_connections(self) -> None:
        """Frames of many connections in one turn are answered to each its own."""
        pairs = [self.connect(port) for port in range(1, 30)]
        for n, (protocol, _) in enumerate(pairs):
            protocol.dataReceived(self.say(b"%d" % n) * (n % 3 + 1))
        self.clock.advance(0)
        for n, (_, transport) in enumerate(pairs):
            expected = [b"Server received: %d" % n] * (n % 3 + 1)
            self.assertEqual(self.replies(transport), expected)

    def test_several_deliveries_in_one_turn(self) -> None:
        """Each gets its own answers, however often a turn delivers (as TLS does)."""
        first, first_transport = self.connect(40_001)
        second, second_transport = self.connect(40_002)
        first.dataReceived(self.say(b"a1"))
        first.dataReceived(self.say(b"a2"))
        second.dataReceived(self.say(b"b1"))
        self.clock.advance(0)
        self.assertEqual(
            self.replies(first_transport),
            [b"Server received: a1", b"Server received: a2"],
        )
        self.assertEqual(self.replies(second_transport), [b"Server received: b1"])

    def test_wrong_key(self) -> None:
        """What came before a token that does not open is answered, nothing behind."""
        protocol, transport = self.connect()
        other = netstring(Fernet(Fernet.generate_key()).encrypt(b"x"))
        protocol.dataReceived(self.say(b"a") + other + self.say(b"b"))
        self.clock.advance(0)
        self.assertEqual(self.replies(transport), [b"Server received: a"])
        self.assertTrue(transport.half_closed)
        (event,) = self.logged("refused")
        self.assertEqual(event["peer"], "192.0.2.1:40000")
        self.assertIn("no accepted key", str(event["reason"]))

    def test_malformed_frame(self) -> None:
        """A malformed frame closes behind the answers to what stood before it."""
        protocol, transport = self.connect()
        protocol.dataReceived(self.say(b"a") + b"junk" + self.say(b"b"))
        self.clock.advance(0)
        self.assertEqual(self.replies(transport), [b"Server received: a"])
        self.assertTrue(transport.half_closed)
        self.assertEqual(len(self.logged("bad-frame")), 1)

    def test_offender_alone(self) -> None:
        """Who breaks the protocol is closed; the others of that turn are answered."""
        bad, bad_transport = self.connect(1)
        good, good_transport = self.connect(2)
        bad.dataReceived(b"99999999:")
        good.dataReceived(self.say(b"a"))
        self.clock.advance(0)
        self.assertTrue(bad_transport.half_closed)
        self.assertEqual(self.replies(good_transport), [b"Server received: a"])

    def test_one_log_line(self) -> None:
        """A flood of bad peers from one address is logged three times, then held."""
        for port in range(1, 21):
            protocol, _ = self.connect(port)
            protocol.dataReceived(b"x")
            self.clock.advance(0)
        self.assertEqual(len(self.logged("bad-frame")), 3)
        other, _ = self.connect(1, "192.0.2.2")
        other.dataReceived(b"x")
        self.clock.advance(0)
        self.assertEqual(len(self.logged("bad-frame")), 4)
        self.clock.advance(10)
        protocol, _ = self.connect(99)
        protocol.dataReceived(b"x")
        self.clock.advance(0)
        self.assertEqual(self.logged("bad-frame")[-1]["held_back"], 17)

    def test_closed_politely_then_aborted(self) -> None:
        """A closed connection's input is dropped; after the grace it is aborted."""
        protocol, transport = self.connect()
        protocol.dataReceived(b"x")
        self.clock.advance(0)
        protocol.dataReceived(self.say(b"a"))
        self.clock.advance(2.9)
        self.assertEqual(self.replies(transport), [])
        self.assertFalse(transport.disconnected)
        self.clock.advance(0.2)
        self.assertTrue(transport.disconnected)
        self.lose(protocol)

    def test_gone_in_time(self) -> None:
        """A peer that goes within the grace leaves no timer behind."""
        protocol, transport = self.connect()
        protocol.dataReceived(b"x")
        self.clock.advance(0)
        self.lose(protocol)
        self.clock.advance(10)
        self.assertFalse(transport.disconnected)
        self.assertEqual(self.factory.connections, set())

    def test_lost_before_its_answer(self) -> None:
        """A peer that goes before its turn is answered takes nobody with it."""
        gone, transport = self.connect(1)
        here, here_transport = self.connect(2)
        gone.dataReceived(self.say(b"a"))
        here.dataReceived(self.say(b"b"))
        self.lose(gone)
        self.clock.advance(0)
        self.assertEqual(transport.value(), b"")
        self.assertEqual(self.replies(here_transport), [b"Server received: b"])

    def test_backpressure(self) -> None:
        """While a peer does not read, it is not read from; then again."""
        protocol, transport = self.connect()
        for _ in range(2):
            protocol.pauseProducing()
        self.assertEqual(transport.producerState, "paused")
        protocol.resumeProducing()
        self.assertEqual(transport.producerState, "producing")
        self.clock.advance(60)
        self.assertFalse(transport.disconnected)

    def test_never_reads(self) -> None:
        """A peer that does not read for 30 s is aborted, and named."""
        protocol, transport = self.connect()
        protocol.pauseProducing()
        self.clock.pump([1] * 29)
        self.assertFalse(transport.disconnected)
        self.clock.pump([1] * 2)
        self.assertTrue(transport.disconnected)
        (event,) = self.logged("slow")
        self.assertIn("does not read", str(event["reason"]))
        protocol.stopProducing()
        self.lose(protocol)

    def test_unfinished_frame(self) -> None:
        """A frame that began must end within 30 s, however slowly it drips."""
        protocol, transport = self.connect()
        self.clock.pump([1] * 100)
        for byte in self.say(b"a")[:29]:
            protocol.dataReceived(bytes((byte,)))
            self.clock.advance(1)
        self.assertFalse(transport.half_closed)
        self.clock.advance(2)
        self.assertTrue(transport.half_closed)
        (event,) = self.logged("slow")
        self.assertIn("never finished", str(event["reason"]))

    def test_frame_finished_in_time(self) -> None:
        """A frame that ends in time is answered, and the next has its own 30 s."""
        protocol, transport = self.connect()
        for _ in range(5):
            frame = self.say(b"a")
            protocol.dataReceived(frame[:50])
            self.clock.pump([1] * 20)
            protocol.dataReceived(frame[50:])
            self.clock.advance(0)
        self.assertEqual(len(self.replies(transport)), 5)
        self.assertFalse(transport.half_closed)

    def test_idle(self) -> None:
        """A connection silent for the idle timeout is closed; one that talks is not."""
        self.factory = self.make_factory(Limits(idle=60))
        _, silent = self.connect(1)
        talking, transport = self.connect(2)
        for _ in range(4):
            self.clock.pump([1] * 25)
            talking.dataReceived(self.say(b"a"))
        self.assertTrue(silent.half_closed)
        self.assertFalse(transport.half_closed)
        self.assertEqual(len(self.logged("idle")), 1)

    def test_never_idle(self) -> None:
        """With idle 0 a silent connection stays."""
        self.factory = self.make_factory(Limits(idle=0))
        _, silent = self.connect(1)
        self.clock.pump([1000] * 10)
        self.assertFalse(silent.half_closed)

    def test_connections(self) -> None:
        """The limit of connections: n are served, one more is turned away."""
        self.factory = self.make_factory(Limits(connections=3))
        first, _ = self.connect(1)
        self.connect(2, "192.0.2.2")
        self.connect(3, "192.0.2.3")
        self.turned_away(IPv4Address("TCP", "192.0.2.4", 4))
        self.assertEqual(len(self.logged("full")), 1)
        self.lose(first)
        self.connect(5)

    def test_connections_of_one_address(self) -> None:
        """The limit of one address: n are served, one more is not, others are."""
        self.factory = self.make_factory(Limits(per_address=2))
        first, _ = self.connect(1)
        self.connect(2)
        self.turned_away(IPv4Address("TCP", "192.0.2.1", 3))
        self.connect(4, "192.0.2.2")
        self.lose(first)
        self.connect(5)

    def turned_away(self, address: IPv4Address) -> None:
        """A connection from `address` is ended at once, and counts for nothing."""
        before = set(self.factory.connections)
        protocol = self.factory.buildProtocol(address)
        assert isinstance(protocol, TurnedAway)
        transport = TCPTransport(peerAddress=address)
        protocol.makeConnection(transport)
        self.assertTrue(transport.disconnected)
        self.assertEqual(self.factory.connections, before)

    def test_no_address(self) -> None:
        """A connection with no address is not served."""
        self.assertIsNone(self.factory.buildProtocol(None))

    def test_drain(self) -> None:
        """A drain answers what has arrived, closes, and waits for the peers to go."""
        protocol, transport = self.connect()
        protocol.dataReceived(self.say(b"a"))
        done: list[None] = []
        Deferred.fromCoroutine(self.factory.drain()).addCallback(done.append)
        self.assertEqual(self.replies(transport), [b"Server received: a"])
        self.assertTrue(transport.half_closed)
        self.assertEqual(done, [])
        self.lose(protocol)
        self.assertEqual(done, [None])
        self.clock.advance(1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_drain_of_none(self) -> None:
        """With no connections a drain is done at once."""
        self.successResultOf(Deferred.fromCoroutine(self.factory.drain()))
        self.successResultOf(Deferred.fromCoroutine(self.factory.drain()))

    def test_close_of_a_paused_peer(self) -> None:
        """A peer that was paused is read from again to be closed, and only once."""
        protocol, transport = self.connect()
        protocol.pauseProducing()
        protocol.close()
        protocol.close()
        self.assertEqual(transport.producerState, "producing")
        self.assertTrue(transport.half_closed)
        protocol.pauseProducing()
        protocol.resumeProducing()
        self.assertEqual(transport.producerState, "producing")

    def test_socket_full(self) -> None:
        """What the socket does not take at once the transport sends, in order."""
        for takes in (0, 1, 300):
            protocol, transport = self.connect()
            transport.takes = takes
            protocol.dataReceived(self.say(b"a", b"b"))
            self.clock.advance(0)
            transport.takes = 10**9
            protocol.dataReceived(self.say(b"c"))
            self.clock.advance(0)
            replies = [b"Server received: " + text for text in (b"a", b"b", b"c")]
            self.assertEqual(self.replies(transport), replies)

    def test_high_water(self) -> None:
        """A peer with over 64 KiB waiting is not read from until it has taken all."""
        protocol, transport = self.connect()
        transport.takes = 0
        protocol.dataReceived(self.say(b"x" * 40_000))
        self.clock.advance(0)
        self.assertEqual(transport.producerState, "producing")
        protocol.dataReceived(self.say(b"x" * 40_000))
        self.clock.advance(0)
        self.assertEqual(transport.producerState, "paused")
        protocol.resumeProducing()
        self.assertEqual(transport.producerState, "producing")
        protocol.dataReceived(self.say(b"x" * 40_000))
        self.clock.advance(0)
        self.assertEqual(transport.producerState, "producing")

    def test_tls(self) -> None:
        """Under TLS all goes by the transport, which cannot be half closed."""
        address = IPv4Address("TCP", "192.0.2.1", 1)
        protocol = self.factory.buildProtocol(address)
        assert isinstance(protocol, ChatProtocol)
        transport = TLSTransport(peerAddress=address)
        protocol.makeConnection(transport)
        protocol.dataReceived(self.say(b"a") + b"x")
        self.clock.advance(0)
        self.assertEqual(self.replies(transport), [b"Server received: a"])
        self.assertFalse(transport.half_closed)
        self.assertTrue(transport.disconnecting)
