"""One session's connection: its handshake, its frames, its heartbeat, its end."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.errors import RequestFailed, SayFailed
from chatd.client.limits import Limits
from chatd.client.link import Reason
from chatd.client.session_line import LARGEST_FRAME, SessionLine
from chatd.wire import handshake
from chatd.wire.framing import encode
from chatd.wire.handshake import Refused, Welcome
from chatd.wire.json_text import Object, read_object, write
from chatd.wire.messages import Message, ack, push
from chatd.wire.requests import Ping, Rooms
from chatd.wire.tokens import Key
from tests.client.peer import KEY
from tests.client.session_peer import SessionServer, log, pushed


class Listener:
    """Whom a line tells; notes what it is told, in order."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def line_proven(self) -> None:
        self.told.append("proven")

    def line_ended(self, reason: Reason) -> None:
        self.told.append(reason)

    def line_welcomed(self, welcome: Welcome) -> None:
        self.told.append(welcome.name)

    def line_refused(self, refused: Refused) -> None:
        self.told.append(refused)

    def line_goodbye(self, reason: str, retry_after: int | None) -> None:
        self.told.append((reason, retry_after))

    def line_messages(self, messages: Sequence[Message]) -> None:
        self.told.append([message.body for message in messages])

    def line_told(self, push: Object) -> None:
        self.told.append(push["op"])


class Session:
    """A line, its server and its listener."""

    def __init__(self, key: Key = KEY) -> None:
        self.clock = Clock()
        self.line = SessionLine(
            self.clock,
            KEY,
            "agent/1",
            "ann",
            Limits(),
            lambda: 0.0,
            random.Random(3).randbytes,
        )
        self.listener = Listener()
        self.server = SessionServer(self.line, key)
        self.line.begin(self.listener)

    @property
    def told(self) -> list[object]:
        return self.listener.told

    def live(self) -> Session:
        self.server.live()
        self.told.clear()
        return self

    def lose(self) -> None:
        self.line.connectionLost(Failure(ConnectionDone()))


class HandshakeTests(SynchronousTestCase):
    """Until the session is live."""

    def test_hello(self) -> None:
        """The client says hello first: its agent, and the name it wants."""
        session = Session()
        hello = handshake.parse_hello(session.server.hello())
        self.assertEqual((hello.agent, hello.name), ("agent/1", "ann"))

    def test_live(self) -> None:
        """Welcomed, it pings at once; only the answer proves the server."""
        session = Session()
        session.server.welcome()
        self.assertEqual(session.told, ["alice"])
        ping = session.server.ask("ping")
        self.assertIsNone(session.line.lag)
        session.clock.advance(0.25)
        session.server.ack(ping, time=0)
        self.assertEqual(session.told, ["alice", "proven"])
        self.assertEqual(session.line.lag, 0.25)

    def wrong(self, make: Callable[[SessionServer, bytes], bytes]) -> None:
        session = Session()
        hello = session.server.hello()
        session.server.handshake(make(session.server, hello))
        self.assertEqual(session.told, [Reason.NOT_CHATD])
        self.assertTrue(session.server.gone)
        self.assertEqual(session.clock.getDelayedCalls(), [])

    def test_wrong_welcome(self) -> None:
        """Any answer but a right welcome or refusal ends the line at once."""
        right = Welcome("den", "alice", bytes(range(32)), 100, 65_536)

        def changed(**changes: object) -> Callable[[SessionServer, bytes], bytes]:
            def make(server: SessionServer, hello: bytes) -> bytes:
                members = read_object(handshake.welcome(hello, right)[1:])
                return b"\x1e" + write(members | changes)

            return make

        for change in (
            {"to": "0" * 64},
            {"v": 2},
            {"op": "hello"},
            {"pub": "short"},
            {"pub": "A" * 43},  # its shared secret is all zero
            {"name": None},
            {"limits": {"body": 100, "frame": 100}},
            {"limits": {"body": 100, "frame": LARGEST_FRAME + 1}},
        ):
            self.wrong(changed(**change))
        self.wrong(lambda server, hello: b"Server received: " + hello)
        self.wrong(lambda server, hello: hello)
        self.wrong(lambda server, hello: b"\x1e{")

    def test_other_key(self) -> None:
        """An answer under another key is no answer."""
        session = Session()
        stranger = SessionServer(Session().line, Key(bytes(32)))
        token = stranger.sealer.seal([b"text"])[0]
        session.line.dataReceived(encode(token))
        self.assertEqual(session.told, [Reason.NOT_CHATD])

    def test_refused(self) -> None:
        """A refusal is told with its code and its time, and ends the line."""
        session = Session()
        hello = session.server.hello()
        session.server.handshake(
            handshake.refused(hello, "full", "no room", retry_after=5000)
        )
        self.assertEqual(session.told, [Refused("full", "no room", 5000)])
        self.assertTrue(session.server.gone)
        session.lose()
        self.assertEqual(len(session.told), 1)
        self.assertEqual(session.clock.getDelayedCalls(), [])

    def test_no_answer(self) -> None:
        """Without an answer to its hello the line ends in time."""
        session = Session()
        session.clock.advance(Limits().answer)
        self.assertEqual(session.told, [Reason.TIMEOUT])

    def test_closed(self) -> None:
        """Closed without an answer: probably the wrong key."""
        session = Session()
        session.lose()
        self.assertEqual(session.told, [Reason.WRONG_KEY])

    def test_cut_in_the_handshake(self) -> None:
        """A cut in the midst of a right answer is a lost connection, no stranger."""
        session = Session()
        session.line.dataReceived(session.server.welcoming()[:-5])
        session.lose()
        self.assertEqual(session.told, [Reason.LOST])

    def test_cut_before_the_ping_is_answered(self) -> None:
        """So is one behind it."""
        session = Session()
        session.server.welcome()
        session.lose()
        self.assertEqual(session.told, ["alice", Reason.LOST])


class FrameTests(SynchronousTestCase):
    """What the server says in a live session."""

    def test_one_chunk(self) -> None:
        """Messages of one chunk are told together, in order with what else is said."""
        session = Session().live()
        first, second, third = log("#a", "1", "2", "3")
        presence = push("presence", name="bob", online=True)
        session.server.say(*pushed([first, second]), presence, *pushed([third]))
        self.assertEqual(session.told, [["1", "2"], "presence", ["3"]])

    @given(st.lists(st.integers(1, 400), max_size=40))
    @settings(max_examples=50, deadline=None, derandomize=True)
    def test_split_anywhere(self, cuts: list[int]) -> None:
        """However the bytes are cut, the same is told in the same order."""
        session = Session()
        data = session.server.welcoming()
        data += session.server.frames(
            ack("q1", time=0),
            *pushed(log("#a", "1", "2", "3")),
            push("room", room="#b"),
        )
        position = 0
        for cut in [*cuts, len(data)]:
            session.line.dataReceived(data[position : position + cut])
            position += cut
        self.assertEqual(session.told[:2], ["alice", "proven"])
        self.assertEqual(session.told[-1], "room")
        self.assertEqual(
            [body for told in session.told if isinstance(told, list) for body in told],
            ["1", "2", "3"],
        )

    def garbage(self, spoil: Callable[[SessionServer], bytes]) -> None:
        """What stands before it is told, then the line ends; nothing behind it is."""
        session = Session().live()
        server = session.server
        good = server.frames(*pushed(log("#a", "good")))
        bad = spoil(server)
        session.line.dataReceived(good + bad + server.frames(push("room", room="#b")))
        self.assertEqual(session.told, [["good"], Reason.NOT_CHATD])
        self.assertTrue(server.gone)

    def test_no_answer_of_a_server(self) -> None:
        """JSON that is none, no op, a message that is none: the line ends."""
        (message,) = log("#a", "text")
        fields = read_object(pushed([message])[0])
        for text in (
            b"{",
            b"[]",
            b"{}",
            b"\xff",
            b'{"op":1}',
            write(fields | {"seq": True}),
            write(fields | {"seq": 0}),
            write(fields | {"room": "lobby"}),
            write(fields | {"hash": "0"}),
            write({**fields, "digest": "0" * 64}),
        ):
            self.garbage(lambda server, text=text: server.frames(text))  # type: ignore[misc]

    def test_counter(self) -> None:
        """A frame left out, or said twice, ends the line."""

        def left_out(server: SessionServer) -> bytes:
            server.frames(b"{}")
            return server.frames(push("room", room="#a"))

        self.garbage(left_out)
        session = Session().live()
        frame = session.server.frames(push("room", room="#a"))
        session.line.dataReceived(frame + frame)
        self.assertEqual(session.told, ["room", Reason.NOT_CHATD])

    def test_own_frames_sent_back(self) -> None:
        """What the client said itself does not open when it comes back."""
        session = Session().live()
        session.line.ask(Ping("mine")).addErrback(lambda _: None)
        session.line.dataReceived(session.server.transport.value())
        self.assertEqual(session.told, [Reason.NOT_CHATD])

    def test_no_frame(self) -> None:
        """What is no netstring ends the line."""
        self.garbage(lambda server: b"HTTP/1.1 400 Bad Request\r\n\r\n")

    def test_goodbye(self) -> None:
        """goodbye is the last word: nothing behind it is heard."""
        session = Session().live()
        session.server.say(
            *pushed(log("#a", "1")),
            push("goodbye", reason="restart", retry_after=2000),
            push("room", room="#b"),
        )
        self.assertEqual(session.told, [["1"], ("restart", 2000)])
        session.lose()
        self.assertEqual(len(session.told), 2)
        self.assertEqual(session.clock.getDelayedCalls(), [])


class AskTests(SynchronousTestCase):
    """Requests and their answers."""

    def setUp(self) -> None:
        self.session = Session().live()
        self.server, self.line = self.session.server, self.session.line

    def ask(self) -> Deferred[Object]:
        return self.line.ask(Rooms(self.line.number()))

    def test_any_order(self) -> None:
        """Answers may come in any order; each goes to its request."""
        first, second = self.ask(), self.ask()
        one, two = self.server.requests()
        self.server.ack(two, rooms=[2])
        self.assertNoResult(first)
        self.server.ack(one, rooms=[1])
        self.assertEqual(self.successResultOf(first)["rooms"], [1])
        self.assertEqual(self.successResultOf(second)["rooms"], [2])

    def test_error(self) -> None:
        """An error is told with its code and when to try again."""
        asked = self.ask()
        self.server.error(self.server.ask("rooms"), "slow-down", retry_after=1500)
        error = self.failureResultOf(asked, RequestFailed).value
        self.assertEqual((error.code, error.for_good), ("slow-down", False))
        self.assertEqual(error.retry_after, 1.5)

    def test_unknown_answer(self) -> None:
        """An answer to nothing, or a second one, changes nothing."""
        asked = self.ask()
        request = self.server.ask("rooms")
        self.server.say(ack("nothing"))
        self.server.ack(request, rooms=[])
        self.server.error(request, "internal")
        self.successResultOf(asked)
        self.assertEqual(self.session.told, [])

    def test_unanswered(self) -> None:
        """A request is given up after its time; a late answer changes nothing."""
        asked = self.ask()
        request = self.server.ask("rooms")
        for _ in range(8):
            self.session.clock.advance(4)
            self.server.say(push("presence", name="bob", online=True))
        error = self.failureResultOf(asked, SayFailed).value
        self.assertIs(error.reason, Reason.TIMEOUT)
        self.server.ack(request, rooms=[])
        self.assertEqual(set(self.session.told), {"presence"})

    def test_release(self) -> None:
        """What has no answer when the line goes is handed over, in order."""
        first, second = self.ask(), self.ask()
        third = self.ask()
        self.server.ack(self.server.requests()[1], rooms=[])
        self.session.lose()
        self.successResultOf(second)
        left = self.line.release()
        for call in left:
            call.errback(SayFailed(Reason.LOST))
        self.assertEqual(len(left), 2)
        self.failureResultOf(first, SayFailed)
        self.failureResultOf(third, SayFailed)
        self.assertEqual(self.session.clock.getDelayedCalls(), [])


class HeartbeatTests(SynchronousTestCase):
    """A server that is silent."""

    def setUp(self) -> None:
        self.session = Session().live()
        self.server = self.session.server

    def pings(self) -> int:
        return len(self.server.requests())

    def test_ping(self) -> None:
        """8 s without a word: a ping; words put it off."""
        self.session.clock.advance(7.9)
        self.assertEqual(self.pings(), 0)
        self.server.say(push("presence", name="bob", online=True))
        self.session.clock.advance(7.9)
        self.assertEqual(self.pings(), 0)
        self.session.clock.advance(0.1)
        self.assertEqual(self.pings(), 1)

    def test_dead(self) -> None:
        """16 s without a word: the connection is given up."""
        self.session.clock.pump([8.0, 7.9])
        self.assertEqual(self.session.told, [])
        self.session.clock.advance(0.1)
        self.assertEqual(self.session.told, [Reason.TIMEOUT])
        self.assertTrue(self.server.gone)

    def test_answered(self) -> None:
        """Answered pings keep it alive, and tell the lag."""
        for _ in range(10):
            self.session.clock.advance(8)
            ping = self.server.ask("ping")
            self.session.clock.advance(0.5)
            self.server.ack(ping, time=0)
            self.assertEqual(self.session.line.lag, 0.5)
        self.assertEqual(self.session.told, [])
