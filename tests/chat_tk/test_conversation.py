"""The room in front as a window on its log: paging, jumping, what is new."""

from __future__ import annotations

from chatd.clients.chat_tk.presenter import PAGE, SHOWN
from chatd.clients.chat_tk.rows import Mark
from tests.chat_tk.presenter_case import PresenterCase


class WindowTests(PresenterCase):
    """More messages than are shown at once."""

    def setUp(self) -> None:
        super().setUp()
        self.said = [str(n) for n in range(1, 1_001)]
        self.bob_says("#lobby", *self.said)
        self.presenter.open("#lobby")
        self.flow()
        self.conversation = self.presenter.conversation

    def shown(self) -> tuple[int, int]:
        """The first and last message shown; in between nothing is missing."""
        first, last = int(self.view.texts[0]), int(self.view.texts[-1])
        self.assertEqual(self.view.texts, self.said[first - 1 : last])
        ids = [message.id for message in self.conversation.transcript.messages]
        self.assertEqual([body.id for body in self.view.bodies], ids)
        return first, last

    def older(self) -> None:
        self.presenter.scrolled(False)
        self.conversation.older()
        self.flow()

    def test_up_and_down_again(self) -> None:
        """By pages to the first message and back to the last; never more than SHOWN."""
        self.assertEqual(self.shown(), (1_001 - PAGE, 1_000))
        while self.shown()[0] > 1:
            self.older()
            self.assertLessEqual(len(self.view.bodies), SHOWN)
        self.older()
        self.assertEqual(self.shown()[0], 1)
        while self.shown()[1] < 1_000:
            self.conversation.newer()
            self.flow()
            self.assertLessEqual(len(self.view.bodies), SHOWN)
        self.conversation.newer()
        self.assertEqual(self.shown()[1], 1_000)

    def test_jump(self) -> None:
        """To a message far above: it is shown, with what stands around it."""
        self.conversation.jump(300)
        self.flow()
        first, last = self.shown()
        self.assertTrue(first < 300 < last < 1_000)
        at = self.view.texts.index("300")
        self.assertEqual(self.view.shown[-1], self.view.bodies[at].id)
        self.conversation.jump(310)
        self.assertEqual(self.view.shown[-1], self.view.bodies[at + 10].id)
        self.assertEqual(self.shown(), (first, last))

    def test_what_comes_while_away(self) -> None:
        """It is counted, not shown, and not read; at the end it is there."""
        self.conversation.jump(300)
        self.flow()
        shown = self.shown()
        self.said.append("1001")
        self.bob_says("#lobby", "1001")
        self.assertEqual((self.shown(), self.view.below), (shown, 1))
        copy = self.mira.client.copy("#lobby")
        assert copy is not None
        self.assertEqual(copy.read, 1_000)
        self.conversation.to_end()
        self.presenter.scrolled(True)
        self.flow()
        self.assertEqual(self.shown(), (1_002 - PAGE, 1_001))
        copy = self.mira.client.copy("#lobby")
        assert copy is not None
        self.assertEqual((copy.read, self.view.below), (1_001, 0))

    def test_own_line_goes_to_the_end(self) -> None:
        """Who writes while looking back is brought to the newest."""
        self.conversation.jump(300)
        self.flow()
        self.presenter.writing.submit("mine")
        self.flow()
        self.assertEqual(self.view.texts[-1], "mine")
        self.assertEqual(self.view.texts[-2], "1000")


class NewTests(PresenterCase):
    """The line above what is new."""

    def test_new_line(self) -> None:
        """It stands above what came since the room was read."""
        self.bob_says("#lobby", "1", "2")
        self.presenter.open("#lobby")
        self.flow()
        self.assertEqual(self.view.new, 1)
        self.presenter.open("@mira+server")
        self.presenter.open("#lobby")
        self.flow()
        self.assertEqual(self.view.new, 0)

    def test_jump_to_the_first_new(self) -> None:
        """Where more is new than is shown, it says so, and jumps there."""
        self.bob_says("#lobby", *map(str, range(1, 301)))
        self.presenter.open("#lobby")
        self.flow()
        self.assertEqual((self.view.above, self.view.new), (300 - PAGE, 0))
        self.presenter.conversation.to_new()
        self.flow()
        self.assertEqual((self.view.above, self.view.new), (0, 1))
        self.assertEqual(self.view.shown[-1], self.view.bodies[0].id)
        self.assertEqual(self.view.texts[0], "1")

    def test_while_not_looking(self) -> None:
        """What comes while the window has not the focus is new, and not read."""
        self.presenter.open("#lobby")
        self.flow()
        self.presenter.looks(False)
        self.bob_says("#lobby", "psst")
        self.assertEqual(self.item("#lobby").unread, 1)
        self.presenter.looks(True)
        self.assertEqual(self.item("#lobby").unread, 0)


class OwnTests(PresenterCase):
    """One's own messages, until they stand in the log."""

    def setUp(self) -> None:
        super().setUp()
        self.presenter.open("#lobby")
        self.flow()

    def offline(self) -> None:
        self.cable.refusing = True
        self.cable.cut()
        self.flow()

    def online(self) -> None:
        self.cable.refusing = False
        self.presenter.retry_now()
        self.cable.pass_time(3)

    def test_below_what_comes(self) -> None:
        """What waits stands below what the log holds, in the log's order at last."""
        self.house.journal.hold = True
        self.presenter.writing.submit("mine 1")
        self.presenter.writing.submit("mine 2")
        self.flow()
        self.assertEqual(self.view.texts, ["mine 1", "mine 2"])
        self.bob.client.say("#lobby", "his")
        self.house.journal.hold = False
        self.cable.pass_time(3)
        log = [message.body for message in self.house.journal.of("#lobby")]
        self.assertEqual(sorted(log, key=str), ["his", "mine 1", "mine 2"])
        self.assertEqual(self.view.texts, log)

    def test_edited(self) -> None:
        """What is not sent is edited in its place."""
        self.offline()
        self.presenter.writing.submit("frist")
        self.presenter.writing.submit("second")
        own = self.mira.client.own()[0].id
        self.assertTrue(self.presenter.writing.edit(own))
        self.assertEqual((self.view.written, self.view.editing), ("frist", True))
        self.assertTrue(self.presenter.writing.submit("first"))
        self.assertEqual(self.view.texts, ["first", "second"])
        self.online()
        log = [message.body for message in self.house.journal.of("#lobby")]
        self.assertEqual(log, ["first", "second"])

    def test_last_is_edited(self) -> None:
        """Up in the empty field takes the last; with nothing waiting there is none."""
        self.assertFalse(self.presenter.writing.edit())
        self.offline()
        self.presenter.writing.submit("1")
        self.presenter.writing.submit("2")
        self.assertTrue(self.presenter.writing.edit())
        self.assertEqual(self.view.written, "2")
        self.assertTrue(self.presenter.writing.cancel_edit())
        self.assertEqual((self.view.written, self.view.editing), ("", False))
        self.assertFalse(self.presenter.writing.cancel_edit())

    def test_too_late_to_edit(self) -> None:
        """What is on its way stays as it is; the new words stay with their writer."""
        self.house.journal.hold = True
        self.presenter.writing.submit("x")
        self.flow()
        self.presenter.writing.edit()
        self.assertFalse(self.presenter.writing.submit("y"))
        self.assertIn("on its way", self.view.trouble)
        self.presenter.writing.discard(self.mira.client.own()[0].id)
        self.assertIn("Not deleted", self.view.trouble)
        self.assertEqual(self.view.texts, ["x"])

    def test_discarded(self) -> None:
        """What is not sent can be taken back."""
        self.offline()
        self.presenter.writing.submit("1")
        self.presenter.writing.submit("2")
        self.presenter.writing.discard(self.mira.client.own()[0].id)
        self.assertEqual(self.view.texts, ["2"])
        self.online()
        self.assertEqual([m.body for m in self.house.journal.of("#lobby")], ["2"])

    def test_failed(self) -> None:
        """What failed is edited, and sent again, or taken away."""
        self.house.journal.fault = lambda draft: "forbidden"
        self.presenter.writing.submit("1")
        self.presenter.writing.submit("2")
        self.flow()
        self.assertEqual([mark for mark, _ in self.view.marks], [Mark.FAILED] * 2)
        self.house.journal.fault = lambda draft: None
        first, second = (each.id for each in self.mira.client.own())
        self.presenter.writing.discard(first)
        self.presenter.writing.edit(second)
        self.presenter.writing.submit("two")
        self.flow()
        self.assertEqual(self.view.texts, ["two"])
        self.assertEqual([m.body for m in self.house.journal.of("#lobby")], ["two"])
