"""The real daemon, a process of its own, over real sockets."""

from __future__ import annotations

import contextlib
import os
import random
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

from cryptography.fernet import Fernet
from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile
from chatd.wire.framing import FrameDecoder
from tests.helpers import Daemon, certify, netstring, project_environment, read_frame

SECONDS = 10


class DaemonCase(SynchronousTestCase):
    """One daemon, and ways to speak to it."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.daemon = Daemon(self, *self.options)
        self.fernet = self.daemon.fernet

    def connect(self) -> socket.socket:
        connection = self.daemon.connect()
        self.addCleanup(connection.close)
        return connection

    def say(self, connection: socket.socket, text: bytes) -> bytes:
        connection.sendall(netstring(self.fernet.encrypt(text)))
        return self.fernet.decrypt(read_frame(connection))

    def assert_closed(self, connection: socket.socket) -> None:
        """The peer closed, and said nothing before."""
        connection.settimeout(SECONDS)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(connection.recv(1), b"")

    def assert_serves(self) -> None:
        """Somebody else is served."""
        self.assertEqual(self.say(self.connect(), b"still"), b"Server received: still")


class PlainTests(DaemonCase):
    """The plain dialect, end to end."""

    def test_echo(self) -> None:
        """A text comes back with the prefix, under the key that sealed it."""
        connection = self.connect()
        for text in [
            b"Hello, Server!",
            b"",
            "é ✓ 𝄞".encode(),
            b"\x1etext",
            b"x" * 65519,
        ]:
            self.assertEqual(self.say(connection, text), b"Server received: " + text)
        self.assertEqual(
            self.say(connection, b"x" * 65520), b"Server refused: too long"
        )
        self.assertEqual(
            self.say(connection, b"\xff"), b"Server refused: not UTF-8 text"
        )

    def test_split_and_joined(self) -> None:
        """10 000 frames, cut and joined at random: 10 000 right replies in order."""
        texts = [b"line %d" % n for n in range(10_000)]
        stream = b"".join(netstring(self.fernet.encrypt(text)) for text in texts)
        rng = random.Random(7)
        connection = self.connect()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        decoder, replies, sent = FrameDecoder(10**5), list[bytes](), 0
        while len(replies) < len(texts):
            wanted = [connection] if sent < len(stream) else []
            readable, writable, _ = select.select([connection], wanted, [], SECONDS)
            self.assertTrue(readable or writable, "the daemon fell silent")
            if readable:
                data = connection.recv(65536)
                self.assertTrue(data, "the daemon closed")
                replies += decoder.feed(data)
            if writable:
                size = rng.choice([1, 2, 3, 100, 101, 1000, 30_000])
                sent += connection.send(stream[sent : sent + size])
        self.assertEqual(
            [self.fernet.decrypt(reply) for reply in replies],
            [b"Server received: " + text for text in texts],
        )

    def test_every_byte_boundary(self) -> None:
        """A frame cut in two at each of its bytes is answered like a whole one."""
        connection = self.connect()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        frame = netstring(self.fernet.encrypt(b"cut"))
        for cut in range(1, len(frame)):
            connection.sendall(frame[:cut])
            connection.sendall(frame[cut:])
            reply = self.fernet.decrypt(read_frame(connection))
            self.assertEqual(reply, b"Server received: cut")

    def test_half_closed(self) -> None:
        """Who sends, closes his half and then reads gets every answer."""
        connection = self.connect()
        frames = b"".join(netstring(self.fernet.encrypt(b"%d" % n)) for n in range(100))
        connection.sendall(frames)
        connection.shutdown(socket.SHUT_WR)
        replies = []
        try:
            while True:
                replies.append(self.fernet.decrypt(read_frame(connection)))
        except EOFError:
            pass
        self.assertEqual(replies, [b"Server received: %d" % n for n in range(100)])

    def test_replay_earns_a_reply(self) -> None:
        """The same token again earns another reply and nothing else."""
        connection = self.connect()
        frame = netstring(self.fernet.encrypt(b"again"))
        connection.sendall(frame * 3)
        for _ in range(3):
            reply = self.fernet.decrypt(read_frame(connection))
            self.assertEqual(reply, b"Server received: again")

    def test_hello(self) -> None:
        """A hello is refused by its code and closed, never echoed."""
        connection = self.connect()
        reply = self.say(connection, b'\x1e{"op":"hello","v":1}')
        self.assertIn(b'"code":"bad-hello"', reply)
        self.assert_closed(connection)

    def test_bad_input(self) -> None:
        """Each offender is closed with its reason in the log; others are served."""
        token = self.fernet.encrypt(b"x" * 30)
        other = Fernet(Fernet.generate_key()).encrypt(b"x")
        for data, reason in [
            (b"GET / HTTP/1.1\r\n\r\n", "not a decimal number"),
            (b"5\n", "not a decimal number"),
            (b"0100:" + token, "leading zero"),
            (b"87481:", "over 87480"),
            (b"999999999999999", "over 87480"),
            (b"99:", "under 100"),
            (b"%d:%b;" % (len(token), token), "no comma"),
            (netstring(token + b"="), "canonical"),
            (netstring(token[:50] + b"A" + token[50:]), "canonical"),
            (netstring(os.urandom(120)), "canonical"),
            (netstring(other), "no accepted key"),
        ]:
            with self.subTest(reason=reason, size=len(data)):
                connection = self.connect()
                connection.sendall(data)
                self.assert_closed(connection)
                self.assertIn(reason, self.daemon.log())
                self.assert_serves()

    def test_log_holds_no_secret(self) -> None:
        """No key, token or text of good or bad peers stands in the log."""
        secret = b"a secret that nobody may read"
        connection = self.connect()
        self.say(connection, secret)
        token = self.fernet.encrypt(secret)
        connection.sendall(netstring(token[:-1] + b"A"))
        self.assert_closed(connection)
        log = self.daemon.log()
        self.assertIn("refused", log)
        for word in (secret, token[20:40], self.daemon.key.text.encode()):
            self.assertNotIn(word.decode(), log)

    def test_never_reads(self) -> None:
        """A peer that never reads is paused: it cannot fill the daemon's memory."""
        before = self.memory()
        connection = self.connect()
        connection.setblocking(False)
        frames = netstring(self.fernet.encrypt(b"x" * 20_000)) * 20
        sent = 0
        while select.select([], [connection], [], 0.5)[1]:
            sent += connection.send(frames[sent % len(frames) :][:65536])
            self.assertLess(sent, 100 * 1024 * 1024, "never paused")
        self.assertLess(self.memory() - before, 16 * 1024)
        self.assert_serves()

    def memory(self) -> int:
        """KiB of the daemon's resident memory."""
        status = Path(f"/proc/{self.daemon.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0])

    def test_drain(self) -> None:
        """SIGTERM: what has arrived is answered, new peers are refused, all end."""
        connection = self.connect()
        frames = netstring(self.fernet.encrypt(b"last")) * 200
        connection.sendall(frames)
        self.fernet.decrypt(read_frame(connection))  # it has all arrived by now
        self.daemon.signal(signal.SIGTERM)
        replies = 1
        try:
            while self.fernet.decrypt(read_frame(connection)):
                replies += 1
        except EOFError:
            pass
        self.assertEqual(replies, 200)
        connection.close()
        self.daemon.process.wait(SECONDS)
        self.assertRaises(ConnectionRefusedError, self.daemon.connect)
        self.assertIn("stopped", self.daemon.log())

    def test_rotation(self) -> None:
        """A rotated key is taken up by SIGHUP; who talks goes on talking."""
        connection = self.connect()
        old = self.fernet
        new = Fernet(keyfile.rotate(self.daemon.key_path).text)
        self.reload(1)
        self.assertEqual(self.say(connection, b"old"), b"Server received: old")
        self.fernet = new
        self.assertEqual(self.say(connection, b"new"), b"Server received: new")
        keyfile.retire(self.daemon.key_path)
        self.reload(2)
        self.assertEqual(self.say(connection, b"new"), b"Server received: new")
        other = self.connect()
        other.sendall(netstring(old.encrypt(b"x")))
        self.assert_closed(other)

    def reload(self, times: int) -> None:
        self.daemon.signal(signal.SIGHUP)
        while self.daemon.log().count(" reloaded ") < times:
            self.assert_serves()

    def test_failed_reload(self) -> None:
        """A key file that others can read is not taken up, and nobody is cut off."""
        self.daemon.key_path.chmod(0o644)
        self.daemon.signal(signal.SIGHUP)
        while "reload-failed" not in self.daemon.log():
            self.assert_serves()
        self.daemon.key_path.chmod(0o600)
        self.assert_serves()

    def test_usr1(self) -> None:
        """SIGUSR1, logrotate's habit, ends nobody."""
        self.daemon.signal(signal.SIGUSR1)
        self.assert_serves()

    def test_key_survives(self) -> None:
        """After kill -9 the daemon comes back with the same key."""
        key = self.daemon.key
        self.daemon.kill()
        self.daemon.restart()
        self.assertEqual(self.daemon.key, key)
        self.assert_serves()


class LimitTests(DaemonCase):
    """A daemon with small limits."""

    options = ("--max-per-address", "20", "--max-connections", "30", "--ttl", "60")

    def test_one_address(self) -> None:
        """Of a flood from one address twenty stay; another address is served."""
        flood = [self.connect() for _ in range(200)]
        self.assertEqual(
            self.fernet.decrypt(self.answer(flood[0])), b"Server received: x"
        )
        refused = [c for c in flood if select.select([c], [], [], 0)[0]]
        for connection in refused:
            self.assert_closed(connection)
        self.assertEqual(len(flood) - len(refused), 20)
        elsewhere = socket.create_connection(
            ("127.0.0.1", self.daemon.port), SECONDS, ("127.0.0.2", 0)
        )
        self.addCleanup(elsewhere.close)
        self.assertEqual(self.say(elsewhere, b"x"), b"Server received: x")
        self.assertLess(self.daemon.log().count(" full "), 10)

    def answer(self, connection: socket.socket) -> bytes:
        connection.sendall(netstring(self.fernet.encrypt(b"x")))
        return read_frame(connection)

    def test_ttl(self) -> None:
        """An old token is refused, a fresh one answered."""
        connection = self.connect()
        self.assertEqual(self.say(connection, b"fresh"), b"Server received: fresh")
        connection.sendall(netstring(self.fernet.encrypt_at_time(b"x", 1)))
        self.assert_closed(connection)
        self.assertIn("older than the time to live", self.daemon.log())


class NoPlainTests(DaemonCase):
    """A daemon with the plain dialect off, that logs JSON."""

    options = ("--no-plain", "--log-format", "json", "--log-level", "warn")

    def test_refused(self) -> None:
        """A plain text is not answered, and the reason is logged, as JSON."""
        connection = self.connect()
        connection.sendall(netstring(self.fernet.encrypt(b"x")))
        self.assert_closed(connection)
        self.assertIn('"event": "refused"', self.daemon.log())
        self.assertNotIn('"level": "info"', self.daemon.log())


class EndpointTests(SynchronousTestCase):
    """Other endpoints than TCP."""

    def test_unix(self) -> None:
        """A UNIX socket serves like a port, half closed and bad peers included."""
        folder = tempfile.mkdtemp()  # mktemp's paths are too long for a socket
        self.addCleanup(shutil.rmtree, folder)
        path = f"{folder}/s"
        daemon = Daemon(self, "--listen", f"unix:{path}")
        for sent, expected in [
            (netstring(daemon.fernet.encrypt(b"hi")), b"Server received: hi"),
            (b"junk", None),
            (netstring(daemon.fernet.encrypt(b"hi")), b"Server received: hi"),
        ]:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(SECONDS)
                connection.connect(path)
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                if expected is None:
                    self.assertEqual(connection.recv(1), b"")
                else:
                    reply = daemon.fernet.decrypt(read_frame(connection))
                    self.assertEqual(reply, expected)
        self.assertIn("bad-frame", daemon.log())
        self.assertNotIn("failure", daemon.log())

    def test_tls(self) -> None:
        """A TLS endpoint serves the same protocol; junk is closed as well."""
        folder = Path(self.mktemp())
        folder.mkdir()
        certify(folder)
        where = f"ssl:0:interface=127.0.0.1:privateKey={folder}/k:certKey={folder}/c"
        daemon = Daemon(self, "--listen", where)
        context = ssl.create_default_context(cafile=str(folder / "c"))
        context.check_hostname = False
        frame = netstring(daemon.fernet.encrypt(b"hi"))
        with context.wrap_socket(daemon.connect()) as connection:
            connection.sendall(frame * 3)
            for _ in range(3):
                reply = daemon.fernet.decrypt(read_frame(connection))
                self.assertEqual(reply, b"Server received: hi")
            for _ in range(1000):  # more than the transport's buffer, one by one
                connection.sendall(frame)
                read_frame(connection)
            connection.sendall(b"junk")
            self.assertEqual(connection.recv(1), b"")
        self.assertIn("bad-frame", daemon.log())
        self.assertNotIn("failure", daemon.log())


class StartTests(SynchronousTestCase):
    """What hinders a start is one line, and the exit code is not zero."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()

    def start(self, *options: str) -> str:
        command = [sys.executable, "-m", "chatd", "--state", str(self.state), *options]
        done = subprocess.run(
            command,
            env=project_environment(),
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertNotIn("Traceback", done.stderr + done.stdout)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertTrue(done.stderr.startswith("chatd: "), done.stderr)
        return done.stderr

    def test_port_in_use(self) -> None:
        """A port that another listens on."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            where = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            said = self.start(
                "--listen", "tcp:0:interface=127.0.0.1", "--listen", where
            )
        self.assertIn(f"cannot listen on {where}: Address already in use", said)

    def test_key_files(self) -> None:
        """A key file that is readable by others, malformed, unreadable or missing."""
        self.state.mkdir()
        key = self.state / "secret.key"
        key.touch(0o644)
        key.write_bytes(Fernet.generate_key())
        key.chmod(0o644)
        self.assertIn("chmod 600", self.start())
        key.chmod(0o600)
        key.write_text("junk")
        self.assertIn("44 characters", self.start())
        key.unlink()
        key.mkdir()
        self.assertIn("cannot read", self.start())
        self.assertIn("no key file", self.start("--key", str(self.state / "none.key")))
