"""Peers by their addresses: their names in the log, and who counts as one."""

from __future__ import annotations

from ipaddress import IPv6Network

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

_MAPPED = "::ffff:"


def peer_name(address: IAddress) -> str:
    """``host:port``, ``[host]:port``, or ``unix`` for a local socket."""
    match address:
        case IPv4Address():
            return f"{address.host}:{address.port}"
        case IPv6Address():
            return f"[{address.host}]:{address.port}"
        case _:
            return "unix"


def group(address: IAddress) -> str:
    """What counts as one address where connections and refusals are counted.

    An IPv4 address (mapped into IPv6 too), an IPv6 /64, since one host commonly holds
    all of one (RFC 4291), or all local sockets together.
    """
    match address:
        case IPv4Address():
            return address.host
        case IPv6Address():
            host = address.host.partition("%")[0]
            if host.startswith(_MAPPED):
                return host.removeprefix(_MAPPED)
            return str(IPv6Network((host, 64), strict=False))
        case _:
            return "unix"
