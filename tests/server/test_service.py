"""The service: start, reload, stop, on the real reactor and a loopback port."""

from __future__ import annotations

import signal

from cryptography.fernet import Fernet
from twisted.application.service import IService
from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ServerEndpoint, serverFromString
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from chatd import keyfile
from chatd.server.service import ChatService, StartError
from tests.server.house import House


class ServiceTests(TestCase):
    """One service at a time."""

    def setUp(self) -> None:
        self.house = House(self, begin=False)
        self.path, self.keyring = self.house.shared_path, self.house.keyring
        self.told: list[str] = []
        self.events = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        for number in (signal.SIGHUP, signal.SIGUSR1):
            self.addCleanup(signal.signal, number, signal.getsignal(number))

    def make(self, *descriptions: str) -> ChatService:
        endpoints = [(d, serverFromString(reactor, d)) for d in descriptions]
        return ChatService(
            IReactorFromThreads(reactor),
            endpoints,
            self.house.factory,
            self.keyring,
            self.house.hub,
            None,
            self.told.append,
        )

    def logged(self, name: str) -> list[dict[str, object]]:
        return [dict(e) for e in self.events if e.get("log_format") == name]

    def test_interface(self) -> None:
        """It is the service that twistd takes it for."""
        verifyObject(IService, self.make())

    async def test_life(self) -> None:
        """It tells when it listens and where, and when it stops."""
        service = self.make("tcp:0:interface=127.0.0.1", "tcp:0:interface=127.0.0.1")
        service.startService()
        (event,) = self.logged("listening")
        self.assertEqual(self.told[0].splitlines()[0], "READY=1")
        self.assertIn(str(event["addresses"]), self.told[0])
        self.assertEqual(str(event["addresses"]).count("127.0.0.1:"), 2)
        await service.stopService()
        self.assertEqual(self.told[1:], ["STOPPING=1"])
        self.assertEqual(len(self.logged("stopped")), 1)

    async def test_privileged_start(self) -> None:
        """Bound in the privileged half, it is not bound again in the other."""
        service = self.make("tcp:0:interface=127.0.0.1")
        service.privilegedStartService()
        service.startService()
        (event,) = self.logged("listening")
        self.assertEqual(str(event["addresses"]).count("127.0.0.1:"), 1)
        await service.stopService()

    async def test_port_in_use(self) -> None:
        """A port that is taken is a StartError, and the others are let go."""
        endpoint = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        other = await endpoint.listen(self.house.factory)
        taken = f"tcp:{other.getHost().port}:interface=127.0.0.1"
        service = self.make("tcp:0:interface=127.0.0.1", taken)
        with self.assertRaises(StartError) as caught:
            service.privilegedStartService()
        self.assertEqual(
            str(caught.exception), f"cannot listen on {taken}: Address already in use"
        )
        await other.stopListening()

    def test_reload(self) -> None:
        """A reload says which keys are accepted now; a failed one says why."""
        service = self.make()
        new = Fernet(keyfile.rotate(self.path).text)
        service.reload()
        (event,) = self.logged("reloaded")
        self.assertEqual(str(event["keys"]).split(), self.keyring.ids)
        self.assertEqual(len(self.keyring.ids), 2)
        self.path.chmod(0o644)
        service.reload()
        (event,) = self.logged("reload-failed")
        self.assertIn("chmod 600", str(event["reason"]))
        self.assertIsInstance(self.keyring.open([new.encrypt(b"x")])[0], tuple)
