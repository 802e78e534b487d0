"""A blocking client of the session dialect, for tests against a real daemon."""

from __future__ import annotations

import os
import socket
import time
from itertools import count
from typing import Any

from chatd.wire import handshake
from chatd.wire.channel import Channel
from chatd.wire.framing import encode
from chatd.wire.handshake import Ephemeral, Refused, Welcome
from chatd.wire.json_text import read_object, write
from chatd.wire.tokens import Key, Sealer
from tests.helpers import read_frame


class SessionClient:
    """One live session over a socket."""

    def __init__(self, connection: socket.socket, key: Key, name: str | None = None):
        self.connection = connection
        self.pushes: list[dict[str, Any]] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self._numbers = count()
        sealer = Sealer(key, time.time, os.urandom)
        mine = Ephemeral(os.urandom)
        hello = handshake.hello("test/1", name, mine.public)
        connection.sendall(encode(sealer.seal([hello])[0]))
        (plaintext,) = sealer.open([read_frame(connection)])
        assert isinstance(plaintext, bytes)
        answer = handshake.parse_answer(hello, plaintext)
        self.refused = answer if isinstance(answer, Refused) else None
        if isinstance(answer, Welcome):
            self.name = answer.name
            keys = mine.keys(answer.public, key, hello, plaintext)
            make = (Sealer(each, time.time, os.urandom) for each in keys)
            self._channel = Channel(*make)
            self.ask("ping")

    def post(self, op: str, id: str | None = None, **fields: object) -> str:
        """Send a request; its id."""
        id = id or f"q{next(self._numbers)}"
        text = write({"op": op, "id": id, **fields})
        self.connection.sendall(encode(self._channel.seal([text])[0]))
        return id

    def read(self) -> dict[str, Any]:
        """The next thing told. Raises EOFError at the end, OSError."""
        texts = self._channel.open([read_frame(self.connection)])
        assert self._channel.fault is None, self._channel.fault
        told = read_object(texts[0])
        if told["op"] in ("ack", "error"):
            self.answers[told["id"]] = told
        else:
            self.pushes.append(told)
        return told

    def answer(self, id: str) -> dict[str, Any]:
        """The answer to a request, waited for."""
        while id not in self.answers:
            self.read()
        return self.answers.pop(id)

    def ask(self, op: str, id: str | None = None, **fields: object) -> dict[str, Any]:
        return self.answer(self.post(op, id, **fields))

    def pushed(self, op: str) -> dict[str, Any]:
        """The next push of one kind, waited for."""
        while True:
            for push in self.pushes:
                if push["op"] == op:
                    self.pushes.remove(push)
                    return push
            self.read()
