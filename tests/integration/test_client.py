"""The client library against the real daemon."""

from __future__ import annotations

import os

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import HostnameEndpoint
from twisted.trial.unittest import TestCase

from chatd.client.link import LinkState, Phase, Reason
from chatd.client.plain import PlainClient, SayFailed
from chatd.wire.tokens import Key
from tests.helpers import Daemon


class ClientTests(TestCase):
    def client(self, daemon: Daemon, key: Key | None = None) -> PlainClient:
        endpoint = HostnameEndpoint(reactor, "127.0.0.1", daemon.port)
        client = PlainClient(reactor, endpoint, key or daemon.key)
        self.addCleanup(client.stop)
        return client

    def until(self, client: PlainClient, phase: Phase) -> Deferred[LinkState]:
        seen: Deferred[LinkState] = Deferred()

        def look(state: LinkState) -> None:
            if state.phase is phase and not seen.called:
                seen.callback(state)

        client.observe(look)
        return seen

    async def test_replies(self) -> None:
        """A thousand texts at once get their own replies."""
        client = self.client(Daemon(self))
        client.start()
        texts = [f"{number} é" for number in range(1000)]
        replies = await gatherResults([client.say(text) for text in texts])
        self.assertEqual(replies, ["Server received: " + text for text in texts])

    async def test_wrong_key(self) -> None:
        """The daemon's answer to a wrong key is told as one."""
        client = self.client(Daemon(self), Key.generate(os.urandom))
        waiting = self.until(client, Phase.WAITING)
        client.start()
        state = await waiting
        self.assertIs(state.reason, Reason.WRONG_KEY)

    async def test_killed_and_back(self) -> None:
        """A killed daemon is LOST, then REFUSED; back again, texts are answered."""
        daemon = Daemon(self)
        client = self.client(daemon)
        client.start()
        await client.when_online()
        waiting = self.until(client, Phase.WAITING)
        daemon.kill()
        state = await waiting
        self.assertIs(state.reason, Reason.LOST)
        with self.assertRaises(SayFailed):
            await client.say("x")
        refused = self.until(client, Phase.WAITING)
        client.retry_now()
        state = await refused
        self.assertIs(state.reason, Reason.REFUSED)
        daemon.restart()
        client.retry_now()
        await client.when_online()
        self.assertEqual(await client.say("y"), "Server received: y")
