"""Rooms that are followed: joins, pushes and pages, right ones and others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.errors import RequestFailed, SayFailed
from chatd.client.events import Arrived, Trouble
from chatd.client.link import Phase, Reason
from chatd.wire.json_text import Object
from chatd.wire.messages import BadAnswer, Message, message_fields, push
from tests.client.session_peer import SessionWorld, log


class FollowingCase(SynchronousTestCase):
    """One client online, its server played by the test."""

    def setUp(self) -> None:
        self.world = SessionWorld()
        self.client, self.clock = self.world.client, self.world.clock
        self.server = self.world.online()
        self.addCleanup(self.world.store.close)

    def arrived(self) -> list[str | None]:
        events = [each for each in self.world.events if isinstance(each, Arrived)]
        return [message.body for event in events for message in event.messages]

    def troubles(self) -> list[tuple[str, str]]:
        events = [each for each in self.world.events if isinstance(each, Trouble)]
        return [(each.room, each.kind) for each in events]


class JoinTests(FollowingCase):
    """Joins and what becomes of them."""

    def test_asks_from_the_cursor(self) -> None:
        """A followed room is joined again from where its copy ends, with its hash."""
        messages = log("#a", "1", "2")
        self.world.follow(self.server, "#a", *messages)
        self.world.lose(self.server)
        self.client.retry_now()
        server = self.world.attempt()
        server.welcome()
        (ping,) = server.requests()
        server.ack(ping, time=0)
        join = server.ask("join")
        self.assertEqual((join["after"], join["hash"]), (2, messages[1].hash))

    def test_later(self) -> None:
        """A join that the server cannot do now is asked for again when it says."""
        joined = self.client.join("#a")
        self.server.error(self.server.ask("join"), "slow-down", retry_after=3000)
        self.clock.advance(2.9)
        self.assertEqual(self.server.requests(), [])
        self.clock.advance(0.1)
        self.world.head(self.server, self.server.ask("join"))
        self.assertTrue(self.successResultOf(joined).followed)

    def test_unanswered(self) -> None:
        """So is one that is not answered in time, while the server lives."""
        joined = self.client.join("#a")
        self.server.ask("join")
        for _ in range(8):
            self.clock.advance(4)
            self.server.say(push("presence", name="bob", online=True))
        self.clock.advance(1)
        self.world.head(self.server, self.server.ask("join"))
        self.assertTrue(self.successResultOf(joined).followed)

    def test_not_later_than_the_session(self) -> None:
        """Nothing waits for its time behind the end of the session."""
        self.client.join("#a").addErrback(lambda _: None)
        self.server.error(self.server.ask("join"), "internal")
        self.client.stop()
        self.world.lose(self.server)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_asked_when_the_line_goes(self) -> None:
        """A join without an answer when the line goes is asked for once on the next,
        and leaves nothing behind where there is none."""
        joined = self.client.join("#a")
        self.world.lose(self.server)
        self.client.retry_now()
        server = self.world.attempt()
        server.live()
        join = server.ask("join")
        self.clock.advance(2)
        self.assertEqual(server.requests(), [])
        self.world.lose(server)
        self.client.stop()
        self.failureResultOf(joined, SayFailed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(join["room"], "#a")

    def test_no_answer_to_a_join(self) -> None:
        """An ack that tells no head is none of a chatd: the line ends, the room is
        joined on the next."""
        joined = self.client.join("#a")
        self.server.ack(self.server.ask("join"), room="#a", first=1, last=0)
        self.assertTrue(self.server.gone)
        self.assertIs(self.client.state.reason, Reason.NOT_CHATD)
        server = self.world.again(self.server)
        self.world.head(server, server.ask("join"))
        self.assertTrue(self.successResultOf(joined).followed)

    def test_left_while_asked(self) -> None:
        """A room that is left before the server has agreed is not followed."""
        joined = self.client.join("#a")
        self.client.leave("#a")
        self.world.head(self.server, self.server.ask("join"))
        self.assertFalse(self.successResultOf(joined).followed)
        self.client.join("#a")
        self.world.head(self.server, self.server.ask("join"))
        copy = self.client.copy("#a")
        assert copy is not None
        self.assertTrue(copy.followed)

    def test_left(self) -> None:
        """What a room that was left tells in this session is not told; joined again
        it goes on where it was, without a gap."""
        messages = log("#a", "1", "2")
        self.world.follow(self.server, "#a", messages[0])
        self.client.leave("#a")
        self.server.push(messages[1])
        self.assertEqual(self.arrived(), ["1"])
        self.client.join("#a")
        join = self.server.ask("join")
        self.assertEqual(join["after"], 1)
        self.world.head(self.server, join, *messages)
        self.server.push(messages[1])
        self.assertEqual(self.arrived(), ["1", "2"])

    def test_diverged(self) -> None:
        """Whoever waits for a join that diverged is told so."""
        self.world.follow(self.server, "#a", *log("#a", "1"))
        joined = self.client.join("#a")
        join = self.server.ask("join")
        self.server.error(join, "diverged", last=0, hash="0" * 64)
        self.assertEqual(self.successResultOf(joined).trouble, "diverged")
        self.assertEqual(self.troubles(), [("#a", "diverged")])


class PushTests(FollowingCase):
    """Messages that are pushed."""

    def test_one_store_a_chunk(self) -> None:
        """The messages of one chunk, of all rooms, are told as one event."""
        self.world.follow(self.server, "#a")
        self.world.follow(self.server, "#b")
        one, two = log("#a", "1", "2"), log("#b", "x")
        self.server.push(one[0], two[0], one[1])
        (event,) = [e for e in self.world.events if isinstance(e, Arrived)]
        self.assertEqual([m.body for m in event.messages], ["1", "x", "2"])

    def test_every_broken_room_is_told(self) -> None:
        """Two rooms that break in one chunk are both told, once; others go on."""
        for room in ("#a", "#b", "#c"):
            self.world.follow(self.server, room)
        bad = [log(room, "1", "2")[1] for room in ("#a", "#b")]
        good = log("#c", "1", "2")
        self.server.push(*bad, good[0])
        self.server.push(*bad, good[1])
        self.assertEqual(sorted(self.troubles()), [("#a", "broken"), ("#b", "broken")])
        self.assertEqual(self.arrived(), ["1", "2"])

    def test_own_in_a_broken_push(self) -> None:
        """A push that does not fit does not take a message out of the outbox."""
        self.world.follow(self.server, "#a")
        own = self.client.say("#a", "mine")
        self.clock.advance(0)
        forged = log("#a", "1", "forged")[1]._replace(id=own.id, sender="alice")
        self.server.push(forged)
        self.assertEqual(self.troubles(), [("#a", "broken")])
        self.assertEqual([each.body for each in self.client.own("#a")], ["mine"])

    def test_own_of_a_room_started_over(self) -> None:
        """What was stored does not stay in the list of own ones for ever where its
        push comes no more."""
        for act in (self.client.forget, self.client.leave):
            room = f"#{act.__name__}"
            self.world.follow(self.server, room)
            self.client.say(room, "mine")
            self.clock.advance(0)
            self.server.ack(self.server.ask("send"), seq=1, room=room)
            self.assertEqual(len(self.client.own(room)), 1)
            act(room)
            self.assertEqual(self.client.own(room), [])
            self.server.requests()


class PageTests(FollowingCase):
    """Older messages."""

    def setUp(self) -> None:
        super().setUp()
        self.log = log("#a", *[f"{n}" for n in range(1, 501)])

    def join(self) -> None:
        """The client joins the whole log, and holds nothing of it."""
        self.client.join("#a")
        self.world.head(self.server, self.server.ask("join"), *self.log)
        self.clock.advance(2)
        self.server.requests()

    def answer(self, most: int = 200, log: Sequence[Message] | None = None) -> Object:
        """Answer a `history` as a server does whose frames hold `most` messages."""
        request = self.server.ask("history")
        messages = self.log if log is None else log
        below = [m for m in messages if m.seq < request.get("before", 10**9)]
        page = below[-min(most, request["limit"]) :]
        fields = [message_fields(message) for message in page]
        self.server.ack(request, messages=fields, more=len(page) < len(below))
        return request

    def seqs(self, result: Any) -> list[int]:
        return [message.seq for message in self.successResultOf(result)]

    def test_far_below(self) -> None:
        """A page far below what is held comes, with all between: that is checked."""
        self.join()
        asked = self.client.messages("#a", before=10, limit=5)
        for _ in range(3):
            self.answer()
        self.assertEqual(self.seqs(asked), [5, 6, 7, 8, 9])
        again = self.client.messages("#a", before=400, limit=3)
        self.assertEqual(self.seqs(again), [397, 398, 399])

    def test_short_pages(self) -> None:
        """A server whose frames hold less than the page is asked until it is full."""
        self.join()
        asked = self.client.messages("#a", limit=50)
        for _ in range(3):
            self.answer(most=20)
        self.assertEqual(self.seqs(asked), list(range(451, 501)))

    def test_large_page(self) -> None:
        """More than the protocol gives at once is asked for in parts."""
        self.join()
        asked = self.client.messages("#a", limit=300)
        self.assertEqual(self.answer()["limit"], 200)
        self.answer()
        self.assertEqual(self.seqs(asked), list(range(201, 501)))

    def test_two_at_once(self) -> None:
        """Two who ask for the same page both get it; nothing is in trouble."""
        self.join()
        first, second = (self.client.messages("#a") for _ in range(2))
        requests = self.server.requests()
        page = [message_fields(message) for message in self.log[-50:]]
        for request in requests:
            self.server.ack(request, messages=page, more=True)
        self.assertEqual(self.seqs(first), self.seqs(second))
        self.assertEqual(self.troubles(), [])

    def test_started_over_meanwhile(self) -> None:
        """A page that was asked for before the room was started over is no trouble."""
        self.join()
        asked = self.client.messages("#a", limit=50)
        request = self.server.ask("history")
        self.client.forget("#a")
        longer = [*self.log, *log("#a", "x", behind=self.log[-1])]
        self.world.head(self.server, self.server.ask("join"), *longer)
        page = [message_fields(message) for message in self.log[-50:]]
        self.server.ack(request, messages=page, more=True)
        self.answer(log=longer)
        self.assertEqual(self.seqs(asked), list(range(452, 502)))
        self.assertEqual(self.troubles(), [])

    def test_pruned(self) -> None:
        """Where the server holds nothing more, there is nothing more."""
        self.join()
        asked = self.client.messages("#a", limit=50)
        self.answer(log=self.log[-30:])
        self.answer(log=self.log[-30:])
        self.assertEqual(self.seqs(asked), list(range(471, 501)))

    def test_the_same_again(self) -> None:
        """A server that answers with what is held is not asked for ever."""
        self.join()
        first = self.client.messages("#a", limit=50)
        self.answer()
        self.seqs(first)
        asked = self.client.messages("#a", limit=100)
        page = [message_fields(message) for message in self.log[-50:]]
        self.server.ack(self.server.ask("history"), messages=page, more=True)
        self.assertEqual(self.seqs(asked), list(range(451, 501)))
        self.assertEqual(self.server.requests(), [])

    def test_not_joined(self) -> None:
        """Of a room without a copy a page is shown, checked in itself, and not kept."""
        asked = self.client.messages("#a", before=100, limit=3)
        self.assertEqual(self.answer()["before"], 100)
        self.assertEqual(self.seqs(asked), [97, 98, 99])
        self.assertIsNone(self.client.copy("#a"))

    def test_not_joined_and_wrong(self) -> None:
        """If such a page does not fit together, or in its place, it is refused."""
        one, two, three = self.log[96:99]
        foreign = log("#b", *[f"{n}" for n in range(1, 100)])[98]
        for page in (
            [one, three],
            [one, two._replace(body="forged"), three],
            [two, one],
            [foreign],
            [self.log[99]],
            [self.log[0]._replace(time=7)],
        ):
            asked = self.client.messages("#a", before=100, limit=3)
            fields = [message_fields(message) for message in page]
            self.server.ack(self.server.ask("history"), messages=fields, more=True)
            self.failureResultOf(asked, BadAnswer)

    def test_refused(self) -> None:
        """What the server refuses is told to whoever asked."""
        asked = self.client.messages("#a")
        self.server.error(self.server.ask("history"), "no-such-room")
        self.failureResultOf(asked, RequestFailed)
        self.assertIs(self.client.state.phase, Phase.ONLINE)


class MarkTests(FollowingCase):
    """received and read on the wire."""

    def marks(self) -> list[tuple[int, int]]:
        marks = [each for each in self.server.requests() if each["op"] == "mark"]
        return [(each["received"], each["read"]) for each in marks]

    def test_at_most_once_a_second(self) -> None:
        """However much comes in a second, one mark tells it."""
        self.world.follow(self.server, "#a")
        messages = log("#a", "1", "2", "3")
        for message in messages:
            self.server.push(message)
        self.client.read("#a", 1)
        self.client.read("#a", 2)
        self.clock.advance(0)
        self.assertEqual(self.marks(), [(3, 2)])
        self.client.read("#a", 3)
        self.clock.advance(0.9)
        self.assertEqual(self.marks(), [])
        self.clock.advance(0.1)
        self.assertEqual(self.marks(), [(3, 3)])

    def test_not_now(self) -> None:
        """A mark that the server cannot take now is told again; one that it never
        takes is not."""
        self.world.follow(self.server, "#a", *log("#a", "1"))
        self.client.read("#a", 1)
        self.clock.advance(0)
        self.server.error(self.server.ask("mark"), "slow-down", retry_after=100)
        self.clock.advance(1)
        again = self.server.ask("mark")
        self.assertEqual((again["received"], again["read"]), (1, 1))
        self.server.error(again, "forbidden")
        self.clock.advance(5)
        self.assertEqual(self.marks(), [])
