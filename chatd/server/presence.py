"""Who is there: live sessions by name, and the news about them."""

from __future__ import annotations

from collections.abc import Iterator

from chatd.server.live import LiveSession
from chatd.server.merge import Merge
from chatd.wire.messages import push


class Presence:
    """The live sessions. Users are told when users come and go; guests are not.

    Who is there by an invite alone is not online yet.
    """

    def __init__(self, merge: Merge) -> None:
        self._merge = merge
        self._sessions: dict[str, dict[LiveSession, None]] = {}

    def __iter__(self) -> Iterator[LiveSession]:
        """All sessions that are live now, as they are when this is called."""
        every = [each for of_name in self._sessions.values() for each in of_name]
        return iter(every)

    def of(self, name: str) -> list[LiveSession]:
        """The sessions of one name."""
        return list(self._sessions.get(name, ()))

    def talking(self, name: str) -> list[LiveSession]:
        """Those that may be told something."""
        return [each for each in self._sessions.get(name, ()) if each.who.may_talk]

    def online(self, name: str) -> bool:
        return bool(self.talking(name))

    def arrive(self, session: LiveSession) -> None:
        name = session.who.name
        was_online = self.online(name)
        self._sessions.setdefault(name, {})[session] = None
        self._changed(session, was_online)

    def leave(self, session: LiveSession) -> None:
        name = session.who.name
        was_online = self.online(name)
        there = self._sessions.get(name, {})
        if there.pop(session, session) is None and not there:
            del self._sessions[name]
        self._changed(session, was_online)

    def _changed(self, session: LiveSession, was_online: bool) -> None:
        name = session.who.name
        if session.who.guest or self.online(name) == was_online:
            return
        self._merge.tell(("presence", name), lambda: self._tell(name))

    def _tell(self, name: str) -> None:
        text = push("presence", name=name, online=self.online(name))
        for session in self:
            if not session.who.guest and session.who.may_talk:
                session.note(("presence", name), text)
