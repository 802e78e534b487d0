"""``twistd chatd``: from the command line to the running service."""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import MutableMapping
from pathlib import Path

from twisted.application.service import IService
from twisted.internet.interfaces import IReactorFromThreads, IReactorTime
from twisted.python import usage

from chatd import keyfile, logs
from chatd.journal.journal import SQLiteJournal
from chatd.listening import allow_files, endpoint
from chatd.options import DEFAULT_LISTEN as DEFAULT_LISTEN
from chatd.options import Options as Options
from chatd.paths import ADMIN_NAME, JOURNAL_NAME, KEY_NAME, KEYS_NAME, default_state
from chatd.server.factory import ChatFactory
from chatd.server.greeting import Greeter, server_name
from chatd.server.hub import Hub
from chatd.server.keyring import Keyring
from chatd.server.limits import Limits
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
        lambda: service.addresses,
    )
    journal.measured, journal.away = hub.meters.committed, hub.meters.set_away
    inbox = Inbox(world, hooks, os.urandom, limits.body)
    others = [
        *listeners(reactor, options.https, house, inbox),
        admin_listener(reactor, state / ADMIN_NAME, house),
    ]
    notify = sd_notify(os.environ.get("NOTIFY_SOCKET"))
    service = ChatService(
        IReactorFromThreads(reactor),
        endpoints,
        factory,
        keyring,
        hub,
        observer,
        notify,
        [hooks],
        others,
        lambda: reconfigure(clock, options, limits, requests),
    )
    return service


def reconfigure(
    clock: IReactorTime, options: Options, limits: Limits, requests: Requests
) -> list[str]:
    """Let the options in the file hold that can while people talk; what changed.

    Raises StartError where the file has a fault.
    """
    now = Options()
    try:
        now.parseOptions(options.typed)
    except usage.UsageError as error:
        raise StartError(str(error)) from None
    changes = limits.adopt(now.limits())
    requests.relimit()
    if now["log-level"] != options["log-level"]:
        changes.append(f"log-level {options['log-level']} -> {now['log-level']}")
        options["log-level"] = now["log-level"]
        # Behind the line that tells of it, which may lie below the new level.
        clock.callLater(0, logs.set_level, now["log-level"])
    fixed = [
        name for name in ("state", "name", "log-format") if now[name] != options[name]
    ]
    for name in ("listens", "key_files", "https"):
        if getattr(now, name) != getattr(options, name):
            fixed.append(_SPELLED[name])
    return changes + [f"{name}: after a restart" for name in fixed]


_SPELLED = {"listens": "listen", "key_files": "key", "https": "http"}


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
