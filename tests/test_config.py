"""The configuration file, and the sample in etc/."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import config, tap
from chatd.server.service import StartError
from tests.helpers import ROOT, Daemon, netstring, read_frame

SAMPLE = ROOT / "etc" / "chatd.conf"


class ConfigCase(SynchronousTestCase):
    """A file, and what the options become with it."""

    def parse(self, text: str, *typed: str) -> tap.Options:
        self.path = Path(self.mktemp())
        self.path.write_text(text)
        options = tap.Options()
        options.parseOptions(["--config", str(self.path), *typed])
        return options

    def refused(self, text: str) -> str:
        with self.assertRaises(StartError) as caught:
            self.parse(text)
        said = str(caught.exception)
        self.assertIn(str(self.path), said)
        self.assertNotIn("\n", said)
        return said


class FileTests(ConfigCase):
    """From a file to options."""

    def test_kinds(self) -> None:
        """Values, flags and lists, one a line, are what they are when typed."""
        options = self.parse(
            "[chatd]\nframe = 60000\nname = the % den ; #1\nno-guests = yes\n"
            "no-plain = no\nlisten =\n  tcp:1\n  # not this\n  tcp:2:interface=::1\n"
            "key = /a\n"
        )
        self.assertEqual((options["frame"], options["name"]), (60000, "the % den ; #1"))
        self.assertEqual((options["no-guests"], options["no-plain"]), (1, 0))
        self.assertEqual(options.listens, ["tcp:1", "tcp:2:interface=::1"])
        self.assertEqual(options.key_files, [Path("/a")])

    def test_command_line_wins(self) -> None:
        """What is typed, short or as the default even, hides what the file says."""
        options = self.parse(
            "[chatd]\nframe = 60000\nttl = 5\nlisten = tcp:1\nkey = /a\n",
            *("--frame", "65536", "-l", "tcp:2", "--key=/b"),
        )
        self.assertEqual((options["frame"], options["ttl"]), (65536, 5))
        self.assertEqual(options.listens, ["tcp:2"])
        self.assertEqual(options.key_files, [Path("/b")])

    def test_empty(self) -> None:
        """A key without a value, and a file without keys, change nothing."""
        for text in ("", "[chatd]\n", "[chatd]\nttl =\nlisten =\nno-plain =\n"):
            options = self.parse(text)
            plain = tap.Options()
            self.assertEqual(options.limits(), plain.limits())
            self.assertEqual(options.listens, [])

    def test_wrong_values(self) -> None:
        """A wrong value is one line that names file and key, and what is expected."""
        for line, expected in [
            ("frame = 7", "frame: a whole number from 53248 to 16777216 expected"),
            ("frame = 60000\n  70000", "frame: one value expected, not 2"),
            ("no-plain = perhaps", "no-plain: yes or no expected"),
            ("log-level = loud", "log-level: one of debug, info, warn, error expected"),
        ]:
            self.assertIn(expected, self.refused(f"[chatd]\n{line}\n"))

    def test_wrong_even_if_hidden(self) -> None:
        """A wrong value is told even where the command line hides it."""
        with self.assertRaises(StartError):
            self.parse("[chatd]\nframe = 7\n", "--frame", "65536")

    def test_unknown(self) -> None:
        """Unknown keys and sections are named; what no file may have is unknown."""
        for text, named in [
            ("[chatd]\nfrmae = 7\n", "unknown key frmae"),
            ("[chatd]\nFrame = 60000\n", "unknown key Frame"),
            ("[chatd]\nconfig = x\n", "unknown key config"),
            ("[chatd]\nversion = yes\n", "unknown key version"),
            ("[caht]\n", "unknown section [caht]"),
            ("[DEFAULT]\nframe = 60000\n", "unknown section [DEFAULT]"),
        ]:
            self.assertIn(named, self.refused(text))

    def test_not_a_file_of_this_kind(self) -> None:
        """What cannot be parsed is told by its line."""
        for text, told in [
            ("frame = 7\n", "line 1: [chatd] must stand before it"),
            ("[chatd]\nframe\n", "line 2: 'key = value' expected"),
            ("[chatd]\nttl=1\nttl=2\n", "line 3: ttl is there already"),
            ("[chatd]\n[chatd]\n", "line 2: [chatd] is there already"),
        ]:
            self.assertIn(told, self.refused(text))

    def test_unreadable(self) -> None:
        """A file that is not there, or no text, is one line that names it."""
        path = Path(self.mktemp())
        for told in ("No such file", "not UTF-8"):
            with self.assertRaises(StartError) as caught:
                tap.Options().parseOptions(["--config", str(path)])
            self.assertIn(str(path), str(caught.exception))
            self.assertIn(told, str(caught.exception))
            path.write_bytes(b"\xff")


class SampleTests(ConfigCase):
    """etc/chatd.conf."""

    def keys(self) -> dict[str, str]:
        return dict(re.findall(r"(?m)^#([a-z-]+) =(.*)$", SAMPLE.read_text()))

    def test_has_each_option(self) -> None:
        """The sample has each option that a file may have, and no other."""
        self.assertEqual(set(self.keys()), set(config.names(tap.Options())))

    def test_has_the_defaults(self) -> None:
        """Each line of the sample, without its #, is the default."""
        uncommented = re.sub(r"(?m)^#([a-z-]+ =)", r"\1", SAMPLE.read_text())
        options = self.parse(uncommented)
        self.assertEqual(options.pop("config"), str(self.path))
        expected = tap.Options()
        self.assertIsNone(expected.pop("config"))
        self.assertEqual(dict(options), dict(expected))
        self.assertEqual(options.listens, [tap.DEFAULT_LISTEN])
        self.assertEqual(options.key_files, [])
        for parameter in tap.Options.optParameters:
            if parameter[2] is not None:
                self.assertEqual(self.keys()[str(parameter[0])], f" {parameter[2]}")

    def test_starts_a_daemon(self) -> None:
        """A real daemon starts with the sample, and answers."""
        daemon = Daemon(self, "--config", str(SAMPLE))
        with daemon.connect() as connection:
            connection.sendall(netstring(daemon.fernet.encrypt(b"x")))
            reply = daemon.fernet.decrypt(read_frame(connection))
        self.assertEqual(reply, b"Server received: x")

    def test_daemon_says_what_is_wrong(self) -> None:
        """A daemon with a wrong file ends with one line on standard error."""
        path = Path(self.mktemp())
        path.write_text("[chatd]\nttl = soon\n")
        with self.assertRaises(RuntimeError) as caught:
            Daemon(self, "--config", str(path.absolute()))
        said = str(caught.exception).splitlines()[1:]
        self.assertEqual(len(said), 1, said)
        self.assertIn(f"{path.absolute()}: ttl: a whole number", said[0])
