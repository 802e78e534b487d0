"""Putting a backup in the journal's place, so that no crash leaves none there."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from chatd.journal import check, schema
from chatd.journal.check import Verdict
from chatd.journal.interface import Told, untold


class NotRestored(Exception):
    """Why it was not done, in one line; nothing was changed."""


def verdicts(path: Path, told: Told = untold) -> list[Verdict]:
    """What each room of a store is. Raises NotRestored where it cannot be read."""
    try:
        with closing(_opened(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > len(schema.MIGRATIONS):
                raise NotRestored(
                    f"{path} was written by a newer chatd: install that one"
                )
            return check.verify(connection, told=told)
    except FileNotFoundError:
        raise NotRestored(f"there is no {path}") from None
    except sqlite3.Error as error:
        raise NotRestored(f"cannot read {path}: {error}") from None


def losses(backup: Path, journal: Path, told: Told = untold) -> list[str]:
    """What the journal holds that the backup does not, in lines for people.

    Raises NotRestored where the backup is not whole.
    """
    found = verdicts(backup, told)
    if wrong := [each.fault for each in found if each.fault is not None]:
        raise NotRestored(f"{backup} is not whole: {wrong[0]}")
    if not journal.exists():
        return []
    held = {each.room: each.seq for each in found}
    try:
        now = verdicts(journal, told)
    except NotRestored:
        return [f"what {journal} holds cannot be told: it cannot be read"]
    lines = []
    for each in now:
        lost = each.seq - held.get(each.room, 0)
        if lost > 0:
            first = held.get(each.room, 0) + 1
            lines.append(f"{each.room}: messages {first} to {each.seq} will be lost")
    if lines:
        lines.append("clients that have them will say that the server diverged")
    return lines


def restore(
    backup: Path, journal: Path, tell: Callable[[str], object], told: Told = untold
) -> Path | None:
    """Put `backup` in place of `journal`; where the old one is kept, if there was one.

    `tell` hears what is lost, before. Raises NotRestored.
    """
    with _alone(journal):
        for line in losses(backup, journal, told):
            tell(line)
        try:
            return _replace(backup, journal)
        except sqlite3.Error as error:
            raise NotRestored(f"cannot copy {backup}: {error}") from None
        except OSError as error:
            raise NotRestored(f"{error.filename}: {error.strerror}") from None


def _replace(backup: Path, journal: Path) -> Path | None:
    _sweep(journal)
    new = journal.with_name(f".{journal.name}.restoring")
    try:
        with closing(_opened(backup)) as connection:  # with its log, where it has one
            schema.copy(connection, new)
        _give(new)
        kept = _set_aside(journal)
        # Before the rename: a log of the old one would be played into the new.
        for suffix in ("-wal", "-shm"):
            journal.with_name(journal.name + suffix).unlink(missing_ok=True)
        os.rename(new, journal)
        schema.sync(journal.parent)
    finally:
        new.unlink(missing_ok=True)
    return kept


def _give(path: Path) -> None:
    """To the owner of the folder, whose daemon shall open it; root alone can."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid)


def _sweep(journal: Path) -> None:
    """Remove the unfinished copies of one that was killed."""
    for unfinished in (".restoring", ".before-restore-"):
        for path in journal.parent.glob(f".*{journal.name}{unfinished}*"):
            path.unlink(missing_ok=True)


def _set_aside(journal: Path) -> Path | None:
    """A copy of the journal beside it; the journal itself is whole without its log."""
    if not journal.exists():
        return None
    kept = _unused(journal)
    try:
        with closing(schema.connect(journal)) as connection:
            connection.execute("PRAGMA busy_timeout=1000")
            emptied = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if emptied[0]:
                raise NotRestored(f"another command reads {journal}: try again")
            schema.copy(connection, kept)
    except sqlite3.Error:  # damaged: as it lies there
        for suffix in ("", "-wal"):
            source = journal.with_name(journal.name + suffix)
            if source.exists():
                copied = kept.with_name(kept.name + suffix)
                shutil.copy2(source, copied)
                schema.sync(copied)
    _give(kept)
    return kept


def _unused(journal: Path) -> Path:
    """Where to keep the journal; nothing that was kept before is touched."""
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    base = kept = journal.with_name(f"{journal.name}.before-restore-{stamp}")
    for number in itertools.count(2):
        if not kept.exists():
            break
        kept = base.with_name(f"{base.name}-{number}")
    return kept


@contextmanager
def _alone(journal: Path) -> Iterator[None]:
    """No daemon has the store meanwhile. Raises NotRestored."""
    lock = journal.with_name(f"{journal.name}.lock")
    try:
        fd = os.open(lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise NotRestored(f"{lock}: {error.strerror}") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise NotRestored(
            f"a daemon uses {journal}: stop it first (systemctl stop chatd)"
        ) from None
    try:
        _give(lock)
        yield
    finally:
        os.close(fd)


def _opened(path: Path) -> sqlite3.Connection:
    path.stat()
    return sqlite3.connect(f"file:{path.absolute()}?mode=ro", uri=True, timeout=10)
