"""chatctl: the operator's command. Keys are named by their ids, never printed."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IReactorTime

from chatd import __version__, ctl_admin, ctl_check, ctl_journal, ctl_users, keyfile
from chatd.client import settings
from chatd.client.link import Reason
from chatd.client.plain import PlainClient, SayError, SayFailed
from chatd.client.reach import Reachable, Unreached, reach
from chatd.ctl_http import NotDone
from chatd.ctl_http import run as run_reactor
from chatd.ctl_table import printable
from chatd.wire.tokens import Key

OK, FAILED, USAGE = 0, 1, 2
MOST_PINGS = 1_000_000

_EXAMPLES = """examples:
  chatctl keygen secret.key        make a key; give the file to every client
  chatctl key show-id              which key is it? (compare both sides)
  chatctl key rotate               a new key; the old one still opens
  chatctl key retire               from now on only the new key opens
  chatctl check                    is the machine fit for the daemon?
  chatctl ping --count 3           does the server answer, and how fast?
  chatctl invite alice             a line that lets a device in as alice, once
  chatctl user list                who is there, with which keys?

Without --key: secret.key here, else in the daemon's state folder.
exit codes: 0 done, 1 failed (stderr tells why), 2 wrong options"""

_ROTATION = """rotation, without anyone being cut off:
  1. chatctl key rotate            the daemon's key file gets a new key
  2. kill -HUP <daemon's pid>      it reads its keys again: both keys open
  3. give the new file to every client
  4. chatctl key retire            deletes the old keys
  5. kill -HUP <daemon's pid>      only the new key opens"""


class Failed(Exception):
    """What went wrong, in one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except settings.BadSettings as error:
        return _complain(str(error), USAGE)
    except (keyfile.KeyFileError, Failed, NotDone) as error:
        return _complain(str(error), FAILED)
    except BrokenPipeError:  # ``chatctl ... | head -1``
        _discard_stdout()
        return OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}", FAILED)
    return code


def _complain(text: str, code: int) -> int:
    print("chatctl: " + " ".join(text.split()), file=sys.stderr)
    return code


def _discard_stdout() -> None:
    """Let what stdout still holds go nowhere, or Python complains at its exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _keygen(args: argparse.Namespace) -> int:
    path = Path(args.file)
    key = Key.generate(os.urandom)
    keyfile.create(path, key)
    print(f"{path}: new key {key.id}")
    return OK


def _rotate(args: argparse.Namespace) -> int:
    path = _key_path(args)
    new = keyfile.rotate(path)
    quoted = shlex.quote(str(path))
    print(f"{path}: new key {new.id}")
    print(f"accepted now: {_ids(keyfile.accepted(path))}")
    print("next:")
    print("  1. have the daemon read its keys again: kill -HUP <its pid>")
    print(f"  2. give {quoted} to every client")
    print(f"  3. then: chatctl key retire --key {quoted}")
    return OK


def _retire(args: argparse.Namespace) -> int:
    path = _key_path(args)
    gone = keyfile.retire(path)
    print(f"retired: {', '.join(gone) if gone else 'nothing, there was no older key'}")
    print(f"accepted now: {_ids(keyfile.accepted(path))}")
    if gone:
        print("next: have the daemon read its keys again: kill -HUP <its pid>")
    return OK


def _show_id(args: argparse.Namespace) -> int:
    path = _key_path(args)
    current, *older = keyfile.accepted(path)
    print(current.id)
    for key in older:
        print(f"{key.id} (older, accepted until: chatctl key retire)")
    return OK


def _key_path(args: argparse.Namespace) -> Path:
    return settings.key_path(args.key, os.environ, Path.cwd())


def _ids(keys: Sequence[Key]) -> str:
    return ", ".join(key.id for key in keys)


def _ping(args: argparse.Namespace) -> int:
    chosen = settings.resolve(args, os.environ, Path.cwd())
    key = keyfile.read(chosen.key_path)

    async def work(reactor: Any) -> int:
        client = PlainClient(
            reactor,
            HostnameEndpoint(reactor, chosen.host, chosen.port),
            key,
            where=f"{chosen.host}:{chosen.port}",
        )
        try:
            await ping(client, reactor, args.text, args.count, args.timeout)
        finally:
            await client.stop()
        return OK

    return run_reactor(work)


class Pinged(Reachable, Protocol):
    """What ping needs of a PlainClient."""

    def start(self) -> None: ...

    def say(self, text: str, /) -> Deferred[str]: ...


async def ping(
    client: Pinged, clock: IReactorTime, text: str, count: int, seconds: float
) -> None:
    """Say `text` `count` times, one after the other, and print each reply.

    Raises Failed where there is no connection, at the first attempt, or no reply
    within `seconds`.
    """
    client.start()
    where = client.state.where
    try:
        await reach(client, clock, seconds, final=frozenset(Reason))
        for _ in range(count):
            began = clock.seconds()
            reply = await client.say(text).addTimeout(seconds, clock)
            took = (clock.seconds() - began) * 1000
            print(f"{printable(reply)}  ({took:.2f} ms)", flush=True)
    except SayFailed as error:
        raise Failed(error.reason.advice_for(where)) from None
    except (Unreached, SayError) as error:
        raise Failed(str(error)) from None
    except (CancelledError, TimeoutError):
        raise Failed(Reason.TIMEOUT.advice_for(where)) from None


def parser() -> argparse.ArgumentParser:
    """What chatctl understands."""
    parser = _with_epilog(
        argparse.ArgumentParser, _EXAMPLES, prog="chatctl", description="Run a chatd."
    )
    parser.add_argument("--version", action="version", version=f"chatctl {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    keygen = commands.add_parser(
        "keygen", help="make a key file that only you can read; never overwrites"
    )
    keygen.add_argument("file", metavar="FILE")
    keygen.set_defaults(run=_keygen)

    key = _with_epilog(
        commands.add_parser, _ROTATION, name="key", help="rotate, retire, show-id"
    )
    actions = key.add_subparsers(metavar="ACTION", required=True)
    for name, run, words in (
        ("rotate", _rotate, "put a new key into the file; the old one stays accepted"),
        ("retire", _retire, "delete the older keys beside the file"),
        ("show-id", _show_id, "print the id of the key, which is no secret"),
    ):
        action = actions.add_parser(name, help=words, description=words)
        action.add_argument(
            "--key", metavar="FILE", help="the key file (or $CHATD_KEY)"
        )
        action.set_defaults(run=run)

    ping_parser = commands.add_parser(
        "ping", help="say a line to the server; show its reply and the time it took"
    )
    settings.add_arguments(ping_parser)
    ping_parser.add_argument(
        "--count", type=_count, default=1, metavar="N", help="how often (default 1)"
    )
    ping_parser.add_argument(
        "--text", default="ping", metavar="TEXT", help="what to say (default: ping)"
    )
    ping_parser.add_argument(
        "--timeout",
        type=settings.seconds,
        default=10.0,
        metavar="SECONDS",
        help="how long to wait for the connection, and for each reply (default 10)",
    )
    ping_parser.set_defaults(run=_ping)

    ctl_users.add_commands(commands)
    ctl_journal.add_commands(commands)
    ctl_admin.add_commands(commands)
    ctl_check.add_commands(commands)
    return parser


def _with_epilog(make: Any, epilog: str, **more: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = make(
        epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter, **more
    )
    return parser


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
    if not 1 <= number <= MOST_PINGS:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: give 1..{MOST_PINGS}")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
