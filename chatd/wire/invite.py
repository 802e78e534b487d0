"""Invites: the line that brings a device to its server (protocol section 4.7).

``chatd://host:port/?name=alice&host=other:port#<key>``
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote

from chatd.wire.names import is_name
from chatd.wire.tokens import BadKey, Key

SCHEME = "chatd://"
DEFAULT_PORT = 5555
MOST_HOSTS = 16
LONGEST_LINE = 8_192

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_PORT = re.compile(r"[0-9]{1,5}")


class BadInvite(ValueError):
    """What is wrong with the line. Never holds the line, which is a secret."""


@dataclass(frozen=True, slots=True)
class Invite:
    """Where to go, as whom, and the key that opens once.

    `hosts`: at least one (name or address, port); IPv6 addresses without brackets.
    """

    hosts: tuple[tuple[str, int], ...]
    name: str
    key: Key


def parse(text: str) -> Invite:
    """The invite that `text` is, white space around it aside. Raises BadInvite.

    Parameters it does not know are ignored.
    """
    text = text.strip()
    if len(text) > LONGEST_LINE:
        raise BadInvite("an invite is one line, and this is far longer")
    if not text.startswith(SCHEME):
        raise BadInvite(f"an invite begins with {SCHEME}")
    address, _, secret = text.removeprefix(SCHEME).partition("#")
    if not secret:
        raise BadInvite("the invite lacks its key, the part behind #: is the line cut?")
    try:
        key = Key.parse(secret)
    except BadKey:
        raise BadInvite(
            "the key behind # is not whole: was the line cut off?"
        ) from None
    first, _, query = address.partition("?")
    hosts = [parse_host(first.removesuffix("/"))]
    names: list[str] = []
    for parameter in query.split("&"):
        field, _, value = parameter.partition("=")
        if field == "name":
            names.append(unquote(value))
        elif field == "host":
            hosts.append(parse_host(unquote(value)))
    if len(names) != 1 or not is_name(names[0]):
        raise BadInvite("the invite does not say for which name it is")
    if len(hosts) > MOST_HOSTS:
        raise BadInvite(f"an invite names {MOST_HOSTS} hosts at most")
    return Invite(tuple(hosts), names[0], key)


def line(invite: Invite) -> str:
    """The one line, without a line end, that `parse` reads. Secret."""
    first, *more = (written_host(*host) for host in invite.hosts)
    further = "".join(f"&host={host}" for host in more)
    return f"{SCHEME}{first}/?name={invite.name}{further}#{invite.key.text}"


def parse_host(text: str) -> tuple[str, int]:
    """Host and port of ``host``, ``host:port``, ``[IPv6]`` or ``[IPv6]:port``.

    Without a port it is DEFAULT_PORT. Raises BadInvite.
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        try:
            IPv6Address(host)
        except AddressValueError:
            bracket = ""
        # A zone, as in fe80::1%eth0, means nothing on another machine.
        if not bracket or "%" in host:
            raise BadInvite("between [ and ] an IPv6 address must stand")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
        if ":" in port:
            raise BadInvite("an IPv6 address must stand between [ and ]")
        if not _HOST.fullmatch(host):
            raise BadInvite("a host must be an ASCII name or an address")
    if not colon:
        return host, DEFAULT_PORT
    if colon != ":" or not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise BadInvite("the port of a host must be a number 1..65535")
    return host, int(port)


def written_host(host: str, port: int) -> str:
    """``host:port``, brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
