"""chatctl's commands about the journal: backup and verify, while the daemon runs."""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from chatd import paths
from chatd.journal import check, schema

OK, FAILED = 0, 1


def add_commands(commands: Any) -> None:
    """Add ``backup`` and ``verify`` to the subparsers `commands`."""
    words = "write a whole, checked copy of the journal; people write on meanwhile"
    backup = commands.add_parser("backup", help=words, description=words)
    backup.add_argument("file", type=Path, metavar="FILE")
    _add_state(backup, _backup)
    words = "verify the journal's file and the hash chain of every room"
    verify = commands.add_parser("verify", help=words, description=words)
    verify.add_argument(
        "--file", type=Path, metavar="FILE", help="a backup, in the journal's place"
    )
    _add_state(verify, _verify)


def _add_state(parser: argparse.ArgumentParser, run: Any) -> None:
    parser.add_argument(
        "--state", metavar="FOLDER", help="the daemon's state folder, as given to it"
    )
    parser.set_defaults(run=run)


def _backup(args: argparse.Namespace) -> int:
    source = _journal(args)
    try:
        with closing(_opened(source)) as connection:
            schema.copy(connection, args.file.absolute())
    except sqlite3.Error as error:
        return _complain(f"no backup of {source}: {error}")
    print(f"{args.file}: a whole copy of {source}")
    return OK


def _verify(args: argparse.Namespace) -> int:
    path = args.file or _journal(args)
    try:
        with closing(_opened(path)) as connection:
            found = list(check.faults(connection))
    except sqlite3.Error as error:
        return _complain(f"cannot read {path}: {error}")
    for line in found:
        print(line)
    if found:
        return _complain(f"{path} is not what it was: restore a backup")
    print(f"{path}: whole")
    return OK


def _journal(args: argparse.Namespace) -> Path:
    given = args.state
    state = Path(given) if given else paths.default_state(os.environ)
    return state / paths.JOURNAL_NAME


def _opened(path: Path) -> sqlite3.Connection:
    """To read; a daemon may write. Raises FileNotFoundError, sqlite3.Error."""
    path.stat()
    return sqlite3.connect(f"file:{path.absolute()}?mode=ro", uri=True, timeout=10)


def _complain(text: str) -> int:
    print(f"chatctl: {text}", file=sys.stderr)
    return FAILED
