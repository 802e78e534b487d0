"""Where the admin API listens: a socket in the state folder, for its owner alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.interfaces import IReactorTime

from chatd.server.service import Listener
from chatd.web.admin import Admin
from chatd.web.house import House
from chatd.web.owned import OwnedSocket
from chatd.web.site import site


def admin_listener(reactor: Any, path: Path, house: House) -> Listener:
    """At `path`; what a killed daemon left there is replaced."""
    admin = Admin(house, IReactorTime(reactor))
    busy = (
        f"another chatd uses {path.parent}, or {path.name} cannot be made there:"
        " stop it, or choose another --state"
    )
    endpoint = OwnedSocket(reactor, path)
    return Listener(f"unix:{path}", endpoint, site({"admin": admin}), busy)
