"""Where the server is and which key to use: the same options for every client.

An option goes before its environment variable, and that before the default.
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chatd.paths import default_key

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 5555


class BadSettings(Exception):
    """A setting that cannot be used: what is wrong and where, in one line."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`port`: 1..65535. `key_path`: absolute; nothing says that the file is there."""

    host: str
    port: int
    key_path: Path


def add_arguments(parser: ArgumentParser) -> None:
    """Give `parser` the options --host, --port and --key."""
    parser.add_argument(
        "--host",
        metavar="NAME",
        help=f"the server's name or address (or $CHATD_HOST; default {DEFAULT_HOST})",
    )
    parser.add_argument(
        "--port",
        metavar="N",
        help=f"the server's TCP port (or $CHATD_PORT; default {DEFAULT_PORT})",
    )
    parser.add_argument(
        "--key",
        metavar="FILE",
        help="the key file, the same key as the server's (or $CHATD_KEY; default:"
        " secret.key here, else in the daemon's state folder)",
    )


def resolve(args: Namespace, environ: Mapping[str, str], cwd: Path) -> Settings:
    """The settings that `args` and `environ` come to.

    `cwd`: an absolute path, where relative key files are looked for. An environment
    variable that is empty counts as not set; an empty option is BadSettings.
    """
    host, _ = _given(args.host, environ, "HOST")
    port, port_source = _given(args.port, environ, "PORT")
    return Settings(
        DEFAULT_HOST if host is None else host,
        DEFAULT_PORT if port is None else _port(port, port_source),
        key_path(args.key, environ, cwd),
    )


def key_path(option: str | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """The key file alone: `option` (``--key``), $CHATD_KEY, or the default place."""
    given, source = _given(option, environ, "KEY")
    if given is None:
        return cwd / default_key(environ, cwd)
    try:
        return cwd / Path(given).expanduser()
    except RuntimeError:  # "~name" of nobody, or no home folder
        raise BadSettings(
            f"{source}: whose home folder is meant by {given!r}?"
        ) from None


def seconds(text: str) -> float:
    """A waiting time given as an option: over 0, a day at most; for argparse."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 86_400:
        raise ArgumentTypeError(f"{text[:40]!r}: give seconds, over 0, a day at most")
    return number


def _given(
    option: str | None, environ: Mapping[str, str], name: str
) -> tuple[str | None, str]:
    """What was given, if anything, and where."""
    source = f"--{name.lower()}"
    given = option
    if option is None:
        source = f"CHATD_{name}"
        given = environ.get(source) or None
    if given is None:
        return None, source
    if not given.strip() or "\0" in given:
        raise BadSettings(f"{source} is empty or holds a NUL")
    return (given if name == "KEY" else given.strip()), source


def _port(text: str, source: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 5:
        number = int(text)
        if 1 <= number <= 65535:
            return number
    raise BadSettings(f"{source}: {text[:40]!r} is no port: give a number 1..65535")
