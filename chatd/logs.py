"""The daemon's log, made to be tailed: one line an event.

An event is logged as ``_log.info("connected", peer="192.0.2.1:40000", count=3)``: its
format is its name, its fields are primitives. What is printed is, in this order, time
(UTC), level, peer, event, fields. What other libraries log is printed with their words
in the field ``text``, and a failure with its type and the places it went through, but
without its message: that could hold what a peer said.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
)
from twisted.python.failure import Failure
from zope.interface import implementer

LEVELS = {
    "debug": LogLevel.debug,
    "info": LogLevel.info,
    "warn": LogLevel.warn,
    "error": LogLevel.error,
}
DEFAULT_LEVEL = "info"

_LONGEST_FIELD = 300  # characters of a text field
_FOREIGN = {"time", "system", "isError", "message", "format", "failure", "why"}
_PLAIN = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@#~[]+"
)


def text_line(event: LogEvent) -> str:
    """``2026-01-31T12:00:00.000Z info 192.0.2.1:40000 connected count=3``"""
    time, level, peer, name, fields = _parts(event)
    words = [time, level, peer, name]
    words += [f"{key}={_word(value)}" for key, value in fields.items()]
    return " ".join(words) + "\n"


def json_line(event: LogEvent) -> str:
    """The same as one JSON object with the keys time, level, peer, event, fields'."""
    time, level, peer, name, fields = _parts(event)
    record = {"time": time, "level": level, "peer": peer, "event": name, **fields}
    return json.dumps(record, ensure_ascii=True) + "\n"


FORMATS: dict[str, Callable[[LogEvent], str]] = {"text": text_line, "json": json_line}


def _parts(event: LogEvent) -> tuple[str, str, str, str, dict[str, object]]:
    moment = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    time = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    level = event.get("log_level", LogLevel.info).name
    fields: dict[str, object] = {}
    if str(event.get("log_namespace", "")).startswith("chatd"):
        name = str(event.get("log_format", "event"))
        for key, value in event.items():
            if not key.startswith("log_") and key not in _FOREIGN and key != "peer":
                fields[key] = _primitive(value)
    else:
        name = "twisted"
        fields["from"] = event.get("log_namespace", "-")
        if event.get("log_failure") is None:
            fields["text"] = _primitive(formatEvent(event))
    failure = event.get("log_failure")
    if isinstance(failure, Failure):
        fields["failure"] = failure.type.__name__ if failure.type else "?"
        fields["at"] = " < ".join(_places(failure))
    return time, level, str(event.get("peer", "-")), name, fields


def _places(failure: Failure) -> Iterator[str]:
    """Where a failure passed, innermost first."""
    for function, file, line, _locals, _globals in reversed(failure.frames):
        yield f"{Path(file).name}:{line}:{function}"


def _primitive(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST_FIELD else text[:_LONGEST_FIELD] + "..."


def _word(value: object) -> str:
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text)


class LogFile:
    """A file to append to that may be moved away and made anew at any time.

    Each line goes to the file that bears the name now, so that logrotate needs
    neither a signal nor copytruncate.
    """

    def __init__(self, path: Path) -> None:
        """Raises OSError where `path` cannot be written."""
        self._path = path
        self._file = self._open()

    def write(self, line: str) -> None:
        try:
            there = self._path.stat()
            here = os.fstat(self._file.fileno())
            moved = (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)
        except FileNotFoundError:
            moved = True
        if moved:
            self.reopen()
        self._file.write(line)
        self._file.flush()

    def reopen(self) -> None:
        stale, self._file = self._file, self._open()
        with suppress(OSError):  # what a full disk kept from it is lost
            stale.close()

    def _open(self) -> TextIO:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.fdopen(os.open(self._path, flags, 0o640), "a", encoding="utf-8")


class Stream:
    """A stream that another opened, flushed at each line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        self._stream.write(line)
        self._stream.flush()


@implementer(ILogObserver)
class LineObserver:
    """Writes each event as one line; what hinders it stops nobody."""

    def __init__(self, out: LogFile | Stream, line: Callable[[LogEvent], str]) -> None:
        self._out = out
        self._line = line

    def __call__(self, event: LogEvent) -> None:
        try:
            self._out.write(self._line(event))
        except OSError as error:
            # A full disk must not end conversations; nobody is left to be told but:
            print(f"chatd: cannot log: {error.strerror}", file=sys.__stderr__)


def observer(path: Path | None, style: str, level: str) -> ILogObserver:
    """Logs events of `level` and above to `path`, None: standard output.

    `style`: a key of FORMATS; `level`: one of LEVELS. Raises OSError where `path`
    cannot be written.
    """
    out = Stream(sys.stdout) if path is None else LogFile(path)
    set_level(level)
    return FilteringLogObserver(LineObserver(out, FORMATS[style]), [_filter])


_filter = LogLevelFilterPredicate()  # of one process


def set_level(level: str) -> None:
    """Log this level, one of LEVELS, and what is above, from now on."""
    wanted = LEVELS[level]
    # What others log of their own life is of use to those who look for faults.
    foreign = wanted if wanted is LogLevel.debug else max(wanted, LogLevel.warn)
    _filter.setLogLevelForNamespace("", foreign)
    _filter.setLogLevelForNamespace("chatd", wanted)


def under(
    parent: MutableMapping[str, object], style: str, level: str
) -> ILogObserver | None:
    """Our log lines wherever twistd or twist, of the options `parent`, has its own.

    twistd takes the observer from the application that the service joins. twist has
    made up its mind before, but takes the observer's factory from its options. A log
    that the operator gave to another hand (--syslog, --logger) is left to it.
    """
    if "fileLogObserverFactory" in parent:
        line = FORMATS[str(parent.get("logFormat", style))]
        parent["fileLogObserverFactory"] = lambda out: LineObserver(Stream(out), line)
        if level != DEFAULT_LEVEL:
            parent["logLevel"] = LEVELS[level]
        return None
    if parent.get("syslog") or parent.get("logger"):
        return None
    name = parent.get("logfile")
    if name == "-" or (not name and parent.get("nodaemon")):
        return observer(None, style, level)
    return observer(Path(str(name or "twistd.log")).absolute(), style, level)
