"""SIGHUP, rotation and restarts, while fifty people talk."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile
from chatd.paths import KEYS_NAME
from chatd.server.users import Users
from chatd.wire import invite
from chatd.wire.tokens import Key
from tests.helpers import Daemon, netstring, project_environment, read_frame
from tests.session_client import SessionClient

PEOPLE = 50
SECONDS = 20.0


class CrowdCase(SynchronousTestCase):
    """A daemon with a configuration file."""

    def setUp(self) -> None:
        self.config = Path(self.mktemp()).absolute()
        self.config.write_text("[chatd]\nmax-per-address = 60\n")
        self.daemon = Daemon(self, "--config", str(self.config))
        self.users = Users(self.daemon.state / KEYS_NAME, time.time)

    def session(self, name: str) -> SessionClient:
        key = keyfile.read(self.daemon.state / KEYS_NAME / f"{name}.key")
        connection = self.daemon.connect()
        self.addCleanup(connection.close)
        return SessionClient(connection, key)

    def crowd(self) -> list[SessionClient]:
        names = [f"user{number}" for number in range(PEOPLE)]
        for name in names:
            self.users.add(name, None)
        self.reload(f"users={PEOPLE}")
        sessions = [self.session(name) for name in names]
        for each in sessions:
            self.assertEqual(each.ask("join", room="#ops")["op"], "ack")
        return sessions

    def reload(self, word: str) -> None:
        """SIGHUP; until the log has a new line with `word`."""
        before = self.daemon.log().count(word)
        self.daemon.signal(signal.SIGHUP)
        for _ in range(int(SECONDS / 0.02)):
            if self.daemon.log().count(word) > before:
                return
            time.sleep(0.02)  # the log is the only one who tells
        self.fail(f"no {word!r} in the log")

    def chatctl(self, *argv: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "chatd.ctl", *argv],
            capture_output=True,
            text=True,
            env=project_environment(),
            timeout=SECONDS,
            check=True,
        )
        return done.stdout


class ReloadTests(CrowdCase):
    def test_nobody_is_disconnected(self) -> None:
        """Reload, rotation and retiring of the shared key: 0 disconnects, 0 lost."""
        sessions = self.crowd()
        key_path = str(self.daemon.key_path)
        acts = [
            lambda: self.reload("reloaded"),
            lambda: self.chatctl("key", "rotate", "--key", key_path),
            lambda: self.reload("reloaded"),
            lambda: self.chatctl("key", "retire", "--key", key_path),
            lambda: self.reload("reloaded"),
        ]
        for number, act in enumerate(acts):
            posted = [
                each.post("send", room="#ops", body="x", id=f"{number}-{n}")
                for n, each in enumerate(sessions)
            ]
            act()
            for each, id in zip(sessions, posted, strict=True):
                self.assertEqual(each.answer(id)["op"], "ack")
        total = PEOPLE * len(acts)
        self.assertEqual(sessions[0].ask("join", room="#ops")["last"], total)
        self.assertNotIn("session-ended", self.daemon.log())

    def test_limits_and_level(self) -> None:
        """What the file says holds at once, and the log says what has changed."""
        self.users.add("alice", None)
        self.reload("users=1")
        alice = self.session("alice")
        alice.ask("join", room="#ops")
        self.config.write_text(
            "[chatd]\nmax-per-address = 60\nmessage-rate = 1\nlog-level = warn\n"
            "no-new-rooms = yes\nname = other\n"
        )
        self.reload("messages 50.0 -> 1.0")
        log = self.daemon.log()
        for word in (
            "message_burst 500.0 -> 10.0",
            "create True -> False",
            "log-level info -> warn",
            "name: after a restart",
        ):
            self.assertIn(word, log)
        codes = [
            alice.ask("send", room="#ops", body="x", id=f"m{n}").get("code")
            for n in range(12)
        ]
        self.assertIn("slow-down", codes)
        self.assertEqual(alice.ask("join", room="#new")["code"], "no-such-room")
        before = len(self.daemon.log())
        self.session("alice")
        self.assertEqual(len(self.daemon.log()), before)  # info is not logged now

    def test_faulty_file(self) -> None:
        """A fault in the file is told, names it, and changes nothing."""
        self.config.write_text("[chatd]\nmessage-rate = many\n")
        self.reload("reload-failed")
        self.assertIn("message-rate", self.daemon.log())
        self.users.add("alice", None)
        self.config.write_text("[chatd]\n")
        self.reload("users=1")
        self.session("alice")


class RestartTests(CrowdCase):
    def test_restart_under_load(self) -> None:
        """SIGTERM: everybody is told when to come back; nothing acked is lost."""
        sessions = self.crowd()
        posted = [
            (each, each.post("send", room="#ops", body="x", id=f"m{n}"))
            for n, each in enumerate(sessions)
        ]
        self.daemon.signal(signal.SIGTERM)
        acked = 0
        for each, id in posted:
            with contextlib.suppress(EOFError):
                acked += each.answer(id)["op"] == "ack"
            goodbye = next((p for p in each.pushes if p["op"] == "goodbye"), None)
            if goodbye is None:
                goodbye = each.pushed("goodbye")
            self.assertEqual(goodbye["reason"], "restart")
            self.assertGreater(goodbye["retry_after"], 0)
        self.daemon.process.wait(SECONDS)
        self.daemon.restart()
        again = [self.session(f"user{number}") for number in range(PEOPLE)]
        head = again[0].ask("join", room="#ops")
        self.assertGreaterEqual(head["last"], acked)
        for number, each in enumerate(again):
            answer = each.ask("send", room="#ops", body="x", id=f"m{number}")
            self.assertEqual(answer["op"], "ack")
        self.assertEqual(again[0].ask("join", room="#ops")["last"], PEOPLE)


class SilenceTests(SynchronousTestCase):
    """What must never be in a log is looked for, after a bit of everything."""

    def test_log_has_no_secrets(self) -> None:
        """No text, key or token, at any level, in either format."""
        for style in ("text", "json"):
            daemon = Daemon(self, "--log-level", "debug", "--log-format", style)
            users = Users(daemon.state / KEYS_NAME, time.time)
            users.add("alice", None)
            offered = users.invite("bob", None, 600)
            daemon.signal(signal.SIGHUP)
            secrets = [b"hush-hush", daemon.key.text.encode(), offered.text.encode()]
            line = invite.line(invite.Invite((("h", 1),), "bob", offered))
            secrets.append(line.encode())
            alice = keyfile.read(daemon.state / KEYS_NAME / "alice.key")
            secrets.append(alice.text.encode())
            with daemon.connect() as plain:
                token = daemon.fernet.encrypt(b"hush-hush")
                secrets.append(token)
                plain.sendall(netstring(token))
                secrets.append(read_frame(plain))
            with daemon.connect() as wrong:
                stranger = Key.generate(os.urandom)
                secrets.append(stranger.text.encode())
                wrong.sendall(netstring(b"gAAAAAhush-hush"))
                wrong.recv(10)
            for key in (alice, daemon.key):
                with daemon.connect() as connection:
                    self._talk(SessionClient(connection, key))
            with daemon.connect() as connection:
                session = SessionClient(connection, alice)
                new = Key.generate(os.urandom)
                secrets.append(new.text.encode())
                session.ask("rekey", key=new.text)
            daemon.terminate()
            log = daemon.log_path.read_bytes()
            self.assertIn(b"rekey", log)
            for secret in secrets:
                self.assertNotIn(secret, log)

    def _talk(self, session: SessionClient) -> None:
        room = "#lobby"
        session.ask("join", room=room)
        session.ask("send", room=room, body="hush-hush")
        session.ask("send", room="#none", body="hush-hush")
        session.ask("search", query="hush-hush")
        session.ask("history", room=room)
        session.ask("hush-hush")
