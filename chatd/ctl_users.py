"""chatctl's commands about users and invites.

They change the daemon's folder of keys; a daemon that runs sees it within seconds.
"""

from __future__ import annotations

import argparse
import errno
import re
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from chatd import ctl_http, paths
from chatd.ctl_table import print_table
from chatd.proquint import proquints
from chatd.server.user_records import is_device
from chatd.server.users import Listed, Standing, Users
from chatd.wire import invite
from chatd.wire.names import is_name

DEFAULT_HOST = ("127.0.0.1", invite.DEFAULT_PORT)
DEFAULT_EXPIRY = "7d"

_PATIENCE = 10.0  # seconds to wait until the daemon has done writing
_SHORTEST, _LONGEST = 60, 90 * 86_400  # seconds
_UNITS = {"m": 60, "h": 3_600, "d": 86_400}
_HEADINGS = ("NAME", "DEVICE", "KEY", "IN WORDS", "STANDING", "NOTE")


def add_commands(commands: Any) -> None:
    """Add ``user`` and ``invite`` to the subparsers `commands`."""
    user = commands.add_parser("user", help="add, list, remove users")
    actions = user.add_subparsers(metavar="ACTION", required=True)

    words = "make a key file for a user, who is new, or for a further device"
    add = actions.add_parser("add", help=words, description=words)
    _add_name(add)
    _add_device(add)
    ctl_http.add_state(add, _add)

    words = "list users, their keys and invites"
    ctl_http.add_state(actions.add_parser("list", help=words, description=words), _list)

    words = "refuse all keys of a user from now on; the name stays reserved"
    remove = actions.add_parser("remove", help=words, description=words)
    _add_name(remove)
    ctl_http.add_state(remove, _remove)

    words = "print a line that lets a device of a user in, once; makes the user"
    inviting = commands.add_parser("invite", help=words, description=words)
    _add_name(inviting)
    _add_device(inviting)
    inviting.add_argument(
        "--expires",
        type=_duration,
        default=DEFAULT_EXPIRY,
        metavar="TIME",
        help="how long it may be used: 30m, 12h, 7d (1m..90d; default 7d)",
    )
    inviting.add_argument(
        "--host",
        type=_host,
        action="append",
        metavar="HOST[:PORT]",
        help="where clients reach the server; repeat for further nodes",
    )
    ctl_http.add_state(inviting, _invite)


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", type=_name, metavar="NAME")


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device", type=_device, metavar="DEVICE", help="which of the user's devices"
    )


def _add(args: argparse.Namespace) -> int:
    path = _users(args).add(args.name, args.device)
    print(path)
    print("next:")
    print(f"  1. carry {shlex.quote(str(path))} to the client by a safe way")
    print("  2. there: chmod 600, and give it to the client with --key")
    return 0


def _remove(args: argparse.Namespace) -> int:
    _users(args).remove(args.name)
    print(f"{args.name} is removed: none of its keys opens any more")
    return 0


def _invite(args: argparse.Namespace) -> int:
    users = _users(args)
    is_new = not users.exists(args.name)
    expires = time.time() + args.expires
    key = users.invite(args.name, args.device, args.expires)
    hosts = tuple(args.host or [DEFAULT_HOST])
    print(invite.line(invite.Invite(hosts, args.name, key)), flush=True)
    if is_new:
        _note(f"{args.name} is a user now")
    _note(f"the line lets one device in as {args.name}, until {_moment(expires)}")
    _note("whoever reads it first can use it: send it by a safe way")
    if not args.host:
        host = invite.written_host(*DEFAULT_HOST)
        _note(f"it leads to {host}, this machine alone: for others give --host")
    return 0


def _note(text: str) -> None:
    print(text, file=sys.stderr)


def _list(args: argparse.Namespace) -> int:
    lines = [line for line in _users(args).listing() if _is_of_interest(line)]
    if not lines:
        print("no users yet: chatctl invite NAME, or chatctl user add NAME")
        return 0
    print_table(_HEADINGS, [_row(line) for line in lines])
    return 0


def _is_of_interest(line: Listed) -> bool:
    dead = (Standing.ROTATED, Standing.USED, Standing.EXPIRED)
    if line.standing is Standing.REMOVED:  # the name, not each of its keys
        return line.key_id is None
    return line.standing not in dead or bool(line.misused)


def _row(line: Listed) -> Sequence[str]:
    notes = []
    if line.expires is not None:
        notes.append(f"until {_moment(line.expires / 1000)}")
    for misuse in line.misused:
        notes.append(f"tried again by {misuse.address} {_moment(misuse.at / 1000)}")
    standing = "no key" if line.standing is None else line.standing.value
    words = "" if line.key_id is None else proquints(line.key_id)
    device, key_id = line.device or "", line.key_id or ""
    return line.name, device, key_id, words, standing, ", ".join(notes)


def _users(args: argparse.Namespace) -> Users:
    state = ctl_http.state_of(args)
    if not state.is_dir():
        raise FileNotFoundError(
            errno.ENOENT,
            "no such folder: start the daemon once, or name its own with --state",
            str(state),
        )
    return Users(state / paths.KEYS_NAME, time.time, _PATIENCE)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _name(text: str) -> str:
    if not is_name(text):
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r}: a name is 1..32 of a-z 0-9 _ . - and begins with a letter"
            " or digit; not server, and not ending in .key"
        )
    return text


def _device(text: str) -> str:
    if not is_device(text):
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r}: a device is 1..32 of a-z 0-9 _ - and begins with a letter"
            " or digit"
        )
    return text


def _duration(text: str) -> int:
    """Seconds."""
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f"{text[:40]!r}: give a time like 30m, 12h or 7d, from 1m to 90d"
        )
    return seconds


def _host(text: str) -> tuple[str, int]:
    try:
        return invite.parse_host(text)
    except invite.BadInvite as error:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: {error}") from None
