"""One run of a command: the reactor around a coroutine, and the exit code."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.python.failure import Failure

from chatd import __version__
from chatd.client import account
from chatd.client.chat import ChatClient
from chatd.client.errors import RequestFailed, SayError
from chatd.client.events import Event, OwnChanged, OwnState, Trouble
from chatd.client.link import LinkState, Phase, Reason
from chatd.client.plain import PlainClient
from chatd.client.reach import Unreached
from chatd.client.settings import Settings
from chatd.clients.chat_term.output import Output
from chatd.clients.chat_term.talk import described
from chatd.journal.client_store import ClientStore, StoreError
from chatd.keyfile import KeyFileError
from chatd.wire.tokens import Key

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
STOP_SECONDS = 2.0
"""How long the connection may take to close before the command ends anyway."""


class CommandFailed(Exception):
    """Why, in words for a person."""


class Told(CommandFailed):
    """The person has been told why already."""


class Run:
    """The reactor, the client of the chosen account, and what ends with them."""

    def __init__(self, chosen: Settings, output: Output, timeout: float) -> None:
        """`timeout`: seconds to wait for a connection, and for each answer."""
        # The reactor is chosen by now; nothing imports it before.
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.chosen = chosen
        self.output = output
        self.timeout = timeout
        self.kept = True
        """Whether what is not sent is there for the next run."""
        self.troubled = False
        """Whether a room was not what it was before; the person has been told."""
        self.store: ClientStore | None = None
        self._troubles: set[tuple[str, str]] = set()
        self._code = INTERRUPTED
        self._told: Reason | None = None
        self._ending: list[Callable[[], Any]] = []

    @property
    def where(self) -> str:
        return f"{self.chosen.host}:{self.chosen.port}"

    def go_to(self, host: str, port: int) -> None:
        """Let clients that are made from now on connect there."""
        self.chosen = replace(self.chosen, host=host, port=port)

    def plain_client(self, key: Key, told: bool) -> PlainClient:
        """A client of the plain dialect, started. `told`: see `client`."""
        client = PlainClient(self.reactor, self._endpoint(), key, where=self.where)
        if not told:
            client.observe(self._changed)
        client.start()
        self._ending.append(client.stop)
        return client

    def client(self, told: bool = False) -> ChatClient:
        """The account's client, started. Raises StoreError, KeyFileError.

        `told`: another tells the person how the link stands.
        """
        path = self.chosen.key_path
        keys = account.keys(path)
        store, self.kept = account.open_store(
            account.store_path(self.chosen, os.environ)
        )
        self.store = store
        client = self.make(keys, store)
        client.listen(self._heard)
        if not told:
            client.observe(self._changed)
            client.listen(self._earlier({each.id for each in client.own()}))
        client.observe(
            lambda state: (
                account.settle(path, client.key)
                if state.phase is Phase.ONLINE
                else None
            )
        )
        client.start()
        self._ending += [store.close, client.stop]
        return client

    def make(self, keys: Sequence[Key], store: ClientStore) -> ChatClient:
        """A client that is not started."""
        return ChatClient(
            self.reactor,
            self._endpoint(),
            keys,
            store,
            agent=f"chat-term/{__version__}",
            where=self.where,
        )

    def _endpoint(self) -> HostnameEndpoint:
        return HostnameEndpoint(
            self.reactor, self.chosen.host, self.chosen.port, timeout=self.timeout
        )

    def run(self, command: Callable[[], Awaitable[int]]) -> int:
        """Run `command` to its end; the exit code."""

        async def whole() -> None:
            self._code = await command()

        def start() -> None:
            done = Deferred.fromCoroutine(whole())
            done.addErrback(self._failed).addBoth(lambda _: self._stop())

        self.reactor.callWhenRunning(start)
        self.reactor.run()
        return self._code

    def _changed(self, state: LinkState) -> None:
        if state.phase is Phase.WAITING and state.reason is not self._told:
            self._told = state.reason
            self.output.notice(described(state))

    def _heard(self, event: Event) -> None:
        match event:
            case Trouble(room, kind) if (room, kind) not in self._troubles:
                self.troubled = True
                self._troubles.add((room, kind))
                self.output.notice(event.advice)

    def _earlier(self, ids: set[str]) -> Callable[[Event], None]:
        """Tells what became of what an earlier run has left, where it is refused."""

        def heard(event: Event) -> None:
            match event:
                case OwnChanged(own) if own.id in ids and own.state is OwnState.FAILED:
                    self.output.notice(
                        f"refused: a message for {own.room} that was kept by an"
                        f" earlier run: {own.reason or own.code}"
                    )

        return heard

    def _failed(self, failure: Failure) -> None:
        self._code = FAILED
        match failure.value:
            case Told():
                pass
            case TimeoutError():
                self.output.notice(Reason.TIMEOUT.advice_for(self.where))
            case (
                CommandFailed()
                | SayError()
                | RequestFailed()
                | Unreached()
                | KeyFileError()
                | StoreError() as error
            ):
                self.output.notice(str(error))
            case error:
                self.output.notice(f"failed: {type(error).__name__}")

    def _stop(self) -> None:
        Deferred.fromCoroutine(self._end()).addErrback(lambda _: None).addBoth(
            lambda _: self.reactor.stop() if self.reactor.running else None
        )

    async def _end(self) -> None:
        for end in reversed(self._ending):
            ended = end()
            if isinstance(ended, Deferred):
                ended.addTimeout(STOP_SECONDS, self.reactor).addErrback(lambda _: None)
                await ended
