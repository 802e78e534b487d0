"""The hub: rooms, who may see them, and what becomes of each request."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.journal.interface import (
    Contents,
    Head,
    IJournal,
)
from chatd.keyfile import KeyFileError
from chatd.server import guestbook
from chatd.server.limits import Limits
from chatd.server.live import LiveSession
from chatd.server.merge import Merge
from chatd.server.meters import Meters
from chatd.server.policy import Ban, NotDecided, Policy
from chatd.server.presence import Presence
from chatd.server.rooms import Room
from chatd.server.trace import Trace
from chatd.server.users import Credential, Standing, Users
from chatd.wire.messages import Message, push
from chatd.wire.names import LOBBY, SERVER, is_guest, pair
from chatd.wire.tokens import Key

_log = Logger()

_PRUNE_SECONDS = 3_600.0

_TOO_MANY = 5_000
"""Milliseconds until a session that could not go live may try again."""


class Hub:
    """What the live sessions share."""

    def __init__(
        self,
        clock: IReactorTime,
        journal: IJournal,
        users: Users,
        limits: Limits,
        now: Callable[[], float],
    ) -> None:
        """`now`: seconds since the epoch."""
        self._journal = journal
        self._users = users
        self._limits = limits
        self._now = now
        self.merge = Merge(clock)
        self.presence = Presence(self.merge)
        self.rooms: dict[str, Room] = {}  # none ever goes
        self._sorted: list[str] = []  # their names, when it was last asked
        self.watchers: list[Callable[[Collection[str]], None]] = []
        """Told the names of the rooms whose logs have moved."""
        self.opened = False
        self.policy = Policy(journal, now)
        self.meters = Meters()
        self.trace = Trace()
        self._pruning = LoopingCall(self.prune)
        self._pruning.clock = clock
        self.guests = guestbook.Guestbook(now)

    def open(self) -> Contents:
        """Open the journal; what stands in it. Raises JournalError."""
        contents: Contents = self._journal.open()
        for name in {LOBBY, *contents.heads}:
            head = contents.heads.get(name, Head())
            self.rooms[name] = Room(name, head, contents.marks.get(name, {}))
        self._journal.committed = self._committed
        self.opened = True
        self.policy.load(contents.kept)
        self._pruning.start(_PRUNE_SECONDS)
        return contents

    def close(self) -> Deferred[None]:
        """Store what waits and close the journal; every send is answered by then."""
        self.merge.stop()
        if self._pruning.running:
            self._pruning.stop()
        return self._journal.close()

    # Sessions come and go.

    def arrive(self, session: LiveSession) -> bool:
        """A session is live: its key has proven itself. Whether it may stay.

        A key announced by rekey replaces the older one now, on disk, before anything
        is answered.
        """
        who = session.who
        self.presence.arrive(session)
        if self._dismiss_banned(session):
            return False
        if who.guest:
            if len(self.presence.of(who.name)) > 1:
                session.goodbye("kicked", why="a guest of this name is here")
                return False
            return True
        if len(self.presence.of(who.name)) > self._limits.sessions:
            session.goodbye("kicked", _TOO_MANY, why="too many sessions of one user")
            return False
        try:
            retired = self._users.proven(who.key)
        except (KeyFileError, OSError) as fault:
            _log.error(
                "rekey-failed",
                connection=who.connection,
                user=who.name,
                reason=str(fault),
            )
            session.goodbye("restart", _TOO_MANY, why="its key could not be kept")
            return False
        if retired is not None:
            _log.info(
                "key-replaced",
                connection=who.connection,
                user=who.name,
                old=retired.id,
                new=who.key.id,
            )
            self.dismiss()
        self._dismiss_dead(session)
        return session.ended is None or session.faulty

    def dismiss(self) -> None:
        """Say goodbye to the sessions whose keys are accepted no more."""
        for session in self.presence:
            self._dismiss_dead(session)

    def _dismiss_dead(self, session: LiveSession) -> None:
        who = session.who
        if self._dismiss_banned(session) or who.guest:
            return
        credential = self._users.credentials.get(who.key)
        if credential is None or credential.standing is Standing.REMOVED:
            session.goodbye("removed")
        elif not credential.alive:
            session.goodbye("rotated")

    def ban(self, key: Key) -> Ban | None:
        """What keeps a key out: a ban of it, or of the one in whose place it comes."""
        credential = self._users.credentials.get(key)
        older = None if credential is None else credential.older
        ban = self.policy.ban(key.id)
        if ban is None and older is not None:
            ban = self.policy.ban(older.id)
        return ban

    def _dismiss_banned(self, session: LiveSession) -> bool:
        ban = self.ban(session.who.key)
        if ban is not None:
            session.goodbye("banned", self.policy.left(ban))
        return ban is not None

    def invite_misused(self, credential: Credential, address: str) -> None:
        """Somebody at `address` tried an invite that was used."""
        if self._users.misused(credential.key, address):
            _log.warn("invite-misused", user=credential.name, address=address)

    def leave(self, session: LiveSession) -> None:
        """A session has ended: it is told nothing more."""
        session.gone = True
        for subscription in list(session.subscriptions.values()):
            subscription.room.readers.pop(session, None)
        session.subscriptions.clear()
        session.stalled.clear()
        self.guests.leave(session)
        self.presence.leave(session)

    def resume(self, session: LiveSession) -> None:
        """There is room for more pushes."""
        while session.stalled and session.has_room:
            subscription = next(iter(session.stalled))
            del session.stalled[subscription]
            if subscription.current:
                subscription.pump()

    def tell_cursor(self, room: Room, name: str) -> None:
        marks = room.marks[name]._asdict()
        text = push("cursor", room=room.name, name=name, **marks)
        for session in list(room.readers):
            if not session.who.guest:
                session.note(("cursor", room.name, name), text)

    def prune(self) -> None:
        """Remove the texts that are older than their rooms keep them."""
        forgetting = Deferred.fromCoroutine(self.policy.forget_expired())
        forgetting.addErrback(lambda fault: fault.trap(NotDecided))  # the next time
        rooms: dict[int, list[str]] = {}
        for name in self.rooms:
            days = self.policy.rule(name).days or self._limits.keep
            if days is not None:
                rooms.setdefault(days, []).append(name)
        for days, names in rooms.items():
            self._prune(days, names)

    def _prune(self, days: int, rooms: Sequence[str]) -> None:

        def done(count: int) -> None:
            if count:
                _log.info("pruned", messages=count)

        def failed(failure: Failure) -> None:
            _log.error("prune-failed", error=type(failure.value).__name__)

        before = self._time() - days * 86_400_000
        self._journal.prune(before, rooms).addCallbacks(done, failed)

    # Who may see what.

    def names_behind(self, after: str) -> Iterator[str]:
        """The names of the rooms behind `after`, in order."""
        if len(self._sorted) != len(self.rooms):
            self._sorted = sorted(self.rooms)
        return islice(self._sorted, bisect_right(self._sorted, after), None)

    def may_see(self, session: LiveSession, name: str) -> bool:
        who = session.who.name
        if name.startswith("#"):
            return name in self.rooms and self.policy.may_enter(name, who)
        if who not in name:  # most of them, when all are gone through
            return False
        two = pair(name)
        if two is None or who not in two or is_guest(who):
            return False
        other = two[0] if two[1] == who else two[1]
        return other == SERVER or self._users.known(other)

    def belongs(self, room: Room, name: str) -> bool:
        """Whether a member of `room` may see it still."""
        return not room.public or self.policy.may_enter(room.name, name)

    def shut_out(self, name: str) -> None:
        """Who may see the room no more reads it no more."""
        room = self.rooms[name]
        for session in list(room.readers):
            if not self.may_see(session, name):
                session.subscriptions.pop(name, None)
                room.readers.pop(session, None)

    def tell_access(self, name: str, users: Iterable[str]) -> None:
        """These users learn of a room that they may see from now on."""
        room = self.rooms[name]
        head = room.head
        text = push("room", room=name, first=head.first, last=head.last)
        for user in users:
            for session in self.presence.talking(user):
                if session not in room.readers:
                    session.push(text)

    def left(self, name: str) -> bool:
        """Whether one of the two who talk there was removed."""
        return any(
            each != SERVER and not self._users.exists(each) for each in pair(name) or ()
        )

    # The journal tells.

    def _committed(self, fresh: Sequence[Message], heads: dict[str, Head]) -> None:
        by_room: dict[str, list[Message]] = {name: [] for name in heads}
        for message in fresh:
            by_room[message.room].append(message)
        for name, head in heads.items():
            room = self.rooms.get(name)
            if room is None:
                room = self.rooms[name] = Room(name, Head(), {})
            begun = room.head.last == 0 and head.last > 0
            room.extend(by_room[name], head)
            if begun and not room.public:
                self._tell_begun(room)
            for subscription in list(room.readers.values()):
                subscription.pump()
        for watch in self.watchers:
            watch(heads)

    def _tell_begun(self, room: Room) -> None:
        """Both who talk learn of a new direct conversation."""
        head = room.head
        text = push("room", room=room.name, first=head.first, last=head.last)
        for name in pair(room.name) or ():
            for session in self.presence.talking(name):
                session.push(text)

    def _time(self) -> int:
        return int(self._now() * 1000)
