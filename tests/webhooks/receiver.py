"""A receiver in memory, and a house whose hooks post to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.iweb import IBodyProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from chatd.journal.interface import Draft, IJournal, Lane
from chatd.server.limits import Limits
from chatd.webhooks.agent import BareAgent
from chatd.webhooks.delivery import World
from chatd.webhooks.limits import HookLimits
from chatd.webhooks.registry import Registry
from tests.journal.list_journal import ListJournal
from tests.server.house import House

HANG = 0
"""Instead of a code: no answer at all."""
CUT = -1
"""The connection is lost."""


class Receiver(Resource):
    """Answers 200, or what `codes` has next, and keeps what came."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.codes: list[int] = []
        self.headers: dict[str, str] = {}
        self.answer = b""
        self.taken: list[int] = []
        """The seqs that were answered with 200."""
        self.requests: list[tuple[dict[str, str], bytes]] = []

    def render(self, request: Request) -> bytes | int:
        headers = {
            name.decode().lower(): values[0].decode()
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        content = request.content
        assert content is not None
        body = content.read()
        self.requests.append((headers, body))
        code = self.codes.pop(0) if self.codes else 200
        if code == 200:
            self.taken.append(json.loads(body)["seq"])
        if code == CUT:
            request.loseConnection()
        if code in (HANG, CUT):
            return NOT_DONE_YET
        request.setResponseCode(code)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        return self.answer

    @property
    def bodies(self) -> list[str]:
        return [json.loads(body)["body"] for _, body in self.requests]


@implementer(IBodyProducer)
class Body:
    """Bytes, said at once."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def stopProducing(self) -> None: ...


class HookHouse(House):
    """A house with hooks."""

    def __init__(
        self,
        case: SynchronousTestCase | TestCase,
        limits: HookLimits | None = None,
        journal: ListJournal | None = None,
        receiver: Receiver | None = None,
        at: float = 0.0,
    ) -> None:
        """`at`: the clock's seconds at the start."""
        super().__init__(case, Limits(), journal, begin=False)
        self.clock.advance(at)
        self.receiver = receiver or Receiver()
        self.agent = RequestTraversalAgent(self.receiver)
        self.ids: Iterator[int] = count()
        self.world = World(
            self.clock,
            IJournal(self.journal),
            HTTPClient(BareAgent(self.agent), data_to_body_producer=Body),
            self.now,
            lambda: 0.0,
            limits or HookLimits(),
        )
        numbers = count(1)
        self.registry = Registry(
            self.world, self.hub, lambda n: next(numbers).to_bytes(n, "big")
        )
        self.registry.start(self.hub.open().kept)
        case.addCleanup(self.registry.stop)

    def say(self, *bodies: str, room: str = "#lobby") -> None:
        """Messages in a room's log; the receiver gets what it gets of them."""
        for body in bodies:
            id = f"m{len(self.journal.log)}"
            self.journal.append(Draft(room, "alice", id, body, None, Lane()))
        self.flush()

    def flush(self) -> None:
        self.clock.advance(0)
        self.agent.flush()

    def wait(self, seconds: float) -> None:
        """Time passes, second by second at most."""
        self.clock.advance(seconds)
        self.flush()
