"""The files of the users' keys: read with care, written so that a crash loses none."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chatd import keyfile
from chatd.keyfile import KeyFileError
from chatd.wire.tokens import BadKey, Key

LARGEST = 16_384
"""Bytes of the largest file read."""

Object = dict[str, Any]


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """One writer at a time, the daemon or chatctl."""
    fd = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def put(path: Path, text: str) -> None:
    """Let `path` hold `text`, mode 0600, whatever it held; on disk at return."""
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(fd)
    move(temporary, path)


def put_key(path: Path, key: Key) -> None:
    put(path, key.text + "\n")


def put_object(path: Path, members: Object) -> None:
    put(path, json.dumps(members, indent=1) + "\n")


def move(source: Path, target: Path) -> None:
    os.rename(source, target)
    sync(target.parent)


def drop(path: Path) -> None:
    path.unlink(missing_ok=True)
    sync(path.parent)


def sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_object(path: Path, check: Callable[[Object], Any]) -> Any:
    """What `check` makes of the JSON in `path`. Raises KeyFileError.

    Refuses, as for keys, a file that others can read: it holds one.
    """
    text = keyfile.read_text(path, LARGEST)
    try:
        members = json.loads(text)
        if not isinstance(members, dict):
            raise ValueError
        return check(members)
    except (ValueError, KeyError, TypeError, BadKey):
        raise KeyFileError(f"{path} is damaged: move it away") from None
