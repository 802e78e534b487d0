"""An asyncio Protocol on uvloop."""

import asyncio
import sys
from pathlib import Path

import uvloop
from cryptography.fernet import Fernet

from bench.peers import answer

fernet = Fernet(Path(sys.argv[1]).read_text().strip())


class Peer(asyncio.Protocol):
    transport: asyncio.Transport

    def __init__(self) -> None:
        self.rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a Transport for TCP

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        position = 0
        replies = []
        while (colon := data.find(b":", position)) >= 0:
            end = colon + 1 + int(data[position:colon])
            if end >= len(data):
                break
            reply = answer(fernet, data[colon + 1 : end])
            replies.append(b"%d:%b," % (len(reply), reply))
            position = end + 1
        self.rest = data[position:]
        self.transport.write(b"".join(replies))


async def main() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Peer, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


uvloop.run(main())
