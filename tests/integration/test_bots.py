"""docs/bots.md: the bot that is printed there."""

from __future__ import annotations

import subprocess
import sys

from chatd.wire.tokens import Key
from tests.helpers import ROOT, STOP_SECONDS, project_environment
from tests.integration.test_sessions import DaemonCase
from tests.session_client import SessionClient
from tests.test_docs import block

SOURCE = block((ROOT / "docs" / "bots.md").read_text(), "python")


class BotTests(DaemonCase):
    """Against a real daemon, in a process of its own."""

    def start(self, key: Key) -> subprocess.Popen[str]:
        """The bot, once it has joined its room."""
        folder = self.daemon.folder
        key_path = self.daemon.state / "keys" / "greeter.key"
        words = ["127.0.0.1", str(self.daemon.port), str(key_path)]
        bot = subprocess.Popen(
            [sys.executable, "-c", SOURCE, *words, str(folder / "greeter.db")],
            env=project_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self.end, bot)
        assert bot.stdout is not None
        self.assertEqual(bot.stdout.readline(), "ready\n")
        return bot

    def end(self, bot: subprocess.Popen[str]) -> str:
        """What it said on standard error."""
        bot.kill()
        return bot.communicate(timeout=STOP_SECONDS)[1]

    def await_answers(self, alice: SessionClient, count: int) -> None:
        while count:
            count -= alice.pushed("message")["sender"] == "greeter"

    def test_short(self) -> None:
        """It is about thirty lines of its own."""
        lines = SOURCE.partition("ROOM =")[2].splitlines()
        self.assertLessEqual(len([line for line in lines if line]), 32)

    def test_each_once(self) -> None:
        """It answers each message exactly once, though it is killed between."""
        greeter, alice = self.add("greeter"), self.session(self.add("alice"))
        bot = self.start(greeter)
        alice.ask("join", room="#lobby")
        for body in ("!hello", "nothing", "!hello"):
            alice.ask("send", room="#lobby", body=body)
        self.await_answers(alice, 2)
        self.end(bot)
        alice.ask("send", room="#lobby", body="!hello")
        self.start(greeter)
        self.await_answers(alice, 1)
        said = [
            (each["body"], each["id"])
            for each in self.history(alice, "#lobby")
            if each["sender"] == "greeter"
        ]
        self.assertEqual({body for body, _ in said}, {"Hello alice!"})
        self.assertEqual(len(said), 3)
        self.assertEqual(len({id for _, id in said}), 3)

    def test_removed(self) -> None:
        """When its user is removed it ends, and says why."""
        bot = self.start(self.add("greeter"))
        self.users.remove("greeter")
        _, complaint = bot.communicate(timeout=STOP_SECONDS)
        self.assertEqual(bot.returncode, 1)
        self.assertIn("removed", complaint)
