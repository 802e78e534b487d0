"""chatctl: what each command does, says and exits with."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from chatd import ctl, keyfile
from chatd.client.errors import SayFailed, TooLong
from chatd.client.link import LinkState, Phase, Reason


class CommandCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()
        self.key_path = self.folder / "secret.key"
        for name in ("CHATD_KEY", "CHATD_HOST", "CHATD_PORT"):
            if (before := os.environ.pop(name, None)) is not None:
                self.addCleanup(os.environ.__setitem__, name, before)

    def run_command(self, *argv: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr. No output ever holds a key of the folder."""
        out, err = io.StringIO(), io.StringIO()
        secrets = [file.read_text().strip() for file in self.folder.glob("*.key")]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = ctl.main(argv)
            except SystemExit as left:
                code = left.code if isinstance(left.code, int) else 99
        secrets += [file.read_text().strip() for file in self.folder.glob("*.key")]
        for secret in filter(None, secrets):
            self.assertNotIn(secret, out.getvalue() + err.getvalue())
        return code, out.getvalue(), err.getvalue()

    def fails(self, *argv: str) -> str:
        """The one line on stderr of a command that fails with exit code 1."""
        code, out, err = self.run_command(*argv)
        self.assertEqual((code, out), (1, ""))
        self.assertRegex(err, r"\Achatctl: [^\n]+\n\Z")
        return err


class KeyTests(CommandCase):
    def test_keygen(self) -> None:
        """keygen writes a key that only its owner can read and says its id."""
        code, out, err = self.run_command("keygen", str(self.key_path))
        key = keyfile.read(self.key_path)
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(out, f"{self.key_path}: new key {key.id}\n")
        self.assertEqual(stat.S_IMODE(self.key_path.stat().st_mode), 0o600)

    def test_keygen_never_overwrites(self) -> None:
        """keygen leaves a file that is there alone."""
        self.key_path.write_text("mine")
        self.assertIn(str(self.key_path), self.fails("keygen", str(self.key_path)))
        self.assertEqual(self.key_path.read_text(), "mine")

    def test_keygen_no_folder(self) -> None:
        """keygen in a folder that is not there fails in one line."""
        self.fails("keygen", str(self.folder / "no" / "k"))

    def test_rotate(self) -> None:
        """rotate makes a new key, keeps the old one accepted, says what is next."""
        self.run_command("keygen", str(self.key_path))
        old = keyfile.read(self.key_path)
        code, out, err = self.run_command("key", "rotate", "--key", str(self.key_path))
        new = keyfile.read(self.key_path)
        self.assertNotEqual(new, old)
        self.assertEqual(keyfile.accepted(self.key_path), [new, old])
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"accepted now: {new.id}, {old.id}\n", out)
        for step in ("kill -HUP", "give", f"chatctl key retire --key {self.key_path}"):
            self.assertIn(step, out)

    def test_retire(self) -> None:
        """retire leaves the new key alone accepted and names those that went."""
        self.run_command("keygen", str(self.key_path))
        old = keyfile.read(self.key_path)
        self.run_command("key", "rotate", "--key", str(self.key_path))
        new = keyfile.read(self.key_path)
        code, out, err = self.run_command("key", "retire", "--key", str(self.key_path))
        self.assertEqual((code, err), (0, ""))
        self.assertIn(f"retired: {old.id}\naccepted now: {new.id}\n", out)
        self.assertIn("kill -HUP", out)
        self.assertEqual(keyfile.accepted(self.key_path), [new])

    def test_retire_nothing(self) -> None:
        """retire without an older key succeeds and asks for nothing."""
        self.run_command("keygen", str(self.key_path))
        code, out, _ = self.run_command("key", "retire", "--key", str(self.key_path))
        self.assertEqual(code, 0)
        self.assertIn("nothing", out)
        self.assertNotIn("HUP", out)

    def test_show_id(self) -> None:
        """show-id prints the current id first, alone, and older ones behind it."""
        self.run_command("keygen", str(self.key_path))
        old = keyfile.read(self.key_path)
        code, out, _ = self.run_command("key", "show-id", "--key", str(self.key_path))
        self.assertEqual((code, out), (0, old.id + "\n"))
        new = keyfile.rotate(self.key_path)
        _, out, _ = self.run_command("key", "show-id", "--key", str(self.key_path))
        self.assertEqual(out.splitlines()[0], new.id)
        self.assertTrue(out.splitlines()[1].startswith(old.id + " "))

    def test_environment(self) -> None:
        """$CHATD_KEY names the key file where --key does not."""
        self.run_command("keygen", str(self.key_path))
        os.environ["CHATD_KEY"] = str(self.key_path)
        self.addCleanup(os.environ.pop, "CHATD_KEY", None)
        key = keyfile.read(self.key_path)
        self.assertEqual(self.run_command("key", "show-id"), (0, key.id + "\n", ""))

    def test_no_key_file(self) -> None:
        """A missing key file: one line that names the command which makes one."""
        for action in ("rotate", "retire", "show-id"):
            error = self.fails("key", action, "--key", str(self.key_path))
            self.assertIn("chatctl keygen", error)

    def test_world_readable(self) -> None:
        """A key file that others can read: one line that names chmod."""
        self.run_command("keygen", str(self.key_path))
        self.key_path.chmod(0o644)
        error = self.fails("key", "show-id", "--key", str(self.key_path))
        self.assertIn("chmod 600", error)

    def test_folder_gone(self) -> None:
        """An error of the system comes as one line with the file's name."""
        os.environ["CHATD_KEY"] = "secret.key"
        self.addCleanup(os.environ.pop, "CHATD_KEY", None)
        before = Path.cwd()
        self.addCleanup(os.chdir, before)
        os.chdir(self.folder)
        shutil.rmtree(self.folder)
        self.fails("key", "show-id")


class UsageTests(CommandCase):
    def test_usage_errors(self) -> None:
        """Wrong options exit with 2 and say so on stderr."""
        for argv in (
            [],
            ["key"],
            ["keygen"],
            ["nonsense"],
            ["ping", "--count", "0"],
            ["ping", "--count", "x"],
            ["ping", "--count", "1000001"],
            ["ping", "--timeout", "0"],
            ["ping", "--timeout", "soon"],
            ["ping", "--timeout", "nan"],
            ["ping", "--port", "http"],
        ):
            code, out, err = self.run_command(*argv)
            self.assertEqual((code, out), (2, ""), argv)
            self.assertIn("chatctl", err)

    def test_help(self) -> None:
        """--help has examples and the steps of a rotation."""
        code, out, _ = self.run_command("--help")
        self.assertEqual(code, 0)
        self.assertIn("chatctl ping --count 3", out)
        code, out, _ = self.run_command("key", "--help")
        self.assertEqual(code, 0)
        self.assertIn("kill -HUP", out)

    def test_version(self) -> None:
        """--version names the program and a version."""
        self.assertRegex(self.run_command("--version")[1], r"^chatctl \d+\.\d+")


class FakeClient:
    """A PlainClient as far as ping knows one: a test moves it."""

    def __init__(self, phase: Phase, reason: Reason | None = None) -> None:
        self.state = LinkState(phase, reason, where="den:1")
        self.online: Deferred[None] = Deferred()
        self.said: list[str] = []
        self.replies: list[Deferred[str]] = []
        self.observers: list[Callable[[LinkState], None]] = []

    def start(self) -> None:
        """It is in the state it was made in."""

    def observe(self, callback: Callable[[LinkState], None]) -> Callable[[], None]:
        self.observers.append(callback)
        return lambda: self.observers.remove(callback)

    def when_online(self) -> Deferred[None]:
        return self.online

    def say(self, text: str) -> Deferred[str]:
        self.said.append(text)
        return self.replies.pop(0)

    def move(self, phase: Phase, reason: Reason | None = None) -> None:
        self.state = LinkState(phase, reason, where="den:1")
        for observer in list(self.observers):
            observer(self.state)


class PingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.out = io.StringIO()

    def ping(self, client: FakeClient, count: int = 1) -> Deferred[None]:
        redirected = contextlib.redirect_stdout(self.out)
        redirected.__enter__()
        self.addCleanup(redirected.__exit__, None, None, None)
        return Deferred.fromCoroutine(ctl.ping(client, self.clock, "hi", count, 5.0))

    def failed(self, pinged: Deferred[None]) -> str:
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return str(self.failureResultOf(pinged, ctl.Failed).value)

    def test_reply_and_time(self) -> None:
        """Each reply is printed with the milliseconds it took."""
        client = FakeClient(Phase.ONLINE)
        first: Deferred[str] = Deferred()
        client.replies = [first, succeed("Server received: hi")]
        pinged = self.ping(client, 2)
        self.clock.advance(0.25)
        self.assertEqual(client.said, ["hi"])
        first.callback("Server received: hi")
        self.successResultOf(pinged)
        self.assertEqual(
            self.out.getvalue(),
            "Server received: hi  (250.00 ms)\nServer received: hi  (0.00 ms)\n",
        )

    def test_terminal_is_safe(self) -> None:
        """What could steer a terminal is not printed."""
        client = FakeClient(Phase.ONLINE)
        client.replies = [succeed("a\x1b[2J\u202eb\n")]
        self.successResultOf(self.ping(client))
        self.assertTrue(self.out.getvalue().startswith("a\ufffd[2J\ufffdb\ufffd  ("))

    def test_first_attempt_decides(self) -> None:
        """Ping fails with the first attempt, for any reason, in that reason's words."""
        for reason in (Reason.REFUSED, Reason.WRONG_KEY, Reason.UNREACHABLE):
            client = FakeClient(Phase.CONNECTING)
            pinged = self.ping(client)
            client.move(Phase.WAITING, reason)
            self.assertEqual(self.failed(pinged), reason.advice_for("den:1"))
            self.assertEqual(client.observers, [])

    def test_already_failed(self) -> None:
        """A client whose attempt failed at once makes ping fail at once."""
        pinged = self.ping(FakeClient(Phase.WAITING, Reason.REFUSED))
        self.assertIn("den:1", self.failed(pinged))

    def test_connects_then_says(self) -> None:
        """Ping waits for the connection before it says anything."""
        client = FakeClient(Phase.CONNECTING)
        client.replies = [succeed("x")]
        pinged = self.ping(client)
        self.assertEqual(client.said, [])
        client.online.callback(None)
        self.successResultOf(pinged)

    def test_no_connection_in_time(self) -> None:
        """A connection that never comes ends after the timeout."""
        pinged = self.ping(FakeClient(Phase.CONNECTING))
        self.clock.advance(4.9)
        self.assertNoResult(pinged)
        self.clock.advance(0.2)
        self.assertEqual(self.failed(pinged), Reason.TIMEOUT.advice_for("den:1"))

    def test_no_reply_in_time(self) -> None:
        """A reply that never comes ends after the timeout."""
        client = FakeClient(Phase.ONLINE)
        client.replies = [Deferred()]
        pinged = self.ping(client)
        self.clock.advance(5.1)
        self.assertEqual(self.failed(pinged), Reason.TIMEOUT.advice_for("den:1"))

    def test_lost(self) -> None:
        """A connection lost before the reply is told as that."""
        client = FakeClient(Phase.ONLINE)
        client.replies = [fail(SayFailed(Reason.LOST))]
        self.assertEqual(
            self.failed(self.ping(client)), Reason.LOST.advice_for("den:1")
        )

    def test_too_long(self) -> None:
        """A text over the limit is told as that."""
        client = FakeClient(Phase.ONLINE)
        client.replies = [fail(TooLong(65519))]
        self.assertIn("65519", self.failed(self.ping(client)))
