"""chatd.client.link and line: words, delays, and attempts that end oddly."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.link import Backoff, LinkState, Phase, Reason
from tests.client.peer import Peer, World


class LinkTests(SynchronousTestCase):
    def test_advice(self) -> None:
        """Each reason has words of its own; the place is named where it matters."""
        words = {reason.advice for reason in Reason}
        self.assertEqual(len(words), len(Reason))
        state = LinkState(Phase.WAITING, Reason.REFUSED, 1.0, "den:5555")
        self.assertIn("Nothing listens at den:5555.", state.advice)
        self.assertEqual(LinkState(Phase.ONLINE).advice, "")

    def test_backoff(self) -> None:
        """Delays double up to the cap, and begin anew after reset."""
        backoff = Backoff(lambda: 1.0)
        delays = [backoff.next(Reason.REFUSED) for _ in range(8)]
        self.assertEqual(delays, [1, 2, 4, 8, 16, 32, 60, 60])
        backoff.reset()
        self.assertEqual(backoff.next(Reason.WRONG_KEY), 10)

    def early(self, world: World, data: bytes, lost: bool) -> None:
        factory, result = world.endpoint.attempts[-1]
        line = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 5555))
        if line is None:
            self.fail()
        line.makeConnection(StringTransport())
        if data:
            line.dataReceived(data)
        if lost:
            line.connectionLost(Failure(ConnectionDone()))
        result.callback(line)

    def test_gone_before_begun(self) -> None:
        """A connection lost before its attempt succeeded counts as any other."""
        world = World()
        world.client.start()
        self.early(world, b"", lost=True)
        self.assertIs(world.client.state.reason, Reason.WRONG_KEY)

    def test_spoke_before_begun(self) -> None:
        """A server that speaks first is no chatd."""
        world = World()
        world.client.start()
        self.early(world, b"220 mail", lost=False)
        self.assertIs(world.client.state.reason, Reason.NOT_CHATD)

    def test_deaf_after_stop(self) -> None:
        """What comes after stop is not looked at."""
        world = World()
        peer = world.online()
        world.client.stop()
        peer.protocol.dataReceived(b"junk")
        peer.lose()
        self.assertIs(world.client.state.phase, Phase.STOPPED)
        world.client.start()
        Peer(world.endpoint).answer()
        self.assertIs(world.client.state.phase, Phase.ONLINE)
