"""Files that their owner alone can read, in a folder of theirs, under its lock.

What is written is on disk when the call returns: a temporary file, fsync, rename or
link, fsync of the folder. At no moment does half a file stand under its name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shlex
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatd.keyfile import KeyFileError

LOCK_NAME = ".lock"
TEMPORARY_SECONDS = 86_400
"""The age at which a temporary file is nobody's any more."""

_LARGEST = 65_536  # bytes
_PAUSE = 0.01  # seconds between two tries for the lock
_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{16}")


def make(folder: Path) -> None:
    """Make the folder, mode 0700, where it is not there. Raises KeyFileError."""
    try:
        folder.parent.mkdir(0o700, parents=True, exist_ok=True)
        folder.mkdir(0o700)
    except FileExistsError:
        pass
    else:
        if os.geteuid() == 0:
            owner = folder.parent.stat()
            os.chown(folder, owner.st_uid, owner.st_gid)
        _sync(folder.parent)
    mode = folder.stat().st_mode
    if not stat.S_ISDIR(mode):
        raise KeyFileError(f"{folder} is no folder: move it away")
    if mode & 0o022:
        raise KeyFileError(
            f"others can write to {folder} (mode {stat.S_IMODE(mode):04o}):"
            f" run: chmod 700 {shlex.quote(str(folder))}"
        )


@contextmanager
def locked(folder: Path, patience: float) -> Iterator[None]:
    """Hold the folder's lock. BlockingIOError after `patience` seconds without it."""
    path = folder / LOCK_NAME
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        _give_to_owner(fd, folder)
        tries = max(1, int(patience / _PAUSE))
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                tries -= 1
                if not tries:
                    raise BlockingIOError(
                        errno.EAGAIN, "held by another process; try again", str(path)
                    ) from None
                time.sleep(_PAUSE)
        yield
    finally:
        os.close(fd)


def stamp(folder: Path) -> int:
    """When the folder was modified, in ns; -1: it cannot be seen."""
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return -1


def thorough_stamp(folder: Path) -> frozenset[tuple[str, int, int]]:
    """What changes also when a file in the folder gets another mode or text."""
    try:
        with os.scandir(folder) as entries:
            stats = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return frozenset()
    return frozenset((name, s.st_ino, s.st_ctime_ns) for name, s in stats)


def is_abandoned(path: Path, now: float) -> bool:
    """Whether it is a temporary file that nobody will finish. `now`: seconds, epoch."""
    if not _TEMPORARY.fullmatch(path.name):
        return False
    try:
        return path.lstat().st_mtime < now - TEMPORARY_SECONDS
    except OSError:
        return False


def read(path: Path) -> bytes:
    """What stands in the file, up to 64 KiB. Raises KeyFileError, where others can
    read it too."""
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise KeyFileError(f"cannot read {path}: not a regular file")
            text = file.read(_LARGEST)
    except OSError as error:
        raise KeyFileError(f"cannot read {path}: {error.strerror}") from None
    if stat.S_IMODE(mode) & 0o077:
        raise KeyFileError(
            f"others can read {path} (mode {stat.S_IMODE(mode):04o}):"
            f" run: chmod 600 {shlex.quote(str(path))}"
        )
    return text


def write(path: Path, text: str, *, new: bool = False) -> None:
    """Write `text` in UTF-8, mode 0600; on disk when this returns. Raises OSError.

    `new`: never overwrites, but raises FileExistsError.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            _give_to_owner(fd, path.parent)
            os.fsync(fd)
        if new:
            os.link(temporary, path)  # unlike rename, fails where path exists
            os.unlink(temporary)
        else:
            os.rename(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def rename(old: Path, new: Path) -> None:
    """Replaces `new`, if it is there; on disk then."""
    os.rename(old, new)
    _sync(new.parent)


def unlink(path: Path) -> None:
    """Where it is there; on disk then."""
    path.unlink(missing_ok=True)
    _sync(path.parent)


def _give_to_owner(fd: int, folder: Path) -> None:
    """What root makes must still be the daemon's to read."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(fd, owner.st_uid, owner.st_gid)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
