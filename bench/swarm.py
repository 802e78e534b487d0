"""Many sessions in one process, by sockets and epoll: the load of bench.chat."""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections.abc import Callable, Mapping

from chatd.wire import handshake
from chatd.wire.channel import Channel
from chatd.wire.framing import FrameDecoder, encode
from chatd.wire.handshake import Ephemeral, Welcome
from chatd.wire.json_text import read_object, write
from chatd.wire.tokens import Key, Sealer

LARGEST = 10**6


class Session:
    """One live session; what comes is counted, and acks are told of."""

    def __init__(self, port: int, key: Key) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._decoder = FrameDecoder(LARGEST)
        self.pushes = 0
        self.last_seq = 0
        self.acked: Callable[[Session, str], None] = lambda session, id: None
        sealer = Sealer(key, time.time, os.urandom)
        mine = Ephemeral(os.urandom)
        hello = handshake.hello("bench/1", None, mine.public)
        self.socket.sendall(encode(sealer.seal([hello])[0]))
        tokens: list[bytes] = []
        while not tokens:
            tokens = self._decoder.feed(self.socket.recv(65_536))
        (plaintext,) = sealer.open(tokens)
        if not isinstance(plaintext, bytes):
            raise RuntimeError("the daemon's answer does not open")
        answer = handshake.parse_answer(hello, plaintext)
        if not isinstance(answer, Welcome):
            raise RuntimeError(f"refused: {answer.reason}")
        keys = mine.keys(answer.public, key, hello, plaintext)
        make = (Sealer(each, time.time, os.urandom) for each in keys)
        self._channel = Channel(*make)
        self.say({"op": "ping", "id": "first"})

    def say(self, *requests: Mapping[str, object]) -> None:
        tokens = self._channel.seal([write(each) for each in requests])
        self.socket.sendall(b"".join(map(encode, tokens)))

    def read(self) -> None:
        """Take what has come; in order, or it is an error."""
        texts = self._channel.open(self._decoder.feed(self.socket.recv(262_144)))
        if self._channel.fault is not None:
            raise RuntimeError(self._channel.fault)
        acks: list[str] = []
        for text in texts:
            told = read_object(text)
            if told["op"] == "ack":
                acks.append(told["id"])
            elif told["op"] == "message":
                self.pushes += 1
                if self.last_seq and told["seq"] != self.last_seq + 1:
                    raise RuntimeError("a gap, or a message twice")
                self.last_seq = told["seq"]
            elif told["op"] in ("error", "goodbye"):
                raise RuntimeError(str(told))
        for id in acks:
            self.acked(self, id)


class Swarm:
    """Sessions that are read whenever something has come."""

    def __init__(self, sessions: list[Session]) -> None:
        self.sessions = sessions
        self._selector = selectors.EpollSelector()
        for session in sessions:
            self._selector.register(session.socket, selectors.EVENT_READ, session)

    def turn(self, seconds: float) -> None:
        """Read what comes within this time, once each."""
        for key, _ in self._selector.select(seconds):
            key.data.read()

    def until(self, true: Callable[[], bool], seconds: float = 120.0) -> None:
        """Read until `true`. Raises RuntimeError where that takes too long."""
        end = time.monotonic() + seconds
        while not true():
            if time.monotonic() > end:
                raise RuntimeError("waited too long")
            self.turn(0.1)

    def close(self) -> None:
        self._selector.close()
        for session in self.sessions:
            session.socket.close()
