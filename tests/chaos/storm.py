"""The storm: writers, observers, a daemon, and what happens to them."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.journal import check
from chatd.server.users import Users
from chatd.wire.messages import ROOT_HASH, Message, holds
from tests.chaos.person import ROOM
from tests.chaos.proxy import Proxy
from tests.helpers import ROOT, Daemon, project_environment

PATIENCE = 120.0
"""Seconds that the end may take after the last blow."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to happen. `seconds`: of blows, about."""

    seed: int
    messages: int
    daemon_kills: int
    client_kills: int
    cuts: int
    seconds: float
    writers: int = 4
    observers: int = 3


class Person:
    """A client process that is started again whenever it was killed."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.person", *self._command],
            cwd=ROOT,
            env=project_environment(),
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Storm:
    """One run. `case`: its folder and its clean-up."""

    def __init__(self, case: SynchronousTestCase, plan: Plan) -> None:
        self._plan = plan
        self._random = random.Random(plan.seed)
        self._daemon = Daemon(case)
        users = Users(self._daemon.state / "keys", time.time)
        self._proxy = Proxy(self._daemon.port, plan.seed)
        case.addCleanup(self._proxy.close)
        self._folder = self._daemon.folder.absolute()
        self._observers: dict[str, Person] = {}
        self._writers: dict[str, Person] = {}
        each, pace = plan.messages // plan.writers, plan.seconds * plan.writers
        for number in range(plan.observers):
            name = f"observer{number}"
            key = users.add(name, None).absolute()
            self._observers[name] = self._person(name, key)
        self._await_joined()
        for number in range(plan.writers):
            name = f"writer{number}"
            key = users.add(name, None).absolute()
            self._writers[name] = self._person(
                name, key, str(each), str(pace / plan.messages)
            )
        for person in self._people:
            case.addCleanup(person.kill)

    @property
    def _people(self) -> list[Person]:
        return [*self._observers.values(), *self._writers.values()]

    def _person(self, name: str, key: Path, *more: str) -> Person:
        port = str(self._proxy.port)
        return Person([name, port, str(key), str(self._store(name)), *more])

    def _store(self, name: str) -> Path:
        return self._folder / "clients" / f"{name}.db"

    def blow(self) -> None:
        """Everything that is to happen, at random moments."""
        plan = self._plan
        blows = ["daemon"] * plan.daemon_kills + ["client"] * plan.client_kills
        blows += ["cut"] * plan.cuts
        self._random.shuffle(blows)
        for blow in blows:
            time.sleep(self._random.random() * 2 * plan.seconds / len(blows))
            match blow:
                case "daemon":
                    self._daemon.kill()
                    self._daemon.restart()
                case "client":
                    person = self._random.choice(self._people)
                    if person.process.poll() is None:
                        person.kill()
                        person.start()
                case _:
                    self._proxy.cut()

    def settle(self) -> None:
        """Wait until all writers are done and all observers have everything."""
        deadline = time.monotonic() + PATIENCE
        for name, writer in self._writers.items():
            left = deadline - time.monotonic()
            assert writer.process.wait(max(1.0, left)) == 0, f"{name} failed"
        for name in self._observers:
            while len(self.observed(name)) < self._plan.messages:
                assert time.monotonic() < deadline, f"{name} does not have all"
                time.sleep(0.1)

    def verdict(self) -> list[str]:
        """What is wrong; nothing, if all is well."""
        faults: list[str] = []
        path = self._daemon.state / "journal.db"
        with closing(sqlite3.connect(path)) as connection:
            faults += check.faults(connection)
            stored = [
                Message(ROOM, *row)
                for row in connection.execute(
                    "SELECT seq, id, sender, time, composed, body, '', lower(hex(hash))"
                    " FROM messages WHERE room=(SELECT n FROM rooms WHERE name=?)"
                    " ORDER BY seq",
                    (ROOM,),
                )
            ]
        each = self._plan.messages // self._plan.writers
        for name in self._writers:
            written = [m.id for m in stored if m.sender == name]
            if written != [f"{name}-{n}" for n in range(each)]:
                faults.append(
                    f"on disk, {name}'s messages are not each there, in order"
                )
        if len(stored) != self._plan.messages:
            faults.append(f"on disk are {len(stored)} of {self._plan.messages}")
        for name in self._observers:
            seen = self.observed(name)
            if [m._replace(digest="") for m in seen] != stored:
                faults.append(f"{name} does not have what is on disk")
            hash = ROOT_HASH
            for message in seen:
                if not holds(hash, message):
                    faults.append(f"{name}: message {message.seq} breaks the chain")
                    break
                hash = message.hash
        return faults

    def observed(self, name: str) -> list[Message]:
        """What an observer has on its disk."""
        with closing(sqlite3.connect(self._store(name), timeout=10)) as connection:
            rows = connection.execute(
                "SELECT room, seq, id, sender, time, composed, body, digest, hash"
                " FROM messages WHERE room=? ORDER BY seq",
                (ROOM,),
            )
            return [Message(*row) for row in rows]

    def _await_joined(self) -> None:
        """All observers follow the room, from its beginning."""
        deadline = time.monotonic() + PATIENCE
        for name in self._observers:
            while not self._followed(name):
                assert time.monotonic() < deadline, f"{name} never joined"
                time.sleep(0.05)

    def _followed(self, name: str) -> bool:
        if not self._store(name).exists():
            return False
        with closing(sqlite3.connect(self._store(name), timeout=10)) as connection:
            try:
                rows = connection.execute("SELECT followed FROM rooms").fetchall()
            except sqlite3.OperationalError:  # not made yet
                return False
        return rows == [(1,)]
