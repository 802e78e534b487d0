"""A thread for each client, blocking sockets."""

import contextlib
import socket
import sys
import threading
from pathlib import Path

from cryptography.fernet import Fernet

from bench.peers import answer

fernet = Fernet(Path(sys.argv[1]).read_text().strip())


def serve(connection: socket.socket) -> None:
    with contextlib.suppress(ConnectionError):
        talk(connection)


def talk(connection: socket.socket) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = connection.makefile("rb")
    while True:
        digits = b""
        while (byte := stream.read(1)) != b":":
            if not byte:
                return
            digits += byte
        token = stream.read(int(digits))
        stream.read(1)
        reply = answer(fernet, token)
        connection.sendall(b"%d:%b," % (len(reply), reply))


listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
