"""Where things lie when nobody says where."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

KEY_NAME = "secret.key"
"""The shared key, in the state folder."""
KEYS_NAME = "keys"
"""The folder of the users' keys, there too."""
JOURNAL_NAME = "journal.db"
ADMIN_NAME = "admin.sock"
"""Where the daemon listens to its operator."""
_LONGEST_SOCKET = 90
"""Bytes of a UNIX socket's path: unix(7) has room for some more."""


def default_state(environ: Mapping[str, str]) -> Path:
    """The daemon's state folder.

    ``$STATE_DIRECTORY`` (systemd.exec(5); the first, where there are several), else
    ``$XDG_STATE_HOME/chatd`` (XDG Base Directory Specification), else
    ``~/.local/state/chatd``.
    """
    if given := environ.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(given)
    base = environ.get("XDG_STATE_HOME", "")
    if not base.startswith("/"):  # the specification: relative paths are ignored
        base = environ.get("HOME") or str(Path.home())
        return Path(base, ".local", "state", "chatd")
    return Path(base, "chatd")


def default_key(environ: Mapping[str, str], cwd: Path) -> Path:
    """The shared key file: ``secret.key`` here, else in the daemon's state folder."""
    here = cwd / KEY_NAME
    return here if here.exists() else default_state(environ) / KEY_NAME


def socket_path(path: Path) -> str:
    """`path` as it can be given to bind(2) and connect(2), however long it is.

    A longer one goes by way of an open descriptor of its folder (proc(5)), which is
    kept open. Raises OSError.
    """
    if len(os.fsencode(path)) <= _LONGEST_SOCKET:
        return str(path)
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return f"/proc/self/fd/{folder}/{path.name}"
