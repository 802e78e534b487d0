"""The window's logic, without a display, against a whole server in memory."""

from __future__ import annotations

import datetime as dt

from twisted.trial.unittest import SynchronousTestCase

from chatd.clients.chat_tk.presenter import FLUSH, PAGE, SHOWN, Presenter
from chatd.clients.chat_tk.spans import Mark
from chatd.server.limits import Limits
from tests.chat_tk.fakes import FakeView
from tests.client.cable import Account, Cable
from tests.server.house import House


class PresenterTests(SynchronousTestCase):
    """Mira at her window; Bob elsewhere."""

    def setUp(self) -> None:
        self.house = House(self, Limits(messages=0))
        self.cable = Cable(self.house)
        self.bob = Account(self, self.cable, "bob")
        self.mira = Account(self, self.cable, "mira", connect=False)
        self.view = FakeView()
        self.presenter = Presenter(
            self.view, self.house.clock, self.house.now, "login", dt.UTC
        )
        self.presenter.attach(self.mira.client, "here:1")
        self.addCleanup(self.presenter.close)
        self.mira.client.start()
        self.flow()

    def flow(self) -> None:
        self.cable.flow()
        self.house.clock.advance(FLUSH)
        self.cable.flow()

    def bob_says(self, room: str, *texts: str) -> None:
        for text in texts:
            self.bob.client.say(room, text)
        self.flow()

    def test_server_first(self) -> None:
        """It begins with the server's conversation; rooms and people are listed."""
        self.assertEqual((self.view.room, self.view.server), ("Server", "here:1"))
        kinds = [(item.kind, item.label) for item in self.view.side]
        self.assertEqual(kinds, [("server", "Server"), ("room", "#lobby")])
        self.assertTrue(self.view.side[0].chosen)
        self.assertEqual((self.view.status, self.view.name), ("Online", "mira"))

    def test_server_answers(self) -> None:
        """A line is there at once, pending, then stored, with the answer below."""
        self.assertTrue(self.presenter.submit("hello"))
        self.assertEqual(self.view.marks, [(Mark.PENDING, "")])
        self.flow()
        self.assertEqual(self.view.texts, ["hello", "Server received: hello"])
        self.assertEqual(self.view.marks[0], (Mark.STORED, ""))
        self.assertEqual([i.label for i in self.view.side].count("Server"), 1)

    def test_blank_line_is_not_sent(self) -> None:
        """White space alone is nothing to say."""
        self.assertFalse(self.presenter.submit(" \n"))
        self.assertEqual(self.view.texts, [])

    def test_too_long_is_told(self) -> None:
        """What cannot be sent is told, and stays with its writer."""
        self.assertFalse(self.presenter.submit("x" * 16_385))
        self.assertIn("16384", self.view.trouble)

    def test_room(self) -> None:
        """A room shows what was said and what comes; what is written goes there."""
        self.bob_says("#lobby", "before")
        self.presenter.open("#lobby")
        self.flow()
        self.assertEqual((self.view.room, self.view.texts), ("#lobby", ["before"]))
        self.bob_says("#lobby", "after")
        self.presenter.submit("mine")
        self.flow()
        self.assertEqual(self.view.texts, ["before", "after", "mine"])
        self.assertEqual(self.house.journal.of("#lobby")[-1].sender, "mira")

    def test_unread(self) -> None:
        """What comes elsewhere is counted there, until it is opened and seen."""
        self.bob_says("#lobby", "1", "2")
        self.bob_says("@bob+mira", "psst")
        counts = {item.label: item.unread for item in self.view.side}
        self.assertEqual((counts["#lobby"], counts["bob"]), (2, 1))
        self.presenter.open("#lobby")
        self.flow()
        counts = {item.label: item.unread for item in self.view.side}
        self.assertEqual((counts["#lobby"], counts["bob"]), (0, 1))
        self.cable.pass_time(2)
        self.assertEqual(self.house.journal.marks["#lobby"]["mira"].read, 2)

    def test_not_read_while_scrolled_away(self) -> None:
        """Away from the end nothing more counts as read; what came is counted."""
        self.presenter.open("#lobby")
        self.flow()
        self.presenter.scrolled(False)
        self.bob_says("#lobby", "x")
        self.assertEqual(self.view.below, 1)
        self.assertEqual([i.unread for i in self.view.side if i.label == "#lobby"], [1])
        self.presenter.scrolled(True)
        self.assertEqual(self.view.below, 0)
        self.assertEqual([i.unread for i in self.view.side if i.label == "#lobby"], [0])

    def test_delivered(self) -> None:
        """An own message tells how many of the others have it."""
        self.bob.join("#lobby")
        self.presenter.open("#lobby")
        self.mira.get(self.mira.client.members("#lobby"))
        self.presenter.submit("x")
        self.cable.pass_time(3)
        self.assertEqual(self.view.marks, [(Mark.DELIVERED, "1 of 1")])

    def test_failed_for_good(self) -> None:
        """What the server will never take says why, and goes out by Try again."""
        self.house.journal.fault = lambda draft: "forbidden"
        self.presenter.submit("x")
        self.flow()
        ((mark, why),) = self.view.marks
        self.assertIs(mark, Mark.FAILED)
        self.assertIn("Not sent: not allowed here", why)
        self.house.journal.fault = lambda draft: None
        self.presenter.retry(self.view.bodies[0].id)
        self.flow()
        self.assertEqual(self.view.texts, ["x", "Server received: x"])

    def test_offline(self) -> None:
        """A line said offline waits, and goes out when the server is back."""
        self.cable.refusing = True
        self.cable.cut()
        self.presenter.submit("later")
        self.assertEqual(self.view.marks, [(Mark.PENDING, "")])
        assert self.view.banner is not None
        self.cable.refusing = False
        self.presenter.retry_now()
        self.cable.pass_time(3)
        self.assertEqual(self.view.texts, ["later", "Server received: later"])
        self.assertIsNone(self.view.banner)

    def test_older_pages(self) -> None:
        """At the top the page before comes, down to the first message."""
        self.bob_says("#lobby", *map(str, range(250)))
        self.presenter.open("#lobby")
        self.flow()
        self.assertEqual(len(self.view.texts), PAGE)
        for expected in (200, 250, 250):
            self.presenter.scrolled(False)
            self.presenter.older()
            self.flow()
            self.assertEqual(self.view.texts, [str(n) for n in range(250)][-expected:])
        self.assertIsNotNone(self.view.seen)

    def test_window_is_bounded(self) -> None:
        """Never more than SHOWN messages: at one more the oldest page goes."""
        self.presenter.open("#lobby")
        self.flow()
        self.bob_says("#lobby", *map(str, range(SHOWN + 1)))
        self.assertEqual(len(self.view.texts), SHOWN - PAGE)
        self.assertEqual(self.view.texts[-1], str(SHOWN))

    def test_many_are_written_at_once(self) -> None:
        """What arrives within the gathering time is one write to the window."""
        self.presenter.open("#lobby")
        self.flow()
        before = self.view.writes
        self.bob_says("#lobby", *map(str, range(20)))
        self.assertEqual(self.view.writes, before + 1)

    def test_join(self) -> None:
        """A room is made, a person talked to, by name; nonsense is told."""
        self.assertTrue(self.presenter.join("Ops"))
        self.flow()
        self.assertEqual(self.view.room, "#ops")
        self.assertIn("#ops", self.house.hub.rooms)
        self.assertTrue(self.presenter.join("@bob"))
        self.presenter.submit("hi")
        self.flow()
        self.assertEqual(self.house.journal.of("@bob+mira")[0].body, "hi")
        self.assertFalse(self.presenter.join("no room!"))
        self.assertIn("#name", self.view.trouble)

    def test_presence(self) -> None:
        """Who is there is seen, and who left."""
        self.bob.client.stop()
        self.cable.pass_time(2)
        bob = [(i.label, i.online) for i in self.view.side if i.kind == "person"]
        self.assertEqual(bob, [("bob", False)])

    def test_trouble(self) -> None:
        """A server that lost what it acknowledged is told of, in words."""
        self.presenter.open("#lobby")
        self.bob_says("#lobby", "1", "2")
        journal, room = self.house.journal, self.house.hub.rooms["#lobby"]
        journal.log.pop()
        last = journal.log[-1]
        room.head = room.head._replace(last=last.seq, hash=last.hash)
        self.cable.cut()
        self.cable.pass_time(3)
        self.assertIn("lost or changed", self.view.trouble)

    def test_removed_user(self) -> None:
        """A removed user is told so."""
        self.house.users.remove("mira")
        self.house.hub.dismiss()
        self.flow()
        assert self.view.banner is not None
        self.assertIn("removed", self.view.banner.text)

    def test_guest(self) -> None:
        """A guest has the same window: the server, and public rooms."""
        guest = Account(self, self.cable, "~gus", connect=False)
        self.presenter.attach(guest.client, "there:2")
        guest.client.start()
        self.flow()
        self.presenter.submit("hi")
        self.flow()
        self.assertEqual(self.view.texts, ["hi", "Server received: hi"])
        self.assertEqual(self.presenter.name, "~gus")
