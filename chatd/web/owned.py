"""A UNIX socket for its owner alone, from the moment that it is there."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import Any, cast

from twisted.internet.defer import Deferred, execute, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IReactorUNIX,
    IStreamServerEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from chatd.paths import socket_path

MODE = 0o600


@implementer(IStreamServerEndpoint)
class OwnedSocket:
    """At `path`. Whoever holds the lock beside it has the path.

    What a killed daemon left is replaced, a living one's socket is not. The kernel
    drops a lock with its process, so none is ever taken for another's: Twisted's own
    lock holds a process number, which may be somebody else's by now.
    """

    def __init__(self, reactor: IReactorUNIX, path: Path) -> None:
        self._reactor, self._path = reactor, path

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Fails with CannotListenError."""
        return execute(self._listen, factory)

    def _listen(self, factory: IProtocolFactory) -> IListeningPort:
        try:
            lock = self._take_lock()
            try:
                return _Port(self._bind(factory), lock)
            except BaseException:
                os.close(lock)
                raise
        except OSError as error:
            raise CannotListenError(None, self._path, error) from None

    def _take_lock(self) -> int:
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        lock = os.open(self._path.with_suffix(".lock"), flags, MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise
        return lock

    def _bind(self, factory: IProtocolFactory) -> IListeningPort:
        if self._path.exists() and stat.S_ISSOCK(self._path.lstat().st_mode):
            self._path.unlink()
        # bind(2) makes it with what the mask leaves; listenUNIX narrows it afterwards.
        before = os.umask(0o777 & ~MODE)
        try:
            return self._reactor.listenUNIX(
                socket_path(self._path), cast(Any, factory), mode=MODE
            )
        finally:
            os.umask(before)


@implementer(IListeningPort)
class _Port:
    """The lock goes with the port."""

    def __init__(self, port: IListeningPort, lock: int) -> None:
        self._port, self._lock = port, lock

    def startListening(self) -> None:
        """It does already."""

    def getHost(self) -> IAddress:
        return self._port.getHost()

    def stopListening(self) -> Deferred[None]:
        return maybeDeferred(self._port.stopListening).addBoth(self._stopped)

    def _stopped(self, result: object) -> None:
        """Twisted removes the path; that somebody did before is no failure."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if isinstance(result, Failure):
            result.trap(FileNotFoundError)
