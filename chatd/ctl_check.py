"""``chatctl check``: would a daemon start here, and serve well? One line each."""

from __future__ import annotations

import argparse
import ctypes
import os
import shlex
import sqlite3
import stat
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from twisted.python.usage import UsageError

from chatd import keyfile, paths, tap
from chatd.ctl_ports import PortFault, examine
from chatd.journal import check, schema
from chatd.server import user_files
from chatd.server.credentials import judged
from chatd.server.service import StartError
from chatd.wire.tokens import Key

OK, FAILED = 0, 1

AHEAD = 60.0
"""Seconds that the newest message may be ahead of the clock."""
ROOM = 256 << 20
"""Bytes that must be free, beside those for one copy of the journal."""
SLOW = 0.1
"""Seconds: the median commit that is too slow to chat by."""

_COMMITS = 9
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


class Fault(Exception):
    """What is wrong, and what to do about it, in one line."""


def add_commands(commands: Any) -> None:
    """Add ``check`` to the subparsers `commands`."""
    words = "look the machine over: options, keys, users, store, ports, clock, disk"
    parser = commands.add_parser(
        "check",
        help=words,
        description=f"{words}. Changes nothing; the daemon may run.",
    )
    parser.add_argument("--config", metavar="FILE", help="as given to the daemon")
    parser.add_argument("--state", metavar="FOLDER", help="as given to the daemon")
    parser.set_defaults(run=_check)


def _check(args: argparse.Namespace) -> int:
    options = tap.Options()
    words = [
        f"--{name}={value}"
        for name, value in (("config", args.config), ("state", args.state))
        if value
    ]
    try:
        options.parseOptions(words)
    except (StartError, UsageError) as error:
        print(f"FAIL options: {error}")
        return FAILED
    print(f"ok   options: {args.config or 'the defaults'}")
    code = OK
    for well, line in findings(options, Machine()):
        print(f"{'ok  ' if well else 'FAIL'} {line}", flush=True)
        if not well:
            code = FAILED
    return code


def is_synchronised() -> bool:
    """Whether the kernel says that something keeps its clock right (adjtimex(2))."""
    only_asked = ctypes.create_string_buffer(512)  # struct timex, its modes 0
    return bool(ctypes.CDLL(None).adjtimex(only_asked) != _TIME_ERROR)


def free_bytes(folder: Path) -> int:
    """Of the disk, for those who are not root."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def commit_seconds(folder: Path) -> float:
    """The median of a few synced writes to a scratch file in `folder`."""
    took = []
    with tempfile.TemporaryFile(dir=folder) as scratch:
        for _ in range(_COMMITS):
            began = time.perf_counter()
            scratch.write(bytes(4096))
            scratch.flush()
            os.fdatasync(scratch.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine says when it is asked."""

    now: Callable[[], float] = time.time
    synchronised: Callable[[], bool] = is_synchronised
    free: Callable[[Path], int] = free_bytes
    commit: Callable[[Path], float] = commit_seconds


def findings(options: tap.Options, machine: Machine) -> Iterator[tuple[bool, str]]:
    """Whether all is well with each subject, and what there is to say of it."""
    for subject, examined in _subjects(options, machine):
        try:
            yield True, f"{subject}: {examined()}"
        except (Fault, PortFault, keyfile.KeyFileError) as error:
            yield False, f"{subject}: {error}"
        except OSError as error:
            yield False, f"{subject}: {error.filename}: {error.strerror}: look there"


def _subjects(
    options: tap.Options, machine: Machine
) -> Iterator[tuple[str, Callable[[], str]]]:
    """Each subject, with what examines it: says what is well, or raises."""
    given = options["state"]
    state = Path(given).absolute() if given else paths.default_state(os.environ)
    yield "state", lambda: _state(state)
    yield "keys", lambda: _keys(options, state)
    if state.is_dir():
        journal = state / paths.JOURNAL_NAME
        yield "users", lambda: _users(state / paths.KEYS_NAME, machine)
        yield "store", lambda: _store(journal)
        yield "clock", lambda: _clock(journal, machine, options["ttl"])
        yield "disk", lambda: _disk(journal, machine)
        yield "commits", lambda: _commits(state, machine)
    for description in options.listens or [tap.DEFAULT_LISTEN]:
        yield "port", partial(_port, description, options, state)


def _state(state: Path) -> str:
    if not state.is_dir():
        raise Fault(
            f"no folder {state}: start the daemon once, or name its own with --state"
        )
    mode = stat.S_IMODE(state.stat().st_mode)
    if mode & 0o022:
        raise Fault(
            f"others can write to {state} (mode {mode:04o}):"
            f" run: chmod 700 {shlex.quote(str(state))}"
        )
    return str(state)


def _keys(options: tap.Options, state: Path) -> str:
    keys = _accepted(options, state)
    return " ".join(key.id for key in keys) or "none yet: made on the first start"


def _accepted(options: tap.Options, state: Path) -> list[Key]:
    """The shared keys. Raises KeyFileError."""
    default = state / paths.KEY_NAME
    if not options.key_files and not default.exists():
        return []
    return [
        k for path in options.key_files or [default] for k in keyfile.accepted(path)
    ]


def _users(folder: Path, machine: Machine) -> str:
    if not folder.exists():
        return "none yet"
    now = machine.now()
    files = user_files.read(folder, now)
    judged(files, int(now * 1000))
    if files.unknown:
        names = ", ".join(sorted(files.unknown)[:3])
        raise Fault(f"{folder} has files that mean nothing there: move away {names}")
    return f"{len(files.existing)} users, {len(files.keys)} keys"


def _store(path: Path) -> str:
    if not path.exists():
        return "none yet: made on the first start"
    known = len(schema.MIGRATIONS)
    try:
        with closing(_opened(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > known:
                raise Fault(
                    f"{path} was written by a newer chatd (tables {version}, known here"
                    f" {known}): install that version, or restore a backup"
                )
            wrong = list(check.faults(connection)) if version else []
    except sqlite3.Error as error:
        raise Fault(f"cannot read {path}: {error}: restore a backup") from None
    if wrong:
        raise Fault(f"{path}: {'; '.join(wrong)}: restore a backup")
    if version < known:
        return f"whole; tables {version}, will be migrated to {known} at the next start"
    return "whole, and so are the chains of its rooms"


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)


def _clock(journal: Path, machine: Machine, ttl: int | None) -> str:
    now = machine.now()
    ahead = _newest(journal) - now
    if ahead > AHEAD:
        raise Fault(
            f"the newest message is {ahead:.0f} s ahead of the clock: set the clock"
        )
    if machine.synchronised():
        return "synchronised"
    if ttl is not None:
        raise Fault(
            "not synchronised, and --ttl refuses tokens by it: run an NTP client, or"
            " leave --ttl out"
        )
    return "not before the newest message; the kernel knows of nothing that sets it"


def _newest(journal: Path) -> float:
    """When the newest message was stored, s since the epoch; 0: none, or no telling."""
    if not journal.exists():
        return 0.0
    try:
        with closing(_opened(journal)) as connection:
            (ms,) = connection.execute("SELECT max(time) FROM messages").fetchone()
    except sqlite3.Error:
        return 0.0  # the store's own line tells it
    return (ms or 0) / 1000


def _disk(journal: Path, machine: Machine) -> str:
    free = machine.free(journal.parent)
    copy = journal.stat().st_size if journal.exists() else 0
    if free < ROOM + copy:
        raise Fault(
            f"{free >> 20} MiB free, {(ROOM + copy) >> 20} MiB wanted (a copy of the"
            " journal, and room to grow): make room, or prune with --keep-days"
        )
    return f"{free >> 20} MiB free"


def _commits(state: Path, machine: Machine) -> str:
    took = machine.commit(state)
    if took > SLOW:
        raise Fault(
            f"{took * 1000:.0f} ms each, and each acknowledgement waits for one:"
            " put the state folder on a faster disk"
        )
    return f"{took * 1000:.1f} ms (median of {_COMMITS})"


def _port(description: str, options: tap.Options, state: Path) -> str:
    try:
        keys = _accepted(options, state)
    except keyfile.KeyFileError:
        keys = []  # told already
    return examine(description, keys, plain=not options["no-plain"])
