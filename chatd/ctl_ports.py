"""Is what --listen names free, or held by a daemon that answers under our key?"""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from collections.abc import Sequence
from ipaddress import IPv4Address

from twisted.internet.abstract import isIPv6Address
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from chatd.listening import endpoint
from chatd.server.service import StartError
from chatd.wire import handshake
from chatd.wire.framing import FrameDecoder, encode, token_length
from chatd.wire.plain import DEFAULT_FRAME
from chatd.wire.tokens import Key, Sealer

PATIENCE = 3.0  # seconds for an answer

_SYSTEMD = "systemd:"


class PortFault(Exception):
    """What is wrong with one endpoint, and what to do, in one line."""


class _Binding:
    """In a reactor's place: binds where an endpoint would listen, and lets go.

    Keeps the address that is taken, so that somebody can ask who has it.
    """

    taken: tuple[socket.AddressFamily, tuple[str, int] | str] | None = None
    tls = False

    def listenTCP(
        self, port: int, factory: object, backlog: int = 0, interface: str = ""
    ) -> None:
        six = isIPv6Address(interface)
        here = "::1" if six else "127.0.0.1"
        everywhere = interface in {"", "::", str(IPv4Address(0))}
        self._bind(
            socket.AF_INET6 if six else socket.AF_INET,
            (interface, port),
            (here if everywhere else interface, port),
        )

    def listenSSL(
        self,
        port: int,
        factory: object,
        contextFactory: object,
        backlog: int = 0,
        interface: str = "",
    ) -> None:
        self.tls = True
        self.listenTCP(port, factory, backlog, interface)

    def listenUNIX(self, address: str, factory: object, **_: object) -> None:
        self._bind(socket.AF_UNIX, address, address)
        os.unlink(address)

    def _bind(
        self,
        family: socket.AddressFamily,
        address: tuple[str, int] | str,
        reached: tuple[str, int] | str,
    ) -> None:
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(address)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    self.taken = family, reached
                raise


def examine(description: str, keys: Sequence[Key], plain: bool) -> str:
    """What became of the endpoint `description`. Raises PortFault.

    `keys`: the shared ones, the current first; `plain`: the plain dialect is spoken.
    """
    if description.startswith(_SYSTEMD):
        return f"{description} is systemd's to open"
    binding = _Binding()
    try:
        port = endpoint(binding, description)
    except StartError as error:
        raise PortFault(f"{error}: choose another") from None
    failures: list[Failure] = []
    port.listen(Factory()).addErrback(failures.append)
    if not failures:
        return f"{description} is free"
    if binding.taken is None:
        raise PortFault(
            f"cannot listen on {description}: {failures[0].getErrorMessage()}:"
            " choose another --listen, or another user"
        )
    if keys and _answers(binding, keys, plain):
        return f"{description} answers under our key"
    raise PortFault(
        f"{description} is taken by another, or by a daemon with another key:"
        " find it with ss -lptx, or choose another --listen"
    )


def _answers(binding: _Binding, keys: Sequence[Key], plain: bool) -> bool:
    """Whether who has the port seals its answer under one of `keys`."""
    assert binding.taken is not None  # for the type checker
    family, address = binding.taken
    if plain:
        text = b"check"
    else:
        text = handshake.hello("chatctl", None, handshake.Ephemeral(os.urandom).public)
    sealer = Sealer(keys[0], time.time, os.urandom)
    decoder = FrameDecoder(token_length(DEFAULT_FRAME))
    try:
        with socket.socket(family) as bare:
            bare.settimeout(PATIENCE)
            bare.connect(address)
            with _wrapped(bare) if binding.tls else bare as peer:
                peer.sendall(encode(sealer.seal([text])[0]))
                while data := peer.recv(65536):
                    if frames := decoder.feed(data):
                        return isinstance(sealer.open(frames[:1])[0], bytes)
                    if decoder.fault:
                        break
    except OSError:
        pass
    return False


def _wrapped(connection: socket.socket) -> ssl.SSLSocket:
    """TLS to whomever: who it is, our own key tells."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)
