"""What calls for the reader: who was spoken of where, and when that is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from chatd.clients.chat_tk.markup import mentions
from chatd.wire.messages import Message
from chatd.wire.names import is_public

RULES = {
    "all": "Every message",
    "direct": "Mentions and direct messages",
    "mention": "Mentions",
    "none": "Nothing",
}
"""When the reader is called, from most to least; what people call it."""
DEFAULT_RULE = "direct"
_MOST = 1_000  # mentions remembered of one room


def calls(rule: str, room: str, mentioned: bool) -> bool:
    """Whether a message in `room` calls the reader."""
    match rule:
        case "all":
            return True
        case "direct":
            return mentioned or not is_public(room)
        case "mention":
            return mentioned
        case _:
            return False


class Mentions:
    """The unread messages that speak of the reader."""

    def __init__(self) -> None:
        self._seqs: dict[str, list[int]] = {}

    def heard(self, message: Message, me: str) -> bool:
        """One more message; whether it speaks of the reader called `me`."""
        body = message.body
        if body is None or message.sender == me or not mentions(body, me):
            return False
        seqs = self._seqs.setdefault(message.room, [])
        if message.seq not in seqs:
            seqs.append(message.seq)
            del seqs[:-_MOST]
        return True

    def read(self, room: str, seq: int) -> None:
        """The reader has seen everything up to `seq`."""
        if left := [each for each in self._seqs.get(room, ()) if each > seq]:
            self._seqs[room] = left
        else:
            self._seqs.pop(room, None)

    def unread(self, room: str) -> int:
        return len(self._seqs.get(room, ()))


def words(messages: Sequence[Message], mentioned: bool) -> str:
    """What the desktop says of new messages; never their text, which others could see.

    All are of one room.
    """
    last = messages[-1]
    if len(messages) > 1:
        where = f" in {last.room}" if is_public(last.room) else f" from {last.sender}"
        return f"{len(messages)} messages{where}"
    if not is_public(last.room):
        return f"Message from {last.sender}"
    verb = "spoke of you" if mentioned else "wrote"
    return f"{last.sender} {verb} in {last.room}"
