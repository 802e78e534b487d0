"""chatctl's way to a running daemon: treq over the socket in the state folder."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.python.failure import Failure
from twisted.web.client import Agent, ResponseDone, ResponseFailed
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from chatd import paths

SECONDS = 30.0
"""For an answer that is no stream."""
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

    def __init__(self, reactor: Any, state: Path) -> None:
        self._state = state
        try:
            path = paths.socket_path((state / paths.ADMIN_NAME).absolute())
        except OSError:
            raise _absent(state) from None
        agent = Agent.usingEndpointFactory(reactor, _Socket(reactor, path))
        self._client = HTTPClient(agent)
        self._reactor = reactor

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
            return await self._client.request(method, url, data=data)
        except (ConnectError, OSError):
            raise _absent(self._state) from None
        except ResponseFailed:
            raise NotDone("the daemon ended before it answered") from None

    async def _whole(self, response: Any) -> dict[str, Any]:
        body = await response.content().addTimeout(SECONDS, self._reactor)
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
        return await command(Daemon(reactor, state))

    return run(work)


def run(work: Callable[[Any], Coroutine[Any, Any, int]]) -> int:
    """Run the reactor until `work`, given the reactor, has its exit code.

    130 where it was interrupted. Raises what `work` raises.
    """
    from twisted.internet import reactor

    global_reactor: Any = reactor
    codes: list[int] = []
    failures: list[Failure] = []

    def end(_: object) -> None:
        if global_reactor.running:
            global_reactor.stop()

    def start() -> None:
        working = Deferred.fromCoroutine(work(global_reactor))
        working.addCallbacks(codes.append, failures.append).addBoth(end)

    global_reactor.callWhenRunning(start)
    global_reactor.run()
    for failure in failures:
        failure.raiseException()
    return codes[0] if codes else 130
