"""A reactor that is only its queue of calls from threads: for journals without one."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from zope.interface import implementer

_T = TypeVar("_T")
PATIENCE = 30.0


@implementer(IReactorFromThreads)
class Pump:
    """Calls what threads want called, in the thread that waits."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], Any]] = queue.SimpleQueue()

    def callFromThread(
        self, callable: Callable[..., Any], *args: object, **more: object
    ) -> None:
        self._calls.put(lambda: callable(*args, **more))

    def wait(self, deferred: Deferred[_T]) -> _T:
        """What `deferred` fires with; raises what it fails with."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        while not results:
            self._calls.get(timeout=PATIENCE)()
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return result  # type: ignore[no-any-return]  # what the Deferred promised
