"""The operator's socket: for its owner alone, and one daemon's."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from chatd.web.owned import OwnedSocket

_HOLD = """
import sys, time
from pathlib import Path
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol
from chatd.web.owned import OwnedSocket
OwnedSocket(reactor, Path(sys.argv[1])).listen(Factory.forProtocol(Protocol))
print("listens", flush=True)
reactor.run()
"""


class BindOnly:
    """A reactor that is stopped between bind(2) and all that comes behind it."""

    mode = 0

    def listenUNIX(self, address: str, factory: object, **more: object) -> Any:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(address)
        self.mode = stat.S_IMODE(os.stat(address).st_mode)
        return object()


class OwnedTests(TestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute() / "admin.sock"
        self.path.parent.mkdir()

    async def listen(self) -> IListeningPort:
        endpoint = OwnedSocket(cast(Any, reactor), self.path)
        verifyObject(IStreamServerEndpoint, endpoint)
        port = await endpoint.listen(Factory.forProtocol(Protocol))
        verifyObject(IListeningPort, port)
        self.addCleanup(port.stopListening)
        return port

    def other(self) -> subprocess.Popen[str]:
        """Another process that listens there."""
        process = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(self.path)],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline(), "listens\n")
        return process

    def test_never_wider(self) -> None:
        """Nobody else can open it even between its making and its narrowing."""
        usual = os.umask(0)
        try:
            bare = BindOnly()
            OwnedSocket(cast(Any, bare), self.path).listen(Factory())
            self.addCleanup(bare.socket.close)
            self.assertEqual(bare.mode, 0o600)
            self.assertEqual(os.umask(0), 0)
        finally:
            os.umask(usual)

    async def test_killed(self) -> None:
        """What a killed process left is replaced."""
        self.other().send_signal(signal.SIGKILL)
        self.doCleanups()
        self.assertTrue(self.path.exists())
        await self.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.path.relpath(self.path))

    async def test_number_of_another(self) -> None:
        """A lock of Twisted's kind that names a living process hinders nobody."""
        os.symlink(str(os.getpid()), f"{self.path}.lock")
        await self.listen()

    async def test_alive(self) -> None:
        """A living process keeps it."""
        self.other()
        inode = self.path.stat().st_ino
        with self.assertRaises(CannotListenError):
            await self.listen()
        self.assertEqual(self.path.stat().st_ino, inode)

    async def test_no_socket(self) -> None:
        """A file that is none is left as it is."""
        self.path.write_text("mine")
        with self.assertRaises(CannotListenError):
            await self.listen()
        self.assertEqual(self.path.read_text(), "mine")
        self.path.unlink()
        await self.listen()

    async def test_stopped(self) -> None:
        """It goes with its port, and can be had again."""
        port = await self.listen()
        await maybeDeferred(port.stopListening)
        self.assertFalse(self.path.exists())
        await self.listen()

    async def test_removed(self) -> None:
        """That somebody removed it does not hinder the end."""
        port = await self.listen()
        self.path.unlink()
        await maybeDeferred(port.stopListening)
        await self.listen()

    async def test_long_path(self) -> None:
        """A path longer than unix(7) allows is no hindrance."""
        self.path = self.path.parent / ("x" * 120) / "admin.sock"
        self.path.parent.mkdir()
        await self.listen()
        self.assertTrue(stat.S_ISSOCK(self.path.stat().st_mode))
