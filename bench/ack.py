"""What an ack costs: this daemon beside its peers, alternating, in one run.

    python -m bench.ack [--rounds N] [--seconds S] [--json]

CPU is the server's, user and system, in microseconds per ack; a ratio is to Twisted's
NetstringReceiver with cryptography.fernet, measured in the same round.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from cryptography.fernet import Fernet

from bench.load import PIPELINED, REQUEST_REPLY, Figures, Load, Shape
from bench.servers import Server, start_daemon, start_peer

BASE = "netstring_receiver"
PEERS = [BASE, "threads", "uvloop_protocol"]


def measure(rounds: int, seconds: float) -> dict[str, dict[str, list[Figures]]]:
    """Figures by shape and server, one of each a round."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = folder / "secret.key"
        key.touch(0o600)
        key.write_bytes(Fernet.generate_key())
        load = Load(folder, Fernet(key.read_bytes()))
        peers = list(PEERS)
        if importlib.util.find_spec("uvloop") is None:
            print("uvloop is not installed: that peer is left out", file=sys.stderr)
            peers.remove("uvloop_protocol")
        servers: list[Server] = []
        try:
            servers.append(start_daemon(key, folder / "state"))
            servers += [start_peer(peer, key) for peer in peers]
            return {
                shape.name: _rounds(load, servers, shape, rounds, seconds)
                for shape in (PIPELINED, REQUEST_REPLY)
            }
        finally:
            for server in servers:
                server.stop()


def _rounds(
    load: Load, servers: list[Server], shape: Shape, rounds: int, seconds: float
) -> dict[str, list[Figures]]:
    figures: dict[str, list[Figures]] = {server.name: [] for server in servers}
    for _ in range(rounds):
        for server in servers:
            warm = min(0.5, seconds / 4)
            figures[server.name].append(load.run(server, shape, warm, seconds))
    return figures


def summary(figures: dict[str, list[Figures]]) -> dict[str, dict[str, object]]:
    """By server: medians, and the ratio of CPU with its spread over the rounds."""
    base = [run.cpu for run in figures[BASE]]
    result: dict[str, dict[str, object]] = {}
    for name, runs in figures.items():
        ratios = [run.cpu / other for run, other in zip(runs, base, strict=True)]
        result[name] = {
            "acks_per_second": round(median(run.acks_per_second for run in runs)),
            "cpu_us": round(median(run.cpu for run in runs), 2),
            "p50_us": round(median(run.p50 for run in runs)),
            "p99_us": round(median(run.p99 for run in runs)),
            "ratio": round(median(ratios), 3),
            "ratio_min": round(min(ratios), 3),
            "ratio_max": round(max(ratios), 3),
        }
    return result


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.ack", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="default 5")
    parser.add_argument("--seconds", type=float, default=2.0, help="a run; default 2")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    measured = measure(args.rounds, args.seconds)
    results = {shape: summary(figures) for shape, figures in measured.items()}
    if args.json:
        print(json.dumps(results, indent=1))
        return 0
    columns = ["acks_per_second", "cpu_us", "p50_us", "p99_us"]
    columns += ["ratio", "ratio_min", "ratio_max"]
    for shape, servers in results.items():
        print(f"\n{shape}\n{'':20}" + "".join(f"{c:>16}" for c in columns))
        for name, row in servers.items():
            print(f"{name:20}" + "".join(f"{row[c]!s:>16}" for c in columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
