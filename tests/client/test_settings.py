"""The options every client shares: what goes before what, and what is refused."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd.client.settings import (
    BadSettings,
    Settings,
    add_arguments,
    resolve,
    seconds,
)


class SettingsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.cwd = Path(self.mktemp()).absolute()
        self.cwd.mkdir()

    def resolved(self, *argv: str, **environ: str) -> Settings:
        parser = ArgumentParser()
        add_arguments(parser)
        base: Mapping[str, str] = {"HOME": "/home/bob"}
        return resolve(parser.parse_args(argv), {**base, **environ}, self.cwd)

    def test_defaults(self) -> None:
        """With nothing given: loopback, 5555, the daemon's own key file."""
        self.assertEqual(
            self.resolved(),
            Settings(
                "127.0.0.1", 5555, Path("/home/bob/.local/state/chatd/secret.key")
            ),
        )

    def test_key_here_first(self) -> None:
        """A secret.key in the working folder goes before the daemon's."""
        (self.cwd / "secret.key").touch()
        self.assertEqual(self.resolved().key_path, self.cwd / "secret.key")

    def test_environment(self) -> None:
        """CHATD_HOST, CHATD_PORT and CHATD_KEY are taken."""
        self.assertEqual(
            self.resolved(CHATD_HOST="den", CHATD_PORT="77", CHATD_KEY="/k"),
            Settings("den", 77, Path("/k")),
        )

    def test_options_first(self) -> None:
        """An option goes before its environment variable."""
        self.assertEqual(
            self.resolved(
                *("--host", "a", "--port", "1", "--key", "/b"),
                CHATD_HOST="den",
                CHATD_PORT="junk",
                CHATD_KEY="/k",
            ),
            Settings("a", 1, Path("/b")),
        )

    def test_empty_environment_is_unset(self) -> None:
        """An empty environment variable counts as not set."""
        empty = self.resolved(CHATD_HOST="", CHATD_PORT="", CHATD_KEY="")
        self.assertEqual(empty, self.resolved())

    def test_empty_option(self) -> None:
        """An empty option is named, not replaced by a default."""
        for option in ("--host", "--port", "--key"):
            with self.assertRaisesRegex(BadSettings, option):
                self.resolved(option, "")

    def test_relative_key(self) -> None:
        """A relative key file is looked for in the working folder."""
        self.assertEqual(self.resolved("--key", "d/k").key_path, self.cwd / "d" / "k")

    def test_relative_state(self) -> None:
        """The path is absolute, however the daemon's state folder was given."""
        path = self.resolved(STATE_DIRECTORY="state").key_path
        self.assertEqual(path, self.cwd / "state" / "secret.key")

    def test_home(self) -> None:
        """``~`` from an environment variable, which no shell expands, is expanded."""
        self.assertEqual(self.resolved(CHATD_KEY="~/k").key_path, Path.home() / "k")

    def test_home_of_nobody(self) -> None:
        """A home folder that nobody has is an error in words."""
        with self.assertRaisesRegex(BadSettings, "CHATD_KEY.*~nobody-here-9"):
            self.resolved(CHATD_KEY="~nobody-here-9/k")

    def test_port_limits(self) -> None:
        """1 and 65535 are ports."""
        for port in (1, 65535):
            self.assertEqual(self.resolved("--port", str(port)).port, port)

    def test_no_port(self) -> None:
        """What is no port is refused with the value and where it stood."""
        for bad in ("0", "65536", "-1", "1.5", "http", "٣", "9" * 5000):
            with self.assertRaises(BadSettings) as caught:
                self.resolved(f"--port={bad}")
            message = str(caught.exception)
            self.assertIn("--port", message)
            self.assertIn(repr(bad[:40]), message)
            self.assertLess(len(message), 120)
        with self.assertRaisesRegex(BadSettings, "CHATD_PORT.*'x'"):
            self.resolved(CHATD_PORT="x")

    def test_seconds(self) -> None:
        """A waiting time is over 0 and a day at most: n passes, n + 1 does not."""
        for text, number in [("0.5", 0.5), ("86400", 86_400.0)]:
            self.assertEqual(seconds(text), number)
        for text in ["0", "-1", "86401", "nan", "inf", "x", ""]:
            self.assertRaises(ArgumentTypeError, seconds, text)
