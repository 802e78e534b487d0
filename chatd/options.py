"""The options of ``twistd chatd``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from twisted.python import usage

from chatd import __version__, config, logs
from chatd.paths import KEY_NAME
from chatd.server.limits import LARGEST_FRAME, SMALLEST_FRAME, Limits
from chatd.server.service import StartError, say_start_errors_plainly

DEFAULT_LISTEN = "tcp:5555"


def _number(option: str, low: int, high: int, zero: bool = False) -> object:
    """A coercion to a whole number from `low` to `high`, or to 0 where `zero`."""

    def coerce(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() else -1
        if low <= value <= high or (zero and value == 0):
            return value
        raise ValueError(f"--{option}: a whole number from {low} to {high} expected")

    coerce.coerceDoc = f"{low} to {high}"  # type: ignore[attr-defined]  # read by usage
    return coerce


def _choice(option: str, *values: str) -> object:
    def coerce(text: str) -> str:
        if text in values:
            return text
        raise ValueError(f"--{option}: one of {', '.join(values)} expected")

    coerce.coerceDoc = " or ".join(values)  # type: ignore[attr-defined]  # read by usage
    return coerce


_DEFAULTS = Limits()

STATE_HELP = (
    "Folder for the daemon's state; default $STATE_DIRECTORY, else"
    " $XDG_STATE_HOME/chatd, else ~/.local/state/chatd"
)
TTL_HELP = (
    "Refuse tokens older than so many seconds, or over 60 s from the future;"
    " default: any age"
)


class Options(usage.Options):
    """As they were given on the command line and in the file of --config."""

    synopsis = "[options]"
    longdesc = (
        "An encrypted chat daemon: answers each Fernet token, in a netstring, with"
        " 'Server received: ' and its text. The key is made on first start, in"
        f" {KEY_NAME} in the state folder. SIGHUP reloads the keys; SIGTERM answers"
        " what has arrived and ends."
    )

    optParameters: ClassVar[list[list[object]]] = [
        ["config", "c", None, "A file with options, such as etc/chatd.conf"],
        ["state", "s", None, STATE_HELP],
        ["ttl", None, None, TTL_HELP, _number("ttl", 1, 10**9)],
        [
            "frame",
            None,
            _DEFAULTS.frame,
            "Bytes of the largest plaintext",
            _number("frame", SMALLEST_FRAME, LARGEST_FRAME),
        ],
        [
            "idle-timeout",
            None,
            int(_DEFAULTS.idle),
            "Seconds after which a silent connection is closed; 0: never",
            _number("idle-timeout", 1, 10**9, zero=True),
        ],
        [
            "max-connections",
            None,
            _DEFAULTS.connections,
            "Connections at once",
            _number("max-connections", 1, 1_000_000),
        ],
        [
            "max-per-address",
            None,
            _DEFAULTS.per_address,
            "Connections at once from one address (IPv6: one /64)",
            _number("max-per-address", 1, 1_000_000),
        ],
        [
            "message-rate",
            None,
            int(_DEFAULTS.messages),
            "Messages a second of one user in the long run, ten times as many at once"
            " and of one address; 0: any",
            _number("message-rate", 1, 1_000_000, zero=True),
        ],
        [
            "keep-days",
            None,
            None,
            "Days after which the text of messages is removed; default: never",
            _number("keep-days", 1, 36_500),
        ],
        [
            "name",
            None,
            None,
            "What the daemon calls itself to clients; default: the host's name",
        ],
        [
            "log-format",
            None,
            "text",
            "How log lines look",
            _choice("log-format", *logs.FORMATS),
        ],
        [
            "log-level",
            None,
            logs.DEFAULT_LEVEL,
            "The least level that is logged",
            _choice("log-level", *logs.LEVELS),
        ],
    ]

    optFlags: ClassVar[list[list[object]]] = [
        ["no-plain", None, "Do not speak the plain dialect."],
        ["no-guests", None, "The shared key opens no sessions."],
        ["no-new-rooms", None, "A user's join makes no public room."],
    ]

    compData = usage.Completions(
        optActions={
            "config": usage.CompleteFiles(),
            "state": usage.CompleteDirs(),
            "key": usage.CompleteFiles(),
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self.listens: list[str] = []
        self.key_files: list[Path] = []
        self.https: list[str] = []
        self.typed: list[str] = []

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Those of the file that --config names first, then `options`, which win."""
        self.typed = typed = list(sys.argv[1:] if options is None else options)
        try:
            filed = config.words(self, typed)
        except config.ConfigError as error:
            say_start_errors_plainly()
            raise StartError(str(error)) from None
        super().parseOptions([*filed, *typed])

    def opt_listen(self, description: str) -> None:
        self.listens.append(description)

    opt_listen.__doc__ = (
        "Where to listen: a Twisted server endpoint, such as tcp:5555, tcp6:5555,"
        " ssl:5555:privateKey=key.pem:certKey=cert.pem, unix:PATH or"
        " systemd:domain=INET:index=0. May be given again. [default: tcp:5555]"
    )
    opt_l = opt_listen

    def opt_key(self, path: str) -> None:
        self.key_files.append(Path(path).absolute())

    opt_key.__doc__ = (
        "A shared key file; all given are accepted, for rotation. Older keys that"
        " 'chatctl key rotate' keeps beside it are accepted too. May be given again."
        " [default: secret.key in the state folder, made on first start]"
    )
    opt_k = opt_key

    def opt_http(self, description: str) -> None:
        self.https.append(description)

    opt_http.__doc__ = (
        "Where to serve /health, /metrics and /hooks by HTTP: an endpoint as for"
        " --listen, on the loopback or behind a proxy. May be given again."
        " [default: nowhere]"
    )

    def opt_version(self) -> None:
        """Print the version and exit."""
        print(f"chatd {__version__}")
        raise SystemExit(0)

    def limits(self) -> Limits:
        return Limits(
            frame=self["frame"],
            ttl=self["ttl"],
            idle=float(self["idle-timeout"]),
            connections=self["max-connections"],
            per_address=self["max-per-address"],
            plain=not self["no-plain"],
            guests=not self["no-guests"],
            create=not self["no-new-rooms"],
            messages=float(self["message-rate"]),
            message_burst=10.0 * self["message-rate"],
            keep=self["keep-days"],
        )
