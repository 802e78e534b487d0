"""A daemon, a small team that has talked, and the window of one of them."""

from __future__ import annotations

import os
import signal
import time
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from typing import cast

from twisted.internet import reactor, task
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IReactorTime
from twisted.trial.unittest import TestCase

from chatd import keyfile
from chatd.client import account
from chatd.client.chat import ChatClient
from chatd.client.link import Phase
from chatd.client.settings import Settings
from chatd.clients.chat_tk.preferences import Preferences
from chatd.clients.chat_tk.program import Program, Reactor
from chatd.journal.client_store import ClientStore
from chatd.paths import KEYS_NAME
from chatd.server.users import Users
from tests.helpers import Daemon, project_environment

SIZE = "1040x700+0+0"
NAMES = ("mira", "jonas", "priya", "wei")
_GENERAL = 6  # messages of #general; the last is new to Mira
_TALK = (
    ("priya", "#general", "Good morning. Who takes the release notes this time?"),
    ("mira", "#general", "I can. I need the list of merged changes by noon though."),
    (
        "priya",
        "#general",
        "You will have it. There are three that change the wire format, so please"
        " read those twice:\n  1. length prefix is now 4 bytes\n  2. pings carry a"
        " counter\n  3. history pages are newest first",
    ),
    (
        "wei",
        "#general",
        "For 2: clients that do not know the counter should ignore it, right? The"
        " spec says so in https://example.org/spec#ping, and this still passes:\n"
        "```\nassert parse(b'ping 7') == Ping(7)\n```",
    ),
    (
        "mira",
        "#general",
        "Right. I will put that in the notes under known problems, and open an issue"
        " for the old client.",
    ),
    ("jonas", "#general", "Nice 👍 I was going to ask for that, mira."),
    ("wei", "#ops", "disk at 90 % on db-2"),
    ("wei", "#ops", "disk at 97 % on db-2, @mira please look"),
    ("jonas", "#random", "Cake in the kitchen"),
    ("wei", "@mira+wei", "Did you see the disk?"),
)


class Stage:
    """Everything runs in trial's reactor but the daemon, which is a process."""

    def __init__(self, case: TestCase) -> None:
        self._case = case
        self.daemon = Daemon(case)
        self.people: dict[str, ChatClient] = {}
        self._mira = ClientStore(None)
        self._open: Program | None = None
        folders = project_environment()
        own = {name: folders[name] for name in folders if name.startswith("XDG_")}
        case.patch(os, "environ", os.environ | own)

    async def talk(self) -> None:
        """The team is here, and has said what there is to say."""
        users = Users(self.daemon.state / KEYS_NAME, time.time)
        for name in NAMES:
            users.add(name, None)
        self.daemon.signal(signal.SIGHUP)
        await self.until(lambda: f"users={len(NAMES)}" in self.daemon.log())
        for name in NAMES:
            store = self._store() if name == "mira" else ClientStore(None)
            self.people[name] = self._client(name, store)
        for client in self.people.values():
            await self.until(lambda c=client: c.state.phase is Phase.ONLINE)  # type: ignore[misc]
            for room in ("#general", "#lobby", "#ops", "#random"):
                await client.join(room)
        for sender, room, text in _TALK:
            await self._say(sender, room, text)
        mira = self.people.pop("mira")
        await self.until(lambda: self._last(mira, "#general") == _GENERAL)
        mira.read("#general", _GENERAL - 1)
        await mira.stop()
        self._mira.close()

    def _last(self, client: ChatClient, room: str) -> int:
        copy = client.copy(room)
        return 0 if copy is None else copy.last

    def _store(self) -> ClientStore:
        """The one that the window is going to have."""
        wanted = Settings("127.0.0.1", self.daemon.port, self.key_path("mira"))
        self._mira, kept = account.open_store(account.store_path(wanted, os.environ))
        assert kept
        return self._mira

    async def _say(self, sender: str, room: str, text: str) -> None:
        client = self.people[sender]
        own = client.say(room, text)
        await self.until(lambda: own.id not in {each.id for each in client.own()})

    def key_path(self, name: str) -> Path:
        return self.daemon.state / KEYS_NAME / f"{name}.key"

    def _client(self, name: str, store: ClientStore) -> ChatClient:
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", self.daemon.port)
        key = keyfile.read(self.key_path(name))
        client = ChatClient(IReactorTime(reactor), endpoint, [key], store)
        client.start()
        self._case.addCleanup(client.stop)
        return client

    def window(
        self, preferred: Preferences, key_path: Path | None = None, scale: float = 1.0
    ) -> Program:
        """Mira's window."""
        root = tk.Tk(className="Chat")
        root.geometry(SIZE)
        wanted = Settings(
            "127.0.0.1", self.daemon.port, key_path or self.key_path("mira")
        )
        program = Program(
            root,
            cast(Reactor, reactor),
            wanted,
            name="mira",
            scale=scale,
            preferred=preferred,
            preferences_path=Path(self._case.mktemp()),
        )
        program.loop.start()
        program.begin()
        self._open = program
        self._case.addCleanup(self.close)
        return program

    def close(self) -> Deferred[None]:
        """Close the window, if it is open."""
        program, self._open = self._open, None
        if program is None:
            return succeed(None)
        return program.shut_down().addCallback(lambda _: program.loop.close())

    async def until(self, true: Callable[[], object]) -> None:
        """Until `true` says so; the test's timeout bounds it."""

        def look() -> None:
            if true():
                looking.stop()

        looking = task.LoopingCall(look)
        await looking.start(0.01)

    def pause(self, seconds: float) -> Deferred[None]:
        """For what is drawn a little later."""
        return task.deferLater(IReactorTime(reactor), seconds)
