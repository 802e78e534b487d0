"""A client and a server joined in memory, under one clock, by a cable to be cut."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import (
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from chatd.client.chat import ChatClient
from chatd.client.events import Arrived, Event
from chatd.journal.client_store import ClientStore
from chatd.wire.tokens import Key
from tests.server.house import House, TCPTransport


class _End(TCPTransport):
    """One end's transport: notes when it is to be closed."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True

    @property
    def closing(self) -> bool:
        return bool(self.aborted or self.disconnecting or self.half_closed)


class _Link:
    """One connection."""

    def __init__(self, client: Protocol, server: Protocol, port: int) -> None:
        address = IPv4Address("TCP", "192.0.2.1", port)
        self.sides = [(client, _End()), (server, _End(peerAddress=address))]
        self.alive = True
        self.silent = False
        server.makeConnection(self.sides[1][1])
        client.makeConnection(self.sides[0][1])

    def flow(self, most: int | None) -> bool:
        """Carry what was written, `most` bytes each way; whether anything was."""
        moved = False
        for here, there in ((0, 1), (1, 0)):
            transport = self.sides[here][1]
            data = transport.value()
            transport.clear()
            if most is not None:
                transport.io.write(data[most:])
                data = data[:most]
            if data and self.alive and not self.silent:
                self.sides[there][0].dataReceived(data)
                moved = True
        if self.alive and any(transport.closing for _, transport in self.sides):
            self.cut(ConnectionDone())
            moved = True
        return moved

    def cut(self, reason: Exception) -> None:
        """Lose what is on its way, and tell both sides."""
        if self.alive:
            self.alive = False
            for protocol, _ in self.sides:
                protocol.connectionLost(Failure(reason))


@implementer(IStreamClientEndpoint)
class Cable:
    """The way from clients to one house."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.links: list[_Link] = []
        self.refusing = False
        self.slow = False
        """Whether it carries a message or so at a time."""
        self._port = 40_000

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        if self.refusing:
            return fail(ConnectionRefusedError())
        self._port += 1
        address = IPv4Address("TCP", "192.0.2.1", self._port)
        server = self.house.factory.buildProtocol(address)
        client: Any = factory.buildProtocol(address)
        assert server is not None
        self.links.append(_Link(client, server, self._port))
        return succeed(client)

    def flow(self) -> None:
        """Let everything happen that needs no time; where `slow`, one small step."""
        moved = True
        while moved:
            self.house.turn()
            most = 300 if self.slow else None
            moved = any([link.flow(most) for link in list(self.links)])
            moved = moved and not self.slow
        self.links = [link for link in self.links if link.alive]

    def cut(self) -> None:
        """Lose every connection, with what is on its way."""
        for link in self.links:
            link.cut(ConnectionLost())
        self.links = []

    def pass_time(self, seconds: float, step: float = 0.25) -> None:
        for _ in range(round(seconds / step)):
            self.house.clock.advance(step)
            self.flow()


class Account:
    """One client, its store and what it was told."""

    def __init__(
        self,
        case: SynchronousTestCase,
        cable: Cable,
        name: str,
        path: Path | None = None,
        keys: list[Key] | None = None,
        connect: bool = True,
    ) -> None:
        house = cable.house
        guest = name.startswith("~")
        self.cable = cable
        self.store = ClientStore(path)
        self.client = ChatClient(
            house.clock,
            cable,
            keys or [house.shared if guest else house.user(name)],
            self.store,
            name=name if guest else None,
            where="here:1",
            random=lambda: 0.0,
            now=house.now,
        )
        self.events: list[Event] = []
        self.client.listen(self.events.append)
        case.addCleanup(self.end)
        if connect:
            self.client.start()
            cable.flow()

    def end(self) -> None:
        """As a process ends by kill -9: nothing is said, nothing saved."""
        self.client.stop()
        self.cable.flow()
        self.store.close()

    @property
    def bodies(self) -> list[str | None]:
        """What arrived, in order."""
        arrived = [each for each in self.events if isinstance(each, Arrived)]
        return [message.body for each in arrived for message in each.messages]

    def join(self, room: str) -> Any:
        """Follow a room; what the Deferred fired with."""
        results: list[Any] = []
        self.client.join(room).addBoth(results.append)
        self.cable.flow()
        return results[0] if results else None

    def get(self, deferred: Deferred[Any]) -> Any:
        results: list[Any] = []
        deferred.addBoth(results.append)
        self.cable.flow()
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result


def shuffled(seed: int) -> random.Random:
    return random.Random(seed)
