"""The client's logic, without a display."""

from __future__ import annotations

import datetime as dt

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.errors import Crowded, SayFailed, TooLong
from chatd.client.link import LinkState, Phase, Reason
from chatd.clients.chat_tk.presenter import FLUSH, PAGE, SHOWN, Presenter
from chatd.clients.chat_tk.spans import Body, Mark
from tests.chat_tk.fakes import ONLINE, FakeClient, FakeView, waiting


class PresenterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.view, self.client = Clock(), FakeView(), FakeClient()
        self.presenter = Presenter(
            self.view, self.clock, lambda: 1e9 + self.clock.seconds(), "mira", dt.UTC
        )
        self.presenter.attach(self.client, "here:1")
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.presenter.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.client.observers, [])

    def bodies(self) -> list[Body]:
        rows = [row for rows in self.view.appends for row in rows]
        return [row for row in rows if isinstance(row, Body)]

    def test_own_line_is_pending_at_once(self) -> None:
        """A line is in the window before the server knows of it, marked pending."""
        self.assertTrue(self.presenter.submit("hello\n"))
        (body,) = self.bodies()
        self.assertEqual((body.spans[0].text, body.mark), ("hello", Mark.PENDING))
        self.assertEqual(self.client.said[0][0], "hello")

    def test_blank_line_is_not_sent(self) -> None:
        """Nothing but blanks is not taken."""
        self.assertFalse(self.presenter.submit(" \n "))
        self.assertEqual(self.client.said, [])

    def test_answer_is_shown_and_marks_its_own_line(self) -> None:
        """Each answer marks the line it belongs to, whatever the order."""
        for text in ("one", "two"):
            self.presenter.submit(text)
        self.client.answer(1)
        self.assertEqual(self.view.marks, [(2, Mark.ANSWERED, "")])
        self.client.answer(0)
        self.assertEqual(self.view.marks[-1], (1, Mark.ANSWERED, ""))
        self.clock.advance(FLUSH)
        shown = [body.spans[0].text for body in self.bodies()]
        expected = ["one", "two", "Server received: two", "Server received: one"]
        self.assertEqual(shown, expected)

    def test_many_answers_are_written_at_once(self) -> None:
        """What arrives within the gathering time is one write to the window."""
        for n in range(20):
            self.presenter.submit(str(n))
        for n in range(20):
            self.client.answer(n)
        before = len(self.view.appends)
        self.clock.advance(FLUSH)
        self.assertEqual(len(self.view.appends), before + 1)

    def test_refused_line_says_that_it_was_not_sent(self) -> None:
        """Without a connection a line is not sent, and says why."""
        self.client.state = waiting(Reason.REFUSED, 5)
        self.presenter.submit("x")
        self.client.said[0][1].errback(SayFailed(Reason.REFUSED))
        expected = (1, Mark.FAILED, "Not sent: connection refused")
        self.assertEqual(self.view.marks, [expected])

    def test_lost_line_may_have_arrived(self) -> None:
        """A line on the wire when the connection goes is not called unsent."""
        self.presenter.submit("x")
        self.client.said[0][1].errback(SayFailed(Reason.LOST))
        why = "No answer: connection lost; it may have arrived"
        self.assertEqual(self.view.marks, [(1, Mark.FAILED, why)])

    def test_other_failures_have_their_words(self) -> None:
        """A limit is named; nothing stays pending."""
        for error, words in (
            (TooLong(10), "longer than 10 bytes"),
            (Crowded(), "Too many texts wait for the server: try again later"),
        ):
            self.presenter.submit("x")
            self.client.said[-1][1].errback(error)
            _, mark, why = self.view.marks[-1]
            self.assertEqual((mark, why), (Mark.FAILED, f"Not sent: {words}"))

    def test_error_of_our_own_is_logged_and_shown(self) -> None:
        """An unforeseen error fails the line and is in the log."""
        self.presenter.submit("x")
        self.client.said[0][1].errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertIs(self.view.marks[-1][1], Mark.FAILED)

    def test_failed_line_is_sent_again_once(self) -> None:
        """Try again sends a failed line, and no other."""
        self.presenter.submit("x")
        self.presenter.retry(1)
        self.assertEqual(len(self.client.said), 1)
        self.client.said[0][1].errback(SayFailed(Reason.LOST))
        self.presenter.retry(1)
        self.presenter.retry(1)
        self.assertEqual([text for text, _ in self.client.said], ["x", "x"])
        self.client.answer()
        self.assertEqual(self.view.marks[-1], (1, Mark.ANSWERED, ""))

    def test_countdown_is_live(self) -> None:
        """The seconds until the next try are counted down; Try now is offered."""
        self.client.change(waiting(Reason.REFUSED, 10))
        banner = self.view.banner
        assert banner is not None
        self.assertIn("Nothing listens at here:1", banner.text)
        self.assertEqual((banner.detail, banner.retry), ("Trying again in 10 s", True))
        self.client.state = waiting(Reason.REFUSED, 9)
        self.clock.advance(1)
        banner = self.view.banner
        assert banner is not None
        self.assertEqual(banner.detail, "Trying again in 9 s")
        self.assertEqual(self.view.status, "Offline, 9 s")

    def test_reasons_are_told_apart(self) -> None:
        """Refused, unreachable, a wrong key, silence: each has its own words."""
        words = set()
        for reason in (Reason.REFUSED, Reason.UNREACHABLE, Reason.WRONG_KEY):
            self.client.change(waiting(reason, 5))
            banner = self.view.banner
            assert banner is not None
            words.add(banner.text)
            self.assertEqual(banner.settings, reason is Reason.WRONG_KEY)
        self.assertEqual(len(words), 3)

    def test_online_has_no_banner_and_no_timer(self) -> None:
        """When all is well nothing is shown and nothing ticks."""
        self.client.change(waiting(Reason.LOST, 5))
        self.client.change(LinkState(Phase.CONNECTING))
        self.assertEqual(self.view.status, "Connecting…")
        self.client.change(ONLINE)
        self.assertIsNone(self.view.banner)
        self.assertEqual(self.view.status, "Online")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_try_now_reaches_the_client(self) -> None:
        """The button asks the client not to wait."""
        self.presenter.retry_now()
        self.assertEqual(self.client.retries, 1)

    def test_window_is_bounded(self) -> None:
        """Never more than SHOWN messages: at one more the oldest page goes."""
        for n in range(SHOWN):
            self.presenter.submit(str(n))
        self.assertEqual((len(self.presenter.messages), self.view.tops), (SHOWN, []))
        self.presenter.submit("one more")
        self.assertEqual(len(self.presenter.messages), SHOWN - PAGE)
        (rows, through) = self.view.tops[0]
        self.assertEqual(through, self.presenter.messages[0].id)
        self.assertEqual(len(rows), 3)  # its day, its head, itself

    def test_failure_of_a_line_that_is_gone_is_told(self) -> None:
        """A line that left the window does not fail in silence."""
        for n in range(SHOWN + 1):
            self.presenter.submit(str(n))
        self.client.said[0][1].errback(SayFailed(Reason.LOST))
        self.assertIn("no longer shown", self.view.trouble)

    def test_answers_below_are_counted(self) -> None:
        """Away from the end the reader is told how many came, until the end is seen."""
        self.presenter.submit("x")
        self.presenter.scrolled(False)
        self.client.answer()
        self.assertEqual(self.view.below, 1)
        self.presenter.scrolled(True)
        self.assertEqual(self.view.below, 0)

    def test_another_server_takes_over(self) -> None:
        """After a change of server the old one's states are no longer shown."""
        old, self.client = self.client, FakeClient()
        self.presenter.attach(self.client, "there:2")
        self.assertEqual((old.observers, self.view.server), ([], "there:2"))
