"""The HTTP client of the deliveries: it takes nothing from a receiver but its code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

_UNWANTED = (b"content-encoding", b"set-cookie")
"""A small compressed body is large in memory; cookies would be kept and sent on."""


MOST_RECEIVED = 131_072
"""Bytes of one answer, headers and all; then its connection is cut."""


def http_client(reactor: object) -> HTTPClient:
    """The client of the deliveries; it keeps two idle connections a receiver."""
    return HTTPClient(BareAgent(Agent(reactor, pool=_Pool(reactor))))


@implementer(IAgent)
class BareAgent:
    """An agent whose responses bring no cookies, and bodies as they are."""

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        answer = self._agent.request(method, uri, headers, bodyProducer)
        return answer.addCallback(_bare)


class _Pool(HTTPConnectionPool):
    """Connections that bear no endless answer: Twisted keeps all headers it gets."""

    def getConnection(self, key: object, endpoint: IStreamClientEndpoint) -> Any:
        return super().getConnection(key, _Bounded(endpoint))


@implementer(IStreamClientEndpoint)
class _Bounded:
    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        factory = WrappingFactory(protocolFactory)
        factory.protocol = _Counted
        factory.noisy = False
        connecting: Deferred[Any] = self._endpoint.connect(factory)
        return connecting.addCallback(lambda counted: counted.wrappedProtocol)


class _Counted(ProtocolWrapper):
    """Counts what came since the last request."""

    _left = MOST_RECEIVED

    def write(self, data: bytes) -> None:
        self._left = MOST_RECEIVED
        super().write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self._left = MOST_RECEIVED
        super().writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self.abortConnection()
        else:
            super().dataReceived(data)


def _bare(response: IResponse) -> IResponse:
    for name in _UNWANTED:
        response.headers.removeHeader(name)
    return response


def drop(
    response: IResponse, most: int, clock: IReactorTime, seconds: float
) -> Deferred[None]:
    """Read the body away, so that the connection can be used again. Never fails.

    After `most` bytes, or `seconds`, the connection is closed instead.
    """
    body = _Dropped(most)
    response.deliverBody(body)
    return body.ended.addTimeout(seconds, clock).addErrback(lambda _: None)


class _Dropped(Protocol):
    def __init__(self, most: int) -> None:
        self.ended: Deferred[None] = Deferred(lambda _: self._close())
        self._left = most

    def dataReceived(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.ended.called:
            self.ended.callback(None)

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
