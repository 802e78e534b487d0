"""chat-term's commands about rooms, as processes, against a real daemon."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.helpers import Daemon, project_environment

SECONDS = 30.0


class RoomTests(SynchronousTestCase):
    """Alice and Bob, each with a key of their own."""

    def setUp(self) -> None:
        self.daemon = Daemon(self)
        self.keys = {name: self.add(name) for name in ("alice", "bob")}

    def add(self, name: str) -> Path:
        state = str(self.daemon.state)
        self.chatd("chatd.ctl", "user", "add", name, "--state", state)
        return self.daemon.state / "keys" / f"{name}.key"

    def chatd(
        self, module: str, *argv: str, said: str = "", key: Path | None = None
    ) -> tuple[int, str, str]:
        """Exit code, stdout, stderr; never a traceback."""
        key = key or self.daemon.key_path
        done = subprocess.run(
            [sys.executable, "-m", module, *argv],
            input=said.encode(),
            capture_output=True,
            env=project_environment(
                CHATD_PORT=str(self.daemon.port),
                CHATD_KEY=str(key.absolute()),
                HOME=str(Path("home").absolute()),
            ),
            timeout=SECONDS,
            check=False,
        )
        err = done.stderr.decode()
        self.assertNotIn("Traceback", err)
        return done.returncode, done.stdout.decode(), err

    def term(
        self, *argv: str, said: str = "", who: str = "alice"
    ) -> tuple[int, str, str]:
        return self.chatd(
            "chatd.clients.chat_term", *argv, said=said, key=self.keys[who]
        )

    def records(self, *argv: str, who: str = "alice") -> list[dict[str, object]]:
        code, out, err = self.term("--json", *argv, who=who)
        self.assertEqual((code, err), (0, ""))
        return [json.loads(line) for line in out.splitlines()]

    def say(self, *texts: str, who: str = "alice", room: str = "#ops") -> None:
        if room.startswith("#"):
            self.term("join", room, who=who)
        for text in texts:
            self.assertEqual(self.term("send", room, said=text, who=who)[0], 0)

    def test_send(self) -> None:
        """Standard input is one message; its place in the room is the answer."""
        code, _, err = self.term("send", "#ops", said="too soon")
        self.assertEqual(code, 1)
        self.assertIn("chat-term join '#ops'", err)
        self.assertEqual(self.term("join", "#ops")[0], 0)
        code, _, err = self.term("send", "#ops", said="done\nall\n")
        self.assertEqual((code, err), (0, ""))
        (sent,) = self.records("send", "#ops", "more", "words")
        self.assertEqual((sent["room"], sent["seq"]), ("#ops", 2))
        bodies = [m["body"] for m in self.records("history", "#ops", who="bob")]
        self.assertEqual(bodies, ["done\nall", "more words"])

    def test_each_line_through_kill(self) -> None:
        """Cut off by kill -9 of the daemon and given again, each line stands once."""
        lines = "".join(f"{n}\n" for n in range(40))
        self.assertEqual(self.term("join", "#ops")[0], 0)
        self.daemon.kill()
        arguments = ("send", "#ops", "--each-line", "--timeout", "1")
        code, _, err = self.term(*arguments, said=lines)
        self.assertEqual(code, 1)
        self.assertIn("Nothing listens", err)
        self.daemon.restart()
        self.assertEqual(self.term(*arguments, said=lines)[0], 0)
        bodies = [m["body"] for m in self.records("history", "#ops", who="bob")]
        self.assertEqual(bodies, [str(n) for n in range(40)])

    def test_tail(self) -> None:
        """What was said, then what comes, with its writer; | head -1 ends it."""
        self.say("before")
        tail = subprocess.Popen(
            [sys.executable, "-m", "chatd.clients.chat_term", "tail", "#ops"],
            stdout=subprocess.PIPE,
            env=project_environment(
                CHATD_PORT=str(self.daemon.port), CHATD_KEY=str(self.keys["bob"])
            ),
            text=True,
        )
        assert tail.stdout is not None
        self.addCleanup(tail.stdout.close)
        self.addCleanup(tail.wait, SECONDS)
        self.addCleanup(tail.kill)
        self.assertIn("before", tail.stdout.readline())
        self.say("after")
        line = tail.stdout.readline()
        self.assertIn("alice", line)
        self.assertIn("after", line)
        tail.stdout.close()
        self.say("nobody reads this")
        self.assertEqual(tail.wait(SECONDS), 0)

    def test_history(self) -> None:
        """The last ones, or those before one, the oldest first."""
        self.say("1", "2", "3")
        for options, expected in (
            ((), ["1", "2", "3"]),
            (("-n", "2"), ["2", "3"]),
            (("-n", "1", "--before", "2"), ["1"]),
        ):
            found = self.records("history", "#ops", *options)
            self.assertEqual([m["body"] for m in found], expected)

    def test_search(self) -> None:
        """Parts of words, in any case, newest first; 1 where nothing is found."""
        self.say("Needle one", "hay", "two NEEDLES")
        found = [m["body"] for m in self.records("search", "eedle", who="bob")]
        self.assertEqual(found, ["two NEEDLES", "Needle one"])
        self.assertEqual(self.term("search", "straw")[0], 1)
        self.say("secret needle", room="@bob")
        self.add("eve")
        self.keys["eve"] = self.daemon.state / "keys" / "eve.key"
        found = [m["body"] for m in self.records("search", "needle", who="eve")]
        self.assertEqual(found, ["two NEEDLES", "Needle one"])

    def test_rooms_and_members(self) -> None:
        """What may be seen, with what is unread; who is in it."""
        self.say("1", "2")
        self.term("join", "#ops", who="bob")
        rooms = {each["room"]: each for each in self.records("rooms", who="bob")}
        self.assertEqual(set(rooms), {"#lobby", "#ops", "@bob+server"})
        self.assertEqual(rooms["#ops"]["last"], 2)
        members = [each["name"] for each in self.records("members", "#ops")]
        self.assertEqual(members, ["alice", "bob"])
        code, _, err = self.term("members", "#none")
        self.assertEqual(code, 1)
        self.assertIn("no-such-room", err)

    def test_verify(self) -> None:
        """Two members see the same hash; a server set back is found out."""
        self.say("1", "2")
        mine, his = (self.records("verify", "#ops", who=w)[0] for w in self.keys)
        self.assertEqual((mine["seq"], mine["hash"]), (his["seq"], his["hash"]))
        journal = self.daemon.state / "journal.db"
        backup = str(self.daemon.folder / "old.db")
        state = ("--state", str(self.daemon.state))
        self.assertEqual(self.chatd("chatd.ctl", "backup", backup, *state)[0], 0)
        self.say("3")
        self.assertEqual(self.term("verify", "#ops")[0], 0)
        self.daemon.terminate()
        for name in ("journal.db-wal", "journal.db-shm"):
            (self.daemon.state / name).unlink(missing_ok=True)
        shutil.copy(backup, journal)
        self.daemon.restart()
        code, out, err = self.term("verify", "#ops")
        self.assertEqual(code, 1)
        self.assertIn("diverged", out)
        self.assertIn("lost or changed", err)

    def test_accept_and_rekey(self) -> None:
        """An invite becomes a key of one's own, which is replaced; no old one opens."""
        state = ("--state", str(self.daemon.state))
        where = ("--host", f"127.0.0.1:{self.daemon.port}")
        code, out, _ = self.chatd("chatd.ctl", "invite", "carl", *where, *state)
        self.assertEqual(code, 0)
        match = re.search(r"chatd://\S+", out)
        assert match is not None
        code, _, err = self.chatd(
            "chatd.clients.chat_term", "accept", said=match[0] + "\n"
        )
        self.assertEqual(code, 0, err)
        made = Path("xdg-config/chatd/carl.key").absolute()
        self.assertEqual(made.stat().st_mode & 0o777, 0o600)
        self.keys["carl"] = made
        self.say("hello", who="carl")
        os.rename(made, made.with_suffix(".mine"))
        code, _, err = self.chatd("chatd.clients.chat_term", "accept", match[0])
        self.assertEqual(code, 1)
        self.assertIn("used", err)
        os.rename(made.with_suffix(".mine"), made)
        old = made.with_suffix(".old")
        shutil.copy2(made, old)
        self.assertEqual(self.term("rekey", who="carl")[0], 0)
        self.say("still me", who="carl")
        self.keys["old"] = old
        code, _, err = self.term("send", "#ops", "x", who="old")
        self.assertEqual(code, 1)
        self.assertIn("newer", err)

    def test_usage(self) -> None:
        """What cannot be a room, or a number, is wrong use: 2, and what to do."""
        for argv, word in (
            (("tail", "ops!"), "#name"),
            (("history", "#ops", "-n", "x"), "0.."),
            (("send", "#no room", "x"), "room"),
        ):
            code, _, err = self.term(*argv)
            self.assertIn(code, (1, 2))
            self.assertIn(word, err)
