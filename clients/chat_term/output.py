"""What is printed: replies on stdout, notices on stderr."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

from chatd.client.events import Own
from chatd.wire.messages import Message

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def cleaned(text: str) -> str:
    """`text` without what could steer a terminal or reorder what it shows.

    C0 but tab and newline, DEL, C1, bidi marks and overrides become U+FFFD.
    """
    return _UNSAFE.sub("\ufffd", text)


class Output:
    """Writes lines; stops quietly once nobody reads stdout any more."""

    def __init__(
        self,
        stdout: Callable[[], TextIO],
        stderr: Callable[[], TextIO],
        *,
        as_json: bool,
        clean: bool,
    ) -> None:
        """`stdout`, `stderr`: asked anew for each line, for they may be replaced.

        `clean`: stdout is a terminal.
        """
        self._stdout = stdout
        self._stderr = stderr
        self._as_json = as_json
        self._clean = clean
        self.gone = False
        """Whether the reader of stdout has gone."""

    def reply(self, sent: str, reply: str, seconds: float) -> None:
        """The server's `reply` to `sent`, which took `seconds`."""
        if self._as_json:
            self._object(sent=sent, reply=reply, ms=round(seconds * 1000, 3))
        else:
            self._line(cleaned(reply) if self._clean else reply)

    def message(self, message: Message, *, with_room: bool = False) -> None:
        """A message of a room."""
        if self._as_json:
            fields = message._asdict()
            if message.body is not None:
                del fields["digest"]
            self._object(**{k: v for k, v in fields.items() if v is not None})
            return
        when = datetime.fromtimestamp(message.time / 1000).strftime("%Y-%m-%d %H:%M")
        room = f" {message.room}" if with_room else ""
        body = "(removed)" if message.body is None else message.body
        text = body.replace("\n", "\n    ")
        line = f"{when}{room} {message.sender}: {text}"
        self._line(cleaned(line) if self._clean else line)

    def receipt(self, own: Own) -> None:
        """An own message is stored: for scripts alone."""
        if self._as_json:
            self._object(id=own.id, room=own.room, seq=own.seq, state=own.state.value)

    def record(self, line: str, **fields: str | int | bool) -> None:
        """One item of a list."""
        if self._as_json:
            self._object(**fields)
        else:
            self._line(cleaned(line) if self._clean else line)

    def failure(self, sent: str, why: str) -> None:
        """`sent` was not said; `why`: in words."""
        if self.gone:  # and with it the run, which is why
            return
        if self._as_json:
            self._object(sent=sent, error=why)
        self.notice(f"not said: {why}")

    def notice(self, text: str) -> None:
        """Something about the connection, for the person."""
        try:
            stream = self._stderr()
            stream.write(f"chat-term: {cleaned(text)}\n")
            stream.flush()
        except (OSError, ValueError):  # nobody reads; there is nowhere to say so
            return

    def _object(self, **fields: object) -> None:
        # Escaped to ASCII on a terminal: JSON itself leaves C1 and bidi as they are.
        self._line(json.dumps(fields, ensure_ascii=self._clean))

    def _line(self, text: str) -> None:
        if self.gone:
            return
        stream = self._stdout()
        try:
            stream.write(text + "\n")
            stream.flush()
        except (BrokenPipeError, ValueError):
            self.gone = True
            discard(stream)


def discard(stream: TextIO) -> None:
    """Let what `stream` still holds go nowhere, or Python complains at its exit."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)
