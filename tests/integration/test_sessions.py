"""Sessions with a real daemon: what an acknowledgement is worth."""

from __future__ import annotations

import contextlib
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile
from chatd.server.users import Users
from chatd.wire.tokens import Key
from tests.helpers import STOP_SECONDS, Daemon, project_environment
from tests.session_client import SessionClient


class DaemonCase(SynchronousTestCase):
    """A daemon with users, and blocking clients."""

    options: tuple[str, ...] = ("--message-rate", "0")

    def setUp(self) -> None:
        self.daemon = Daemon(self, *self.options)
        self.users = Users(self.daemon.state / "keys", time.time)

    def add(self, name: str) -> Key:
        key = keyfile.read(self.users.add(name, None))
        self.users.reload()
        self.await_users(len(self.users.names))
        return key

    def await_users(self, count: int) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while f"users={count}" not in self.daemon.log():
            self.assertLess(time.monotonic(), deadline, self.daemon.log())
            time.sleep(0.02)

    def session(self, key: Key, name: str | None = None) -> SessionClient:
        connection = self.daemon.connect()
        self.addCleanup(connection.close)
        return SessionClient(connection, key, name)

    def history(self, client: SessionClient, room: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        more = True
        while more:
            after = found[-1]["seq"] if found else 0
            page = client.ask("history", room=room, after=after, limit=200)
            found += page["messages"]
            more = page["more"]
        return found

    def chatctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [
                *(sys.executable, "-m", "chatd.ctl", *words),
                *("--state", str(self.daemon.state)),
            ],
            env=project_environment(),
            capture_output=True,
            text=True,
            timeout=STOP_SECONDS,
        )


class SessionTests(DaemonCase):
    """What people, operators and bad luck do to it."""

    def test_people_talk(self) -> None:
        """Two users and a guest in one room; a user's talk with the server."""
        alice = self.session(self.add("alice"))
        bob = self.session(self.add("bob"))
        guest = self.session(self.daemon.key)
        self.assertTrue(guest.name.startswith("~guest-"))
        for each in (bob, guest):
            each.ask("join", room="#lobby")
        alice.ask("send", room="#lobby", body="Grüße")
        for each in (bob, guest):
            self.assertEqual(each.pushed("message")["body"], "Grüße")
        alice.ask("join", room="@alice+server")
        alice.ask("send", room="@alice+server", body="hi")
        said = [alice.pushed("message")["body"] for _ in range(2)]
        self.assertEqual(said, ["hi", "Server received: hi"])
        self.assertEqual(alice.ask("search", query="rüß")["messages"][0]["seq"], 1)
        self.assertNotIn("Grüße", self.daemon.log())

    def test_killed(self) -> None:
        """After kill -9 all that was acknowledged is there, once, and a resend gets
        its first answer."""
        key = self.add("alice")
        acks: dict[str, Any] = {}
        for life in range(4):
            alice = self.session(key)
            ids = [f"{life}-{n}" for n in range(200)]
            for id in ids:
                alice.post("send", id, room="#lobby", body=id)
            for id in ids[: 50 * life]:
                acks[id] = alice.answer(id)
            self.daemon.kill()
            with contextlib.suppress(EOFError, OSError):
                while True:
                    alice.read()
            acks |= {id: a for id, a in alice.answers.items() if id in ids}
            self.daemon.restart()
            alice = self.session(key)
            for id in ids:
                again = alice.ask("send", id, room="#lobby", body=id)
                self.assertEqual(acks.get(id, again), again)
        found = self.history(alice, "#lobby")
        self.assertEqual(
            [each["id"] for each in found],
            [f"{life}-{n}" for life in range(4) for n in range(200)],
        )
        self.assertEqual(self.chatctl("verify").returncode, 0)

    def test_full_disk(self) -> None:
        """On a full disk nothing is acknowledged; with room again it goes on by
        itself, in order, once."""
        alice = self.session(self.add("alice"))
        for n in range(20):
            self.assertEqual(
                alice.ask("send", f"a{n}", room="#lobby", body="x" * 9000)["op"], "ack"
            )
        pid, name = self.daemon.process.pid, resource.RLIMIT_FSIZE
        journal = self.daemon.state / "journal.db-wal"
        usual = resource.prlimit(pid, name, (journal.stat().st_size, -1))
        codes = []
        for n in range(20, 40):
            alice.post("send", f"a{n}", room="#lobby", body="x" * 9000)
        for n in range(20, 40):
            codes.append(alice.answer(f"a{n}").get("code"))
        self.assertEqual(codes[0], "not-stored", codes)
        self.assertEqual(set(codes[1:]), {"held"})
        self.assertIn("journal-away", self.daemon.log())
        resource.prlimit(pid, name, usual)
        for n in range(20, 40):
            deadline = time.monotonic() + STOP_SECONDS
            while True:
                answer = alice.ask("send", f"a{n}", room="#lobby", body="x" * 9000)
                if answer["op"] == "ack":
                    break
                self.assertLess(time.monotonic(), deadline, (answer, self.daemon.log()))
                time.sleep(0.05)
        self.assertEqual(
            [each["id"] for each in self.history(alice, "#lobby")],
            [f"a{n}" for n in range(40)],
        )
        self.assertIn("journal-back", self.daemon.log())
        self.assertEqual(self.chatctl("verify").returncode, 0)

    def test_drain(self) -> None:
        """SIGTERM: what was sent is acknowledged, then goodbye, then the end."""
        alice = self.session(self.add("alice"))
        for n in range(200):
            alice.post("send", f"a{n}", room="#lobby", body="x")
        alice.answer("a0")
        self.daemon.signal(signal.SIGTERM)
        with contextlib.suppress(EOFError):
            while True:
                last = alice.read()
        self.assertEqual((last["op"], last["reason"]), ("goodbye", "restart"))
        self.daemon.process.wait(STOP_SECONDS)
        acks = {id for id, answer in alice.answers.items() if answer["op"] == "ack"}
        self.daemon.restart()
        again = self.session(keyfile.read(self.daemon.state / "keys" / "alice.key"))
        stored = {each["id"] for each in self.history(again, "#lobby")}
        self.assertEqual(stored - {"a0"}, acks)

    def test_removed(self) -> None:
        """A removed user is off within a second; nobody else is."""
        alice = self.session(self.add("alice"))
        bob = self.session(self.add("bob"))
        began = time.monotonic()
        self.assertEqual(self.chatctl("user", "remove", "alice").returncode, 0)
        removed = time.monotonic()
        self.assertEqual(alice.pushed("goodbye")["reason"], "removed")
        self.assertLess(time.monotonic() - removed, 1.0 + (removed - began))
        self.assertEqual(bob.ask("ping")["op"], "ack")
        refused = self.session(keyfile_of(self.users, "alice")).refused
        assert refused is not None
        self.assertEqual(refused.code, "removed")

    def test_invite(self) -> None:
        """One line lets one device in; a second use is refused, logged and listed."""
        done = self.chatctl("invite", "dora", "--host", "chat.example")
        self.assertRegex(
            done.stdout, r"\Achatd://chat\.example:5555/\?name=dora#\S+\n\Z"
        )
        invite = Key.parse(done.stdout.strip().partition("#")[2])
        self.await_users(1)
        dora = self.session(invite, "dora")
        self.assertEqual(dora.ask("join", room="#lobby")["code"], "forbidden")
        new = Key.generate(lambda n: b"\7" * n)
        self.assertEqual(dora.ask("rekey", key=new.text)["op"], "ack")
        self.assertEqual(dora.ask("rekey", key=new.text)["op"], "ack")
        mine = self.session(new)
        self.assertEqual(mine.ask("join", room="#lobby")["op"], "ack")
        self.assertEqual(dora.pushed("goodbye")["reason"], "rotated")
        refused = self.session(invite).refused
        assert refused is not None
        self.assertEqual(refused.code, "used")
        self.assertIn("invite-misused", self.daemon.log())
        self.assertIn("127.0.0.1", self.chatctl("user", "list").stdout)

    def test_rekey_survives(self) -> None:
        """Between the steps of a rekey, kill -9 leaves both keys good."""
        old = self.add("alice")
        new = Key.generate(lambda n: b"\5" * n)
        self.session(old).ask("rekey", key=new.text)
        self.daemon.kill()
        self.daemon.restart()
        self.assertIsNone(self.session(old).refused)
        self.assertEqual(self.session(new).ask("ping")["op"], "ack")
        self.daemon.kill()
        self.daemon.restart()
        refused = self.session(old).refused
        assert refused is not None
        self.assertEqual(refused.code, "rotated")
        self.assertIsNone(self.session(new).refused)

    def test_old_backup(self) -> None:
        """Restored from an old backup, the daemon is known to have lost something."""
        alice = self.session(self.add("alice"))
        alice.ask("send", room="#lobby", body="kept")
        copy = self.daemon.folder / "copy.db"
        self.assertEqual(self.chatctl("backup", str(copy)).returncode, 0)
        ack = alice.ask("send", room="#lobby", body="lost")
        self.daemon.terminate()
        for path in self.daemon.state.glob("journal.db*"):
            path.unlink()
        shutil.copy(copy, self.daemon.state / "journal.db")
        self.daemon.restart()
        alice = self.session(keyfile.read(self.daemon.state / "keys" / "alice.key"))
        cursor = {"after": ack["seq"], "hash": ack["hash"]}
        answer = alice.ask("join", room="#lobby", **cursor)
        self.assertEqual((answer["code"], answer["last"]), ("diverged", 1))

    def test_one_daemon_a_state(self) -> None:
        """A second daemon on the same state says why, and ends."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "chatd", "--state", str(self.daemon.state)),
                *("--listen", "tcp:0:interface=127.0.0.1"),
            ],
            env=project_environment(),
            capture_output=True,
            text=True,
            timeout=STOP_SECONDS,
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("another chatd uses", done.stderr)

    def test_newer_journal(self) -> None:
        """A journal of a newer version is refused."""
        self.daemon.terminate()
        connection = sqlite3.connect(self.daemon.state / "journal.db")
        connection.execute("PRAGMA user_version=99")
        connection.close()
        with self.assertRaises(RuntimeError) as caught:
            self.daemon.restart()
        self.assertIn("newer chatd", str(caught.exception))

    def test_guesses(self) -> None:
        """Who guesses at keys is not heard any more; live sessions do not feel it."""
        alice = self.session(self.add("alice"))
        for _ in range(40):
            with contextlib.suppress(EOFError, OSError):
                self.session(Key.generate(lambda n: b"\1" * n))
        self.assertIn("too many", self.daemon.log())
        with self.assertRaises((EOFError, OSError)):
            self.session(self.daemon.key)
        self.assertEqual(alice.ask("ping")["op"], "ack")


class GuestsOffTests(DaemonCase):
    """With --no-guests."""

    options = ("--no-guests",)

    def test_refused(self) -> None:
        """The shared key opens no session, but still the plain dialect."""
        refused = self.session(self.daemon.key).refused
        assert refused is not None
        self.assertEqual(refused.code, "guests-off")


def keyfile_of(users: Users, name: str) -> Key:
    """A key that the user had."""
    users.reload()
    for key, credential in users.credentials.items():
        if credential.name == name:
            return key
    raise AssertionError(name)
