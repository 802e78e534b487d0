"""What connections cost the daemon: bursts of them, and thousands that stay silent.

    python -m bench.idle [--connections N] [--rounds N]

Prints: seconds from 1 000 connects at once to the last one's ack; memory per idle
connection (the daemon's proportional set size, without kernel buffers); CPU per ack of
busy connections with the idle ones there, as a ratio to the same without, in turn.
"""

from __future__ import annotations

import argparse
import resource
import socket
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from cryptography.fernet import Fernet

from bench.load import PIPELINED, Load
from bench.servers import Server, start_daemon

BURST = 1000
SETTLE = 1.5  # seconds for the daemon to be done with those that came and went


def connect(server: Server, count: int) -> list[socket.socket]:
    """So many connections, begun at once."""
    connections = []
    for _ in range(count):
        connection = socket.socket()
        connection.setblocking(False)
        connection.connect_ex(("127.0.0.1", server.port))
        connections.append(connection)
    for connection in connections:
        connection.setblocking(True)
    return connections


def burst(server: Server, fernet: Fernet) -> float:
    """Seconds until each of BURST new connections has its first ack."""
    token = fernet.encrypt(b"x" * 64)
    frame = b"%d:%b," % (len(token), token)
    begin = time.monotonic()
    connections = connect(server, BURST)
    for connection in connections:
        connection.sendall(frame)
    for connection in connections:
        if not connection.recv(4096).endswith(b","):
            raise RuntimeError("no ack")
        connection.close()
    return time.monotonic() - begin


def memory(server: Server) -> int:
    """The daemon's proportional set size in bytes."""
    rollup = Path(f"/proc/{server.process.pid}/smaps_rollup").read_text()
    return int(rollup.partition("\nPss:")[2].split()[0]) * 1024


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--connections", type=int, default=5000, help="default 5000")
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    args = parser.parse_args(argv)
    files = args.connections + 2 * BURST
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, most), most))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = folder / "secret.key"
        key.touch(0o600)
        key.write_bytes(Fernet.generate_key())
        fernet = Fernet(key.read_bytes())
        load = Load(folder, fernet)
        limit = str(files)
        server = start_daemon(
            key, folder, "--max-per-address", limit, "--max-connections", limit
        )
        try:
            bursts = [burst(server, fernet) for _ in range(args.rounds)]
            print(f"burst of {BURST} connects to the last ack: {median(bursts):.2f} s")
            before = memory(server)
            idle = connect(server, args.connections)
            burst(server, fernet)  # behind them in the queue: all are accepted now
            each = (memory(server) - before) / args.connections
            print(f"memory of an idle connection: {each:.0f} bytes")
            ratios = []
            for turn in range(args.rounds):
                cpu: dict[bool, float] = {}
                for crowded in (True, False) if turn % 2 else (False, True):
                    for connection in idle:
                        connection.close()
                    idle = connect(server, args.connections) if crowded else []
                    burst(server, fernet)
                    time.sleep(SETTLE)
                    cpu[crowded] = load.run(server, PIPELINED, 0.5, 2).cpu
                ratios.append(cpu[True] / cpu[False])
            print(
                f"CPU per ack with {args.connections} idle connections:"
                f" {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
                " of that without"
            )
        finally:
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
