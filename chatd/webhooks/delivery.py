"""One outgoing hook at work: a reader of one room that posts what it reads.

At least once, in order. A receiver that does not take a message gets it again, later
and later; nothing behind it overtakes. The place is on disk before the next message
goes out, so that a crash repeats one message at most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from chatd.journal.interface import Head, IJournal
from chatd.webhooks.agent import drop
from chatd.webhooks.limits import HookLimits
from chatd.webhooks.records import PLACE, Outgoing, Place, text
from chatd.webhooks.signature import sign
from chatd.wire.json_text import write
from chatd.wire.messages import Message, message_fields

_log = Logger()

_GONE = 410
_SAVE_AGAIN = 1.0
"""Seconds until a place that could not be stored is stored again."""


@dataclass(frozen=True, slots=True)
class World:
    """What all deliveries have in common."""

    clock: IReactorTime
    journal: IJournal
    client: HTTPClient
    now: Callable[[], float]
    """Seconds since the epoch."""
    random: Callable[[], float]
    """From 0 to 1."""
    limits: HookLimits


class _Failed(Exception):
    """Why a message was not taken, in words fit for a log."""

    def __init__(self, why: str, retry_after: float = 0.0, gone: bool = False) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        self.gone = gone


class Delivery:
    """Posts the messages of one room to one URL, from `place` on, until `stop`."""

    def __init__(
        self, world: World, hook: Outgoing, place: Place, head: Callable[[], Head]
    ) -> None:
        """`head`: the room's, as it is told to everybody."""
        self.hook = hook
        self.place = place
        self.last_error: str | None = None
        self.next_try: float | None = None
        """When a message that was not taken goes out again, seconds of the epoch."""
        self._world = world
        self._head = head
        self._tries = 0
        self._woken: Deferred[None] | None = None
        self._work: Deferred[None] | None = None
        self._stopped = False

    @property
    def backlog(self) -> int:
        """Messages to be delivered."""
        head = self._head()
        return max(0, head.last - max(self.place.seq, head.first - 1))

    def start(self) -> None:
        self._work = Deferred.fromCoroutine(self._run())
        self._work.addErrback(self._broke)

    def wake(self) -> None:
        """The room's log has moved."""
        if self._woken is not None:
            woken, self._woken = self._woken, None
            woken.callback(None)

    def stop(self) -> None:
        """A message that is on its way goes out again after the next start."""
        self._stopped = True
        if self._work is not None:
            self._work.cancel()

    async def _run(self) -> None:
        while self._going:
            if not self.backlog:
                self._woken = Deferred()
                await self._woken
                continue
            for message in await self._page():
                if self._going:
                    await self._deliver(message)

    @property
    def _going(self) -> bool:
        return self.place.disabled is None and not self._stopped

    async def _page(self) -> list[Message]:
        after = max(self.place.seq, self._head().first - 1)
        hook, world = self.hook, self._world
        try:
            return await world.journal.read(hook.room, after, world.limits.page)
        except CancelledError:
            raise
        except Exception as error:
            _log.error("hook-read-failed", hook=hook.id, error=type(error).__name__)
            await self._pause(self._backoff())
            return []

    async def _deliver(self, message: Message) -> None:
        """Until it is taken, pruned, or the hook is disabled."""
        while message.body is not None and message.seq >= self._head().first:
            try:
                await self._post(message)
                break
            except _Failed as failed:
                await self._failed(failed)
                if not self._going:
                    return
        if self._tries:
            _log.info("hook-back", hook=self.hook.id, tries=self._tries)
        self._tries, self.last_error = 0, None
        await self._save(Place(message.seq))

    async def _post(self, message: Message) -> None:
        """Raises _Failed."""
        hook, world = self.hook, self._world
        body, time = write(message_fields(message)), int(world.now())
        headers = Headers()
        for name, value in [
            ("Content-Type", "application/json"),
            ("User-Agent", "chatd"),
            ("Chatd-Delivery", f"{message.room}:{message.seq}"),
            ("Chatd-Timestamp", str(time)),
            ("Chatd-Signature", sign(hook.secret, time, body)),
        ]:
            headers.addRawHeader(name, value)
        seconds = world.limits.timeout
        late = _Failed(f"no answer in {seconds:.0f} s")
        try:
            sent: Deferred[Any] = world.client.post(
                hook.url,
                data=body,
                headers=headers,
                allow_redirects=False,
                unbuffered=True,
            )
            response = await sent.addTimeout(
                seconds, world.clock, lambda *_: Failure(late)
            )
        except _Failed:
            raise
        except Exception as error:  # whatever a network or a receiver can do
            raise _Failed(_kind(error)) from None
        await drop(response, world.limits.answer, world.clock, seconds)
        if not 200 <= response.code < 300:
            asked = (response.headers.getRawHeaders("retry-after") or [""])[0]
            raise _Failed(
                f"answered {response.code}",
                min(retry_after(asked, world.now()), world.limits.retry_after),
                response.code == _GONE,
            )

    async def _failed(self, failed: _Failed) -> None:
        """Wait for the next try, if there is one."""
        if self._stopped:
            return
        now, place = self._world.now(), self.place
        if self.last_error is None:
            _log.warn("hook-failing", hook=self.hook.id, reason=str(failed))
        self.last_error = str(failed)
        since = int(now * 1000) if place.failing is None else place.failing
        disabled: str | None = None
        if failed.gone:
            disabled = "gone"
        elif now - since / 1000 >= self._world.limits.failing:
            disabled = "failing for too long"
        new = replace(place, failing=since, disabled=disabled)
        if new != place:
            await self._save(new)
        if disabled is not None:
            _log.error("hook-disabled", hook=self.hook.id, reason=disabled)
            return
        await self._pause(max(self._backoff(), failed.retry_after))

    def _backoff(self) -> float:
        """Seconds to the next try: doubled each time, less up to a half by chance."""
        limits = self._world.limits
        doubled = limits.first_retry * 2.0 ** min(self._tries, 60)
        longest = min(limits.last_retry, doubled)
        self._tries += 1
        return longest * (1 - self._world.random() / 2)

    async def _pause(self, seconds: float) -> None:
        self.next_try = self._world.now() + seconds
        try:
            await deferLater(self._world.clock, seconds)
        finally:
            self.next_try = None

    async def _save(self, place: Place) -> None:
        self.place = place
        name = PLACE + self.hook.id
        while not await self._world.journal.keep(name, text(place)):
            await deferLater(self._world.clock, _SAVE_AGAIN)

    def _broke(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self.last_error = "internal"
            _log.failure("hook-broke", failure, hook=self.hook.id)


def _kind(error: BaseException) -> str:
    """The innermost kind of an error of the HTTP client, whose text may say more."""
    while reasons := getattr(error, "reasons", None):
        error = reasons[0].value
    return type(error).__name__


def retry_after(header: str, now: float) -> float:
    """Seconds that a header Retry-After asks for (RFC 9110 10.2.3); 0: none."""
    if header.isascii() and header.isdigit() and len(header) < 16:
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0
