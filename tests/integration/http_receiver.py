"""A receiver of webhooks on a socket, in threads, for tests that block."""

from __future__ import annotations

import json
import queue
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd.webhooks.signature import verify

SECONDS = 60.0
"""How long a delivery is waited for."""

HANG = 0
"""Instead of a code: no answer at all."""


@dataclass(frozen=True)
class Delivery:
    """One request, and whether it was signed."""

    path: str
    id: str
    signed: bool
    message: dict[str, Any]
    code: int


class HTTPReceiver:
    """Answers what `codes` has next, else 200; `come` and `go` as often as need be."""

    def __init__(self, case: TestCase | SynchronousTestCase, secret: str = "") -> None:
        self.secret = secret
        self.codes: list[int] = []
        self.port = 0
        self._came: queue.Queue[Delivery] = queue.Queue()
        self._over = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self.come()
        case.addCleanup(self.go)
        case.addCleanup(self._over.set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/path"

    def come(self) -> None:
        """Listen, on the same port each time."""
        receiver = self

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Answer)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def go(self) -> None:
        """Listen no more: who connects is refused."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def next(self) -> Delivery:
        """The next request that comes, waited for."""
        return self._came.get(timeout=SECONDS)

    def until(self, body: str) -> list[Delivery]:
        """All requests up to the first of the message `body` that is taken."""
        found = [self.next()]
        while found[-1].message["body"] != body or found[-1].code != 200:
            found.append(self.next())
        return found

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        headers = request.headers
        body = request.rfile.read(int(headers["Content-Length"]))
        stamp, signature = headers["Chatd-Timestamp"], headers["Chatd-Signature"]
        signed = verify(self.secret, stamp, signature, body, time.time())
        code = self.codes.pop(0) if self.codes else 200
        id = headers["Chatd-Delivery"]
        self._came.put(Delivery(request.path, id, signed, json.loads(body), code))
        if code == HANG:
            self._over.wait(SECONDS)
            return
        request.send_response(code)
        request.send_header("Content-Length", "0")
        request.end_headers()
