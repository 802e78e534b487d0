"""The daemon's HTTP server: bounded, quiet in the log, made of given parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.http import Request as HTTPRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

from chatd.wire.json_text import write

CONNECTIONS = 100
"""At once, of one listening place."""
IDLE_SECONDS = 30.0
LONGEST_BODY = 128 * 1024


class BoundedRequest(Request):
    """A body that is too long is read to its end, but not kept: 413."""

    _received = 0

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received <= LONGEST_BODY:
            super().handleContentChunk(data)

    def process(self) -> None:
        if self._received > LONGEST_BODY:
            why = f"longer than {LONGEST_BODY} bytes: send less"
            self.write(answer_error(self, 413, why))
            self.finish()
        else:
            super().process()


class QuietSite(Site):
    """Writes no access log: a path may hold a token."""

    noisy = False
    displayTracebacks = False

    def log(self, request: HTTPRequest) -> None:
        """Twisted's: nothing is written."""


class Limited(WrappingFactory):
    """At most CONNECTIONS at once; one more is closed."""

    noisy = False

    def buildProtocol(self, addr: IAddress | None) -> ProtocolWrapper:
        full = len(self.protocols) >= CONNECTIONS
        return cast(ProtocolWrapper, None if full else super().buildProtocol(addr))


class _Root(Resource):
    """Holds what is served; anything else is not there."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        return _Nothing()


class _Nothing(Resource):
    isLeaf = True

    def render(self, request: Request) -> bytes:
        return answer_error(request, 404, "there is nothing at this address")


def site(children: Mapping[str, IResource]) -> IProtocolFactory:
    """A server of these resources, by the first segment of their paths."""
    root = _Root()
    for name, child in children.items():
        root.putChild(name.encode(), child)
    pages = QuietSite(root, requestFactory=BoundedRequest, timeout=IDLE_SECONDS)
    return IProtocolFactory(Limited(pages))


def answer_json(request: Request, value: object, code: int = 200) -> bytes:
    """The body of an answer that is a JSON object."""
    request.setResponseCode(code)
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"cache-control", b"no-store")
    return write(value) + b"\n"


def answer_error(request: Request, code: int, why: str) -> bytes:
    """The same for what was not done: `why` says what to do."""
    return answer_json(request, {"error": why}, code)
