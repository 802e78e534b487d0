"""Webhooks of a real daemon, with real receivers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from hashlib import sha256

from chatd.journal.sqlite import Writer
from chatd.paths import JOURNAL_NAME
from chatd.webhooks.records import HOOK, PLACE, Hook, Incoming, Outgoing, Place, text
from tests.helpers import ROOT, STOP_SECONDS, project_environment
from tests.integration.http_receiver import HANG, Delivery, HTTPReceiver
from tests.integration.test_sessions import DaemonCase
from tests.session_client import SessionClient
from tests.test_docs import block


class HookCase(DaemonCase):
    """A daemon whose log holds all that it ever says."""

    options: tuple[str, ...] = ("--log-level", "debug")

    def keep(self, hook: Hook) -> None:
        """Put a hook into the store of a stopped daemon."""
        writer = Writer(self.daemon.state / JOURNAL_NAME, time.time)
        writer.begin()
        writer.keep(PLACE + hook.id, text(Place(0)))
        writer.keep(HOOK + hook.id, text(hook))
        writer.commit()
        writer.close()


class DeliveryTests(HookCase):
    """At least once, in order, whatever happens."""

    def hook(self, id: str, url: str) -> str:
        """A hook of the lobby; its secret."""
        hook = Outgoing(id, id, "#lobby", url, f"secret-{id}", 0)
        self.keep(hook)
        return hook.secret

    def say(self, client: SessionClient, *bodies: str) -> None:
        for body in bodies:
            id = os.urandom(16).hex()
            told = client.ask("send", id, room="#lobby", body=body)
            self.assertEqual(told["op"], "ack")

    def restart(self) -> SessionClient:
        self.daemon.restart()
        return self.session(self.alice)

    def in_order(self, found: list[Delivery]) -> None:
        """Signed, and each message of the room, in order, at least once."""
        self.assertTrue(all(each.signed for each in found))
        seqs = [each.message["seq"] for each in found]
        self.assertEqual([each.id for each in found], [f"#lobby:{n}" for n in seqs])
        self.assertEqual(seqs, sorted(seqs))
        self.assertEqual(set(seqs), set(range(1, seqs[-1] + 1)))

    def test_at_least_once(self) -> None:
        """A receiver fails, hangs, is away, comes back, the daemon is killed: all
        messages come, in order, signed; another receiver and the chat feel nothing.
        """
        self.alice = self.add("alice")
        self.daemon.terminate()
        bad, good = HTTPReceiver(self), HTTPReceiver(self)
        bad.secret, good.secret = self.hook("bad", bad.url), self.hook("good", good.url)
        client = self.restart()

        bad.codes = [200, 500, 503, 200, HANG]
        self.say(client, "1", "2", "3", "4")
        seen = good.until("4")
        tried = [bad.next() for _ in range(5)]
        self.assertEqual(
            [(each.message["body"], each.code) for each in tried],
            [("1", 200), ("2", 500), ("2", 503), ("2", 200), ("3", HANG)],
        )
        self.daemon.kill()  # while it waits for the answer

        bad.go()
        client = self.restart()
        self.say(client, "5")
        seen += good.until("5")
        while "hook-failing" not in self.daemon.log().rpartition(" listening ")[2]:
            self.say(client, "again")
            seen += good.until("again")
        bad.come()
        self.say(client, "6")
        tried += bad.until("6")
        seen += good.until("6")

        self.in_order(tried)
        self.in_order(seen)
        taken = [each.id for each in tried if each.code == 200]
        self.assertEqual(len(taken), len(set(taken)))
        self.assertLessEqual(len(seen) - len({each.id for each in seen}), 1)

    def test_log(self) -> None:
        """Not even at debug does the log hold a secret, the URL's path or a text."""
        self.daemon.terminate()
        receiver = HTTPReceiver(self)
        receiver.secret = self.hook("ci", receiver.url + "-of-the-url")
        self.daemon.restart()
        client = self.session(self.daemon.key)
        receiver.codes = [500]
        self.say(client, "said-in-secret")
        receiver.until("said-in-secret")
        self.daemon.terminate()
        log = self.daemon.log()
        self.assertIn("hook-failing", log)
        for word in (receiver.secret, "-of-the-url", "said-in-secret"):
            self.assertNotIn(word, log)


class HTTPCase(HookCase):
    """One that takes posts."""

    options = (*HookCase.options, "--http", "tcp:0:interface=127.0.0.1")
    token = ""

    def curl(self, line: str) -> str:
        """The answer."""
        _, _, started = self.daemon.log().rpartition(" listening ")
        port = re.findall(r"127\.0\.0\.1:(\d+)", started)[1]
        done = subprocess.run(
            ["/bin/sh", "-c", line],
            env=project_environment(CHATD=f"http://127.0.0.1:{port}", TOKEN=self.token),
            cwd=self.daemon.folder,
            capture_output=True,
            timeout=STOP_SECONDS,
        )
        return done.stdout.decode()


class PostTests(HTTPCase):
    """docs/webhooks.md: the curl lines, as they are printed."""

    def test_curl(self) -> None:
        """Each line says its text; with a key once, though the daemon is killed."""
        self.token = os.urandom(32).hex()
        self.daemon.terminate()
        digest = sha256(self.token.encode()).hexdigest()
        self.keep(Incoming("1", "ci", "#lobby", digest, 0))
        self.daemon.restart()
        (self.daemon.folder / "report.txt").write_text("all\nwell\n")
        lines = block((ROOT / "docs" / "webhooks.md").read_text(), "sh").splitlines()
        receipts = [json.loads(self.curl(line)) for line in lines]
        self.daemon.kill()
        self.daemon.restart()
        again = [json.loads(self.curl(line)) for line in lines if "build" in line]
        self.assertEqual(again, receipts[2:])

        guest = self.session(self.daemon.key)
        found = self.history(guest, "#lobby")
        told = [{key: m[key] for key in ("room", "seq", "time")} for m in found]
        self.assertEqual(told, receipts)
        bodies = ["deployed", "all\nwell", "build 7 is done", "build 8 is done"]
        self.assertEqual([m["body"] for m in found], bodies)
        self.assertEqual({m["sender"] for m in found}, {"hook-ci"})
        for word in (self.token, digest, "deployed", "is done", "build-7"):
            self.assertNotIn(word, self.daemon.log())


class OperatorTests(HTTPCase):
    """docs/webhooks.md: hooks as the operator makes and removes them."""

    def hook(self, *words: str) -> dict[str, str]:
        """What `chatctl hook` says, as JSON."""
        done = self.chatctl("hook", *words, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        told: dict[str, str] = json.loads(done.stdout)
        return told

    def test_chatctl(self) -> None:
        """Made while the daemon runs, a hook works at once, until it is removed."""
        receiver = HTTPReceiver(self)
        incoming = self.hook("add", "#lobby", "ci")
        outgoing = self.hook("add", "#lobby", "log", "--url", receiver.url)
        self.token, receiver.secret = incoming["token"], outgoing["secret"]
        post = 'curl -d deployed "$CHATD/hooks/$TOKEN"'
        self.assertEqual(json.loads(self.curl(post))["room"], "#lobby")
        (delivery,) = receiver.until("deployed")
        self.assertTrue(delivery.signed)
        self.assertEqual(delivery.message["sender"], "hook-ci")
        listed = self.chatctl("hook", "list").stdout
        for made in (incoming, outgoing):
            self.assertIn(made["id"], listed)
            self.hook("remove", made["id"])
        for secret in (self.token, receiver.secret, "/path"):
            self.assertNotIn(secret, listed)
            self.assertNotIn(secret, self.daemon.log())
        self.assertIn("no such hook", self.curl(post))
        self.assertEqual(self.chatctl("hook", "remove", "none").returncode, 1)
