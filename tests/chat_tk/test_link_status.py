"""How the connection is shown, without a display."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.link import LinkState, Phase, Reason
from chatd.clients.chat_tk.link_status import LAG_PERIOD, LinkStatus
from tests.chat_tk.fakes import ONLINE, FakeLink, FakeView, waiting


class LinkStatusTests(SynchronousTestCase):
    """A banner, two words, a countdown."""

    def setUp(self) -> None:
        self.clock, self.view, self.link = Clock(), FakeView(), FakeLink()
        self.status = LinkStatus(self.view, self.clock, self.link, "here:1")
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.status.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.link.observers, [])

    def test_countdown_is_live(self) -> None:
        """The seconds until the next try are counted down; Try now is offered."""
        self.link.change(waiting(Reason.REFUSED, 10))
        banner = self.view.banner
        assert banner is not None
        self.assertIn("Nothing listens at here:1", banner.text)
        self.assertEqual((banner.detail, banner.retry), ("Trying again in 10 s", True))
        self.link.state = waiting(Reason.REFUSED, 9)
        self.clock.advance(1)
        banner = self.view.banner
        assert banner is not None
        self.assertEqual(banner.detail, "Trying again in 9 s")
        self.assertEqual(self.view.status, "Offline, 9 s")

    def test_reasons_are_told_apart(self) -> None:
        """Refused, unreachable, a wrong key, removed: each has its own words."""
        words = set()
        for reason in (Reason.REFUSED, Reason.UNREACHABLE, Reason.WRONG_KEY):
            self.link.change(waiting(reason, 5))
            banner = self.view.banner
            assert banner is not None
            words.add(banner.text)
            self.assertEqual(banner.settings, reason is Reason.WRONG_KEY)
        self.link.change(LinkState(Phase.STOPPED, Reason.REMOVED))
        banner = self.view.banner
        assert banner is not None
        self.assertIn("Ask its operator", banner.text)
        self.assertEqual(len(words), 3)

    def test_online(self) -> None:
        """When all is well there is no banner; how fast the server answers is told."""
        self.link.change(waiting(Reason.LOST, 5))
        self.link.change(LinkState(Phase.CONNECTING))
        self.assertEqual(self.view.status, "Connecting…")
        self.link.change(ONLINE)
        self.assertIsNone(self.view.banner)
        self.assertEqual(self.view.status, "Online")
        self.link.lag = 0.0123
        self.clock.advance(LAG_PERIOD)
        self.assertEqual(self.view.status, "Online, 12 ms")
