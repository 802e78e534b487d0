"""The first frame of a connection: which dialect, who it is, and on what terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from chatd import __version__
from chatd.server.hub import Hub
from chatd.server.keyring import Greeting, Keyring
from chatd.server.limits import Limits
from chatd.server.live import Identity, LiveSession
from chatd.server.users import Credential, Standing
from chatd.wire import handshake
from chatd.wire.channel import Channel
from chatd.wire.handshake import BadHandshake, Hello, HelloFault
from chatd.wire.names import is_name
from chatd.wire.tokens import Refusal, Sealer

RETRY_FULL = 5_000
"""Milliseconds after which a user with too many sessions may try again."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

_DEAD = {
    Standing.ROTATED: ("rotated", "this key was replaced by a newer one"),
    Standing.USED: ("used", "this invite was used"),
    Standing.EXPIRED: ("expired", "this invite has expired"),
    Standing.REMOVED: ("removed", "this user was removed"),
}


class Refused(NamedTuple):
    """A connection to be closed, behind the `tokens`; `why`: for the log."""

    why: str
    tokens: list[bytes]
    guess: bool
    """Whether it counts as an attempt to guess a key."""


class Welcomed(NamedTuple):
    """A session, live once its first frame comes."""

    session: LiveSession
    tokens: list[bytes]


class PlainText(NamedTuple):
    """The plain dialect, and its first text."""

    text: bytes
    sealer: Sealer


class Greeter:
    """Answers first frames."""

    def __init__(
        self,
        keyring: Keyring,
        hub: Hub,
        limits: Limits,
        server: str,
        now: Callable[[], float],
        urandom: Callable[[int], bytes],
    ) -> None:
        """`server`: the daemon's name for its clients; `now`: seconds, the epoch."""
        self._keyring = keyring
        self._hub = hub
        self._limits = limits
        self._server = server
        self._now = now
        self._urandom = urandom

    def greet(
        self, token: bytes, address: str, wake: Callable[[], None], connection: int = 0
    ) -> Refused | Welcomed | PlainText:
        """What becomes of a connection from `address` that begins with `token`.

        `wake`: see LiveSession; `connection`: its number in the log.
        """
        greeting = self._keyring.greet(token, self._limits.ttl)
        if isinstance(greeting, Refusal):
            return Refused(greeting.value, [], True)
        if not handshake.is_hello(greeting.text):
            if self._hub.ban(greeting.sealer.key) is not None:
                return Refused("its key is banned", [], False)
            if not self._limits.plain:
                return Refused("the plain dialect is switched off", [], False)
            return PlainText(greeting.text, greeting.sealer)
        try:
            return self._welcome(greeting, address, wake, connection)
        except HelloFault as fault:
            refusal = handshake.refused(
                greeting.text, fault.code, str(fault), **fault.fields
            )
            return Refused(str(fault), greeting.sealer.seal([refusal]), False)

    def _welcome(
        self,
        greeting: Greeting,
        address: str,
        wake: Callable[[], None],
        connection: int,
    ) -> Welcomed:
        hello = handshake.parse_hello(greeting.text)
        credential = greeting.credential
        if (ban := self._hub.ban(greeting.sealer.key)) is not None:
            left = self._hub.policy.left(ban)
            fields = {} if left is None else {"retry_after": left}
            raise HelloFault("banned", "this key is banned: ask the operator", **fields)
        if credential is None:
            name = self._guest(hello)
        else:
            name = self._user(hello, credential, address)
        key = greeting.sealer.key
        mine = handshake.Ephemeral(self._urandom)
        limits = self._limits
        terms = handshake.Welcome(
            self._server, name, mine.public, limits.body, limits.frame
        )
        welcome = handshake.welcome(greeting.text, terms)
        try:
            keys = mine.keys(hello.public, key, greeting.text, welcome)
        except BadHandshake as fault:
            raise HelloFault("bad-hello", str(fault)) from None
        channel = Channel(
            Sealer(keys.to_client, self._now, self._urandom),
            Sealer(keys.to_server, self._now, self._urandom),
        )
        invite = credential is not None and credential.standing is Standing.INVITE
        who = Identity(name, key, address, not invite, connection)
        session = LiveSession(who, channel, limits.body, wake)
        return Welcomed(session, greeting.sealer.seal([welcome]))

    def _user(self, hello: Hello, credential: Credential, address: str) -> str:
        """The user's name. Raises HelloFault."""
        if credential.standing is Standing.USED:
            self._hub.invite_misused(credential, address)
        standing = credential.standing
        if standing in _DEAD:
            raise HelloFault(*_DEAD[standing])
        name = credential.name
        if hello.name not in (None, name):
            raise HelloFault("name", "this key belongs to another name")
        if len(self._hub.presence.of(name)) >= self._limits.sessions:
            raise HelloFault(
                "full", "this user has too many sessions", retry_after=RETRY_FULL
            )
        return name

    def _guest(self, hello: Hello) -> str:
        """The guest's name, with its mark. Raises HelloFault."""
        if not self._limits.guests:
            raise HelloFault("guests-off", "guests are not let in here")
        if hello.name is None:
            letters = [_ALPHABET[byte & 31] for byte in self._urandom(6)]
            return "~guest-" + "".join(letters)
        bare = hello.name.removeprefix("~")
        if not is_name(bare):
            raise HelloFault("name", "this cannot be a name")
        if self._hub.presence.online(f"~{bare}"):
            raise HelloFault("name", "a guest of this name is here")
        return f"~{bare}"


def server_name(host: str) -> str:
    """What a daemon on `host` calls itself: the first part of its name."""
    return host.partition(".")[0][:32] or f"chatd/{__version__}"
