"""The options of ``twistd chatd``, and the service they make."""

from __future__ import annotations

import io
import os
import resource
import socket
import sys
import tempfile
from pathlib import Path

from twisted.application.service import Application, IService
from twisted.logger import ILogObserver, LogLevel
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatd import listening, logs, tap
from chatd.server.limits import Limits
from chatd.server.service import (
    ChatService,
    StartError,
    say_start_errors_plainly,
    sd_notify,
)
from chatd.wire.plain import DEFAULT_FRAME
from tests.server.house import House


def options(*words: str) -> tap.Options:
    parsed = tap.Options()
    parsed.parseOptions(list(words))
    return parsed


class OptionsTests(SynchronousTestCase):
    """From words to limits."""

    def test_defaults(self) -> None:
        """Without options the limits are the documented ones."""
        self.assertEqual(options().limits(), Limits())
        self.assertEqual(options().limits().frame, DEFAULT_FRAME)

    def test_all(self) -> None:
        """Each option reaches its limit."""
        parsed = options(
            *("--ttl", "60", "--frame", "100000", "--idle-timeout", "0"),
            *("--max-connections", "7", "--max-per-address", "3", "--no-plain"),
        )
        expected = Limits(100_000, 60, 0.0, connections=7, per_address=3, plain=False)
        self.assertEqual(parsed.limits(), expected)

    def test_repeatable(self) -> None:
        """--listen and --key may be given again."""
        parsed = options("--listen", "tcp:1", "-l", "tcp:2", "--key", "a", "-k", "/b")
        self.assertEqual(parsed.listens, ["tcp:1", "tcp:2"])
        self.assertEqual(parsed.key_files, [Path("a").absolute(), Path("/b")])

    def test_bad_values(self) -> None:
        """A value out of range is refused with the option's name: n passes, n+1 not."""
        for name, good, bad in [
            ("frame", ["53248", "16777216"], ["53247", "16777217", "x", "-1", "1e5"]),
            ("ttl", ["1"], ["0", "-1", "", "²"]),
            ("idle-timeout", ["0", "1"], ["-1", "x"]),
            ("max-connections", ["1", "1000000"], ["0", "1000001"]),
            ("max-per-address", ["1", "1000000"], ["0", "1000001"]),
            ("log-format", ["text", "json"], ["xml"]),
            ("log-level", ["debug", "info", "warn", "error"], ["loud"]),
        ]:
            for value in good:
                options(f"--{name}", value)
            for value in bad:
                with self.assertRaises(UsageError) as caught:
                    options(f"--{name}", value)
                self.assertIn(f"--{name}:", str(caught.exception))

    def test_version(self) -> None:
        """--version prints the version and ends."""
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        with self.assertRaises(SystemExit) as caught:
            options("--version")
        self.assertEqual(caught.exception.code, 0)
        self.assertTrue(out.getvalue().startswith("chatd "))

    def test_backlog(self) -> None:
        """TCP endpoints get a backlog for bursts, unless the operator chose one."""
        for given, made in [
            ("tcp:5555", "tcp:5555:backlog=4096"),
            ("tcp6:5555", "tcp6:5555:backlog=4096"),
            ("ssl:5555:privateKey=k", "ssl:5555:privateKey=k:backlog=4096"),
            ("tcp:5555:backlog=5", "tcp:5555:backlog=5"),
            ("unix:/x", "unix:/x"),
            ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
        ]:
            self.assertEqual(listening.with_backlog(given), made)


class ServiceTests(TestCase):
    """From options to a service."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp())
        hook = sys.excepthook
        self.addCleanup(setattr, sys, "excepthook", hook)

    def make(self, *words: str, parent: dict[str, object] | None = None) -> ChatService:
        parsed = options("--state", str(self.state), *words)
        if parent is None:
            parent = {"logfile": str(self.state) + ".log"}
        parsed.parent = parent  # type: ignore[assignment]  # what twistd sets
        service = tap.makeService(parsed)
        self.assertIsInstance(service, ChatService)
        assert isinstance(service, ChatService)  # for the type checker
        return service

    def test_key_made_once(self) -> None:
        """The first start makes folder (0700) and key (0600); the next keeps them."""
        self.make()
        key = self.state / "secret.key"
        made = key.read_bytes()
        self.assertEqual(key.stat().st_mode & 0o777, 0o600)
        self.assertEqual(self.state.stat().st_mode & 0o777, 0o700)
        self.make()
        self.assertEqual(key.read_bytes(), made)

    def test_default_state(self) -> None:
        """Without --state the default folder serves."""
        self.patch(os, "environ", {"STATE_DIRECTORY": str(self.state)})
        parsed = options()
        parsed.parent = {"logfile": str(self.state) + ".log"}  # type: ignore[assignment]
        tap.makeService(parsed)
        self.assertTrue((self.state / "secret.key").exists())

    def test_given_key_is_never_made(self) -> None:
        """A key file that was named and is not there is an error, not a new key."""
        with self.assertRaises(StartError) as caught:
            self.make("--key", str(self.state / "x.key"))
        self.assertIn("no key file", str(caught.exception))

    def test_bad_endpoint(self) -> None:
        """A description that is no endpoint is one clear error."""
        for description in (
            "carrier-pigeon:5555",
            "tcp:many",
            "ssl:0:privateKey=/nowhere/key.pem",
            "systemd:domain=INET:index=0",  # and systemd is not there
        ):
            with self.assertRaises(StartError) as caught:
                self.make("--listen", description)
            self.assertIn(f"--listen {description}: ", str(caught.exception))

    def test_state_in_the_way(self) -> None:
        """A file in the state folder's place is one clear error."""
        self.state.touch()
        self.assertRaises(StartError, self.make)

    def test_log_of_twistd(self) -> None:
        """The application gets our observer, which twistd then logs by."""
        service = self.make()
        self.assertTrue(IService.providedBy(service))
        application = Application("test")
        service.setServiceParent(application)
        self.assertIsNotNone(application.getComponent(ILogObserver))

    def test_log_of_others(self) -> None:
        """A log that the operator gave to another hand stays there."""
        for parent in ({"syslog": True}, {"logger": "x.y"}):
            application = Application("test")
            self.make(parent=dict(parent)).setServiceParent(application)
            self.assertIsNone(application.getComponent(ILogObserver))

    def test_log_of_twist(self) -> None:
        """Under twist our lines go to the file it chose, at the level we were told."""
        parent: dict[str, object] = {
            "fileLogObserverFactory": None,
            "logLevel": LogLevel.info,
        }
        self.make("--log-level", "warn", parent=parent)
        factory = parent["fileLogObserverFactory"]
        out = io.StringIO()
        assert callable(factory)  # for the type checker
        factory(out)({"log_namespace": "chatd", "log_format": "event"})
        self.assertIn("info - event", out.getvalue())
        self.assertEqual(parent["logLevel"], LogLevel.warn)
        parent["logLevel"] = LogLevel.debug
        self.make(parent=parent)
        self.assertEqual(parent["logLevel"], LogLevel.debug)

    def test_log_default_places(self) -> None:
        """Without a file: standard output in the foreground, else twistd.log."""
        here = Path(self.mktemp()).absolute()
        here.mkdir()
        was = Path.cwd()
        os.chdir(here)
        self.addCleanup(os.chdir, was)
        self.make(parent={"nodaemon": True})
        self.assertFalse((here / "twistd.log").exists())
        self.make(parent={})
        self.assertTrue((here / "twistd.log").exists())

    def test_open_files(self) -> None:
        """The limit of open files is raised as far as the connections need it."""
        limits = [(100, 5000)]
        self.patch(resource, "getrlimit", lambda what: limits[-1])
        self.patch(resource, "setrlimit", lambda what, limit: limits.append(limit))
        listening.allow_files(1000)
        self.assertEqual(limits[-1], (1256, 5000))
        listening.allow_files(100_000)
        self.assertEqual(limits[-1], (5000, 5000))
        listening.allow_files(1000)
        self.assertEqual(len(limits), 3)


class StartErrorTests(SynchronousTestCase):
    """What the operator reads."""

    def test_one_line(self) -> None:
        """A StartError is one line on the real stderr; others stay as they are."""
        others: list[BaseException] = []
        self.patch(sys, "excepthook", lambda kind, error, trace: others.append(error))
        said = io.StringIO()
        self.patch(sys, "__stderr__", said)
        say_start_errors_plainly()
        sys.excepthook(StartError, StartError("no port"), None)
        self.assertEqual(said.getvalue(), "chatd: no port\n")
        error = ValueError()
        sys.excepthook(ValueError, error, None)
        self.assertEqual(others, [error])


class NotifyTests(SynchronousTestCase):
    """sd_notify(3)."""

    def test_path(self) -> None:
        """States arrive as datagrams at a path."""
        folder = tempfile.mkdtemp()  # mktemp's paths are too long for a socket
        path = Path(folder, "s")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(path))
            sd_notify(str(path))("READY=1")
            self.assertEqual(manager.recv(100), b"READY=1")
        path.unlink()
        Path(folder).rmdir()

    def test_nobody(self) -> None:
        """Without an address, or with a manager gone, nothing happens."""
        sd_notify(None)("READY=1")
        sd_notify("")("READY=1")
        sd_notify("@chatd-test-nobody-listens-here")("READY=1")


class ReconfigureTests(SynchronousTestCase):
    """What SIGHUP takes up from the configuration file."""

    def test_changes(self) -> None:
        """Limits and the level hold; what needs a restart is said."""
        path = Path(self.mktemp())
        path.write_text("[chatd]\nlisten = tcp:1\n")
        options = tap.Options()
        options.parseOptions(["--config", str(path), "--ttl", "60"])
        house = House(self, options.limits())
        path.write_text(
            "[chatd]\nlisten = tcp:2\nhttp = tcp:3\nmessage-rate = 2\nttl = 5\n"
            "log-level = warn\nname = other\n"
        )
        levels: list[str] = []
        self.patch(logs, "set_level", levels.append)

        def again() -> list[str]:
            return tap.reconfigure(house.clock, options, house.limits, house.requests)

        changes = again()
        house.clock.advance(0)
        self.assertEqual(
            changes,
            [
                "messages 50.0 -> 2.0",
                "message_burst 500.0 -> 20.0",
                "log-level info -> warn",
                "name: after a restart",
                "listen: after a restart",
                "http: after a restart",
            ],
        )
        self.assertEqual((house.limits.messages, house.limits.ttl), (2.0, 60))
        self.assertEqual(levels, ["warn"])
        alice = house.session("alice")
        alice.ask("join", room="#ops")
        codes = [alice.say("#ops", "x", f"m{n}").get("code") for n in range(21)]
        self.assertEqual(codes, [None] * 20 + ["slow-down"])

    def test_fault(self) -> None:
        """A fault in the file is one line, and changes nothing."""
        path = Path(self.mktemp())
        path.write_text("[chatd]\n")
        options = tap.Options()
        options.parseOptions(["--config", str(path)])
        house = House(self, options.limits())
        path.write_text("[chatd]\nmessage-rate = many\n")
        with self.assertRaises(StartError):
            tap.reconfigure(house.clock, options, house.limits, house.requests)
        self.assertEqual(house.limits.messages, 50.0)
