"""``twistd chatd``: from the command line to the running service."""

from __future__ import annotations

import os
import random
import socket
import sys
import time
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import ClassVar

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python import usage

from chatd import __version__, config, keyfile, logs
from chatd.journal.journal import SQLiteJournal
from chatd.listening import allow_files, endpoint
from chatd.paths import ADMIN_NAME, JOURNAL_NAME, KEY_NAME, KEYS_NAME, default_state
from chatd.server.factory import ChatFactory
from chatd.server.greeting import Greeter, server_name
from chatd.server.hub import Hub
from chatd.server.keyring import Keyring
from chatd.server.limits import LARGEST_FRAME, SMALLEST_FRAME, Limits
from chatd.server.operator import Operator
from chatd.server.requests import Requests
from chatd.server.service import (
    ChatService,
    StartError,
    say_start_errors_plainly,
    sd_notify,
)
from chatd.server.users import Users
from chatd.web.house import House
from chatd.web.operators import admin_listener
from chatd.web.public import listeners
from chatd.webhooks.agent import http_client
from chatd.webhooks.delivery import World
from chatd.webhooks.incoming import Inbox
from chatd.webhooks.limits import HookLimits
from chatd.webhooks.registry import Registry
from chatd.wire.tokens import Key

DEFAULT_LISTEN = "tcp:5555"


def _number(option: str, low: int, high: int, zero: bool = False) -> object:
    """A coercion to a whole number from `low` to `high`, or to 0 where `zero`."""

    def coerce(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() else -1
        if low <= value <= high or (zero and value == 0):
            return value
        raise ValueError(f"--{option}: a whole number from {low} to {high} expected")

    coerce.coerceDoc = f"{low} to {high}"  # type: ignore[attr-defined]  # read by usage
    return coerce


def _choice(option: str, *values: str) -> object:
    def coerce(text: str) -> str:
        if text in values:
            return text
        raise ValueError(f"--{option}: one of {', '.join(values)} expected")

    coerce.coerceDoc = " or ".join(values)  # type: ignore[attr-defined]  # read by usage
    return coerce


_DEFAULTS = Limits()

STATE_HELP = (
    "Folder for the daemon's state; default $STATE_DIRECTORY, else"
    " $XDG_STATE_HOME/chatd, else ~/.local/state/chatd"
)
TTL_HELP = (
    "Refuse tokens older than so many seconds, or over 60 s from the future;"
    " default: any age"
)


class Options(usage.Options):
    """The options of ``twistd chatd``."""

    synopsis = "[options]"
    longdesc = (
        "An encrypted chat daemon: answers each Fernet token, in a netstring, with"
        " 'Server received: ' and its text. The key is made on first start, in"
        f" {KEY_NAME} in the state folder. SIGHUP reloads the keys; SIGTERM answers"
        " what has arrived and ends."
    )

    optParameters: ClassVar[list[list[object]]] = [
        ["config", "c", None, "A file with options, such as etc/chatd.conf"],
        ["state", "s", None, STATE_HELP],
        ["ttl", None, None, TTL_HELP, _number("ttl", 1, 10**9)],
        [
            "frame",
            None,
            _DEFAULTS.frame,
            "Bytes of the largest plaintext",
            _number("frame", SMALLEST_FRAME, LARGEST_FRAME),
        ],
        [
            "idle-timeout",
            None,
            int(_DEFAULTS.idle),
            "Seconds after which a silent connection is closed; 0: never",
            _number("idle-timeout", 1, 10**9, zero=True),
        ],
        [
            "max-connections",
            None,
            _DEFAULTS.connections,
            "Connections at once",
            _number("max-connections", 1, 1_000_000),
        ],
        [
            "max-per-address",
            None,
            _DEFAULTS.per_address,
            "Connections at once from one address (IPv6: one /64)",
            _number("max-per-address", 1, 1_000_000),
        ],
        [
            "message-rate",
            None,
            int(_DEFAULTS.messages),
            "Messages a second of one user in the long run, ten times as many at once"
            " and of one address; 0: any",
            _number("message-rate", 1, 1_000_000, zero=True),
        ],
        [
            "keep-days",
            None,
            None,
            "Days after which the text of messages is removed; default: never",
            _number("keep-days", 1, 36_500),
        ],
        [
            "name",
            None,
            None,
            "What the daemon calls itself to clients; default: the host's name",
        ],
        [
            "log-format",
            None,
            "text",
            "How log lines look",
            _choice("log-format", *logs.FORMATS),
        ],
        [
            "log-level",
            None,
            logs.DEFAULT_LEVEL,
            "The least level that is logged",
            _choice("log-level", *logs.LEVELS),
        ],
    ]

    optFlags: ClassVar[list[list[object]]] = [
        ["no-plain", None, "Do not speak the plain dialect."],
        ["no-guests", None, "The shared key opens no sessions."],
        ["no-new-rooms", None, "A user's join makes no public room."],
    ]

    compData = usage.Completions(
        optActions={
            "config": usage.CompleteFiles(),
            "state": usage.CompleteDirs(),
            "key": usage.CompleteFiles(),
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self.listens: list[str] = []
        self.key_files: list[Path] = []
        self.https: list[str] = []

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Those of the file that --config names first, then `options`, which win."""
        typed = list(sys.argv[1:] if options is None else options)
        try:
            filed = config.words(self, typed)
        except config.ConfigError as error:
            say_start_errors_plainly()
            raise StartError(str(error)) from None
        super().parseOptions([*filed, *typed])

    def opt_listen(self, description: str) -> None:
        self.listens.append(description)

    opt_listen.__doc__ = (
        "Where to listen: a Twisted server endpoint, such as tcp:5555, tcp6:5555,"
        " ssl:5555:privateKey=key.pem:certKey=cert.pem, unix:PATH or"
        " systemd:domain=INET:index=0. May be given again. [default: tcp:5555]"
    )
    opt_l = opt_listen

    def opt_key(self, path: str) -> None:
        self.key_files.append(Path(path).absolute())

    opt_key.__doc__ = (
        "A shared key file; all given are accepted, for rotation. Older keys that"
        " 'chatctl key rotate' keeps beside it are accepted too. May be given again."
        " [default: secret.key in the state folder, made on first start]"
    )
    opt_k = opt_key

    def opt_http(self, description: str) -> None:
        self.https.append(description)

    opt_http.__doc__ = (
        "Where to serve /health, /metrics and /hooks by HTTP: an endpoint as for"
        " --listen, on the loopback or behind a proxy. May be given again."
        " [default: nowhere]"
    )

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"chatd {__version__}")
        raise SystemExit(0)

    def limits(self) -> Limits:
        return Limits(
            frame=self["frame"],
            ttl=self["ttl"],
            idle=float(self["idle-timeout"]),
            connections=self["max-connections"],
            per_address=self["max-per-address"],
            plain=not self["no-plain"],
            guests=not self["no-guests"],
            create=not self["no-new-rooms"],
            messages=float(self["message-rate"]),
            message_burst=10.0 * self["message-rate"],
            keep=self["keep-days"],
        )


def makeService(options: Options) -> IService:
    """The daemon. What hinders it is said in one line, and the exit code is 1."""
    from twisted.internet import reactor

    say_start_errors_plainly()
    limits = options.limits()
    try:
        state = _state(options)
        users = Users(state / KEYS_NAME, time.time)
        keys = _key_files(options, state)
        keyring = Keyring(keys, users, time.time, os.urandom)
        parent: MutableMapping[str, object] = getattr(options, "parent", None) or {}
        observer = logs.under(parent, options["log-format"], options["log-level"])
    except (keyfile.KeyFileError, OSError) as error:
        raise StartError(str(error)) from None
    listens = options.listens or [DEFAULT_LISTEN]
    endpoints = [(listen, endpoint(reactor, listen)) for listen in listens]
    allow_files(limits.connections)
    clock = IReactorTime(reactor)
    journal = SQLiteJournal(IReactorFromThreads(reactor), state / JOURNAL_NAME)
    hub = Hub(clock, journal, users, limits, time.time)
    name = options["name"] or server_name(socket.gethostname())
    greeter = Greeter(keyring, hub, limits, name, time.time, os.urandom)
    requests = Requests(clock, hub, journal, users, limits, time.time)
    factory = ChatFactory(clock, keyring, greeter, hub, requests, limits)
    client = http_client(reactor)
    world = World(clock, journal, client, time.time, random.random, HookLimits())
    hooks = Registry(world, hub, os.urandom)
    operator = Operator(hub, journal, users, keyring, limits, os.urandom)
    house = House(
        factory,
        hub,
        journal,
        users,
        keyring,
        hooks,
        operator,
        time.time,
        time.time(),
    )
    journal.measured, journal.away = hub.meters.committed, hub.meters.set_away
    inbox = Inbox(world, hooks, os.urandom, limits.body)
    others = [
        *listeners(reactor, options.https, house, inbox),
        admin_listener(reactor, state / ADMIN_NAME, house),
    ]
    notify = sd_notify(os.environ.get("NOTIFY_SOCKET"))
    return ChatService(
        IReactorFromThreads(reactor),
        endpoints,
        factory,
        keyring,
        hub,
        observer,
        notify,
        [hooks],
        others,
    )


def _state(options: Options) -> Path:
    """The state folder, made where it is missing."""
    given = options["state"]
    state = Path(given).absolute() if given else default_state(os.environ)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    return state


def _key_files(options: Options, state: Path) -> list[Path]:
    """The key files to read; the default one is made where it is missing."""
    if options.key_files:
        return options.key_files
    path = state / KEY_NAME
    if not path.exists():
        keyfile.create(path, Key.generate(os.urandom))
    return [path]
