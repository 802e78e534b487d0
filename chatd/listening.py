"""Where the daemon listens, from the operator's words, and what that takes."""

from __future__ import annotations

import resource

from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IStreamServerEndpoint

from chatd.server.service import StartError

BACKLOG = 4096  # Twisted's 50 makes a burst of connects wait for seconds


def endpoint(
    reactor: object, description: str, option: str = "--listen"
) -> IStreamServerEndpoint:
    """What `description`, in Twisted's words, stands for. Raises StartError."""
    try:
        made: IStreamServerEndpoint = serverFromString(
            reactor, with_backlog(description)
        )
        return made
    except IndexError:  # systemd's
        reason = "no such socket was handed over"
    except Exception as error:  # endpoints' plugins and OpenSSL raise what they like
        reason = str(error) or type(error).__name__
    raise StartError(f"{option} {description}: {reason}")


def with_backlog(description: str) -> str:
    """`description`, with room for bursts unless the operator chose another."""
    if description.startswith(("tcp", "ssl")) and ":backlog=" not in description:
        return f"{description}:backlog={BACKLOG}"
    return description


def allow_files(connections: int) -> None:
    """Raise the soft limit of open files as far as `connections` need, and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
