"""A whole server in memory: a clock, a journal of lists, transports without sockets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ISSLTransport, ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from chatd import keyfile
from chatd.journal.interface import IJournal
from chatd.server.factory import ChatFactory
from chatd.server.greeting import Greeter
from chatd.server.hub import Hub
from chatd.server.keyring import Keyring
from chatd.server.limits import Limits
from chatd.server.protocol import ChatProtocol
from chatd.server.requests import Requests
from chatd.server.users import Users
from chatd.wire import handshake
from chatd.wire.channel import Channel
from chatd.wire.framing import FrameDecoder, encode
from chatd.wire.handshake import Ephemeral, Refused, Welcome
from chatd.wire.json_text import read_object, write
from chatd.wire.tokens import Key, Sealer
from tests.journal.list_journal import ListJournal

EPOCH = 1.7e9


@implementer(ITCPTransport)
class TCPTransport(StringTransport):  # type: ignore[misc]  # implements what is used
    """A StringTransport that can be half closed, as TCP can."""

    half_closed = False
    takes = 10**9  # bytes that the socket takes before it is full

    def getHandle(self) -> TCPTransport:
        return self

    def send(self, data: bytes) -> int:
        """The socket's: what it takes is as good as written."""
        taken = min(len(data), self.takes)
        if not taken:
            raise BlockingIOError
        self.takes -= taken
        self.io.write(data[:taken])
        return taken

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.keep_alive = enabled


@implementer(ISSLTransport)
class TLSTransport(TCPTransport):  # type: ignore[misc]  # implements what is used
    """The same for TLS: its socket is not to be touched."""

    takes = -1

    def send(self, data: bytes) -> int:
        raise AssertionError("written past the TLS transport")


class House:
    """A server, and whatever a test asks of it."""

    def __init__(
        self,
        case: TestCase | SynchronousTestCase,
        limits: Limits | None = None,
        journal: ListJournal | None = None,
        begin: bool = True,
    ) -> None:
        self.folder = Path(case.mktemp())
        self.folder.mkdir(mode=0o700)
        self.clock = Clock()
        self.limits = limits or Limits()
        self.shared_path = self.folder / "secret.key"
        keyfile.create(self.shared_path, Key.generate(os.urandom))
        self.shared = keyfile.read(self.shared_path)
        self.users = Users(self.folder / "keys", self.now)
        self.keyring = Keyring([self.shared_path], self.users, self.now, os.urandom)
        self.journal = journal or ListJournal(self.now)
        self.hub = Hub(
            self.clock, IJournal(self.journal), self.users, self.limits, self.now
        )
        self.requests = Requests(
            self.clock,
            self.hub,
            IJournal(self.journal),
            self.users,
            self.limits,
            self.now,
        )
        greeter = Greeter(
            self.keyring, self.hub, self.limits, "den", self.now, os.urandom
        )
        self.factory = ChatFactory(
            self.clock, self.keyring, greeter, self.hub, self.requests, self.limits
        )
        if begin:
            self.hub.open()
            self.factory.start()

    def now(self) -> float:
        return EPOCH + self.clock.seconds()

    def turn(self) -> None:
        """A turn of the reactor."""
        self.clock.advance(0)

    def user(self, name: str) -> Key:
        """A user's key; the user is made where there is none."""
        for key, credential in self.users.credentials.items():
            if credential.name == name and credential.alive:
                return key
        path = self.users.add(name, None)
        self.users.reload()
        return keyfile.read(path)

    def connect(
        self, host: str = "192.0.2.1", port: int = 40_000
    ) -> tuple[ChatProtocol, TCPTransport]:
        address = IPv4Address("TCP", host, port)
        protocol = self.factory.buildProtocol(address)
        assert isinstance(protocol, ChatProtocol)
        transport = TCPTransport(peerAddress=address)
        protocol.makeConnection(transport)
        return protocol, transport

    def session(self, name: str, host: str = "192.0.2.1") -> Peer:
        """A live session of a user, or of a guest where the name has a "~"."""
        guest = name.startswith("~")
        key = self.shared if guest else self.user(name)
        peer = Peer(self, key, name, host)
        peer.begin()
        return peer


class Peer:
    """A client, written from the protocol page."""

    def __init__(
        self, house: House, key: Key, name: str | None, host: str = "192.0.2.1"
    ) -> None:
        self.house = house
        self.key = key
        self.name = name
        self.protocol, self.transport = house.connect(host)
        self._decoder = FrameDecoder(10**7)
        self._sealer = Sealer(key, house.now, os.urandom)
        self._channel: Channel | None = None
        self._numbers: Iterator[int] = count(1)
        self.pushes: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.answer: Welcome | Refused | None = None

    @property
    def closed(self) -> bool:
        return self.protocol.closing

    def hello(self) -> Welcome | Refused | None:
        """Say hello; the answer, if any came."""
        mine = Ephemeral(os.urandom)
        hello = handshake.hello("test/1", self.name, mine.public)
        self.raw(encode(self._sealer.seal([hello])[0]))
        tokens = self._tokens()
        if not tokens:
            return None
        (plaintext,) = self._sealer.open(tokens)
        assert isinstance(plaintext, bytes)
        self.answer = handshake.parse_answer(hello, plaintext)
        if isinstance(self.answer, Welcome):
            keys = mine.keys(self.answer.public, self.key, hello, plaintext)
            make = (Sealer(k, self.house.now, os.urandom) for k in keys)
            self._channel = Channel(*make)
        return self.answer

    def begin(self) -> None:
        answer = self.hello()
        assert isinstance(answer, Welcome), answer
        assert self.ask("ping")["op"] == "ack"

    def raw(self, data: bytes) -> None:
        self.protocol.dataReceived(data)
        self.house.turn()

    def tell(self, *texts: bytes) -> None:
        """Send frames that hold `texts`."""
        assert self._channel is not None
        self.raw(b"".join(map(encode, self._channel.seal(texts))))

    def post(self, op: str, id: str | None = None, **fields: object) -> str:
        """Send a request; its id."""
        id = id or f"q{next(self._numbers)}"
        self.tell(write({"op": op, "id": id, **fields}))
        return id

    def ask(self, op: str, id: str | None = None, **fields: object) -> dict[str, Any]:
        """Send a request; its answer."""
        id = self.post(op, id, **fields)
        self.look()
        return self.answers.pop(id)

    def say(self, room: str, body: str, id: str | None = None) -> dict[str, Any]:
        return self.ask("send", id, room=room, body=body)

    def look(self) -> list[dict[str, Any]]:
        """Read what has come; all pushes so far."""
        self.house.turn()
        assert self._channel is not None
        for text in self._channel.open(self._tokens()):
            told = read_object(text)
            if told["op"] in ("ack", "error"):
                assert told["id"] not in self.answers
                self.answers[told["id"]] = told
            else:
                self.pushes.append(told)
        assert self._channel.fault is None
        return self.pushes

    def pushed(self, op: str) -> list[dict[str, Any]]:
        """The pushes of one kind since they were last asked for."""
        self.look()
        found = [push for push in self.pushes if push["op"] == op]
        self.pushes = [push for push in self.pushes if push["op"] != op]
        return found

    def bodies(self) -> list[str]:
        """What was said, as it came in."""
        return [push["body"] for push in self.pushed("message")]

    def lose(self) -> None:
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def _tokens(self) -> list[bytes]:
        data = self.transport.value()
        self.transport.clear()
        return self._decoder.feed(data)
