"""The configuration file: every option of the command line, under the same name.

    [chatd]
    message-rate = 20
    listen =
        tcp:5555
        tcp6:5555
    no-guests = yes

It becomes words of a command line that stand before those that were typed: these win.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from configparser import (
    ConfigParser,
    DuplicateOptionError,
    DuplicateSectionError,
    MissingSectionHeaderError,
    ParsingError,
)
from getopt import GetoptError, getopt
from pathlib import Path

from twisted.python.usage import Options, UsageError

SECTION = "chatd"
NOT_IN_FILES = frozenset({"config", "help", "version"})


class ConfigError(Exception):
    """What is wrong with a file, and where: one line that names file and key."""


def words(options: Options, argv: Sequence[str]) -> list[str]:
    """What the file named by --config in `argv` adds to `argv`.

    `options` tells which options there are. Raises ConfigError.
    """
    try:
        given, _ = getopt(argv, options.shortOpt, options.longOpt)
    except GetoptError:
        return []  # `options` will say what is wrong with `argv`
    typed = {options.synonyms[name.lstrip("-")]: value for name, value in given}
    if "config" not in typed:
        return []
    path = Path(typed["config"])
    found: list[str] = []
    for key, text in _section(path).items():
        for word in _option(options, path, key, text):
            _check(options, path, key, word)
            if key not in typed:
                found.append(word)
    return found


def names(options: Options) -> dict[str, bool]:
    """The keys that a file may have, and whether each takes a value."""
    every = {name.rstrip("="): name.endswith("=") for name in options.longOpt}
    return {name: every[name] for name in every if name not in NOT_IN_FILES}


def _section(path: Path) -> dict[str, str]:
    """The file's keys and their texts. Raises ConfigError."""
    parser = ConfigParser(
        delimiters=("=",),
        default_section="",  # which no header can name
        interpolation=None,
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text") from None
    except DuplicateOptionError as error:
        raise ConfigError(
            f"{path}, line {error.lineno}: {error.option} is there already"
        ) from None
    except DuplicateSectionError as error:
        raise ConfigError(
            f"{path}, line {error.lineno}: [{error.section}] is there already"
        ) from None
    except MissingSectionHeaderError as error:
        raise ConfigError(
            f"{path}, line {error.lineno}: [{SECTION}] must stand before it"
        ) from None
    except ParsingError as error:
        raise ConfigError(
            f"{path}, line {error.errors[0][0]}: 'key = value' expected"
        ) from None
    for section in parser.sections():
        if section != SECTION:
            raise ConfigError(f"{path}: unknown section [{section}], not [{SECTION}]")
    return dict(parser[SECTION]) if SECTION in parser else {}


def _option(options: Options, path: Path, key: str, text: str) -> Iterator[str]:
    """The words for one key; none where its text is empty. Raises ConfigError."""
    known = names(options)
    if key not in known:
        raise ConfigError(
            f"{path}: unknown key {key}; the keys are {', '.join(sorted(known))}"
        )
    values = [line.strip() for line in text.splitlines() if line.strip()]
    if len(values) > 1 and key in options:  # what may come again is no item of it
        raise ConfigError(f"{path}: {key}: one value expected, not {len(values)}")
    for value in values:
        if known[key]:
            yield f"--{key}={value}"
        elif value.lower() not in ConfigParser.BOOLEAN_STATES:
            raise ConfigError(f"{path}: {key}: yes or no expected")
        elif ConfigParser.BOOLEAN_STATES[value.lower()]:
            yield f"--{key}"


def _check(options: Options, path: Path, key: str, word: str) -> None:
    """Raises ConfigError where `options` would refuse `word`."""
    try:
        type(options)().parseOptions([word])
    except UsageError as error:
        reason = str(error).rpartition(f"--{key}: ")[2]
        raise ConfigError(f"{path}: {key}: {reason}") from None
