"""Durable chat: acks, fan-out, many sessions, beside raw SQLite group commit.

    python -m bench.chat [--rounds N] [--messages M] [--sessions S] [--seconds T]

The daemon has a core, the load another, where there are two. Bodies of 200 bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

from bench import raw
from bench.servers import LOAD_CPU, Server, pin, start_daemon
from bench.swarm import Session, Swarm
from chatd import keyfile
from chatd.journal.interface import Draft, Lane
from chatd.journal.journal import SQLiteJournal
from chatd.server.users import Users
from chatd.wire.tokens import Key

BODY = "x" * 200
OUTSTANDING = (1, 64, 512)
A_SESSION = 64  # requests in flight of one, at most
SESSIONS_A_USER = 16
IN_ROOM = 200
RATE = 100  # messages a second into the room of 200


class Daemon:
    """A daemon with users for so many sessions."""

    def __init__(self, folder: Path, sessions: int) -> None:
        state = folder / f"state-{time.monotonic_ns()}"
        users = Users(state / "keys", time.time)
        self._keys = [
            keyfile.read(users.add(f"user{n}", None))
            for n in range(-(-sessions // SESSIONS_A_USER))
        ]
        key = folder / f"shared-{time.monotonic_ns()}.key"
        keyfile.create(key, Key.generate(lambda n: b"k" * n))
        options = ["--message-rate", "0", "--max-per-address", "10000"]
        self.server: Server = start_daemon(key, state, *options)

    def sessions(self, count: int) -> Swarm:
        made = [
            Session(self.server.port, self._keys[n % len(self._keys)])
            for n in range(count)
        ]
        return Swarm(made)

    @property
    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024


def join(swarm: Swarm, members: list[Session]) -> None:
    """Let them all follow the lobby."""
    joined: set[Session] = set()
    for each in members:
        each.acked = lambda session, id: joined.add(session) if id == "j" else None
        each.say({"op": "join", "id": "j", "room": "#lobby"})
    swarm.until(lambda: len(joined) == len(members))
    for each in members:
        each.acked = lambda session, id: None


def acks(folder: Path, outstanding: int, count: int) -> float:
    """Durable acks a second through a daemon, so many outstanding."""
    daemon = Daemon(folder, 8)
    swarm = daemon.sessions(max(1, outstanding // A_SESSION))
    sent = finished = 0
    ready: dict[Session, int] = {}

    def send(session: Session, most: int) -> None:
        nonlocal sent
        most = min(most, count - sent)
        if most > 0:
            session.say(
                *(
                    {"op": "send", "id": f"m{sent + n}", "room": "#lobby", "body": BODY}
                    for n in range(most)
                )
            )
            sent += most

    def acked(session: Session, id: str) -> None:
        nonlocal finished
        if id[0] == "m":
            finished += 1
            ready[session] = ready.get(session, 0) + 1

    for session in swarm.sessions:
        session.acked = acked
    began = time.perf_counter()
    for session in swarm.sessions:
        send(session, min(A_SESSION, outstanding))
    while finished < count:
        swarm.turn(1.0)
        for session, room in list(ready.items()):
            send(session, room)
        ready.clear()
    took = time.perf_counter() - began
    swarm.close()
    daemon.server.stop()
    return count / took


def journal(folder: Path, outstanding: int, count: int) -> float:
    """Durable appends a second of the journal alone, without a daemon."""
    from tests.journal.pump import Pump

    pump = Pump()
    store = SQLiteJournal(pump, folder / f"journal-{time.monotonic_ns()}.db")
    store.open()
    lane, waiting = Lane(), []
    began = time.perf_counter()
    for number in range(count):
        draft = Draft("#lobby", "alice", f"{number:032x}", BODY, None, lane)
        waiting.append(store.append(draft))
        if len(waiting) >= outstanding:
            pump.wait(waiting.pop(0))
    for each in waiting:
        pump.wait(each)
    took = time.perf_counter() - began
    pump.wait(store.close())
    return count / took


def deliveries(folder: Path, members: int, count: int) -> float:
    """Messages a second pushed to all members of one room."""
    daemon = Daemon(folder, members + 1)
    swarm = daemon.sessions(members + 1)
    writer, *readers = swarm.sessions
    join(swarm, readers)
    done = [0]
    writer.acked = lambda session, id: done.__setitem__(0, done[0] + (id[0] == "m"))
    began, sent = time.perf_counter(), 0
    while any(each.pushes < count for each in readers):
        while sent < count and sent - done[0] < A_SESSION:
            writer.say({"op": "send", "id": f"m{sent}", "room": "#lobby", "body": BODY})
            sent += 1
        swarm.turn(1.0)
    took = time.perf_counter() - began
    swarm.close()
    daemon.server.stop()
    return members * count / took


def crowd(folder: Path, sessions: int, seconds: float) -> dict[str, object]:
    """Many sessions, some of them in one room, messages into it at a steady rate."""
    daemon = Daemon(folder, sessions)
    before = daemon.memory
    swarm = daemon.sessions(sessions)
    members = swarm.sessions[: min(IN_ROOM, sessions)]
    join(swarm, members)
    count = int(RATE * seconds)
    since: dict[str, float] = {}
    took: list[float] = []

    def acked(session: Session, id: str) -> None:
        if id in since:
            took.append(time.perf_counter() - since.pop(id))

    for each in swarm.sessions:
        each.acked = acked
    began = time.perf_counter()
    pinged, sent = began, 0
    while sent < count:
        now = time.perf_counter()
        if now - pinged > 8.0:  # as clients do
            pinged = now
            for each in swarm.sessions[len(members) :]:
                each.say({"op": "ping", "id": "p"})
        while sent < count and now >= began + sent / RATE:
            id = f"m{sent}"
            since[id] = time.perf_counter()
            members[sent % len(members)].say(
                {"op": "send", "id": id, "room": "#lobby", "body": BODY}
            )
            sent += 1
        swarm.turn(max(0.0, began + sent / RATE - time.perf_counter()))
    swarm.until(lambda: all(each.pushes >= count for each in members))
    cuts = quantiles(took, n=100)
    result: dict[str, object] = {
        "sessions": sessions,
        "members": len(members),
        "messages": count,
        "ack_p50_ms": round(median(took) * 1000, 1),
        "ack_p99_ms": round(cuts[98] * 1000, 1),
        "memory_before_mb": round(before / 1e6, 1),
        "memory_after_mb": round(daemon.memory / 1e6, 1),
        "complete": sum(each.pushes == count for each in members),
    }
    swarm.close()
    daemon.server.stop()
    return result


_SIDES: dict[str, Callable[[Path, int, int], float]] = {
    "raw": lambda folder, outstanding, count: raw.commits(
        folder, outstanding, count, BODY
    ),
    "journal": journal,
    "daemon": acks,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.chat", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--messages", type=int, default=10_000, help="a run")
    parser.add_argument("--sessions", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of the crowd")
    args = parser.parse_args(argv)
    pin(0, LOAD_CPU)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        for outstanding in OUTSTANDING:
            count = args.messages if outstanding > 1 else max(100, args.messages // 10)
            rates: dict[str, list[float]] = {side: [] for side in _SIDES}
            for _ in range(args.rounds):
                for side, measure in _SIDES.items():
                    rates[side].append(measure(folder, outstanding, count))
            print(json.dumps(_row(outstanding, rates)), flush=True)
        members = min(100, args.sessions - 1)
        pushed = [
            deliveries(folder, members, args.messages // 20) for _ in range(args.rounds)
        ]
        print(
            json.dumps(
                {"members": members, "deliveries_a_second": round(median(pushed))}
            )
        )
        print(json.dumps(crowd(folder, args.sessions, args.seconds)))
    return 0


def _row(outstanding: int, rates: dict[str, list[float]]) -> dict[str, object]:
    row: dict[str, object] = {"outstanding": outstanding}
    for side, found in rates.items():
        row[side] = round(median(found))
        if side != "raw":
            ratios = [
                one / other for one, other in zip(found, rates["raw"], strict=True)
            ]
            row[f"{side}_ratio"] = [
                round(each, 2) for each in (median(ratios), min(ratios), max(ratios))
            ]
    return row


if __name__ == "__main__":
    sys.exit(main())
