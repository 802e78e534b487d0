"""Saying things in a room from the command line: done when they are acknowledged.

What is taken lies in the outbox on this disk first. A run that is killed, or gives up,
leaves it there, and the next run of chat-term sends it.
"""

from __future__ import annotations

import os
from hashlib import sha256

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from chatd.client.chat import ChatClient
from chatd.client.errors import SayError
from chatd.client.events import Event, Own, OwnChanged, OwnState
from chatd.client.link import Reason
from chatd.client.reach import PERMANENT, Unreached, reach
from chatd.clients.chat_term.lines import read_messages
from chatd.clients.chat_term.place import room_of
from chatd.clients.chat_term.run import FAILED, OK, CommandFailed, Run
from chatd.journal.client_store import ClientStore
from chatd.wire.names import is_public, is_room


async def send(run: Run, word: str, text: str) -> int:
    """Say `text` in a room: done when it is on the server's disk."""
    client = run.client()
    room = await _room(run, client, word)
    settled: Deferred[Own] = Deferred()
    own: Own | None = None

    def heard(event: Event) -> None:
        if (
            isinstance(event, OwnChanged)
            and own is not None
            and event.own.id == own.id
            and event.own.state is not OwnState.QUEUED
            and not settled.called
        ):
            settled.callback(event.own)

    client.listen(heard)
    own = client.say(room, text)
    try:
        await reach(client, run.reactor, run.timeout, final=PERMANENT)
        found = await settled.addTimeout(run.timeout, run.reactor)
    except (Unreached, CancelledError, TimeoutError) as error:
        kept = " It is kept, and goes out with the next run." if run.kept else ""
        raise CommandFailed(f"not said: {_why(run, client, error)}{kept}") from None
    if found.state is OwnState.FAILED:
        client.discard(found.id)
        why = found.reason or found.code
        if found.code == "no-such-room" and is_public(room):
            why = f"{why}; chat-term join '{room}' makes it, if new rooms are allowed"
        raise CommandFailed(f"not said: {why}")
    run.output.receipt(found)
    return OK


async def send_each_line(run: Run, word: str, *, anew: bool, fd: int = 0) -> int:
    """Say each line of `fd` in a room; empty ones are left out.

    Given again after it was cut off, the same input goes on where it stopped, unless
    `anew`: nothing is said twice.
    """
    client = run.client()
    room = await _room(run, client, word)
    series = Series(run.store if run.kept else None, room, anew)
    if series.resumed:
        run.output.notice(
            f"the last --each-line to {room} was cut off: lines at the beginning that"
            " it said are not said again (--anew says them)"
        )
    lines = _Lines(run, client, room, series)
    await lines.say_all(fd)
    series.end()
    if not lines.count:
        raise CommandFailed("nothing to say on standard input")
    return FAILED if lines.failed else OK


class Series:
    """The ids of one input's lines: the same for the same lines, until it is done.

    Each depends on all lines before it; so another input has other ids from the first
    line on that differs.
    """

    def __init__(self, store: ClientStore | None, room: str, anew: bool) -> None:
        """`store`: keeps what the ids begin with; None: nothing is to be resumed."""
        self._store = store
        self._fact = f"each-line {room}"
        begun = None if store is None or anew else store.get(self._fact)
        self.resumed = bool(begun)
        seed = begun or os.urandom(16).hex()
        if store is not None:
            store.set(self._fact, seed)
        self._chain = sha256(seed.encode())

    def id(self, line: bytes) -> str:
        """The id of the next line."""
        self._chain.update(b"%d:%b," % (len(line), line))
        return self._chain.hexdigest()[:32]

    def end(self) -> None:
        """All was said: the same input is a new one from now on."""
        if self._store is not None:
            self._store.set(self._fact, "")


class _Lines:
    """Lines on their way; as many at once as are read ahead."""

    def __init__(self, run: Run, client: ChatClient, room: str, series: Series) -> None:
        self._run = run
        self._client = client
        self._room = room
        self._series = series
        self._waiting: set[str] = set()
        self._ended = False
        self._done: Deferred[None] = Deferred()
        self._patience: IDelayedCall | None = None
        self.count = 0
        self.failed = 0
        client.listen(self._heard)

    async def say_all(self, fd: int) -> None:
        """Raises CommandFailed where the lines do not get through."""
        run = self._run
        self._release = read_messages(run.reactor, self._got, self._end, fd=fd)
        reached = Deferred.fromCoroutine(
            reach(self._client, run.reactor, run.timeout, final=PERMANENT)
        )
        reached.addErrback(self._give_up)
        try:
            await self._done
        except (Unreached, TimeoutError) as error:
            why = _why(run, self._client, error)
            kept = (
                f" {len(self._waiting)} lines are kept, and go out with the next run;"
                " the same command with the same input goes on behind them."
                if run.kept
                else ""
            )
            raise CommandFailed(f"not all said: {why}{kept}") from None
        finally:
            self._calm()

    def _got(self, data: bytes) -> None:
        if self._done.called or not data:
            self._release()
            return
        self.count += 1
        id = self._series.id(data)
        try:
            text = data.decode(errors="surrogateescape")
            own = self._client.say(self._room, text, id)
        except SayError as error:
            self._settle(str(error))
            return
        if own.state is OwnState.FAILED:  # in a run before this one
            self._client.discard(id)
            self._settle(own.reason or own.code or "")
            return
        self._waiting.add(id)
        if self._patience is None:
            self._hope()

    def _heard(self, event: Event) -> None:
        if not isinstance(event, OwnChanged) or event.own.id not in self._waiting:
            return
        match event.own.state:
            case OwnState.STORED:
                self._waiting.discard(event.own.id)
                self._run.output.receipt(event.own)
                self._settle(None)
            case OwnState.FAILED:
                self._waiting.discard(event.own.id)
                self._client.discard(event.own.id)
                self._settle(event.own.reason or event.own.code or "")

    def _settle(self, why: str | None) -> None:
        """One more line is done with; `why`: it was not said."""
        if why is not None:
            self.failed += 1
            self._run.output.notice(f"line {self.count} or before not said: {why}")
        self._calm()
        if self._waiting:
            self._hope()
        self._release()
        self._look()

    def _end(self) -> None:
        self._ended = True
        self._look()

    def _look(self) -> None:
        if self._ended and not self._waiting and not self._done.called:
            self._done.callback(None)

    def _hope(self) -> None:
        """Somebody has to answer within the timeout."""
        self._patience = self._run.reactor.callLater(
            self._run.timeout, self._give_up, Failure(TimeoutError())
        )

    def _calm(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = None

    def _give_up(self, failure: Failure) -> None:
        if not self._done.called:
            self._done.errback(failure)


async def _room(run: Run, client: ChatClient, word: str) -> str:
    """The room of `word`; ``@name`` needs one's own name, too."""
    if not is_room(word) and client.name is None:
        await reach(client, run.reactor, run.timeout, final=PERMANENT)
    return room_of(word, client)


def _why(run: Run, client: ChatClient, error: Exception) -> str:
    if isinstance(error, Unreached):
        return str(error)
    return client.state.advice or Reason.TIMEOUT.advice_for(run.where)
