"""A TCP proxy that splits, delays and cuts: threads, for it must not be clever."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time


class Proxy:
    """Listens on a port of its own, and leads to `target` on the loopback."""

    def __init__(self, target: int, seed: int) -> None:
        self._target = target
        self._random = random.Random(seed)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Lose all connections, with what is on its way."""
        self.cuts += 1
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            try:
                there = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                here.close()
                continue
            self._sockets |= {here, there}
            for source, sink in ((here, there), (there, here)):
                threading.Thread(
                    target=self._carry, args=(source, sink), daemon=True
                ).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(self._random.choice([7, 300, 65_536])):
                if self._random.random() < 0.1:
                    time.sleep(self._random.random() * 0.03)
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
            self._sockets.discard(each)
