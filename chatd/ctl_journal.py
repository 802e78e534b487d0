"""chatctl's commands about the journal: backup, verify, restore."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from chatd import ctl_http, paths, restoring
from chatd.ctl_http import Daemon, NoDaemon, NotDone
from chatd.ctl_progress import Progress
from chatd.journal import schema
from chatd.journal.check import Verdict
from chatd.restoring import NotRestored

OK, FAILED = 0, 1


def add_commands(commands: Any) -> None:
    """Add them to the subparsers `commands`."""
    words = "write a whole, checked copy of the journal; people write on meanwhile"
    backup = commands.add_parser("backup", help=words, description=words)
    backup.add_argument("file", type=Path, metavar="FILE")
    ctl_http.add_state(backup, _backup)
    words = "compute the hash chain of every room anew; how far each is complete"
    verify = commands.add_parser("verify", help=words, description=words)
    verify.add_argument(
        "--file", type=Path, metavar="FILE", help="a backup, in the journal's place"
    )
    verify.add_argument("--json", action="store_true", help="print JSON")
    ctl_http.add_state(verify, _verify)
    words = "put a backup in the journal's place; the old one is kept beside it"
    restore = commands.add_parser("restore", help=words, description=words)
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.add_argument(
        "--verify", action="store_true", help="only look whether it could be done"
    )
    ctl_http.add_state(restore, _restore)


def _backup(args: argparse.Namespace) -> int:
    """By the daemon; from its file where none runs, or it cannot write there.

    What systemd lets a daemon see is not what the operator sees: its /tmp is another.
    """
    target, source = args.file.absolute(), _journal(args)

    async def ask(daemon: Daemon) -> int:
        told = await _worked(daemon, "backup", path=str(target))
        there = target.exists() and target.stat().st_ino == told.get("inode")
        return OK if there else FAILED

    try:
        code = ctl_http.run_with_daemon(ctl_http.state_of(args), ask)
    except NotDone:
        code = FAILED
    if code == FAILED:
        try:
            with closing(_opened(source)) as store, _progress("backup") as progress:
                schema.copy(store, target, progress.told)
        except sqlite3.Error as error:
            return _complain(f"no backup of {source}: {error}")
        code = OK
    if code == OK:
        print(f"{args.file}: a whole copy of {source}")
    return code


async def _worked(daemon: Daemon, what: str, **members: object) -> dict[str, Any]:
    """What a long work brings; its progress for who looks on."""
    last: dict[str, Any] = {}

    def told(line: dict[str, Any]) -> None:
        nonlocal last
        last = line
        progress.line(line)

    with _progress(what) as progress:
        await daemon.stream(what, told, **members)
    if "error" in last or "seconds" in last or not last:
        raise ctl_http.NotDone(str(last.get("error", "the daemon ended before")))
    return last


def _progress(what: str) -> Progress:
    return Progress(what, sys.stderr)


def _verify(args: argparse.Namespace) -> int:
    """By the daemon, which knows what was acknowledged; or a file alone."""
    found: list[Verdict] = []

    async def ask(daemon: Daemon) -> int:
        told = await _worked(daemon, "verify")
        found.extend(Verdict(**each) for each in told["rooms"])
        return OK

    path = args.file or _journal(args)
    try:
        if args.file is not None:
            raise NoDaemon
        code = ctl_http.run_with_daemon(ctl_http.state_of(args), ask)
        if code != OK:
            return code
    except NoDaemon:
        try:
            with _progress("verify") as progress:
                found = restoring.verdicts(path, progress.told)
        except NotRestored as error:
            return _complain(str(error))
    for each in found:
        if args.json:
            print(
                json.dumps(
                    {
                        "room": each.room,
                        "seq": each.seq,
                        "hash": each.hash,
                        "fault": each.fault,
                    }
                )
            )
        else:
            print(each.fault or f"{each.room}: complete to {each.seq}, {each.hash}")
    if any(each.fault for each in found):
        return _complain(f"{path} is not what it was: restore a backup")
    if not args.json:
        print(f"{path}: whole")
    return OK


def _restore(args: argparse.Namespace) -> int:
    journal = _journal(args)
    try:
        if args.verify:
            with _progress("restore") as progress:
                lines = restoring.losses(args.file, journal, progress.told)
            for line in lines:
                print(line)
            print(f"{args.file}: whole; chatctl restore puts it in place")
            return OK
        with _progress("restore") as progress:
            kept = restoring.restore(args.file, journal, print, progress.told)
    except NotRestored as error:
        return _complain(str(error))
    if kept is not None:
        print(f"the journal from before is kept as {kept}")
    print(f"{args.file} is in place: start the daemon")
    return OK


def _journal(args: argparse.Namespace) -> Path:
    return ctl_http.state_of(args) / paths.JOURNAL_NAME


def _opened(path: Path) -> sqlite3.Connection:
    """To read. Raises FileNotFoundError, sqlite3.Error."""
    path.stat()
    return sqlite3.connect(f"file:{path.absolute()}?mode=ro", uri=True, timeout=10)


def _complain(text: str) -> int:
    print(f"chatctl: {text}", file=sys.stderr)
    return FAILED
