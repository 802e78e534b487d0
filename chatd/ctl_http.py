"""chatctl's way to a running daemon: treq over the socket in the state folder."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone, ResponseFailed
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from chatd import paths

SECONDS = 30.0
"""For an answer; for the first word of a stream."""
_ENDED = "the daemon ended before it answered"
_SILENT = "the daemon does not answer: it is stopped, or very busy; see its log"
INTERRUPTED = 130
_LONGEST_LINE = 16 * 1024 * 1024


class NotDone(Exception):
    """What the daemon said, or why it could not be asked, in one line."""


class NoDaemon(NotDone):
    """None answers for this state folder."""


def add_state(parser: argparse.ArgumentParser, run: object) -> None:
    """Let the operator choose the daemon, and `run` the command."""
    parser.add_argument(
        "--state", metavar="FOLDER", help="the daemon's state folder, if not the usual"
    )
    parser.set_defaults(run=run)


def state_of(args: argparse.Namespace) -> Path:
    return Path(args.state) if args.state else paths.default_state(os.environ)


@implementer(IAgentEndpointFactory)
class _Socket:
    """Whatever the URL says, this socket."""

    def __init__(self, reactor: Any, path: str) -> None:
        self._reactor, self._path = reactor, path

    def endpointForURI(self, uri: object) -> UNIXClientEndpoint:
        return UNIXClientEndpoint(self._reactor, self._path, timeout=5)


class Daemon:
    """The daemon of one state folder."""

    def __init__(self, clock: IReactorTime, client: HTTPClient, state: Path) -> None:
        self._clock, self._client, self._state = clock, client, state

    @classmethod
    def of(cls, reactor: Any, state: Path) -> Daemon:
        """By the socket in `state`. Raises NoDaemon."""
        try:
            path = paths.socket_path((state / paths.ADMIN_NAME).absolute())
        except OSError:
            raise _absent(state) from None
        agent = Agent.usingEndpointFactory(reactor, _Socket(reactor, path))
        return cls(reactor, HTTPClient(agent), state)

    async def get(self, what: str) -> dict[str, Any]:
        """Raises NotDone."""
        return await self._whole(await self._ask("GET", what, None))

    async def post(self, what: str, **members: object) -> dict[str, Any]:
        """Raises NotDone."""
        return await self._whole(await self._ask("POST", what, members))

    async def stream(
        self, what: str, told: Callable[[dict[str, Any]], None], **members: object
    ) -> None:
        """Call `told` with each line, until the daemon ends it. Raises NotDone."""
        response = await self._ask("POST", what, members)
        if response.code != 200:
            await self._whole(response)
        left = b""

        def collect(data: bytes) -> None:
            nonlocal left
            *lines, left = (left + data).split(b"\n")
            if len(left) > _LONGEST_LINE:
                raise NotDone("the daemon's answer makes no sense: is it ours?")
            for line in lines:
                told(_parsed(line))

        try:
            await response.collect(collect)
        except (ResponseFailed, ResponseDone):
            raise NotDone("the daemon ended before it was done") from None

    async def _ask(self, method: str, what: str, members: object) -> Any:
        data = None if members is None else json.dumps(members).encode()
        url = f"http://chatd/admin/{what}"
        try:
            asked = self._client.request(method, url, data=data)
            return await asked.addTimeout(SECONDS, self._clock)
        except (ConnectError, OSError):
            raise _absent(self._state) from None
        except ResponseFailed as error:  # a timeout is told so, too
            cancelled = any(each.check(CancelledError) for each in error.reasons)
            raise NotDone(_SILENT if cancelled else _ENDED) from None

    async def _whole(self, response: Any) -> dict[str, Any]:
        try:
            body = await response.content().addTimeout(SECONDS, self._clock)
        except TimeoutError:
            raise NotDone(_SILENT) from None
        except ResponseFailed:
            raise NotDone(_ENDED) from None
        told = _parsed(body)
        if response.code != 200:
            raise NotDone(str(told.get("error", f"it said {response.code}")))
        return told


def _absent(state: Path) -> NoDaemon:
    return NoDaemon(
        f"no daemon runs with the state folder {state}: start it"
        " (twistd -n chatd, or systemctl start chatd), or name it with --state"
    )


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        told = json.loads(data)
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise NotDone("the daemon's answer makes no sense: is it of another version?")
    return told


def run_with_daemon(
    state: Path, command: Callable[[Daemon], Coroutine[Any, Any, int]]
) -> int:
    """Run `command` with the daemon of `state`; its exit code.

    Raises NotDone, and NoDaemon where none is there.
    """
    if not (state / paths.ADMIN_NAME).exists():
        raise _absent(state)  # and no reactor has to be run for that

    async def work(reactor: Any) -> int:
        return await command(Daemon.of(reactor, state))

    return run(work)


def run(work: Callable[[Any], Coroutine[Any, Any, int]]) -> int:
    """Run the reactor until `work`, given the reactor, has its exit code.

    INTERRUPTED where a signal ended it. Raises what `work` raises.
    """
    from twisted.internet import reactor

    global_reactor: Any = reactor
    codes: list[int] = []
    failures: list[Failure] = []

    def end(_: object) -> None:
        if global_reactor.running:
            global_reactor.stop()

    def interrupted() -> None:
        if not (codes or failures):
            codes.append(INTERRUPTED)  # whatever the work says of its end

    def start() -> None:
        global_reactor.addSystemEventTrigger("before", "shutdown", interrupted)
        working = Deferred.fromCoroutine(work(global_reactor))
        working.addCallbacks(codes.append, failures.append).addBoth(end)

    global_reactor.callWhenRunning(start)
    global_reactor.run()
    if not codes:
        failures[0].raiseException()
    return codes[0]
