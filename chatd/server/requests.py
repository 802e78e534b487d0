"""What becomes of each request of a live session (protocol sections 4.2 to 4.7).

What only asks is answered by `reads`.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from chatd.journal.interface import (
    Draft,
    IJournal,
    Marks,
    Outcome,
    Refusal,
)
from chatd.keyfile import KeyFileError
from chatd.server.denial import Denied, denial
from chatd.server.flood import Flood
from chatd.server.hub import Hub
from chatd.server.limits import Limits
from chatd.server.live import LiveSession
from chatd.server.reads import Reads
from chatd.server.trace import Step
from chatd.server.users import InviteUsed, KeyTaken, Users
from chatd.wire.messages import ack, error
from chatd.wire.names import SERVER, direct
from chatd.wire.plain import PREFIX
from chatd.wire.requests import (
    History,
    Invalid,
    Join,
    Mark,
    Members,
    Ping,
    Rekey,
    Request,
    Rooms,
    Search,
    Send,
)

_log = Logger()

_REKEYS = 20.0
_REKEY_SECONDS = 3_600.0
"""So many rekeys of a user at once, then one in so long: each waits for the disk, and
its record stays for months."""

_MUTED = "you are muted here for now: ask the operator"


class Requests:
    """Answers the requests of all live sessions, each exactly once."""

    def __init__(
        self,
        clock: IReactorTime,
        hub: Hub,
        journal: IJournal,
        users: Users,
        limits: Limits,
        now: Callable[[], float],
    ) -> None:
        """`now`: seconds since the epoch."""
        self._hub = hub
        self._journal = journal
        self._users = users
        self._limits = limits
        self._now = now
        self._seconds = clock.seconds
        self._meters = hub.meters
        self._reads = Reads(hub, journal, limits)
        rate, burst = limits.messages, limits.message_burst
        self._messages = Flood(clock.seconds, rate, burst)
        self._messages_of_address = Flood(clock.seconds, 10 * rate, 10 * burst)
        self._requests = Flood(clock.seconds, limits.requests, limits.request_burst)
        self._rekeys = Flood(clock.seconds, 1 / _REKEY_SECONDS, _REKEYS)

    def relimit(self) -> None:
        """The limits have changed."""
        limits = self._limits
        rate, burst = limits.messages, limits.message_burst
        self._messages.limit(rate, burst)
        self._messages_of_address.limit(10 * rate, 10 * burst)

    def answer(self, session: LiveSession, request: Request | Invalid) -> None:
        """Answer `request`, now or later, exactly once."""
        reads = self._reads
        try:
            self._limit(session, request)
            match request:
                case Send():
                    self._send(session, request)
                case Ping(id):
                    session.answer(ack(id, time=self._time()))
                case Invalid(id, code, reason):
                    session.answer(error(id, code, reason))
                case Mark():
                    self._later(session, request.id, self._mark(session, request))
                case Join():
                    self._later(session, request.id, reads.join(session, request))
                case History():
                    self._later(session, request.id, reads.history(session, request))
                case Search():
                    self._later(session, request.id, reads.search(session, request))
                case Rooms():
                    session.answer(reads.rooms(session, request))
                case Members():
                    session.answer(reads.members(session, request))
                case Rekey():
                    session.answer(self._rekey(session, request))
        except Denied as denied:
            session.answer(denial(request.id, denied))

    def _limit(self, session: LiveSession, request: Request | Invalid) -> None:
        who = session.who
        if not isinstance(request, Ping | Invalid | Rekey) and not who.may_talk:
            raise Denied("forbidden", "an invite's session may only rekey and ping")
        if isinstance(request, Rekey | Mark) and who.guest:
            raise Denied("forbidden", "guests may not")
        if isinstance(request, Ping | Send):
            return
        lists = isinstance(request, Search | History | Rooms | Members)
        cost = 5.0 if lists else 1.0
        wait = self._requests.take(_spender(session), cost)
        if not wait and isinstance(request, Rekey):
            wait = self._rekeys.take(who.name)
        if wait:
            raise Denied("slow-down", retry_after=_ms(wait))

    def _later(
        self, session: LiveSession, id: str, work: Coroutine[Any, Any, bytes]
    ) -> None:
        def failed(failure: Failure) -> bytes:
            if isinstance(failure.value, Denied):
                return denial(id, failure.value)
            _log.failure("request-failed", failure)
            return denial(id, Denied("internal"))

        def answer(text: bytes) -> None:
            session.answer(text)
            if session.stalled:
                self._hub.resume(session)

        Deferred.fromCoroutine(work).addErrback(failed).addCallback(answer)

    def _send(self, session: LiveSession, request: Send) -> None:
        who, room = session.who, request.room
        if who.guest and room == direct(who.name, SERVER):
            if wait := self._flood(session):
                raise Denied("slow-down", retry_after=_ms(wait))
            self._hub.guests.send(session, request)
            return
        refusal = self._barred(session, room)
        lane = session.lane(room, new=refusal is None)
        held = lane.waits_for not in (None, request.id)  # as far as is known here
        if refusal is None and not held and (wait := self._flood(session)):
            refusal = Refusal("slow-down", _ms(wait))
        answer = None
        if room == direct(who.name, SERVER):
            answer = (PREFIX + request.body.encode()).decode()
        draft = Draft(
            room,
            who.name,
            request.id,
            request.body,
            request.composed,
            lane,
            refusal,
            answer,
        )
        began = self._seconds()
        self._journal.append(draft).addCallback(self._sent, session, draft, began)

    def _barred(self, session: LiveSession, room: str) -> Refusal | None:
        """Why the session may not send there; None: it may."""
        name, hub = session.who.name, self._hub
        if not hub.may_see(session, room):
            return Refusal("no-such-room")
        if hub.left(room):
            return Refusal("forbidden")
        if hub.policy.muted(name) and room != direct(name, SERVER):
            return Refusal("forbidden", reason=_MUTED)
        return None

    def _sent(
        self, outcome: Outcome, session: LiveSession, draft: Draft, began: float
    ) -> None:
        id, who, took = draft.id, session.who, self._seconds() - began
        if isinstance(outcome, Refusal):
            self._meters.errors[outcome.code] += 1
            became, place = outcome.code, None
        else:
            self._meters.ack_seconds.add(took)
            became, place = "stored" if outcome.fresh else "known", outcome.seq
        received = self._time() - int(took * 1000)
        where = draft.room, who.connection, who.address, received, took
        self._hub.trace.add(Step(id, who.name, *where, became, place))
        if not isinstance(outcome, Refusal):
            room, seq, time, hash = (
                outcome.room,
                outcome.seq,
                outcome.time,
                outcome.hash,
            )
            session.answer(ack(id, room=room, seq=seq, time=time, hash=hash))
        elif outcome.retry_after is None:
            session.answer(denial(id, Denied(outcome.code, outcome.reason)))
        else:
            after = outcome.retry_after
            session.answer(denial(id, Denied(outcome.code, retry_after=after)))

    def _flood(self, session: LiveSession) -> float:
        """Spend one message; or the seconds until there is one to spend."""
        return self._messages.take(_spender(session)) or self._messages_of_address.take(
            session.who.address
        )

    async def _mark(self, session: LiveSession, request: Mark) -> bytes:
        room, name = self._reads.seen(session, request.room), session.who.name
        read = request.read or 0
        received = max(request.received or 0, read)
        if received > room.head.last:
            raise Denied("bad-request", "there is no message with this seq")
        old = room.marks.get(name)
        new = Marks(
            max(received, old.received if old else 0), max(read, old.read if old else 0)
        )
        if new != old:
            if not await self._journal.mark(room.name, name, new):
                raise Denied("not-stored")
            now = room.marks.get(name, Marks())
            room.marks[name] = Marks(*map(max, now, new))
            self._hub.merge.tell(
                ("cursor", room.name, name), lambda: self._hub.tell_cursor(room, name)
            )
        return ack(request.id)

    def _rekey(self, session: LiveSession, request: Rekey) -> bytes:
        who = session.who
        try:
            self._users.announce(who.key, request.key)
        except InviteUsed:
            self._hub.invite_misused(self._users.credentials[who.key], who.address)
            raise Denied("used", "this invite is bound to another key") from None
        except KeyTaken:
            raise Denied("conflict", "this key is held already") from None
        except (KeyFileError, OSError) as fault:
            _log.error(
                "rekey-failed",
                connection=who.connection,
                user=who.name,
                reason=str(fault),
            )
            raise Denied("not-stored") from None
        _log.info(
            "rekey",
            connection=who.connection,
            user=who.name,
            key=who.key.id,
            new=request.key.id,
        )
        return ack(request.id)

    def _time(self) -> int:
        return int(self._now() * 1000)


def _spender(session: LiveSession) -> tuple[str, str]:
    """Whose budget a session spends: guests of one address share one."""
    who = session.who
    return ("guest", who.address) if who.guest else ("user", who.name)


def _ms(seconds: float) -> int:
    return int(seconds * 1000) + 1
