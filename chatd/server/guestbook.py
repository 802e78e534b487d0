"""What guests say to the server: answered to their session, not stored (4.3)."""

from __future__ import annotations

from collections.abc import Callable

from chatd.journal.interface import Head
from chatd.server.live import LiveSession
from chatd.server.rooms import pushed
from chatd.wire.messages import Message, ack, chained, digest
from chatd.wire.names import SERVER
from chatd.wire.plain import PREFIX
from chatd.wire.requests import Send


class Guestbook:
    """A conversation with the server for each guest, as long as the session.

    It counts and chains its messages as a room's log does, from an empty one on.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        """`now`: seconds since the epoch."""
        self._now = now
        self._heads: dict[LiveSession, Head] = {}

    def head(self, session: LiveSession) -> Head:
        """Where the session's conversation stands."""
        return self._heads.get(session, Head())

    def leave(self, session: LiveSession) -> None:
        """Forget what was said."""
        self._heads.pop(session, None)

    def send(self, session: LiveSession, request: Send) -> None:
        """Acknowledge a message and push it, and the server's answer behind it."""
        said = self._next(
            session, request.room, request.id, session.who.name, request.body
        )
        answer = (PREFIX + request.body.encode()).decode()
        reply = self._next(session, request.room, f"re:{said.seq}", SERVER, answer)
        session.answer(
            ack(
                request.id,
                room=said.room,
                seq=said.seq,
                time=said.time,
                hash=said.hash,
            )
        )
        session.push(pushed(said))
        session.push(pushed(reply))

    def _next(
        self, session: LiveSession, room: str, id: str, sender: str, body: str
    ) -> Message:
        head = self.head(session)
        seq, time, text = head.last + 1, int(self._now() * 1000), digest(body)
        hash = chained(head.hash, room, seq, id, sender, time, None, text)
        self._heads[session] = Head(1, seq, head.base, hash)
        return Message(room, seq, id, sender, time, None, body, text, hash)
