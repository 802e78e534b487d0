"""Starts the daemon and its peers for a measurement, each on a core of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVER_CPU, LOAD_CPU = 0, 1


@dataclass(frozen=True, slots=True)
class Server:
    """A running server on the loopback."""

    name: str
    process: subprocess.Popen[bytes]
    port: int

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def pin(pid: int, cpu: int) -> None:
    """Keep a process on one core, where there are several."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) > 1:
        os.sched_setaffinity(pid, {cpus[cpu]})


def _environment(**more: str) -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(ROOT)} | more


def start_daemon(key: Path, state: Path, *options: str) -> Server:
    """This checkout's daemon, as operators start it."""
    name = f"chatd-bench-{os.getpid()}-{os.urandom(4).hex()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind("\0" + name)
        ready.settimeout(30)
        places = ["--state", str(state), "--key", str(key)]
        where = ["--listen", "tcp:0:interface=127.0.0.1"]
        process = subprocess.Popen(
            [sys.executable, "-m", "chatd", *places, *where, *options],
            env=_environment(NOTIFY_SOCKET="@" + name),
            stdout=subprocess.DEVNULL,
        )
        pin(process.pid, SERVER_CPU)
        port = int(ready.recv(4096).decode().rpartition(":")[2])
    return Server("chatd", process, port)


def start_peer(module: str, key: Path) -> Server:
    """One of bench/peers."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"bench.peers.{module}", str(key)],
        env=_environment(),
        stdout=subprocess.PIPE,
    )
    pin(process.pid, SERVER_CPU)
    if process.stdout is None or not (line := process.stdout.readline()):
        raise RuntimeError(f"{module} did not start")
    return Server(module, process, int(line))
