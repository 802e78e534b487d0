"""chatctl's commands for a running daemon, by the real command."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile
from tests.helpers import Daemon, project_environment
from tests.session_client import SessionClient
from tests.test_docs import OPERATIONS, block

SECONDS = 30.0


class AdminCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.daemon = Daemon(self)

    def ctl(self, *argv: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr; never a traceback."""
        done = subprocess.run(
            [sys.executable, "-m", "chatd.ctl", *argv, "--state", self.state],
            capture_output=True,
            text=True,
            env=project_environment(),
            timeout=SECONDS,
            check=False,
        )
        self.assertNotIn("Traceback", done.stderr)
        return done.returncode, done.stdout, done.stderr

    @property
    def state(self) -> str:
        return str(self.daemon.state)

    def do(self, *argv: str) -> str:
        """What it prints; it went well."""
        code, out, err = self.ctl(*argv)
        self.assertEqual((code, err), (0, ""))
        return out

    def records(self, *argv: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.do(*argv, "--json").splitlines()]

    def session(self, name: str) -> SessionClient:
        self.do("user", "add", name)
        self.daemon_reloads()
        connection = self.daemon.connect()
        self.addCleanup(connection.close)
        key = keyfile.read(self.daemon.state / "keys" / f"{name}.key")
        return SessionClient(connection, key)

    def daemon_reloads(self) -> None:
        """The daemon looks at the folder twice a second: ask until it has."""
        for _ in range(100):
            users = self.records("users")
            if users and all(each["standing"] == "live" for each in users):
                return
        self.fail("the daemon has not read the key")


class VerbTests(AdminCase):
    def test_looking(self) -> None:
        """status, rooms, users, sessions: tables for people, JSON for scripts."""
        alice = self.session("alice")
        alice.ask("join", room="#ops")
        alice.ask("send", room="#ops", body="hush-hush", id="m1")
        self.assertIn("ready", self.do("status"))
        (told,) = self.records("status")
        self.assertEqual((told["sessions"], told["acks"]), (1, 1))
        rooms = {each["room"]: each for each in self.records("rooms")}
        self.assertEqual(rooms["#ops"]["last"], 1)
        self.assertIn("#ops", self.do("rooms"))
        (user,) = self.records("users")
        self.assertEqual((user["name"], user["online"]), ("alice", True))
        (session,) = self.records("sessions")
        self.assertEqual((session["name"], session["key"]), ("alice", user["key"]))
        self.assertIn("alice", self.do("sessions"))
        (traced,) = self.records("trace", "m1")
        self.assertEqual(traced["sends"][0]["outcome"], "stored")
        self.assertEqual(traced["stored"][0]["seq"], 1)
        shown = self.do("trace", "m1")
        self.assertIn("received by nobody", shown)
        self.assertNotIn("hush", shown + json.dumps(traced))
        self.daemon.kill()
        self.daemon.restart()
        (traced,) = self.records("trace", "m1")
        self.assertEqual((traced["sends"], traced["stored"][0]["seq"]), ([], 1))
        code, _, err = self.ctl("trace", "none")
        self.assertEqual(code, 1)
        self.assertIn("nothing is known", err)

    def test_people(self) -> None:
        """mute, kick and ban hold at once; what is lifted is over."""
        alice, bob = self.session("alice"), self.session("bob")
        alice.ask("join", room="#ops")
        self.do("mute", "alice", "--for", "1h")
        refused = alice.ask("send", room="#ops", body="x")
        self.assertEqual(refused["code"], "forbidden")
        self.assertIn("alice", self.do("bans"))
        self.do("unmute", "alice")
        self.assertEqual(alice.ask("send", room="#ops", body="x")["op"], "ack")
        self.do("kick", "alice")
        self.assertEqual(alice.pushed("goodbye")["reason"], "kicked")
        self.do("ban", "bob")
        self.assertEqual(bob.pushed("goodbye")["reason"], "banned")
        self.daemon.kill()
        self.daemon.restart()
        (ban,) = self.records("bans")
        key = keyfile.read(self.daemon.state / "keys" / "bob.key")
        self.assertEqual(ban["key"], key.id)
        with self.daemon.connect() as connection:
            refusal = SessionClient(connection, key).refused
        assert refusal is not None
        self.assertEqual(refusal.code, "banned")
        self.do("unban", "bob")
        with self.daemon.connect() as connection:
            SessionClient(connection, key)
        code, _, err = self.ctl("kick", "nobody")
        self.assertEqual(code, 1)
        self.assertIn("not here", err)

    def test_rooms(self) -> None:
        """create, private, admit, expel, members, public, retention, say."""
        alice, bob = self.session("alice"), self.session("bob")
        self.do("room", "create", "#ops")
        self.do("room", "private", "#ops", "alice")
        self.assertEqual(bob.ask("join", room="#ops")["code"], "no-such-room")
        self.assertEqual(alice.ask("join", room="#ops")["op"], "ack")
        self.do("room", "admit", "#ops", "bob")
        self.assertEqual(bob.pushed("room")["room"], "#ops")
        self.assertEqual(bob.ask("join", room="#ops")["op"], "ack")
        self.assertIn("alice bob", self.do("room", "members", "#ops"))
        self.do("say", "#ops", "back soon")
        said = bob.pushed("message")
        self.assertEqual((said["sender"], said["body"]), ("server", "back soon"))
        self.do("room", "expel", "#ops", "bob")
        self.assertEqual(bob.ask("history", room="#ops")["code"], "no-such-room")
        self.daemon.kill()
        self.daemon.restart()
        (room,) = [e for e in self.records("rooms") if e["room"] == "#ops"]
        self.assertEqual((room["private"], room["names"]), (True, ["alice"]))
        self.do("room", "retention", "#ops", "30")
        self.do("room", "public", "#ops")
        (room,) = [e for e in self.records("rooms") if e["room"] == "#ops"]
        self.assertEqual((room["private"], room["days"]), (False, 30))
        self.assertEqual(self.ctl("room", "retention", "#ops", "x")[0], 2)

    def test_tail(self) -> None:
        """What was said, and what comes; | head -1 ends it."""
        alice = self.session("alice")
        alice.ask("join", room="#ops")
        alice.ask("send", room="#ops", body="before\x1b", id="m0")
        alice.ask("send", room="#ops", body="before", id="m1")
        tail = self.tail("#ops")
        self.assertIn("alice: before", tail.readline())
        alice.ask("send", room="#ops", body="after", id="m2")
        self.assertIn("alice: after", tail.readline())
        code, _, err = self.ctl("tail", "#none")
        self.assertEqual((code, err), (1, "chatctl: there is no such room\n"))
        later = self.tail("#ops", "--from", "2")
        self.assertTrue(later.readline().startswith("2 "))

    def tail(self, *argv: str) -> IO[str]:
        """What it prints."""
        process = subprocess.Popen(
            [sys.executable, "-m", "chatd.ctl", "tail", *argv, "--state", self.state],
            stdout=subprocess.PIPE,
            text=True,
            env=project_environment(),
        )
        self.addCleanup(process.wait, SECONDS)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        return process.stdout

    def test_hooks(self) -> None:
        """Added, listed and removed; the secret is shown once."""
        url = "http://127.0.0.1:1/path-is-secret"
        (told,) = self.records("hook", "add", "#lobby", "ci", "--url", url)
        (incoming,) = self.records("hook", "add", "#lobby", "deploy")
        listed = self.records("hook", "list")
        self.assertEqual({each["name"] for each in listed}, {"ci", "deploy"})
        for secret in (told["secret"], incoming["token"], "path-is-secret"):
            self.assertNotIn(secret, json.dumps(listed) + self.daemon.log())
        self.do("hook", "remove", told["id"])
        self.assertEqual(len(self.records("hook", "list")), 1)
        code, _, err = self.ctl("hook", "add", "#lobby", "x", "--url", "ftp://a")
        self.assertEqual(code, 1)
        self.assertIn("http", err)

    def test_socket(self) -> None:
        """For its owner alone; what a killed daemon leaves is replaced; none: said."""
        path = self.daemon.state / "admin.sock"
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        self.daemon.kill()
        code, _, err = self.ctl("status")
        self.assertEqual(code, 1)
        self.assertIn("no daemon runs", err)
        self.assertEqual(err.count("\n"), 1)
        self.daemon.restart()
        self.do("status")

    def test_curl(self) -> None:
        """docs/operations.md: the lines for scripts, as they are printed."""
        told = []
        for line in block(OPERATIONS, "sh").splitlines():
            done = subprocess.run(
                ["/bin/sh", "-c", line],
                env=project_environment(STATE=self.state),
                capture_output=True,
                timeout=SECONDS,
            )
            told.append(json.loads(done.stdout))
        self.assertTrue(told[0]["ready"])
        self.assertEqual((told[1]["room"], told[1]["seq"]), ("#lobby", 1))

    def test_text_stays_out_of_the_log(self) -> None:
        """What the operator says, and whom it concerns, is two things."""
        self.do("say", "#lobby", "hush-hush")
        self.assertIn("operator", self.daemon.log())
        self.assertNotIn("hush", self.daemon.log())


class VerifyTests(AdminCase):
    """What is not what it was is reported; what is whole is stated."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.session("alice")
        self.alice.ask("join", room="#ops")
        for number in range(1, 6):
            self.alice.ask("send", room="#ops", body=f"{number}", id=f"m{number}")

    def altered(self, *statements: str) -> str:
        """What verify reports of a journal that was changed behind the daemon."""
        connection = sqlite3.connect(self.daemon.state / "journal.db", timeout=20)
        connection.create_function("x", 1, bytes.fromhex)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
        code, out, err = self.ctl("verify")
        self.assertEqual(code, 1)
        self.assertIn("restore a backup", err)
        return out

    def test_whole(self) -> None:
        """Each room is complete to its last message and hash."""
        found = {each["room"]: each for each in self.records("verify")}
        head = self.alice.ask("join", room="#ops")
        self.assertEqual(found["#ops"]["seq"], 5)
        self.assertEqual(found["#ops"]["hash"], head["hash"])
        self.assertIn("#ops: complete to 5", self.do("verify"))

    def test_altered_row(self) -> None:
        out = self.altered("UPDATE messages SET body='other' WHERE seq=3")
        self.assertIn("#ops: message 3 does not fit", out)

    def test_deleted_row(self) -> None:
        out = self.altered("DELETE FROM messages WHERE seq=3")
        self.assertIn("#ops: message 3 is missing", out)

    def test_tail_cut_off(self) -> None:
        """Even where the head was changed along with it: the daemon knows."""
        out = self.altered(
            "UPDATE rooms SET last=3, hash=(SELECT hash FROM messages WHERE seq=3)"
            " WHERE name='#ops'",
            "DELETE FROM messages WHERE seq>3",
        )
        self.assertIn("#ops: it ends at 3; 5 were acknowledged", out)


class BackupTests(AdminCase):
    def test_backup_while_writing(self) -> None:
        """Restored elsewhere it is whole, and its users go on where they were."""
        alice = self.session("alice")
        alice.ask("join", room="#ops")
        backup = Path(self.mktemp()).absolute()
        argv = ["backup", str(backup), "--state", self.state]
        process = subprocess.Popen(
            [sys.executable, "-m", "chatd.ctl", *argv], env=project_environment()
        )
        sent = 0
        while process.poll() is None:
            sent += 1
            alice.ask("send", room="#ops", body="x", id=f"m{sent}")
        self.assertEqual(process.returncode, 0)
        self.assertEqual(stat.S_IMODE(backup.stat().st_mode), 0o600)
        self.do("verify", "--file", str(backup))
        other = Daemon(self)
        other.terminate()
        self.daemon.terminate()
        shutil.copytree(
            self.daemon.state / "keys", other.state / "keys", dirs_exist_ok=True
        )
        self.daemon = other
        code, _, err = self.ctl("restore", str(backup), "--verify")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("in place", self.do("restore", str(backup)))
        other.restart()
        with other.connect() as connection:
            key = keyfile.read(other.state / "keys" / "alice.key")
            again = SessionClient(connection, key)
            head = again.ask("join", room="#ops", after=0)
            self.assertGreater(head["last"], 0)
            resent = again.ask("send", room="#ops", body="x", id="m1")
            self.assertEqual(resent["seq"], 1)
        self.do("verify")

    def test_without_a_daemon(self) -> None:
        """backup and verify work on the file, too; restore only then."""
        backup = Path(self.mktemp()).absolute()
        code, _, err = self.ctl("restore", os.devnull)
        self.assertEqual(code, 1)
        self.assertIn("stop it first", err)
        self.daemon.terminate()
        self.do("backup", str(backup))
        self.do("verify")
