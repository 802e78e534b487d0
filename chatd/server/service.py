"""The daemon as one service: the order in which it starts, reloads and stops."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IReactorFromThreads,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from chatd import __version__
from chatd.journal.interface import JournalError
from chatd.keyfile import KeyFileError
from chatd.server.addresses import peer_name
from chatd.server.factory import ChatFactory
from chatd.server.hub import Hub
from chatd.server.keyring import Keyring

_log = Logger()

WATCH_SECONDS = 0.5
"""How often the users' folder is looked at: who was removed is off in twice that."""


class StartError(Exception):
    """Why the daemon cannot start, in one line fit for the operator."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Where something listens. `description`: as the operator wrote it."""

    description: str
    endpoint: IStreamServerEndpoint
    factory: IProtocolFactory
    busy: str = ""
    """What to say where another has it; empty: the system's words."""


class Companion(Protocol):
    """What lives beside the conversations, and on the same journal."""

    def start(self, kept: Mapping[str, str]) -> None:
        """The journal is open; `kept`: the texts that it keeps."""

    def stop(self) -> None:
        """The journal is about to be closed."""


class ChatService(Service):
    """Listens, answers, and on stop drains before it lets go."""

    name = "chatd"

    def __init__(
        self,
        reactor: IReactorFromThreads,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]],
        factory: ChatFactory,
        keyring: Keyring,
        hub: Hub,
        observer: ILogObserver | None,
        notify: Callable[[str], None],
        companions: Sequence[Companion] = (),
        others: Sequence[Listener] = (),
        reconfigure: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        """`endpoints`: with their descriptions as the operator wrote them;
        `others`: what else listens; `observer`: becomes the log of the application
        that this service joins; `notify`: tells the service manager, sd_notify(3);
        `reconfigure`: reads the configuration again, and says what has changed.
        """
        self._reactor = reactor
        self._others = len(others)
        self._listeners = [
            *(Listener(described, each, factory) for described, each in endpoints),
            *others,
        ]
        self._factory = factory
        self._keyring = keyring
        self._hub = hub
        self._watch = LoopingCall(self._look)
        self._watch.clock = IReactorTime(reactor)
        self._observer = observer
        self._notify = notify
        self._companions = companions
        self._reconfigure = reconfigure
        self._ports: list[IListeningPort] = []
        self._listening = False
        self._fault: str | None = None

    def setServiceParent(self, parent: object) -> None:
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Bind; raises StartError where one of the endpoints cannot be had."""
        self._listening = True
        for each in self._listeners:
            failures: list[Failure] = []
            listening = each.endpoint.listen(each.factory)
            listening.addCallbacks(self._ports.append, failures.append)
            if failures:
                for port in self._ports:
                    port.stopListening()
                raise StartError(each.busy or _cannot_listen(each, failures[0].value))

    def startService(self) -> None:
        if not self._listening:  # under twist nobody calls the privileged half
            self.privilegedStartService()
        try:
            contents = self._hub.open()
        except JournalError as error:
            raise StartError(str(error)) from None
        super().startService()
        self._factory.start()
        for companion in self._companions:
            companion.start(contents.kept)
        self._watch.start(WATCH_SECONDS, now=False)
        for number, act in (
            (signal.SIGHUP, self.reload),
            (signal.SIGUSR1, lambda: None),  # logrotate's habit: the log needs none
        ):
            _on_signal(self._reactor, number, act)
        places = self.addresses
        for_chat = len(self._listeners) - self._others
        addresses = ", ".join(places[:for_chat])
        also = ", ".join(places[for_chat:])
        _log.info(
            "listening",
            addresses=addresses,
            **({"also": also} if also else {}),
            version=__version__,
            keys=" ".join(self._keyring.ids),
        )
        gc.collect()
        gc.freeze()  # what stands now stays: full collections need not look at it
        self._notify(f"READY=1\nSTATUS=listening on {addresses}")

    @property
    def addresses(self) -> list[str]:
        """Where it listens: for conversations, then for what else there is."""
        return [_own_name(port.getHost()) for port in self._ports]

    def reload(self) -> None:
        """Read keys and configuration again; nobody is disconnected for it.

        With a fault in a key file all stays as it was; with one in the configuration
        that does.
        """
        try:
            self._keyring.reload()
            changes = self._reconfigure()
        except (KeyFileError, OSError, StartError) as error:
            _log.error("reload-failed", reason=str(error))
        else:
            self._reloaded(changes)

    def _reloaded(self, changes: Sequence[str] = ()) -> None:
        users = len(self._keyring.users.names)
        more = {"changed": "; ".join(changes)} if changes else {}
        _log.info("reloaded", keys=" ".join(self._keyring.ids), users=users, **more)
        self._hub.dismiss()

    def _look(self) -> None:
        """Take up what chatctl has changed; a fault is told once."""
        users = self._keyring.users
        try:
            before = users.credentials, users.names
            if users.changed():
                users.reload()
                if before != (users.credentials, users.names):
                    self._reloaded()
            self._fault = None
        except (KeyFileError, OSError) as error:
            if str(error) != self._fault:
                self._fault = str(error)
                _log.error("reload-failed", reason=self._fault)

    def stopService(self) -> Deferred[None]:
        """Stop listening, answer what has arrived, close; bounded in time."""
        super().stopService()
        if self._watch.running:
            self._watch.stop()
        self._notify("STOPPING=1")
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        connections = len(self._factory.connections)
        _log.info("stopping", connections=connections)
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        for companion in self._companions:
            companion.stop()
        await self._factory.drain()
        _log.info("stopped")


def _cannot_listen(listener: Listener, error: BaseException | None) -> str:
    cause = getattr(error, "socketError", error)
    reason = getattr(cause, "strerror", None) or str(cause)
    return f"cannot listen on {listener.description}: {reason}"


def _own_name(address: IAddress) -> str:
    match address:
        case UNIXAddress():
            name = address.name
            return f"unix:{os.fsdecode(name)}" if name else "unix"
        case IPv4Address() | IPv6Address():
            return peer_name(address)
        case _:
            return repr(address)


def _on_signal(
    reactor: IReactorFromThreads, number: signal.Signals, act: Callable[[], None]
) -> None:
    signal.signal(number, lambda *_: reactor.callFromThread(act))


def sd_notify(address: str | None) -> Callable[[str], None]:
    """Sends states to the service manager at `address`, $NOTIFY_SOCKET.

    sd_notify(3): a datagram to an AF_UNIX socket, "@" for the abstract namespace.
    Does nothing where there is no address; a manager that has gone is no error.
    """
    if not address:
        return lambda state: None
    where = "\0" + address[1:] if address.startswith("@") else address

    def send(state: str) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.sendto(state.encode(), where)
        except OSError as error:
            _log.warn("notify-failed", reason=error.strerror)

    return send


def say_start_errors_plainly() -> None:
    """Let a StartError end the process with its line alone, not a traceback."""
    usual = sys.excepthook

    def hook(
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, StartError):
            print(f"chatd: {error}", file=sys.__stderr__)  # stderr may be the log
        else:
            usual(kind, error, trace)

    sys.excepthook = hook
