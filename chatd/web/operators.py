"""Where the admin API listens: a socket in the state folder, for its owner alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.interfaces import IReactorTime

from chatd.paths import socket_path
from chatd.server.service import Listener, StartError
from chatd.web.admin import Admin
from chatd.web.house import House
from chatd.web.site import site

MODE = 0o600


def admin_listener(reactor: Any, path: Path, house: House) -> Listener:
    """At `path`; what a killed daemon left there is replaced. Raises StartError."""
    try:
        address = socket_path(path)
    except OSError as error:
        raise StartError(f"cannot listen on {path}: {error.strerror}") from None
    endpoint = UNIXServerEndpoint(reactor, address, mode=MODE, wantPID=True)
    admin = Admin(house, IReactorTime(reactor))
    busy = (
        f"another chatd uses {path.parent}, or {path.name} cannot be made there:"
        " stop it, or choose another --state"
    )
    return Listener(f"unix:{path}", endpoint, site({"admin": admin}), busy)
