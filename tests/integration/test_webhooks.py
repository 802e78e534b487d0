"""Webhooks of a real daemon, with real receivers."""

from __future__ import annotations

import os
import time

from chatd.journal.sqlite import Writer
from chatd.paths import JOURNAL_NAME
from chatd.webhooks.records import HOOK, PLACE, Outgoing, Place, text
from tests.integration.http_receiver import HANG, Delivery, HTTPReceiver
from tests.integration.test_sessions import DaemonCase
from tests.session_client import SessionClient


class DeliveryTests(DaemonCase):
    """At least once, in order, whatever happens."""

    options = ("--log-level", "debug")

    def hook(self, id: str, url: str) -> str:
        """Put a hook of the lobby into the store of a stopped daemon; its secret."""
        writer = Writer(self.daemon.state / JOURNAL_NAME, time.time)
        writer.begin()
        hook = Outgoing(id, id, "#lobby", url, f"secret-{id}", 0)
        writer.keep(PLACE + id, text(Place(0)))
        writer.keep(HOOK + id, text(hook))
        writer.commit()
        writer.close()
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
