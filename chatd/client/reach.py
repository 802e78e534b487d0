"""Waiting for a connection, for callers that have only so much patience."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from chatd.client.errors import SayFailed
from chatd.client.link import LinkState, Phase, Reason

PERMANENT = frozenset({Reason.WRONG_KEY, Reason.NOT_CHATD})
"""Trying again does not help: a person has to do something first."""


class Unreached(Exception):
    """No connection: `reason` says why, the message what to do."""

    def __init__(self, reason: Reason, where: str) -> None:
        super().__init__(reason.advice_for(where))
        self.reason = reason


class Reachable(Protocol):
    """What is needed of a PlainClient."""

    @property
    def state(self) -> LinkState: ...

    def observe(
        self, callback: Callable[[LinkState], None], /
    ) -> Callable[[], None]: ...

    def when_online(self) -> Deferred[None]: ...


async def reach(
    client: Reachable,
    clock: IReactorTime,
    seconds: float,
    final: frozenset[Reason] = PERMANENT,
) -> None:
    """Return once `client` is online.

    Raises Unreached after `seconds`, or as soon as an attempt failed for a `final`
    reason.
    """
    state = client.state
    if state.phase is Phase.ONLINE:
        return
    if state.phase is Phase.WAITING and state.reason in final:
        raise Unreached(state.reason, state.where)
    online = client.when_online()
    reasons: list[Reason] = []

    def changed(state: LinkState) -> None:
        if state.reason is not None and state.phase is not Phase.ONLINE:
            reasons.append(state.reason)
            if state.phase is Phase.WAITING and state.reason in final:
                online.cancel()

    unobserve = client.observe(changed)
    try:
        await online.addTimeout(max(0.0, seconds), clock)
    except SayFailed as stopped:
        raise Unreached(stopped.reason, state.where) from None
    except (CancelledError, TimeoutError):
        last = reasons[-1] if reasons else state.reason
        raise Unreached(last or Reason.TIMEOUT, state.where) from None
    finally:
        unobserve()
