"""chatd.webhooks.delivery, with the agent and the registry around it."""

from __future__ import annotations

import gzip
import json

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgent, IResponse
from zope.interface import implementer
from zope.interface.verify import verifyObject

from chatd.journal.interface import IJournal
from chatd.webhooks.agent import BareAgent, drop
from chatd.webhooks.delivery import retry_after
from chatd.webhooks.registry import Status
from chatd.webhooks.signature import verify
from chatd.wire.messages import Message, message_fields
from tests.journal.list_journal import ListJournal
from tests.webhooks.receiver import CUT, HANG, HookHouse

URL = "http://receiver.example/path-secret"


@implementer(IResponse)
class Answer:  # type: ignore[misc]  # implements what is used
    """An answer whose body a test sends."""

    def __init__(self) -> None:
        self.transport = StringTransport()

    def deliverBody(self, protocol: Protocol) -> None:
        self.body = protocol
        protocol.makeConnection(self.transport)


class DeliveryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = HookHouse(self)
        self.receiver = self.house.receiver

    def add(self, house: HookHouse | None = None) -> tuple[str, str]:
        """A hook of the lobby: id and secret."""
        registry = (house or self.house).registry
        return self.successResultOf(registry.add_outgoing("#lobby", URL, "ci"))

    def status(self, house: HookHouse | None = None) -> Status:
        (status,) = (house or self.house).registry.list_hooks()
        return status

    def restarted(self) -> HookHouse:
        """The same house after a crash: what the journal keeps is all that is left."""
        self.house.registry.stop()
        now = self.house.clock.seconds()
        return HookHouse(self, None, self.house.journal, self.receiver, now)


class OrderTests(DeliveryCase):
    def test_from_now_on(self) -> None:
        """A hook gets what is said after it was made, in order, once."""
        self.house.say("before")
        self.add()
        self.house.say("a", "b")
        self.house.say("c")
        self.assertEqual(self.receiver.bodies, ["a", "b", "c"])
        self.assertEqual(self.status().backlog, 0)

    def test_other_rooms(self) -> None:
        """It gets nothing of other rooms."""
        self.add()
        self.house.say("elsewhere", room="#other")
        self.assertEqual(self.receiver.requests, [])

    def test_delivery(self) -> None:
        """The body is the message as the wire has it, signed; the headers say which."""
        _, secret = self.add()
        self.house.say("grüß\n")
        ((headers, body),) = self.receiver.requests
        (message,) = self.house.journal.log
        self.assertEqual(json.loads(body), message_fields(message))
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["chatd-delivery"], "#lobby:1")
        stamp, signature = headers["chatd-timestamp"], headers["chatd-signature"]
        self.assertEqual(stamp, str(int(self.house.now())))
        now = self.house.now()
        self.assertTrue(verify(secret, stamp, signature, body, now))
        self.assertFalse(verify("x" + secret, stamp, signature, body, now))

    def test_pages(self) -> None:
        """A long backlog goes out page by page, in order."""
        self.add()
        self.receiver.codes = [500]
        texts = [str(n) for n in range(100)]
        self.house.say(*texts)
        self.assertEqual(self.status().backlog, 100)
        self.house.wait(1)
        self.assertEqual(self.receiver.bodies, ["0", *texts])

    def test_nothing_overtakes(self) -> None:
        """What failed comes again, as often as need be, before what is behind it."""
        self.add()
        self.receiver.codes = [500, 404, 302, 200]
        self.house.say("a", "b")
        for _ in range(3):
            self.house.wait(10)
        self.assertEqual(self.receiver.bodies, ["a", "a", "a", "a", "b"])

    def test_restart(self) -> None:
        """After a restart it goes on behind what was delivered."""
        self.add()
        self.receiver.codes = [200, 500]
        self.house.say("a", "b", "c")
        house = self.restarted()
        house.flush()
        self.assertEqual(self.receiver.bodies, ["a", "b", "b", "c"])

    def test_place_first(self) -> None:
        """Nothing goes out while the place of what went before is not on disk."""
        house = self.house
        self.add()
        held: list[Deferred[bool]] = []

        def keep(name: str, text: str | None) -> Deferred[bool]:
            held.append(Deferred())
            return held[-1]

        house.journal.keep = keep  # type: ignore[method-assign]  # a slow disk
        house.say("a", "b")
        self.assertEqual(self.receiver.bodies, ["a"])
        held.pop().callback(False)
        house.wait(1)
        self.assertEqual(self.receiver.bodies, ["a"])
        held.pop().callback(True)
        self.assertEqual(self.receiver.bodies, ["a", "b"])

    def test_pruned(self) -> None:
        """What was pruned meanwhile is skipped, also in the middle of its retries."""
        self.add()
        self.receiver.codes = [500]
        self.house.say("a", "b")
        self.house.journal.prune(int(self.house.now() * 1000) + 1)
        self.house.say("c")
        self.assertEqual(self.status().backlog, 1)
        self.house.wait(1)
        self.assertEqual(self.receiver.bodies, ["a", "c"])
        self.assertEqual(self.status().backlog, 0)

    def test_unread(self) -> None:
        """A log that cannot be read for a moment is read again."""
        self.add()
        journal = self.house.journal
        read = journal.read
        faults = [OSError("disk")]

        def once(room: str, after: int, limit: int) -> Deferred[list[Message]]:
            return fail(faults.pop()) if faults else read(room, after, limit)

        journal.read = once  # type: ignore[method-assign, assignment]  # fails once
        self.house.say("a")
        self.assertEqual(self.receiver.bodies, [])
        self.house.wait(1)
        self.assertEqual(self.receiver.bodies, ["a"])


class FailureTests(DeliveryCase):
    def gaps(self) -> list[float]:
        """The seconds between the tries of a receiver that never takes anything."""
        found: list[float] = []
        last, seen = self.house.clock.seconds(), len(self.receiver.requests)
        while len(found) < 12:
            self.house.wait(0.5)
            if len(self.receiver.requests) > seen:
                now, seen = self.house.clock.seconds(), len(self.receiver.requests)
                found.append(now - last)
                last = now
        return found

    def test_backoff(self) -> None:
        """The pauses double from 1 s to 5 min."""
        self.add()
        self.receiver.codes = [500] * 100
        self.house.say("a")
        doubled = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]
        self.assertEqual(self.gaps(), doubled)

    def test_retry_after(self) -> None:
        """A pause that the receiver asks for is made, of an hour at most."""
        self.add()
        for asked, paused in [("90", 90), ("999999", 3600)]:
            self.receiver.codes = [503]
            self.receiver.headers = {"Retry-After": asked}
            self.house.say("a")
            count = len(self.receiver.requests)
            self.house.wait(paused - 1)
            self.assertEqual(len(self.receiver.requests), count)
            self.house.wait(1)
            self.assertEqual(len(self.receiver.requests), count + 1)

    def test_retry_after_forms(self) -> None:
        """Seconds and dates are understood; anything else asks for nothing."""
        for header, seconds in [
            ("7", 7),
            ("Tue, 14 Nov 2023 22:13:30 GMT", 10),
            ("Tue, 14 Nov 2023 22:13:10 GMT", 0),
            ("soon", 0),
            ("-1", 0),
            ("", 0),
            ("9" * 400, 0),
        ]:
            self.assertEqual(retry_after(header, 1.7e9), seconds, header)

    def test_cut(self) -> None:
        """A connection that is lost before the answer is a failure, by its kind."""
        self.add()
        self.receiver.codes = [CUT]
        self.house.say("a")
        self.assertEqual(self.status().last_error, "ConnectionDone")
        self.house.wait(1)
        self.assertEqual(self.receiver.bodies, ["a", "a"])

    def test_hang(self) -> None:
        """No answer in 15 s is a failure; no new message shortens the pause."""
        self.add()
        self.receiver.codes = [HANG]
        self.house.say("a")
        self.house.wait(14)
        self.assertIsNone(self.status().last_error)
        self.house.wait(1)
        self.assertEqual(self.status().last_error, "no answer in 15 s")
        self.house.say("b")
        self.assertEqual(self.receiver.bodies, ["a"])
        self.house.wait(1)
        self.assertEqual(self.receiver.bodies, ["a", "a", "b"])

    def test_stalls_nobody(self) -> None:
        """A hook that hangs stalls no other."""
        self.add()
        self.receiver.codes = [HANG]
        self.house.say("a")
        self.add()
        self.house.say("b")
        self.assertEqual(self.receiver.bodies, ["a", "b"])

    def test_status(self) -> None:
        """It says what is behind, why, and when the next try is; nothing secret."""
        id, _ = self.add()
        self.receiver.codes = [500]
        self.receiver.answer = b"body-of-the-answer"
        self.house.say("a", "b")
        status = self.status()
        self.assertEqual(status.id, id)
        self.assertEqual(status.backlog, 2)
        self.assertEqual(status.last_error, "answered 500")
        self.assertEqual(status.next_try, int((self.house.now() + 1) * 1000))
        self.assertEqual(status.to, "http://receiver.example")
        self.house.wait(1)
        status = self.status()
        self.assertEqual((status.backlog, status.last_error), (0, None))
        self.assertIsNone(status.next_try)

    def test_gone(self) -> None:
        """410 disables the hook for good; the log and the status say so."""
        self.add()
        self.receiver.codes = [410]
        with capturedLogs() as logged:
            self.house.say("a")
        self.house.wait(10_000)
        self.house.say("b")
        house = self.restarted()
        house.say("c")
        self.assertEqual(self.receiver.bodies, ["a"])
        self.assertEqual(self.status(house).disabled, "gone")
        self.assertEqual(
            [e["log_format"] for e in logged if "hook" in e["log_format"]],
            ["hook-failing", "hook-disabled"],
        )

    def test_failing_for_days(self) -> None:
        """A hook that fails for five days is disabled, restarts or not."""
        self.add()
        self.receiver.codes = [500] * 10_000
        self.house.say("a")
        self.house.wait(2 * 86_400.0)
        house = self.restarted()
        house.say("b")
        for _ in range(3 * 288 - 8):
            house.wait(300)
        self.assertIsNone(self.status(house).disabled)
        for _ in range(12):
            house.wait(300)
        self.assertEqual(self.status(house).disabled, "failing for too long")

    def test_logs(self) -> None:
        """One outage is two lines; no line holds text, secret, or the URL's path."""
        with capturedLogs() as logged:
            _, secret = self.add()
            self.receiver.codes = [500, 500, HANG]
            self.house.say("text-of-the-message")
            for _ in range(30):
                self.house.wait(1)
        self.assertEqual(self.status().backlog, 0)
        events: list[LogEvent] = [
            e for e in logged if e["log_namespace"].startswith("chatd.webhooks")
        ]
        self.assertEqual(
            [e["log_format"] for e in events],
            ["hook-added", "hook-failing", "hook-back"],
        )
        for word in (secret, "path-secret", "text-of-the-message"):
            self.assertNotIn(word, repr(events))

    def test_stop(self) -> None:
        """After stop nothing is waited for and nothing goes out."""
        self.add()
        for codes in ([500], [HANG]):
            self.receiver.codes = codes
            self.house.say("a")
        self.house.registry.stop()
        self.house.hub.close()
        self.house.wait(1000)
        self.assertEqual(self.receiver.bodies, ["a"])
        self.assertEqual(self.house.clock.getDelayedCalls(), [])


class AnswerTests(DeliveryCase):
    def test_redirect(self) -> None:
        """A redirect is a failure, and is not followed."""
        self.add()
        self.receiver.codes = [307]
        self.receiver.headers = {"Location": "http://elsewhere.example/"}
        self.house.say("a")
        self.assertEqual(len(self.receiver.requests), 1)
        self.assertEqual(self.status().last_error, "answered 307")

    def test_long_answer(self) -> None:
        """A long answer is not waited for: taken is taken."""
        self.add()
        self.receiver.answer = b"x" * 10**6
        self.house.say("a", "b")
        self.assertEqual(self.receiver.bodies, ["a", "b"])
        self.assertEqual(self.status().backlog, 0)

    def test_bounded(self) -> None:
        """64 KiB are read of an answer; at one byte more the connection is closed."""
        for size, closed in [(65_536, False), (65_537, True)]:
            answer = Answer()
            dropped = drop(IResponse(answer), 65_536, self.house.clock, 15)
            for _ in range(2):
                self.assertFalse(answer.transport.disconnecting)
                answer.body.dataReceived(b"x" * (size // 2))
            answer.body.dataReceived(b"x" * (size % 2))
            self.assertEqual(answer.transport.disconnecting, closed)
            answer.body.connectionLost(Failure(ConnectionDone()))
            self.successResultOf(dropped)

    def test_slow(self) -> None:
        """A body that does not end is given up after the same time as no answer."""
        answer = Answer()
        dropped = drop(IResponse(answer), 65_536, self.house.clock, 15)
        self.house.wait(14)
        self.assertNoResult(dropped)
        self.house.wait(1)
        self.successResultOf(dropped)
        self.assertTrue(answer.transport.disconnecting)
        answer.body.connectionLost(Failure(ConnectionDone()))

    def test_compressed(self) -> None:
        """A compressed answer is not unpacked."""
        self.add()
        self.receiver.answer = gzip.compress(b"x" * 10**8)[:50_000]
        self.receiver.headers = {"Content-Encoding": "gzip"}
        self.house.say("a", "b")
        self.assertEqual(self.receiver.bodies, ["a", "b"])

    def test_cookies(self) -> None:
        """A receiver's cookies are not kept."""
        self.add()
        self.receiver.headers = {"Set-Cookie": "a=b"}
        self.house.say("a", "b")
        self.assertNotIn("cookie", self.receiver.requests[1][0])

    def test_interface(self) -> None:
        """The agent is one."""
        self.assertTrue(verifyObject(IAgent, BareAgent(self.house.agent)))
        self.assertTrue(verifyObject(IJournal, ListJournal(self.house.now)))
