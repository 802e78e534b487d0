"""``python -m chatd.run``: a daemon and a client beside it, for as long as the client.

What ``make run`` does. Exits with the client's code; with 1 where the daemon cannot
start. The daemon listens on the loopback only, at $CHATD_PORT (default 5555; 0: any
free port), and logs to ``chatd.log`` in the state folder.
"""

from __future__ import annotations

import argparse
import getpass
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from chatd.client.settings import DEFAULT_PORT
from chatd.paths import KEYS_NAME
from chatd.server.users import Users
from chatd.wire.names import LONGEST_NAME, is_name

START_SECONDS = 30.0
STOP_SECONDS = 15.0
"""How long a process may take to stop after SIGTERM before it is killed."""

_NO_WINDOW = (
    "no window, for this Python has no tkinter; to have one:"
    " sudo apt-get install python3-tk && make clean run"
)
LOCK_SECONDS = 10.0
TAKEN_UP_SECONDS = 1.0
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789_.-"
_POLL_SECONDS = 0.1
_NOTICE_BYTES = 4096


class DaemonFailed(Exception):
    """Why there is no daemon, in words for a person."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run both; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m chatd.run", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path("var"), metavar="FOLDER")
    parser.add_argument(
        "--client-only", action="store_true", help="the client for a daemon elsewhere"
    )
    args = parser.parse_args(argv)
    state: Path = args.state.absolute()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    try:
        if args.client_only:
            command = [sys.executable, "-m", _client(os.environ)]
            if not os.environ.get("CHATD_KEY") and (state / KEYS_NAME).is_dir():
                command += ["--key", str(_own_key(state))]
            return _converse(command)
        with _daemon(state, os.environ) as port:
            key = str(_own_key(state))
            options = ["--host", "127.0.0.1", "--port", str(port), "--key", key]
            return _converse([sys.executable, "-m", _client(os.environ), *options])
    except DaemonFailed as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _own_key(state: Path) -> Path:
    """The key of the person who runs this: a user, made where there is none."""
    path = state / KEYS_NAME / f"{_own_name()}.key"
    if not path.exists():
        Users(path.parent, time.time, LOCK_SECONDS).add(path.stem, None)
        time.sleep(TAKEN_UP_SECONDS)  # the daemon looks twice a second
    return path


def _own_name() -> str:
    """The person's login, as far as it may be a user's name."""
    try:
        login = getpass.getuser().lower()
    except (OSError, KeyError):  # a container's user without a name
        login = ""
    name = "".join(c for c in login if c in _LETTERS).lstrip("_.-")[:LONGEST_NAME]
    return name if is_name(name) else "me"


def _leave(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _client(environ: Mapping[str, str]) -> str:
    """The client's module: the window for a person at a screen, else the terminal."""
    screen = environ.get("DISPLAY") or sys.platform in ("darwin", "win32")
    if screen and sys.stdin.isatty():
        if importlib.util.find_spec("_tkinter"):
            return "chatd.clients.chat_tk"
        print(_NO_WINDOW, file=sys.stderr)
    return "chatd.clients.chat_term"


@contextmanager
def _daemon(state: Path, environ: Mapping[str, str]) -> Iterator[int]:
    """A daemon that is listening; its port. Stopped at the end, whatever happens."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    listen = f"tcp:{environ.get('CHATD_PORT') or DEFAULT_PORT}:interface=127.0.0.1"
    command = [sys.executable, "-m", "chatd"]
    command += ["--state", str(state), "--listen", listen]
    with (
        tempfile.TemporaryDirectory(prefix="chatd-") as folder,
        tempfile.TemporaryFile() as complaints,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready,
        (state / "chatd.log").open("ab") as log,
    ):
        name = str(Path(folder, "ready"))
        ready.bind(name)
        ready.settimeout(_POLL_SECONDS)
        process = subprocess.Popen(
            command,
            env={**environ, "NOTIFY_SOCKET": name},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=complaints,
            process_group=0,  # Ctrl-C is the client's; the daemon outlives it
        )
        try:
            yield _port(process, ready, complaints)
            if process.poll() is not None:
                print(f"chatd ended early; see {log.name}", file=sys.stderr)
        finally:
            _stop(process)


def _port(
    process: subprocess.Popen[bytes], ready: socket.socket, complaints: IO[bytes]
) -> int:
    """Wait for the daemon's own word (sd_notify(3)), so that no other is talked to."""
    for _ in range(round(START_SECONDS / _POLL_SECONDS)):
        try:
            notice = ready.recv(_NOTICE_BYTES).decode()
        except TimeoutError:
            if process.poll() is None:
                continue
            complaints.seek(0)
            said = complaints.read().decode(errors="replace").strip()
            raise DaemonFailed(said or "chatd did not start") from None
        if "READY=1" in notice.splitlines():
            return int(notice.rpartition(":")[2])
    raise DaemonFailed(f"chatd did not start within {START_SECONDS:.0f} s")


def _converse(command: Sequence[str]) -> int:
    """Run the client on our own terminal; its exit code. Ctrl-C is for it to obey."""
    client = subprocess.Popen(command)
    try:
        client.wait()
    except KeyboardInterrupt:
        with suppress(subprocess.TimeoutExpired):
            client.wait(STOP_SECONDS)
    finally:
        _stop(client)
    code = client.returncode
    return code if code >= 0 else 128 - code


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    raise SystemExit(main())
