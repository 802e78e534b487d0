"""The admin API, in memory: what it tells, what it does, what it refuses."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from pathlib import Path
from typing import Any, cast

import treq
from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.test.requesthelper import DummyRequest

from chatd.journal.check import Verdict
from chatd.journal.interface import Head, IJournal, Told, untold
from chatd.server.operator import Operator
from chatd.web.admin import STREAMS, Admin
from chatd.web.house import House
from chatd.web.streams import Work
from chatd.wire.json_text import Object
from chatd.wire.messages import Message
from tests.helpers import ROOT
from tests.journal.list_journal import ListJournal
from tests.server.house import House as ServerHouse
from tests.webhooks.receiver import Body, HookHouse


class AskedJournal(ListJournal):
    """What the API asks of the store beyond IJournal."""

    waiting = 3
    told: Told

    def find(self, id: str) -> Deferred[list[Message]]:
        return succeed([message for message in self.log if message.id == id])

    def verify(
        self, acknowledged: dict[str, Head], told: Told = untold
    ) -> Deferred[list[Verdict]]:
        if self.hold:
            self.told = told
            return Deferred()
        return succeed([Verdict(n, h.last, h.hash) for n, h in acknowledged.items()])


class AdminCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = hooked = HookHouse(self)
        server: ServerHouse = hooked
        self.journal = server.journal
        self.journal.__class__ = AskedJournal  # with what it holds already
        operator = Operator(
            server.hub,
            IJournal(self.journal),
            server.users,
            server.keyring,
            server.limits,
            os.urandom,
        )
        self.house = House(
            server.factory,
            server.hub,
            cast(Any, self.journal),
            server.users,
            server.keyring,
            hooked.registry,
            operator,
            server.now,
            server.now(),
            lambda: ["127.0.0.1:5577"],
        )
        root = Resource()
        self.admin = Admin(self.house, server.clock)
        root.putChild(b"admin", self.admin)
        self.agent = RequestTraversalAgent(root)
        self.client = HTTPClient(self.agent, data_to_body_producer=Body)
        self.alice = server.session("alice")
        self.alice.ask("join", room="#ops")
        self.alice.ask("send", room="#ops", body="hush-hush", id="m1")

    def begin(self, method: str, what: str, data: bytes | None = None) -> Any:
        """The response, and what of its body has come."""
        asked = self.client.request(method, f"http://x/admin/{what}", data=data)
        self.agent.flush()
        response = self.successResultOf(asked)
        lines: list[bytes] = []
        treq.collect(response, lines.append)
        self.agent.flush()
        return response, lines

    def ask(self, method: str, what: str, data: bytes | None = None) -> Any:
        """The status and the object of an answer."""
        response, lines = self.begin(method, what, data)
        return response.code, json.loads(b"".join(lines))

    def get(self, what: str) -> Any:
        code, told = self.ask("GET", what)
        self.assertEqual(code, 200)
        return told

    def post(self, what: str, **members: object) -> Any:
        code, told = self.ask("POST", what, json.dumps(members).encode())
        self.assertEqual(code, 200, told)
        return told

    def refused(self, what: str, **members: object) -> str:
        code, told = self.ask("POST", what, json.dumps(members).encode())
        self.assertEqual(code, 409)
        return str(told["error"])


class LookTests(AdminCase):
    def test_status(self) -> None:
        """The daemon at a glance."""
        told = self.get("status")
        self.assertTrue(told["ready"])
        self.assertEqual((told["sessions"], told["guests"]), (1, 0))
        self.assertEqual((told["acks"], told["waiting"]), (1, 3))
        self.assertEqual(told["listening"], ["127.0.0.1:5577"])
        self.assertEqual(told["store"], "open")
        self.server.hub.meters.set_away(True)
        self.assertEqual(self.get("status")["store"], "away")

    def test_rooms(self) -> None:
        """Rooms, not conversations between two."""
        self.server.user("bob")
        self.alice.ask("send", room="@alice+bob", body="x", id="m2")
        rooms = {each["room"]: each for each in self.get("rooms")["rooms"]}
        self.assertNotIn("@alice+bob", rooms)
        self.assertEqual((rooms["#ops"]["last"], rooms["#ops"]["readers"]), (1, 1))

    def test_people(self) -> None:
        """Users with their keys' ids, sessions with theirs."""
        (user,) = self.get("users")["users"]
        (session,) = self.get("sessions")["sessions"]
        self.assertTrue(user["online"])
        self.assertEqual(user["key"], session["key"])
        since = session["since"]
        self.server.clock.advance(5)
        (session,) = self.get("sessions")["sessions"]
        self.assertEqual(session["since"], since)
        self.assertEqual(since, int(self.server.now() * 1000) - 5000)

    def test_trace(self) -> None:
        """Each step, never the text."""
        told = self.post("trace", id="m1")
        (send,), (stored,) = told["sends"], told["stored"]
        self.assertEqual((send["outcome"], send["seq"]), ("stored", 1))
        self.assertEqual((stored["pushed"], stored["readers"]), (1, 1))
        self.assertEqual(stored["received"], [])
        self.alice.ask("mark", room="#ops", received=1, read=1)
        (stored,) = self.post("trace", id="m1")["stored"]
        self.assertEqual((stored["received"], stored["read"]), (["alice"], ["alice"]))
        self.assertNotIn("hush", json.dumps(told))

    def test_hooks(self) -> None:
        """Made, listed and removed."""
        made = self.post("hook/incoming", room="#ops", name="ci")
        self.post("hook/outgoing", room="#ops", name="bot", url="http://127.0.0.1:1/x")
        listed = self.get("hooks")["hooks"]
        self.assertEqual([each["name"] for each in listed], ["bot", "ci"])
        self.assertNotIn(made["token"], json.dumps(listed))
        for each in listed:
            self.post("hook/remove", id=each["id"])
        self.assertEqual(self.get("hooks")["hooks"], [])


class DocumentTests(AdminCase):
    def test_resources(self) -> None:
        """docs/operations.md lists what there is, and nothing else."""
        text = (ROOT / "docs" / "operations.md").read_text()
        listed = dict(
            reversed(each.split())
            for row in re.findall(r"(?m)^\| (`(?:GET|POST) .*?) \|", text)
            for each in re.findall(r"`(.*?)`", row)
        )
        admin = self.admin
        reads, acts = [*admin._reads], [*admin._acts, *STREAMS]
        self.assertEqual(
            listed, dict.fromkeys(reads, "GET") | dict.fromkeys(acts, "POST")
        )


class ActTests(AdminCase):
    def test_people(self) -> None:
        """mute, ban and kick, with an end or without."""
        self.post("mute", name="alice", seconds=60)
        told = self.get("bans")
        until = int(self.server.now() * 1000) + 60_000
        self.assertEqual(told["mutes"], [{"name": "alice", "until": until}])
        self.post("unmute", name="alice")
        self.assertEqual(self.post("kick", name="alice")["ended"], 1)
        self.assertEqual(len(self.post("ban", who="alice")["keys"]), 1)
        self.assertEqual(self.get("bans")["bans"][0]["name"], "alice")
        self.assertEqual(len(self.post("unban", who="alice")["keys"]), 1)
        self.assertIn("not here", self.refused("kick", name="nobody"))

    def test_rooms(self) -> None:
        """Made, closed, opened; who may see them; how long texts are kept."""
        self.server.user("bob")
        self.post("room/create", room="#new")
        self.post("room/private", room="#new", names=["alice"])
        self.post("room/admit", room="#new", name="bob")
        self.post("room/expel", room="#new", name="alice")
        self.post("room/retention", room="#new", days=7)
        rooms = {each["room"]: each for each in self.get("rooms")["rooms"]}
        self.assertEqual((rooms["#new"]["names"], rooms["#new"]["days"]), (["bob"], 7))
        self.post("room/public", room="#new")
        self.assertIn("already", self.refused("room/create", room="#new"))

    def test_say(self) -> None:
        """In the server's name."""
        self.assertEqual(self.post("say", room="#ops", text="soon")["seq"], 2)
        self.assertEqual(self.journal.of("#ops")[-1].sender, "server")

    def test_bad_wishes(self) -> None:
        """What is not understood is said, and what is needed."""
        for what, data, code, word in (
            ("none", b"", 404, "nothing"),
            ("kick", b"{", 400, "body"),
            ("kick", b"", 400, "name"),
            ("mute", b'{"name":"alice","seconds":1.5}', 400, "whole number"),
            ("room/private", b'{"room":"#ops","names":[1]}', 400, "list"),
            ("tail", b'{"room":"#none"}', 400, "no such room"),
            ("backup", b'{"path":"here"}', 400, "absolute"),
        ):
            found, told = self.ask("POST", what, data)
            self.assertEqual(found, code, what)
            self.assertIn(word, told["error"])
        self.assertEqual(self.ask("GET", "none")[0], 404)

    def test_method(self) -> None:
        """What reads is for GET, what acts for POST; nothing else is there."""
        for method, what in (("POST", "status"), ("GET", "kick"), ("PUT", "verify")):
            code, told = self.ask(method, what)
            self.assertEqual(code, 405)
            self.assertIn("ask for it by", told["error"])

    def test_bug(self) -> None:
        """What goes wrong here is in the log, and the answer says that."""
        self.patch(self.house.operator, "kick", lambda name: 1 / 0)
        code, told = self.ask("POST", "kick", b'{"name":"alice"}')
        self.assertEqual(code, 500)
        self.assertIn("log", told["error"])
        self.server.hub.__dict__["rooms"] = None
        self.assertEqual(self.ask("GET", "rooms")[0], 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)


class StreamTests(AdminCase):
    def setUp(self) -> None:
        super().setUp()
        self.before = self.server.clock.getDelayedCalls()

    def test_verify(self) -> None:
        """Each room's end; whether all are whole."""
        told = self.post("verify")
        ends = {each["room"]: each["seq"] for each in told["rooms"]}
        self.assertEqual((ends["#ops"], told["whole"]), (1, True))

    def test_progress(self) -> None:
        """What takes long says each second that it goes on."""
        self.journal.hold = True
        asked = self.client.request("POST", "http://x/admin/verify", data=b"{}")
        self.agent.flush()
        self.server.clock.advance(1)
        cast(AskedJournal, self.journal).told(7, 30)
        self.server.clock.advance(1)
        self.agent.flush()
        lines: list[bytes] = []
        treq.collect(self.successResultOf(asked), lines.append)
        self.agent.flush()
        told = [json.loads(line) for line in b"".join(lines).splitlines()]
        self.assertEqual(
            told,
            [
                {"seconds": 1, "done": 0, "total": 0},
                {"seconds": 2, "done": 7, "total": 30},
            ],
        )

    def test_given_up(self) -> None:
        """Where nobody waits for a work it ends, and says nothing."""
        request = DummyRequest([b""])
        work = Work(self.server.clock, cast(Any, request))
        done: Deferred[Object] = Deferred()
        work.begin(done)
        work.told(1, 2)
        self.server.clock.advance(1)
        said = list(request.written)
        request.processingFailed(Failure(ConnectionDone()))
        with self.assertRaises(sqlite3.OperationalError) as caught:
            work.told(2, 2)
        done.errback(caught.exception)
        self.assertEqual(self.server.clock.getDelayedCalls(), self.before)
        self.assertEqual(request.written, said)

    def test_backup(self) -> None:
        """To where the operator says; a fault of the disk is told."""
        path = Path(self.mktemp()).absolute()
        told = self.post("backup", path=str(path))
        self.assertEqual(told, {"path": str(path), "inode": path.stat().st_ino})
        for error, word in (
            (sqlite3.OperationalError("disk is full"), "disk is full"),
            (PermissionError(13, "Permission denied"), "Permission denied"),
        ):
            self.patch(self.journal, "backup", lambda path, told, e=error: fail(e))
            told = self.post("backup", path=str(path))
            self.assertIn(word, told["error"])
        self.patch(self.journal, "backup", lambda path, told: fail(ValueError()))
        self.assertIn("log", self.post("backup", path=str(path))["error"])
        self.flushLoggedErrors(ValueError)

    def test_tail(self) -> None:
        """What was said, and what comes, in order."""
        _, lines = self.begin("POST", "tail", b'{"room":"#ops","count":5}')
        self.alice.ask("send", room="#ops", body="more", id="m2")
        self.agent.flush()
        bodies = [json.loads(x)["body"] for x in b"".join(lines).splitlines()]
        self.assertEqual(bodies, ["hush-hush", "more"])

    def test_tail_position(self) -> None:
        """From behind a message, from the first one left, from the last one there."""
        for body in ("b", "c"):
            self.alice.say("#ops", body)
        for asked, first in (("1", "b"), ("0", "hush-hush"), ("2", "c"), ("99", "d")):
            data = b'{"room":"#ops","after":%b}' % asked.encode()
            _, lines = self.begin("POST", "tail", data)
            if asked == "99":
                self.alice.say("#ops", "d")
                self.agent.flush()
            said = json.loads(b"".join(lines).splitlines()[0])
            self.assertEqual(said["body"], first, asked)

    def test_conversations(self) -> None:
        """What two say to each other is not the operator's to read here."""
        self.server.user("bob")
        self.alice.say("@alice+bob", "x")
        code, told = self.ask("POST", "tail", b'{"room":"@alice+bob","count":5}')
        self.assertEqual((code, told["error"]), (400, "there is no such room"))

    def test_headers_at_once(self) -> None:
        """That it goes on is told before there is anything to say."""
        response, lines = self.begin("POST", "tail", b'{"room":"#ops"}')
        self.assertEqual((response.code, lines), (200, []))

    def test_tail_fails(self) -> None:
        """A log that cannot be read ends it."""
        self.patch(self.journal, "read", lambda *a, **n: fail(OSError()))
        _, lines = self.begin("POST", "tail", b'{"room":"#ops","count":5}')
        self.assertEqual(lines, [])
