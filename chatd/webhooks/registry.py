"""All hooks: what the operator makes and removes, kept in the journal."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from chatd.server.hub import Hub
from chatd.server.policy import NotDecided
from chatd.webhooks.delivery import Delivery, World
from chatd.webhooks.records import (
    HOOK,
    PLACE,
    Hook,
    Incoming,
    Outgoing,
    Place,
    parse_hook,
    parse_place,
    text,
)
from chatd.wire.names import hook_name, is_hook, is_name, pair

_log = Logger()


class HookError(NotDecided):
    """Why the operator's wish is not done, in one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Status:
    """One hook as the operator sees it; nothing in it is secret."""

    id: str
    kind: str
    """``outgoing`` or ``incoming``."""
    name: str
    room: str
    made: int
    """ms since the epoch."""
    to: str | None = None
    """Where an outgoing hook posts: scheme and host, for the path may be secret."""
    backlog: int = 0
    """Messages to be delivered."""
    last_error: str | None = None
    next_try: int | None = None
    """When what failed goes out again, ms since the epoch."""
    disabled: str | None = None
    """Why it delivers nothing any more."""


class Registry:
    """The hooks of one daemon, by their ids."""

    def __init__(self, world: World, hub: Hub, urandom: Callable[[int], bytes]) -> None:
        self._world = world
        self._hub = hub
        self._urandom = urandom
        self._hooks: dict[str, Hook] = {}
        self._deliveries: dict[str, Delivery] = {}
        self.running = False
        """Whether posts are taken."""

    # The service's.

    def start(self, kept: Mapping[str, str]) -> None:
        """Take up what the journal keeps; the deliveries go on where they were."""
        self.running = True
        self._hub.watchers.append(self._committed)
        for name, record in kept.items():
            if not name.startswith(HOOK):
                continue
            try:
                hook = parse_hook(record)
                place = parse_place(kept[PLACE + hook.id]) if _posts(hook) else None
                self._take(hook, place)
            except (ValueError, KeyError):  # damaged, without its place or its room
                _log.error("hook-unreadable", hook=name.removeprefix(HOOK))

    def stop(self) -> None:
        """Deliver no more, and take no more posts."""
        self.running = False
        for delivery in self._deliveries.values():
            delivery.stop()

    def _committed(self, rooms: Collection[str]) -> None:
        for delivery in self._deliveries.values():
            if delivery.hook.room in rooms:
                delivery.wake()

    # The operator's.

    def add_outgoing(self, room: str, url: str, name: str) -> Deferred[tuple[str, str]]:
        """From now on the messages of `room` go to `url`; id and secret.

        Fails with HookError.
        """
        return Deferred.fromCoroutine(self._add_outgoing(room, url, name))

    async def _add_outgoing(self, room: str, url: str, name: str) -> tuple[str, str]:
        limits = self._world.limits
        self._check(room, name, Outgoing, limits.outgoing)
        if (fault := url_fault(url, limits.url)) is not None:
            raise HookError(fault)
        secret = self._secret()
        hook = Outgoing(self._new_id(), name, room, url, secret, self._now())
        await self._keep(hook, Place(self._hub.rooms[room].head.last))
        return hook.id, secret

    def add_incoming(self, room: str, name: str) -> Deferred[tuple[str, str]]:
        """Who posts with the token writes to `room` as ``hook-NAME``; id and token.

        Fails with HookError.
        """
        return Deferred.fromCoroutine(self._add_incoming(room, name))

    async def _add_incoming(self, room: str, name: str) -> tuple[str, str]:
        self._check(room, name, Incoming, self._world.limits.incoming)
        if not is_hook(hook_name(name)):
            raise HookError("the name is too long: with hook- before it 32 letters fit")
        token = self._secret()
        hook = Incoming(self._new_id(), name, room, _digest(token), self._now())
        await self._keep(hook, None)
        return hook.id, token

    def list_hooks(self) -> list[Status]:
        """All hooks, by room and name."""
        found = sorted(self._hooks.values(), key=lambda h: (h.room, h.name, h.made))
        return [self._status(hook) for hook in found]

    def remove(self, id: str) -> Deferred[None]:
        """What it has not delivered is forgotten; its token opens nothing any more.

        Fails with HookError.
        """
        return Deferred.fromCoroutine(self._remove(id))

    async def _remove(self, id: str) -> None:
        if id not in self._hooks:
            raise HookError("there is no such hook: list them")
        if not await self._world.journal.keep(HOOK + id, None):
            raise HookError("the store takes nothing now: try again later")
        self._hooks.pop(id, None)
        if (delivery := self._deliveries.pop(id, None)) is not None:
            delivery.stop()
            await self._world.journal.keep(PLACE + id, None)
        _log.info("hook-removed", hook=id)

    # Those who post.

    def by_token(self, token: str) -> Incoming | None:
        """The hook that a token is of; None: it is of none, or of a removed one."""
        digest = _digest(token)
        found = None
        for hook in self._hooks.values():
            if isinstance(hook, Incoming) and hmac.compare_digest(hook.digest, digest):
                found = hook
        return found

    def _check(self, room: str, name: str, kind: type[Hook], most: int) -> None:
        if not is_name(name):
            raise HookError("not a name: a to z, 0 to 9, _ . and - make one")
        if pair(room) is not None:
            raise HookError("conversations of two have no hooks: choose a room")
        if room not in self._hub.rooms:
            raise HookError("there is no such room: somebody has to join it first")
        if sum(isinstance(hook, kind) for hook in self._hooks.values()) >= most:
            raise HookError(f"there are {most} such hooks, the most: remove one")

    async def _keep(self, hook: Hook, place: Place | None) -> None:
        """Durably, place first, so that no hook is ever without one."""
        records = [(HOOK + hook.id, text(hook))]
        if place is not None:
            records.insert(0, (PLACE + hook.id, text(place)))
        kept = [self._world.journal.keep(*record) for record in records]
        if not all([await each for each in kept]):
            raise HookError("the store takes nothing now: try again later")
        if self.running:
            self._take(hook, place)
        _log.info("hook-added", hook=hook.id, room=hook.room, kind=_kind(hook))

    def _take(self, hook: Hook, place: Place | None) -> None:
        room = self._hub.rooms[hook.room]
        self._hooks[hook.id] = hook
        if isinstance(hook, Outgoing) and place is not None:
            delivery = Delivery(self._world, hook, place, lambda: room.head)
            self._deliveries[hook.id] = delivery
            delivery.start()

    def _status(self, hook: Hook) -> Status:
        status = Status(hook.id, _kind(hook), hook.name, hook.room, hook.made)
        if isinstance(hook, Incoming):
            return status
        at, parts = self._deliveries[hook.id], urlsplit(hook.url)
        return replace(
            status,
            to=f"{parts.scheme}://{parts.netloc}",
            backlog=at.backlog,
            last_error=at.last_error,
            next_try=None if at.next_try is None else int(at.next_try * 1000),
            disabled=at.place.disabled,
        )

    def _secret(self) -> str:
        return urlsafe_b64encode(self._urandom(32)).decode().rstrip("=")

    def _new_id(self) -> str:
        return self._urandom(6).hex()

    def _now(self) -> int:
        return int(self._world.now() * 1000)


def url_fault(url: str, longest: int) -> str | None:
    """Why deliveries cannot go to `url`, in a line without it; None: they can."""
    if len(url) > longest:
        return f"the URL is longer than {longest} bytes"
    if not url.isascii() or not url.isprintable() or " " in url:
        return "the URL holds blanks or letters that have to be %-encoded"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "the URL's host or port is malformed"
    if parts.scheme not in ("http", "https"):
        return "the URL begins neither with http:// nor with https://"
    if not parts.hostname or port == 0:
        return "the URL names no host"
    if parts.username is not None or parts.password is not None:
        return "the URL holds a user or password: put a token into its path instead"
    if parts.fragment:
        return "the URL has a #fragment, which is never sent: leave it out"
    return None


def _digest(token: str) -> str:
    return sha256(token.encode(errors="surrogatepass")).hexdigest()


def _kind(hook: Hook) -> str:
    return type(hook).__name__.lower()


def _posts(hook: Hook) -> bool:
    return isinstance(hook, Outgoing)
