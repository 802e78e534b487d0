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
            self.setResponseCode(413)
            self.write(b"longer than %d bytes: send less\n" % LONGEST_BODY)
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


def site(children: Mapping[str, IResource]) -> IProtocolFactory:
    """A server of these resources, by the first segment of their paths."""
    root = Resource()
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
