"""What the operator decided outlives the daemon, however it ends."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

from chatd.paths import ADMIN_NAME, socket_path
from chatd.wire.framing import encode
from chatd.wire.tokens import Key
from tests.helpers import STOP_SECONDS
from tests.integration.test_sessions import DaemonCase


class PolicyTests(DaemonCase):
    """Private rooms, mutes and bans."""

    def do(self, act: str, **members: object) -> dict[str, Any]:
        """Ask the admin API, as the operator's commands do."""
        path = socket_path(self.daemon.state / ADMIN_NAME)
        connection = http.client.HTTPConnection("localhost", timeout=STOP_SECONDS)
        self.addCleanup(connection.close)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(STOP_SECONDS)
        connection.sock.connect(path)
        connection.request("POST", f"/admin/{act}", json.dumps(members))
        answer = connection.getresponse()
        told: dict[str, Any] = json.loads(answer.read())
        self.assertEqual(answer.status, 200, told)
        return told

    def refusal(self, key: Key, name: str | None = None) -> str | None:
        refused = self.session(key, name).refused
        return None if refused is None else refused.code

    def test_killed(self) -> None:
        """After kill -9, at the moment of the answer, a room is still private, a user
        muted, a key banned, and the guests' key with the plain dialect."""
        keys = {name: self.add(name) for name in ("alice", "bob", "eve")}
        alice = self.session(keys["alice"])
        alice.ask("join", room="#ops")
        alice.ask("send", room="#ops", body="secret")
        self.do("room/private", room="#ops", names=["alice"])
        self.do("room/admit", room="#ops", name="bob")
        self.do("mute", name="bob")
        self.do("ban", who=self.daemon.key.id, seconds=3_600)
        self.do("ban", who="eve")
        self.daemon.kill()
        self.daemon.restart()
        alice, bob = (self.session(keys[name]) for name in ("alice", "bob"))
        dora = self.session(self.add("dora"))
        self.assertEqual(alice.ask("history", room="#ops")["messages"][0]["seq"], 1)
        self.assertEqual(bob.ask("join", room="#ops", after=0)["last"], 1)
        self.assertIn("muted", bob.ask("send", room="#ops", body="x")["reason"])
        self.assertEqual(dora.ask("join", room="#ops")["code"], "no-such-room")
        self.assertEqual(self.refusal(keys["eve"]), "banned")
        self.assertEqual(self.refusal(self.daemon.key), "banned")
        plain = self.daemon.connect()
        self.addCleanup(plain.close)
        plain.sendall(encode(self.daemon.fernet.encrypt(b"hello")))
        self.assertEqual(plain.recv(1), b"")
        self.do("unban", who="eve")
        self.daemon.kill()
        self.daemon.restart()
        self.assertIsNone(self.refusal(keys["eve"]))
