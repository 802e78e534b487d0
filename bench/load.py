"""The load generator, bench/load.c: compiled, fed with prepared frames, checked."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from bench.servers import LOAD_CPU, Server, pin

LINE = 64  # bytes of a text
FRAMES = 4096  # prepared, used in turn


@dataclass(frozen=True, slots=True)
class Shape:
    """So many connections with so many frames in flight on each."""

    name: str
    connections: int
    outstanding: int


PIPELINED = Shape("pipelined 8 x 64", 8, 64)
REQUEST_REPLY = Shape("request-reply 50 x 1", 50, 1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run measured. CPU: of the server, microseconds per ack."""

    acks_per_second: float
    cpu: float
    p50: float
    p99: float


class Load:
    """A compiled generator with frames for one key."""

    def __init__(self, folder: Path, fernet: Fernet) -> None:
        """Raises FileNotFoundError where there is no C compiler."""
        self._folder = folder
        self._fernet = fernet
        self._program = folder / "load"
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-O2", "-o", self._program, source], check=True)
        texts = [(b"%d " % n).ljust(LINE, b"x") for n in range(FRAMES)]
        self._replies = {b"Server received: " + text for text in texts}
        frames = [b"%d:%b," % (len(t), t) for t in map(fernet.encrypt, texts)]
        (folder / "frames").write_bytes(b"".join(frames))
        self._frame_size = len(frames[0])
        reply = fernet.encrypt(b"x" * (LINE + 17))
        self._reply_size = len(b"%d:%b," % (len(reply), reply))

    def run(self, server: Server, shape: Shape, warm: float, seconds: float) -> Figures:
        """Measure; raises RuntimeError where a reply is wrong."""
        replies = self._folder / "replies"
        numbers = [server.port, server.process.pid, shape.connections]
        numbers += [shape.outstanding]
        words = [*map(str, numbers), str(warm), str(seconds)]
        words += [str(self._folder / "frames"), str(self._frame_size)]
        process = subprocess.Popen(
            [self._program, *words, str(self._reply_size), replies],
            stdout=subprocess.PIPE,
            text=True,
        )
        pin(process.pid, LOAD_CPU)
        said, _ = process.communicate(timeout=warm + seconds + 60)
        if process.returncode:
            raise RuntimeError(f"the load on {server.name} failed")
        self._check(replies.read_bytes(), server.name)
        acks, elapsed, cpu, p50, p99 = map(float, said.split())
        return Figures(acks / elapsed, cpu / acks * 1e6, p50, p99)

    def _check(self, captured: bytes, name: str) -> None:
        """Open the replies that were kept: each must be a right answer."""
        if not captured:
            raise RuntimeError(f"{name} gave no reply")
        for at in range(0, len(captured), self._reply_size):
            token = captured[at : at + self._reply_size].partition(b":")[2][:-1]
            if self._fernet.decrypt(token) not in self._replies:
                raise RuntimeError(f"a reply of {name} is wrong")
