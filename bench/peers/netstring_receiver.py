"""Twisted's own NetstringReceiver."""

import sys
from pathlib import Path

from cryptography.fernet import Fernet
from twisted.internet import endpoints, reactor
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Factory
from twisted.protocols.basic import NetstringReceiver

from bench.peers import answer

fernet = Fernet(Path(sys.argv[1]).read_text().strip())


class Peer(NetstringReceiver):
    MAX_LENGTH = 87_480

    transport: ITCPTransport

    def connectionMade(self) -> None:
        ITCPTransport(self.transport).setTcpNoDelay(True)

    def stringReceived(self, string: bytes) -> None:
        self.sendString(answer(fernet, string))


endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, 4096, "127.0.0.1")
endpoint.listen(Factory.forProtocol(Peer)).addCallback(
    lambda port: print(port.getHost().port, flush=True)
)
reactor.run()
