"""What other programs say: by a token into one room, exactly once if they wish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from chatd.journal.interface import Draft, Lane, Receipt, Refusal
from chatd.server.flood import Flood
from chatd.webhooks.delivery import World
from chatd.webhooks.records import Incoming
from chatd.webhooks.registry import Registry
from chatd.wire.names import hook_name
from chatd.wire.requests import body_fault

_RETRY = 1
"""Seconds after which what could not be stored may be posted again."""


@dataclass(frozen=True, slots=True)
class Post:
    """What is said."""

    text: str
    key: str | None
    """The same key again is the same post again."""


class NotTaken(Exception):
    """Why a post is not taken, in a line that says what to do; by HTTP's codes."""

    def __init__(self, code: int, line: str, retry_after: int | None = None) -> None:
        """`retry_after`: seconds."""
        super().__init__(line)
        self.code = code
        self.retry_after = retry_after


class Inbox:
    """Puts posts into rooms."""

    def __init__(
        self,
        world: World,
        registry: Registry,
        urandom: Callable[[int], bytes],
        body: int,
    ) -> None:
        """`body`: bytes of the longest message."""
        limits = world.limits
        self._journal = world.journal
        self._registry = registry
        self._urandom = urandom
        self._body = body
        self._longest_key = limits.key
        self._flood = Flood(world.clock.seconds, limits.posts, limits.post_burst)
        self.longest = 6 * body + 4096
        """Bytes of a request, which may be JSON where each letter is escaped."""

    def hook(self, token: str) -> Incoming:
        """The hook of a token, if it may post now. Raises NotTaken."""
        if not self._registry.running:
            raise NotTaken(503, "it starts or stops: post it again", _RETRY)
        hook = self._registry.by_token(token)
        if hook is None:
            raise NotTaken(404, "no such hook: ask for a new address")
        if wait := self._flood.take(hook.id):
            raise NotTaken(429, "too many posts: wait, then post again", int(wait) + 1)
        return hook

    async def take(self, hook: Incoming, post: Post) -> Receipt:
        """Returns once it is on disk. Raises NotTaken."""
        text = post.text.replace("\r\n", "\n").strip("\n")
        if (fault := body_fault(text, self._body)) is not None:
            code = 413 if "longer" in fault else 400
            raise NotTaken(code, fault.replace("body", "the text", 1))
        if post.key is not None and not 0 < len(post.key) <= self._longest_key:
            raise NotTaken(400, f"the key must have 1 to {self._longest_key} letters")
        id, sender = self._id(hook, post.key), hook_name(hook.name)
        draft = Draft(hook.room, sender, id, text, None, Lane())
        outcome = await self._journal.append(draft)
        if isinstance(outcome, Receipt):
            return outcome
        raise _not_taken(outcome)

    def _id(self, hook: Incoming, key: str | None) -> str:
        """The message's. Two hooks may use one key."""
        if key is None:
            return self._urandom(16).hex()
        own = f"{hook.id}\n{key}".encode(errors="surrogatepass")
        return sha256(own).hexdigest()[:40]


def _not_taken(refusal: Refusal) -> NotTaken:
    if refusal.code == "conflict":
        return NotTaken(409, "this key was used for another text: choose a new one")
    return NotTaken(503, "it could not be stored: post it again", _RETRY)
