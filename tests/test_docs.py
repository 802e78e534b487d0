"""What the documents promise is executed."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile, tap
from chatd.server.limits import Limits
from chatd.wire.framing import FrameDecoder, encode, token_length
from chatd.wire.handshake import is_hello, refused
from chatd.wire.plain import DEFAULT_FRAME, reply
from chatd.wire.tokens import Key, Refusal, Sealer
from tests.helpers import ROOT, Daemon, project_environment

README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def block(text: str, language: str) -> str:
    """The one code block of that language."""
    (found,) = re.findall(
        rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE
    )
    return str(found)


class VectorTests(SynchronousTestCase):
    """docs/protocol.md, section 5."""

    def setUp(self) -> None:
        self.vectors = json.loads(block(PROTOCOL, "json"))
        self.oracle = Fernet(self.vectors["key"])
        now = self.vectors["time"]
        self.sealer = Sealer(
            Key.parse(self.vectors["key"]), lambda: now, lambda n: b"r" * n
        )
        self.longest = token_length(DEFAULT_FRAME)

    def test_exchanges(self) -> None:
        """Each text has that token in that frame, and that reply."""
        self.assertGreaterEqual(len(self.vectors["exchanges"]), 5)
        for vector in self.vectors["exchanges"]:
            text, said = (bytes.fromhex(vector[k]) for k in ("text_hex", "reply_hex"))
            for plain, token, iv in [
                (text, vector["token"], vector["iv_hex"]),
                (said, vector["reply_token"], vector["reply_iv_hex"]),
            ]:
                made = self.oracle._encrypt_from_parts(
                    plain, self.vectors["time"], bytes.fromhex(iv)
                )
                self.assertEqual(made.decode(), token)
                self.assertEqual(self.sealer.open([made], 1), [plain])
            token = vector["token"].encode()
            self.assertEqual(encode(token).decode(), vector["frame"])
            frames = FrameDecoder(self.longest).feed(vector["frame"].encode())
            self.assertEqual(frames, [token])
            self.assertEqual(reply(text, DEFAULT_FRAME), said)

    def test_not_tokens(self) -> None:
        """None of these opens, though the oracle opens some."""
        opened = 0
        for vector in self.vectors["not_tokens"]:
            token = vector["token"].encode()
            self.assertIsInstance(self.sealer.open([token])[0], Refusal, vector["why"])
            try:
                opened += bool(self.oracle.decrypt(token))
            except InvalidToken:
                continue
        self.assertGreaterEqual(opened, 3)

    def test_lengths(self) -> None:
        """A token's length follows from its plaintext's."""
        for vector in self.vectors["lengths"]:
            size = vector["plaintext"]
            self.assertEqual(len(self.oracle.encrypt(b"x" * size)), vector["token"])
            self.assertEqual(token_length(size), vector["token"])

    def test_malformed_frames(self) -> None:
        """Each is refused as it stands."""
        for frame in self.vectors["malformed_frames"]:
            decoder = FrameDecoder(self.longest)
            decoder.feed(frame.encode())
            self.assertIsNotNone(decoder.fault, frame)

    def test_hello(self) -> None:
        """The hello is one, and its refusal is bound to it."""
        hello = bytes.fromhex(self.vectors["hello"]["plaintext_hex"])
        expected = bytes.fromhex(self.vectors["hello"]["refused_hex"])
        self.assertTrue(is_hello(hello))
        fields = json.loads(expected[1:])
        made = refused(hello, fields["code"], fields["reason"], versions=[])
        self.assertEqual(made, expected)


class ClientTests(SynchronousTestCase):
    """docs/protocol.md, section 6."""

    def test_whole_client(self) -> None:
        """The client of 20 lines works, and tells a wrong key."""
        daemon = Daemon(self)
        source = block(PROTOCOL, "python")
        self.assertLessEqual(len(source.splitlines()), 22)
        other = Path(self.mktemp())
        keyfile.create(other, Key(b"x" * 32))
        for key, code, said in [
            (daemon.key_path, 0, "Server received: Hello, Server!\n"),
            (other, 1, ""),
        ]:
            rest = [str(daemon.port), str(key), "Hello, Server!"]
            done = subprocess.run(
                [sys.executable, "-c", source, "127.0.0.1", *rest],
                capture_output=True,
                text=True,
                timeout=30,
            )
            self.assertEqual((done.returncode, done.stdout), (code, said), done.stderr)
        self.assertIn("probably the wrong key", done.stderr)


class ReadmeTests(SynchronousTestCase):
    """README.md."""

    def test_seed_way(self) -> None:
        """Three lines of Python make a key file that is taken."""
        folder = Path(self.mktemp())
        folder.mkdir()
        source = block(README, "python")
        self.assertEqual(len(source.splitlines()), 3)
        subprocess.run(
            [sys.executable, "-c", source], cwd=folder, check=True, timeout=30
        )
        keyfile.read(folder / "secret.key")

    def test_make(self) -> None:
        """Each `make` target that is named exists."""
        makefile = (ROOT / "Makefile").read_text()
        named = set(re.findall(r"\bmake (run|test|serve|chat)\b", README))
        self.assertEqual(named, {"run", "test", "serve", "chat"})
        for target in named:
            self.assertRegex(makefile, rf"(?m)^{target}:")

    def test_chatctl(self) -> None:
        """Each chatctl command that is named exists."""
        named = set(re.findall(r"chatctl ((?:key )?[a-z-]+)", README + OPERATIONS))
        self.assertLessEqual({"keygen", "ping", "key rotate", "key retire"}, named)
        for command in named:
            done = subprocess.run(
                [sys.executable, "-m", "chatd.ctl", *command.split(), "--help"],
                env=project_environment(),
                capture_output=True,
                timeout=30,
            )
            self.assertEqual(done.returncode, 0, command)

    def test_links(self) -> None:
        """Each link inside the project leads somewhere."""
        for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
            for target in re.findall(r"\]\(([^):#]+)\)", page.read_text()):
                self.assertTrue((page.parent / target).exists(), f"{page}: {target}")


class OperationsTests(SynchronousTestCase):
    """docs/operations.md."""

    def test_options(self) -> None:
        """The table has each option of the daemon, and no other."""
        documented = set(re.findall(r"(?m)^\| `--([a-z-]+)`", OPERATIONS))
        options = tap.Options()
        self.assertEqual(
            documented,
            {name.rstrip("=") for name in options.longOpt} - {"help", "version"},
        )

    def test_defaults(self) -> None:
        """The defaults and fixed limits are the ones that are documented."""
        limits = Limits()
        table = dict(re.findall(r"(?m)^\| `--([a-z-]+)` .*\| (\d+) \|$", OPERATIONS))
        self.assertEqual(
            table,
            {
                "frame": str(limits.frame),
                "idle-timeout": f"{limits.idle:.0f}",
                "max-connections": str(limits.connections),
                "max-per-address": str(limits.per_address),
                "message-rate": f"{limits.messages:.0f}",
            },
        )
        for limit, name in [
            (limits.unfinished, "a frame that began"),
            (limits.grace, "a closing connection"),
        ]:
            self.assertIn(f"| {name} | {limit:.0f} s |", OPERATIONS)
        self.assertIn(f"after {limits.unread:.0f} s aborted", OPERATIONS)

    def test_events(self) -> None:
        """The table of events has each event that the daemon logs, and no other."""
        logged = {"twisted"}
        folders = [ROOT / "chatd" / "server", ROOT / "chatd" / "journal"]
        files = [file for folder in folders for file in folder.glob("*.py")]
        files.append(ROOT / "chatd" / "tap.py")
        for file in files:
            source = file.read_text()
            logged |= set(re.findall(r'_log\.\w+\(\s*"([a-z-]+)"', source))
            logged |= set(re.findall(r'misbehaved\(\w+, "([a-z-]+)"', source))
            logged |= set(re.findall(r'self\._(?:came|say)\("([a-z-]+)"', source))
        table = OPERATIONS.partition("| event |")[2].partition("\n\n")[0]
        documented: set[str] = set()
        for row in table.splitlines()[2:]:
            documented |= set(re.findall(r"`([a-z-]+)`", row.split("|")[1]))
        self.assertEqual(documented, logged)


class ArrowTests(SynchronousTestCase):
    """docs/architecture.md: which way imports point."""

    def imports(self, folder: str) -> dict[Path, set[str]]:
        found = {}
        for file in sorted((ROOT / "chatd" / folder).rglob("*.py")):
            names: set[str] = set()
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ImportFrom):
                    names |= {f"{node.module}.{alias.name}" for alias in node.names}
                elif isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
            found[file] = names
        self.assertTrue(found)
        return found

    def test_down_only(self) -> None:
        """wire knows nothing of ours; server and client not of each other."""
        for folder, forbidden in [
            ("wire", r"chatd\.(?!wire\b)|twisted|zope"),
            ("server", r"chatd\.(client|clients|tap|ctl|run)\b"),
            ("client", r"chatd\.(server|clients|tap|ctl|run)\b"),
            ("journal", r"chatd\.(?!wire\b|journal\b)"),
        ]:
            for file, names in self.imports(folder).items():
                self.assertEqual([n for n in names if re.match(forbidden, n)], [], file)

    def test_cryptography(self) -> None:
        """Only wire/tokens and wire/handshake import cryptography."""
        allowed = {"tokens.py", "handshake.py"}
        for file, names in self.imports(".").items():
            if any(name.startswith("cryptography") for name in names):
                self.assertIn(file.name, allowed)

    def test_no_reactor_at_the_top(self) -> None:
        """No module imports the global reactor when it is imported."""
        folders = [ROOT / "chatd", ROOT / "clients"]
        for file in [f for folder in folders for f in folder.rglob("*.py")]:
            for node in ast.parse(file.read_text()).body:
                if (
                    isinstance(node, ast.ImportFrom)
                    and node.module == "twisted.internet"
                ):
                    names = [alias.name for alias in node.names]
                    self.assertNotIn("reactor", names, file)
