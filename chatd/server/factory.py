"""All connections together: counted, answered in batches, swept, drained.

Frames that arrive in one turn of the reactor, on whatever connections, are opened in
one batch, and their answers sealed in one batch and written once a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, LogLevel

from chatd.server.addresses import group, peer_name
from chatd.server.admission import Admission
from chatd.server.flood import Flood
from chatd.server.greeting import Greeter, PlainText, Refused, Welcomed
from chatd.server.hub import Hub
from chatd.server.keyring import Keyring, Opened, seal
from chatd.server.limits import Limits, Throttle
from chatd.server.live import LiveSession
from chatd.server.protocol import ChatProtocol, TurnedAway
from chatd.server.requests import Requests
from chatd.server.session import PlainSession

_log = Logger()

_Rest = ParamSpec("_Rest")
_T = TypeVar("_T")

FRAMES_A_TURN = 2_048
"""Frames that are answered before the reactor looks at its sockets again."""

GREETINGS_A_TURN = 16
"""The same for first frames, each of which is tried with every user's key."""

RESTART = 1_000
"""Milliseconds after which clients are asked to come back when the daemon stops."""


class ChatFactory(Factory):
    """Makes the connections and answers what they bring."""

    noisy = False
    SWEEP = 1.0  # seconds between looks for connections that keep us waiting

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: Keyring,
        greeter: Greeter,
        hub: Hub,
        requests: Requests,
        limits: Limits,
    ) -> None:
        self.reactor = reactor
        self.seconds = reactor.seconds
        self.limits = limits
        self.sizes: dict[bytes, int] = {}
        self.connections: set[ChatProtocol] = set()
        self.draining = False
        self._keyring = keyring
        self._greeter = greeter
        self._hub = hub
        self._answers = requests
        self._meters = hub.meters
        self._admission = Admission(limits)
        self._guesses = Flood(reactor.seconds, limits.guesses, limits.guess_burst)
        self._throttle = Throttle(reactor.seconds)
        self._comings = Throttle(reactor.seconds, burst=100)
        self._queued: dict[ChatProtocol, None] = {}  # once each, in order
        self._flushing = False
        self._sweep = LoopingCall(self._check_all)
        self._sweep.clock = reactor
        self._drained: list[Deferred[None]] = []

    def start(self) -> None:
        self._sweep.start(self.SWEEP, now=False)

    def buildProtocol(
        self, address: IAddress | None
    ) -> ChatProtocol | TurnedAway | None:
        if address is None:
            return None
        fault = self._admission.fault(address)
        if fault is None and self._guesses.spent(group(address)):
            fault = "too many connections from this address failed"
        if fault is None:
            return ChatProtocol(self, address)
        self._meters.turned_away[fault] += 1
        self._say("full", group(address), peer_name(address), fault)
        return TurnedAway()

    def connected(self, connection: ChatProtocol) -> None:
        self.connections.add(connection)
        self._meters.connections += 1
        connection.number = self._meters.connections
        self._admission.enter(connection.address)
        self._came("connected", connection)

    def disconnected(self, connection: ChatProtocol) -> None:
        self.connections.discard(connection)
        self._queued.pop(connection, None)
        self._admission.leave(connection.address)
        self._came("disconnected", connection)
        live = connection.live
        if live is not None:
            live.gone = True
            if live.proven:
                self._hub.leave(live)
                _log.info(
                    "session-ended",
                    connection=connection.number,
                    user=live.who.name,
                    peer=connection.peer,
                )
        if not self.connections:
            waiting, self._drained = self._drained, []
            for deferred in waiting:
                deferred.callback(None)

    def misbehaved(self, connection: ChatProtocol, event: str, reason: str) -> None:
        """Log, at a bounded rate an address, why a peer is being closed."""
        self._meters.ended[event] += 1
        if event == "refused":
            self._meters.refuse(reason)
        where, number = group(connection.address), connection.number
        self._say(event, where, connection.peer, reason, connection=number)

    def overdue(self, connection: ChatProtocol) -> None:
        """A session was welcomed and never came to life."""
        self._guesses.take(group(connection.address))
        self.misbehaved(connection, "refused", "the session never came to life")
        connection.close()

    def queue(self, connection: ChatProtocol) -> None:
        """Answer `connection`, or write what it has to say, in this turn's batch."""
        if not self._queued and not self._flushing:
            self.reactor.callLater(0, self.flush)
        self._queued[connection] = None

    def flush(self) -> None:
        """Open, answer, seal and write what has gathered, as one batch."""
        if self._flushing:
            return
        self._flushing = True
        queued, self._queued = self._queued, {}
        try:
            self._answer(queued)
            for connection in queued | self._queued:
                if connection.live is not None:
                    self._guard(connection, self._write, connection.live)
        finally:
            self._flushing = False
            every = [*queued, *self._queued]
            self._queued = {each: None for each in every if self._waits(each)}
            if self._queued:
                self.reactor.callLater(0, self.flush)

    def _answer(self, queued: Iterable[ChatProtocol]) -> None:
        budget, greetings = FRAMES_A_TURN, GREETINGS_A_TURN
        plain: list[tuple[ChatProtocol, list[bytes]]] = []
        for connection in queued:
            if connection.closing:
                continue
            if connection.plain is None and connection.live is None:
                if not greetings:
                    continue
                greetings -= self._guard(connection, self._greet) or 0
            if connection.closing:
                continue
            tokens = connection.take(budget)
            budget -= len(tokens)
            self._meters.frames_in += len(tokens)
            if connection.live is not None:
                self._guard(connection, self._requests, connection.live, tokens)
            elif connection.plain is not None:
                plain.append((connection, tokens))
        self._answer_plain(plain)

    def _guard(
        self,
        connection: ChatProtocol,
        act: Callable[Concatenate[ChatProtocol, _Rest], _T],
        *args: _Rest.args,
        **more: _Rest.kwargs,
    ) -> _T | None:
        """A bug of ours ends the connection that meets it, and no other."""
        try:
            return act(connection, *args, **more)
        except Exception:
            _log.failure("connection-failed", connection=connection.number)
            connection.closing = True
            connection.transport.abortConnection()
            return None

    def _waits(self, connection: ChatProtocol) -> bool:
        """Whether there is more to do for `connection` as soon as may be."""
        connection.hold()
        live = connection.live
        if connection.closing:
            return False
        if live is not None and live.stalled and live.has_room:
            return True
        return bool(connection.frames) and (live is None or not live.full)

    def _greet(self, connection: ChatProtocol) -> int:
        """Let the first frame decide; how many were opened."""
        tokens = connection.take(1)
        if not tokens:
            connection.answer([])  # the framing may have ended
            return 0
        self._meters.frames_in += 1
        where = group(connection.address)
        if self._guesses.spent(where):
            self.misbehaved(connection, "full", "too many connections failed")
            connection.close()
            return 0
        greeting = self._greeter.greet(
            tokens[0], where, lambda: self.queue(connection), connection.number
        )
        match greeting:
            case Refused(why, answers, guess):
                if guess:
                    self._guesses.take(where)
                connection.answer(answers)
                self.misbehaved(connection, "refused", why)
                connection.close()
            case Welcomed(session, answers):
                self._meters.opened += 1
                connection.live = session
                connection.answer(answers)
            case PlainText(text, sealer):
                self._meters.opened += 1
                self._meters.frames_out += 1
                connection.plain = PlainSession(self.limits.frame)
                connection.answer(seal(connection.plain.receive([(text, sealer)])))
        return 1

    def _requests(
        self, connection: ChatProtocol, live: LiveSession, tokens: list[bytes]
    ) -> None:
        if not tokens or live.ended is not None:
            return
        requests = live.receive(tokens)
        self._meters.opened += len(requests)
        if not live.proven and requests:
            live.proven = True
            if not self._hub.arrive(live):
                requests = []
            _log.info(
                "session",
                connection=connection.number,
                user=live.who.name,
                peer=connection.peer,
                key=live.who.key.id,
            )
        elif not live.proven:
            self._guesses.take(group(connection.address))
        for request in requests:
            self._answers.answer(live, request)

    def _write(self, connection: ChatProtocol, live: LiveSession) -> None:
        if connection.closing:
            return
        if live.stalled and live.has_room:
            self._hub.resume(live)
        answers = live.take()
        self._meters.frames_out += len(answers)
        connection.answer(answers)
        if live.ended is not None and not connection.closing:
            if live.faulty:
                self.misbehaved(connection, "bad-frame", live.ended)
            else:
                _log.info(
                    "goodbye",
                    connection=connection.number,
                    user=live.who.name,
                    reason=live.ended,
                )
            connection.close()

    def _answer_plain(self, plain: list[tuple[ChatProtocol, list[bytes]]]) -> None:
        tokens: list[bytes] = []
        for _, given in plain:
            tokens += given
        opened = self._keyring.open(tokens, self.limits.ttl)
        banned = self._banned()
        answers: list[Opened] = []
        counts: list[int] = []
        position = 0
        for connection, given in plain:
            end = position + len(given)
            session = connection.plain
            if session is None:
                said = []
            else:
                said = session.receive(opened[position:end], banned)
            counts.append(len(said))
            answers += said
            position = end
        sealed = seal(answers)
        self._meters.opened += len(answers)
        self._meters.frames_out += len(answers)
        position = 0
        for (connection, _), count in zip(plain, counts, strict=True):
            connection.answer(sealed[position : position + count])
            position += count
            session = connection.plain
            if session is not None and session.ended is not None:
                self.misbehaved(connection, "refused", session.ended)
                connection.close()

    def _banned(self) -> list[str]:
        """The ids of the shared keys that are banned."""
        policy = self._hub.policy
        return [id for id in self._keyring.ids if policy.ban(id) is not None]

    def _came(self, event: str, connection: ChatProtocol) -> None:
        held = self._comings.passes((group(connection.address), event))
        if held is not None:
            fields = {"held_back": held} if held else {}
            number = connection.number
            _log.info(event, connection=number, peer=connection.peer, **fields)

    def _say(
        self, event: str, where: str, peer: str, reason: str, **fields: int
    ) -> None:
        held = self._throttle.passes((where, event, reason))
        if held is None:
            return
        level = LogLevel.info if event == "idle" else LogLevel.warn
        if held:
            fields["held_back"] = held
        _log.emit(level, event, peer=peer, reason=reason, **fields)

    def _check_all(self) -> None:
        now, banned = self.seconds(), self._banned()
        for connection in list(self.connections):
            connection.check(now)
            plain = connection.plain
            if plain is not None and not connection.closing and plain.shut_out(banned):
                self.misbehaved(connection, "refused", "its key is banned")
                connection.close()

    async def drain(self) -> None:
        """Answer what has arrived, close all connections, return when they are gone.

        What was sent to the journal is stored and acknowledged before. Bounded: a
        connection that does not go is aborted after the grace.
        """
        self.draining = True
        if self._sweep.running:
            self._sweep.stop()
        self.flush()
        await self._hub.close()
        self.flush()
        for connection in list(self.connections):
            if connection.live is not None:
                connection.live.goodbye("restart", RESTART)
        self.flush()
        for connection in list(self.connections):
            connection.close()
        if self.connections:
            done: Deferred[None] = Deferred()
            self._drained.append(done)
            await done
