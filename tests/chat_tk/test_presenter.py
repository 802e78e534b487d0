"""The window's logic, without a display, against a whole server in memory."""

from __future__ import annotations

from chatd.clients.chat_tk.presenter import PAGE, SHOWN
from chatd.clients.chat_tk.rows import Mark
from tests.chat_tk.presenter_case import PresenterCase
from tests.client.cable import Account


class PresenterTests(PresenterCase):
    """What the window shows, and when."""

    def test_server_first(self) -> None:
        """It begins with the server's conversation; rooms and people are listed."""
        self.assertEqual((self.view.room, self.view.server), ("Server", "here:1"))
        kinds = [(item.kind, item.label) for item in self.view.side]
        self.assertEqual(kinds, [("server", "Server"), ("room", "#lobby")])
        self.assertTrue(self.view.side[0].chosen)
        self.assertEqual((self.view.status, self.view.name), ("Online, 1 ms", "mira"))

    def test_server_answers(self) -> None:
        """A line is there at once, pending, then stored, with the answer below."""
        self.assertTrue(self.presenter.writing.submit("hello"))
        self.assertEqual(self.view.marks, [(Mark.PENDING, "")])
        self.flow()
        self.assertEqual(self.view.texts, ["hello", "Server received: hello"])
        self.assertEqual(self.view.marks[0], (Mark.STORED, ""))
        self.assertEqual([i.label for i in self.view.side].count("Server"), 1)

    def test_blank_line_is_not_sent(self) -> None:
        """White space alone is nothing to say."""
        self.assertFalse(self.presenter.writing.submit(" \n"))
        self.assertEqual(self.view.texts, [])

    def test_too_long_is_told(self) -> None:
        """What cannot be sent is told, and stays with its writer."""
        self.assertFalse(self.presenter.writing.submit("x" * 16_385))
        self.assertIn("16384", self.view.trouble)

    def test_room(self) -> None:
        """A room shows what was said and what comes; what is written goes there."""
        self.bob_says("#lobby", "before")
        self.presenter.open("#lobby")
        self.flow()
        self.assertEqual((self.view.room, self.view.texts), ("#lobby", ["before"]))
        self.bob_says("#lobby", "after")
        self.presenter.writing.submit("mine")
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
        self.presenter.writing.submit("x")
        self.cable.pass_time(3)
        self.assertEqual(self.view.marks, [(Mark.DELIVERED, "1 of 1")])

    def test_failed_for_good(self) -> None:
        """What the server will never take says why, and goes out by Try again."""
        self.house.journal.fault = lambda draft: "forbidden"
        self.presenter.writing.submit("x")
        self.flow()
        ((mark, why),) = self.view.marks
        self.assertIs(mark, Mark.FAILED)
        self.assertIn("Not sent: not allowed here", why)
        self.house.journal.fault = lambda draft: None
        self.presenter.writing.retry(self.mira.client.own()[0].id)
        self.flow()
        self.assertEqual(self.view.texts, ["x", "Server received: x"])

    def test_offline(self) -> None:
        """A line said offline waits, and goes out when the server is back."""
        self.cable.refusing = True
        self.cable.cut()
        self.presenter.writing.submit("later")
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
            self.presenter.conversation.older()
            self.flow()
            self.assertEqual(self.view.texts, [str(n) for n in range(250)][-expected:])

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
        self.presenter.writing.submit("hi")
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
        self.presenter.writing.submit("hi")
        self.flow()
        self.assertEqual(self.view.texts, ["hi", "Server received: hi"])
        self.assertEqual(self.presenter.name, "~gus")


class SideTests(PresenterCase):
    """Rooms and people, and what calls the reader."""

    def test_mentions_are_told_apart(self) -> None:
        """Unread messages that speak of the reader count for themselves."""
        self.bob_says("#lobby", "one", "mira, two", "`mira` three")
        self.bob_says("@bob+mira", "psst")
        room, bob = self.item("#lobby"), self.item("bob")
        self.assertEqual((room.unread, room.calls), (3, 1))
        self.assertEqual((bob.unread, bob.calls), (1, 1))
        self.assertEqual(self.view.count, 2)
        self.presenter.open("#lobby")
        self.flow()
        self.assertEqual((self.item("#lobby").calls, self.view.count), (0, 1))

    def test_mentions_are_recalled(self) -> None:
        """After a restart, what is unread still speaks of the reader."""
        self.bob_says("#lobby", "mira!")
        self.presenter.attach(self.mira.client, "here:1")
        self.assertEqual(self.item("#lobby").calls, 1)

    def test_calls(self) -> None:
        """By the rule: a bell, and a notice that never shows the text."""
        for rule, expected in (
            ("all", 3),
            ("direct", 2),
            ("mention", 1),
            ("none", 0),
        ):
            self.presenter.prefer(notify=rule)
            self.view.notices, self.view.rings = [], 0
            self.bob_says("#lobby", "secret one")
            self.house.clock.advance(4)
            self.bob_says("#lobby", "secret mira")
            self.house.clock.advance(4)
            self.bob_says("@bob+mira", "secret two")
            self.house.clock.advance(4)
            self.assertEqual(len(self.view.notices), expected, rule)
            self.assertEqual(self.view.rings, expected)
            self.assertNotIn("secret", "".join(self.view.notices))

    def test_quiet(self) -> None:
        """Nothing calls for the room in front, while one looks; nor from oneself."""
        self.presenter.prefer(notify="all")
        self.presenter.open("#lobby")
        self.bob_says("#lobby", "mira")
        self.presenter.writing.submit("mira")
        self.cable.pass_time(4)
        self.assertEqual((self.view.notices, self.view.rings), ([], 0))
        self.presenter.looks(False)
        self.bob_says("#lobby", "mira")
        self.cable.pass_time(4)
        self.assertEqual(self.view.notices, ["bob spoke of you in #lobby"])

    def test_rule_of_a_room(self) -> None:
        """A room's own rule goes before; without one it is as all the others."""
        self.presenter.set_rule("#lobby", "none")
        self.bob_says("#lobby", "mira")
        self.cable.pass_time(4)
        self.assertTrue(self.item("#lobby").quiet)
        self.assertEqual((self.view.notices, self.view.count), ([], 0))
        self.presenter.set_rule("#lobby", "")
        self.assertEqual(self.presenter.preferences.rooms, {})
        self.assertEqual(self.view.count, 1)

    def test_flood_is_one_call(self) -> None:
        """Many messages at once are one notice a room, and one ring."""
        self.bob_says("@bob+mira", *map(str, range(30)))
        self.cable.pass_time(4)
        self.assertEqual(self.view.notices, ["30 messages from bob"])
        self.assertEqual(self.view.rings, 1)

    def test_steps(self) -> None:
        """The keys go through the list, around its ends, and to what is unread."""
        self.bob_says("@bob+mira", "psst")
        self.assertEqual([i.label for i in self.view.side], ["Server", "#lobby", "bob"])
        self.presenter.step(-1)
        self.assertEqual(self.view.room, "bob")
        self.presenter.step(1)
        self.assertEqual(self.view.room, "Server")
        self.presenter.step(1)
        self.assertEqual(self.view.room, "#lobby")
        self.bob_says("@bob+mira", "again")
        self.presenter.to_unread()
        self.assertEqual(self.view.room, "bob")
        self.presenter.to_unread()
        self.assertEqual(self.view.room, "bob")

    def test_left(self) -> None:
        """A room that was left is followed no more; the lobby cannot be."""
        self.presenter.join("ops")
        self.flow()
        self.assertTrue(self.item("#ops").followed)
        self.presenter.leave("#ops")
        self.assertFalse(self.item("#ops").followed)
        self.assertEqual(self.view.room, "#lobby")
        self.presenter.leave("#lobby")
        self.assertTrue(self.item("#lobby").followed)


class DraftTests(PresenterCase):
    """What was being written, and where one was."""

    def test_drafts(self) -> None:
        """Each room keeps what was being written in it; what was sent is gone."""
        self.view.written = "half a th"
        self.presenter.open("#lobby")
        self.assertEqual(self.view.written, "")
        self.presenter.open("@mira+server")
        self.assertEqual(self.view.written, "half a th")
        self.presenter.writing.submit("half a thought")
        self.view.written = ""
        kept = self.presenter.leaving("1x1+0+0")
        self.assertEqual((kept.drafts, kept.room), ({}, "@mira+server"))
        self.assertEqual(kept.geometry, "1x1+0+0")

    def test_room_is_kept(self) -> None:
        """The next start begins in the room that was in front."""
        self.presenter.open("#lobby")
        self.flow()
        self.presenter.attach(self.mira.client, "here:1")
        self.assertEqual(self.presenter.room, "#lobby")

    def test_read_is_told_or_not(self) -> None:
        """Others learn how far one has read only where that is wanted."""
        self.presenter.prefer(tell_read=False)
        self.bob_says("#lobby", "x")
        self.presenter.open("#lobby")
        self.cable.pass_time(3)
        marks = self.house.journal.marks["#lobby"]["mira"]
        self.assertEqual((marks.received, marks.read), (1, 0))
        self.assertEqual(self.item("#lobby").unread, 0)
        self.presenter.prefer(tell_read=True)
        self.bob_says("#lobby", "y")
        self.cable.pass_time(3)
        self.assertEqual(self.house.journal.marks["#lobby"]["mira"].read, 2)

    def test_key_words(self) -> None:
        """The key's id, and the same as words: five letters for sixteen bits."""
        id, words = self.presenter.key_words
        self.assertEqual(id, self.mira.client.key.id)
        self.assertRegex(words, "^[a-z]{5}-[a-z]{5}$")


class SearchTests(PresenterCase):
    """Ctrl+F."""

    def setUp(self) -> None:
        super().setUp()
        self.bob_says("#lobby", "needle 1", "hay", "NEEDLE 2", *["hay"] * 200)
        self.presenter.open("#lobby")
        self.flow()

    def find(self, query: str) -> str:
        self.presenter.find(query)
        self.cable.pass_time(1)
        return self.view.found.text

    def test_found(self) -> None:
        """The newest first; from one to the next, around; each is brought into view."""
        self.assertEqual(self.find("needle"), "1 of 2")
        self.assertEqual(self.view.found.words, ("needle",))
        self.assertIn("NEEDLE 2", self.view.texts)
        for expected in ("2 of 2", "1 of 2"):
            self.presenter.search.step(1)
            self.flow()
            self.assertEqual(self.view.found.text, expected)

    def test_nothing(self) -> None:
        """It says so; an empty field says nothing."""
        self.assertEqual(self.find("straw"), "nothing found")
        self.presenter.search.step(1)
        self.assertEqual(self.find(" "), "")

    def test_offline(self) -> None:
        """Without a connection what is held here is searched."""
        self.cable.refusing = True
        self.cable.cut()
        self.assertEqual(self.find("needle"), "1 of 2")

    def test_enter_does_not_wait(self) -> None:
        """Who presses Enter need not wait for the pause."""
        self.presenter.find("needle")
        self.presenter.search.step(1)
        self.cable.flow()
        self.assertEqual(self.view.found.text, "1 of 2")

    def test_late_answer(self) -> None:
        """What comes for another search is dropped."""
        self.presenter.find("needle")
        self.presenter.search.step(1)
        self.presenter.find("hay")
        self.cable.flow()
        self.assertEqual(self.view.found.text, "")
