"""chatctl's way to the daemon: whatever comes back, a line that says what to do."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed
from twisted.web.iweb import IAgent
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from chatd.ctl_http import SECONDS, Daemon, NoDaemon, NotDone
from tests.webhooks.receiver import Body


class Says(Resource):
    """Answers all with some bytes, in pieces; with none, never."""

    isLeaf = True

    def __init__(self, code: int, *pieces: bytes) -> None:
        super().__init__()
        self.code, self.pieces = code, pieces

    def render(self, request: Request) -> int:
        self.asked = request.uri
        request.setResponseCode(self.code)
        for piece in self.pieces:
            request.write(piece)
        if self.pieces:
            request.finish()
        return NOT_DONE_YET


@implementer(IAgent)
class Fails:
    """No answer ever comes of this one."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def request(self, *args: object) -> Deferred[Any]:
        return fail(self.error)


class DaemonTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[dict[str, Any]] = []

    def daemon(self, agent: IAgent) -> Daemon:
        client = HTTPClient(agent, data_to_body_producer=Body)
        return Daemon(self.clock, client, Path("st"))

    def begin(self, work: Coroutine[Any, Any, Any], agent: Any = None) -> Deferred[Any]:
        done = Deferred.fromCoroutine(work)
        if agent is not None:
            agent.flush()
        return done

    def fault(self, code: int, *pieces: bytes) -> str:
        """What is said of such an answer."""
        agent = RequestTraversalAgent(Says(code, *pieces))
        done = self.begin(self.daemon(agent).post("kick", name="bob"), agent)
        return str(self.failureResultOf(done, NotDone).value)

    def test_told(self) -> None:
        """The object of the answer."""
        agent = RequestTraversalAgent(Says(200, b'{"a"', b":1}\n"))
        done = self.begin(self.daemon(agent).get("status"), agent)
        self.assertEqual(self.successResultOf(done), {"a": 1})

    def test_refused(self) -> None:
        """The daemon's own words."""
        self.assertEqual(self.fault(409, b'{"error": "not here"}'), "not here")
        self.assertEqual(self.fault(418, b"{}"), "it said 418")

    def test_nonsense(self) -> None:
        """Another program's answer is told apart."""
        for answer in (b"<html>", b"[1]", b"\xff"):
            self.assertIn("makes no sense", self.fault(200, answer))

    def test_silent(self) -> None:
        """A daemon that is stopped is not waited for without end."""
        agent = RequestTraversalAgent(Says(200))
        done = self.begin(self.daemon(agent).get("status"), agent)
        self.clock.advance(SECONDS - 1)
        self.assertNoResult(done)
        self.clock.advance(1)
        agent.flush()
        why = str(self.failureResultOf(done, NotDone).value)
        self.assertIn("does not answer", why)

    def test_absent(self) -> None:
        """None there: how to start it."""
        agent = Fails(ConnectionRefusedError())
        done = self.begin(self.daemon(agent).get("status"))
        why = str(self.failureResultOf(done, NoDaemon).value)
        self.assertIn("systemctl start chatd", why)

    def test_ended(self) -> None:
        """It went while it was asked."""
        agent = Fails(ResponseFailed([Failure(EOFError())]))
        done = self.begin(self.daemon(agent).get("status"))
        why = str(self.failureResultOf(done, NotDone).value)
        self.assertIn("ended before", why)

    def test_stream(self) -> None:
        """Lines, however they were cut."""
        pieces = [b'{"n":1}\n{"n"', b":2}", b'\n{"n":3}\n']
        agent = RequestTraversalAgent(Says(200, *pieces))
        work = self.daemon(agent).stream("tail", self.lines.append, room="#a")
        self.successResultOf(self.begin(work, agent))
        self.assertEqual(self.lines, [{"n": 1}, {"n": 2}, {"n": 3}])

    def test_stream_refused(self) -> None:
        """A stream that is none."""
        agent = RequestTraversalAgent(Says(400, b'{"error":"no such room"}'))
        work = self.daemon(agent).stream("tail", self.lines.append, room="#a")
        failure = self.failureResultOf(self.begin(work, agent), NotDone)
        self.assertEqual((str(failure.value), self.lines), ("no such room", []))

    def test_members(self) -> None:
        """What is asked is JSON under the path."""
        said = Says(200, json.dumps({}).encode())
        agent = RequestTraversalAgent(said)
        self.successResultOf(self.begin(self.daemon(agent).post("say", a="b"), agent))
        self.assertEqual(said.asked, b"/admin/say")
