"""What the documents promise is executed."""

from __future__ import annotations

import argparse
import ast
import hmac
import json
import os
import re
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from twisted.trial.unittest import SynchronousTestCase

from chatd import ctl, keyfile, tap
from chatd.server.limits import Limits
from chatd.wire import handshake
from chatd.wire.channel import Channel
from chatd.wire.framing import FrameDecoder, encode, token_length
from chatd.wire.handshake import Ephemeral
from chatd.wire.messages import ROOT_HASH, holds, message_fields, parse_message
from chatd.wire.plain import DEFAULT_FRAME, reply
from chatd.wire.tokens import Key, Refusal, Sealer
from tests.helpers import ROOT, Daemon, project_environment

README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def ctl_commands(parser: argparse.ArgumentParser, before: str = "") -> Iterator[str]:
    """The commands of `parser`, with all their words."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                yield from ctl_commands(inner, f"{before}{word} ")
            return
    yield before


def block(text: str, language: str, number: int = 0) -> str:
    """A code block of that language."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return str(found[number])


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


class SessionVectorTests(SynchronousTestCase):
    """docs/protocol.md, section 5, the session dialect."""

    def setUp(self) -> None:
        self.vectors = json.loads(block(PROTOCOL, "json", 1))
        self.key = Key.parse(self.vectors["key"])

    def bytes(self, name: str) -> bytes:
        return bytes.fromhex(self.vectors[name + "_hex"])

    def sealer(self, key: str) -> Sealer:
        now = self.vectors["time"]
        return Sealer(Key.parse(key), lambda: now, os.urandom)

    def test_handshake(self) -> None:
        """hello, welcome and refused are these, bound to the hello."""
        client = Ephemeral(lambda n: self.bytes("client_private"))
        server = Ephemeral(lambda n: self.bytes("server_private"))
        hello = handshake.hello("example/1.0", "bob", client.public)
        self.assertEqual(hello, self.bytes("hello"))
        self.assertEqual(handshake.parse_hello(hello).public, client.public)
        self.assertEqual(sha256(hello).hexdigest(), self.vectors["H"])
        terms = handshake.Welcome("den", "bob", server.public, 16_384, 65_536)
        welcome = handshake.welcome(hello, terms)
        self.assertEqual(welcome, self.bytes("welcome"))
        self.assertEqual(handshake.parse_answer(hello, welcome), terms)
        refusal = handshake.refused(hello, "full", "try later", retry_after=5000)
        self.assertEqual(refusal, self.bytes("refused"))
        for name in ("hello", "welcome"):
            token = self.vectors[name + "_token"].encode()
            opened = self.sealer(self.vectors["key"]).open([token])
            self.assertEqual(opened, [self.bytes(name)])

    def test_keys(self) -> None:
        """Both sides derive these keys; HMAC alone comes to the same (RFC 5869)."""
        hello, welcome = self.bytes("hello"), self.bytes("welcome")
        expected = [
            self.vectors[f"key_{way}"]
            for way in ("client_to_server", "server_to_client")
        ]
        sides = [
            Ephemeral(lambda n, name=name: self.bytes(name))  # type: ignore[misc]
            for name in ("client_private", "server_private")
        ]
        for mine, other in (sides, sides[::-1]):
            keys = mine.keys(other.public, self.key, hello, welcome)
            self.assertEqual([key.text for key in keys], expected)
        prk = hmac.digest(self.key.raw, self.bytes("shared"), "sha256")
        info = b"chatd/1" + sha256(hello).digest() + sha256(welcome).digest()
        first = hmac.digest(prk, info + b"\1", "sha256")
        okm = first + hmac.digest(prk, first + info + b"\2", "sha256")
        self.assertEqual(okm, self.bytes("okm"))
        self.assertEqual(
            [urlsafe_b64encode(half).decode() for half in (okm[:32], okm[32:])],
            expected,
        )

    def test_frames(self) -> None:
        """Each frame has that token, and opens in a channel in that order."""
        for way, key in (
            ("client", "key_client_to_server"),
            ("server", "key_server_to_client"),
        ):
            frames = self.vectors[f"{way}_frames"]
            oracle = Fernet(self.vectors[key])
            for frame in frames:
                plain = bytes.fromhex(frame["plaintext_hex"])
                iv = bytes.fromhex(frame["iv_hex"])
                made = oracle._encrypt_from_parts(plain, self.vectors["time"], iv)
                self.assertEqual(made.decode(), frame["token"])
            sealer = self.sealer(self.vectors[key])
            channel = Channel(sealer, sealer)
            texts = channel.open([frame["token"].encode() for frame in frames])
            self.assertEqual(len(texts), len(frames))
            for text, frame in zip(texts, frames, strict=True):
                self.assertEqual(text, bytes.fromhex(frame["plaintext_hex"])[8:])

    def test_chain(self) -> None:
        """The hashes of three messages, one of them without its body."""
        previous, before = ROOT_HASH, bytes(32)
        for link in self.vectors["chain"]:
            message = parse_message(link["message"])
            before = sha256(before + bytes.fromhex(link["canonical_hex"])).digest()
            self.assertEqual(before.hex(), message.hash)
            self.assertTrue(holds(previous, message))
            self.assertEqual(message_fields(message), link["message"])
            previous = message.hash
        self.assertIsNone(message.body)


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

    def test_commands(self) -> None:
        """It names every command of chatctl, in backquotes or in a block of code."""
        named = re.findall(r"`(?:chatctl )?([^`\n]+)`", OPERATIONS)
        named += re.findall(r"(?m)^    .*chatctl ([^#\n]+)", OPERATIONS)
        for command in ctl_commands(ctl.parser()):
            self.assertTrue(any(f"{n} ".startswith(command) for n in named), command)

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
        folders = [
            ROOT / "chatd" / each for each in ("server", "journal", "web", "webhooks")
        ]
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
        """wire knows nothing of ours; server and client not of each other, or hooks."""
        for folder, forbidden in [
            ("wire", r"chatd\.(?!wire\b)|twisted|zope"),
            ("server", r"chatd\.(client|clients|tap|ctl|run|web|webhooks)\b"),
            ("web", r"chatd\.(client|clients|tap|ctl|run)\b"),
            ("webhooks", r"chatd\.(client|clients|tap|ctl|run|web)\b"),
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
