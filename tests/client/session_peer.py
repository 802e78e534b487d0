"""The server's end of a session in memory: it says what a test wants, right or not."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from chatd.client.chat import ChatClient
from chatd.client.events import Event
from chatd.client.limits import Limits
from chatd.client.link import LinkState
from chatd.journal.client_store import ClientStore
from chatd.wire import handshake
from chatd.wire.channel import Channel
from chatd.wire.framing import FrameDecoder, encode
from chatd.wire.handshake import Ephemeral, Welcome
from chatd.wire.json_text import Object, read_object, write
from chatd.wire.messages import (
    ROOT_HASH,
    Message,
    ack,
    chained,
    digest,
    message_fields,
    push,
)
from chatd.wire.tokens import Key, Sealer
from tests.client.peer import KEY, Endpoint


def log(
    room: str, *bodies: str, behind: Message | None = None, sender: str = "bob"
) -> list[Message]:
    """Messages of one room as a server has them, behind one of them or the root."""
    found: list[Message] = []
    for body in bodies:
        last = found[-1] if found else behind
        seq, hash = (1, ROOT_HASH) if last is None else (last.seq + 1, last.hash)
        id, said = f"{sender}-{room[1:]}-{seq}", digest(body)
        hash = chained(hash, room, seq, id, sender, seq, None, said)
        found.append(Message(room, seq, id, sender, seq, None, body, said, hash))
    return found


def pushed(messages: Sequence[Message]) -> list[bytes]:
    """Their pushes."""
    return [push("message", **message_fields(message)) for message in messages]


class SessionServer:
    """One connection, from the client's hello on."""

    def __init__(self, protocol: Any, key: Key = KEY) -> None:
        """`protocol`: the client's, not connected yet."""
        self._random = random.Random(1).randbytes
        self.protocol = protocol
        self.transport = StringTransport()
        self.sealer = self._sealer(key)
        self._decoder = FrameDecoder(1 << 20)
        self.channel: Channel | None = None
        protocol.makeConnection(self.transport)

    @property
    def gone(self) -> bool:
        """Whether the client let go."""
        return bool(self.transport.disconnected or self.transport.disconnecting)

    def hello(self) -> bytes:
        """The plaintext of the client's first frame."""
        (plaintext,) = self.sealer.open(self._tokens())
        assert isinstance(plaintext, bytes)
        return plaintext

    def handshake(self, plaintext: bytes) -> None:
        """Say something under the key that the connection began with."""
        self.protocol.dataReceived(encode(self.sealer.seal([plaintext])[0]))

    def welcome(self, name: str = "alice", **limits: int) -> None:
        """Grant the session; what the client says is `requests` from now on."""
        self.protocol.dataReceived(self.welcoming(name, **limits))

    def welcoming(
        self, name: str = "alice", body: int = 16_384, frame: int = 65_536
    ) -> bytes:
        """The bytes of a welcome."""
        hello = self.hello()
        mine = Ephemeral(self._random)
        answer = handshake.welcome(
            hello, Welcome("den", name, mine.public, body, frame)
        )
        public = handshake.parse_hello(hello).public
        keys = mine.keys(public, self.sealer.key, hello, answer)
        self.channel = Channel(
            self._sealer(keys.to_client), self._sealer(keys.to_server)
        )
        return encode(self.sealer.seal([answer])[0])

    def requests(self) -> list[Object]:
        """What the client asked since the last call."""
        assert self.channel is not None
        return [read_object(text) for text in self.channel.open(self._tokens())]

    def ask(self, op: str) -> Object:
        """The one request of this kind that came since the last call."""
        (request,) = [each for each in self.requests() if each["op"] == op]
        return request

    def frames(self, *texts: bytes) -> bytes:
        """The bytes of frames in the session."""
        assert self.channel is not None
        return b"".join(map(encode, self.channel.seal(texts)))

    def say(self, *texts: bytes) -> None:
        """Say frames, all in one chunk."""
        self.protocol.dataReceived(self.frames(*texts))

    def push(self, *messages: Message) -> None:
        self.say(*pushed(messages))

    def ack(self, request: Object, **fields: object) -> None:
        self.say(ack(request["id"], **fields))

    def error(self, request: Object, code: str, **fields: object) -> None:
        error = {"op": "error", "id": request["id"], "code": code, "reason": "so"}
        self.say(write(error | fields))

    def live(self, name: str = "alice") -> None:
        """Open the session: welcome it, and answer its first ping."""
        self.welcome(name)
        self.ack(self.ask("ping"), time=0)

    def _sealer(self, key: Key) -> Sealer:
        return Sealer(key, lambda: 0.0, self._random)

    def _tokens(self) -> list[bytes]:
        tokens = self._decoder.feed(self.transport.value())
        self.transport.clear()
        return tokens


class SessionWorld:
    """A chat client, its clock, its endpoint and what it told."""

    def __init__(
        self, limits: Limits | None = None, keys: Sequence[Key] = (KEY,)
    ) -> None:
        self.clock = Clock()
        self.endpoint = Endpoint()
        self.store = ClientStore(None)
        self.client = ChatClient(
            self.clock,
            self.endpoint,
            list(keys),
            self.store,
            random=lambda: 0.0,
            now=lambda: 0.0,
            urandom=random.Random(2).randbytes,
            limits=limits,
        )
        self.states: list[LinkState] = []
        self.events: list[Event] = []
        self.client.observe(self.states.append)
        self.client.listen(self.events.append)

    def attempt(self, key: Key = KEY) -> SessionServer:
        """Answer the client's attempt to connect."""
        factory, result = self.endpoint.attempts[-1]
        server = SessionServer(factory.buildProtocol(None), key)  # type: ignore[arg-type]
        result.callback(server.protocol)
        return server

    def online(self) -> SessionServer:
        """Start the client, and let it come online."""
        self.client.start()
        server = self.attempt()
        server.live()
        return server

    def again(self, server: SessionServer) -> SessionServer:
        """Lose the connection, and let the client come online once more."""
        self.lose(server)
        self.client.retry_now()
        later = self.attempt()
        later.live()
        return later

    def lose(self, server: SessionServer) -> None:
        server.protocol.connectionLost()

    def follow(self, server: SessionServer, room: str, *held: Message) -> None:
        """Let the client join an empty room and receive these."""
        joined = self.client.join(room)
        self.head(server, server.ask("join"))
        server.push(*held)
        assert joined.called
        self.clock.pump([1, 1])  # its mark is told, and the next may be at once
        server.requests()

    def head(
        self, server: SessionServer, join: Object, *log: Message, base: str = ROOT_HASH
    ) -> None:
        """Agree to a join of a room that holds `log`."""
        first = log[0].seq if log else 1
        last, hash = (log[-1].seq, log[-1].hash) if log else (0, ROOT_HASH)
        server.ack(
            join, room=join["room"], first=first, last=last, hash=hash, base=base
        )
