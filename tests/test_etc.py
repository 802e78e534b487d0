"""The samples in etc/, read by the programs they are for, where these are installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from cryptography.fernet import Fernet
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.helpers import ROOT, Daemon, netstring

ETC = ROOT / "etc"
OPERATIONS = ROOT / "docs" / "operations.md"
FILTER = ETC / "fail2ban" / "filter.d" / "chatd.conf"
SECONDS = 60
MOST_EXPOSED = 2.0  # systemd calls it OK up to 5


def program(name: str) -> str:
    """Its path. SkipTest where it is not installed."""
    path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise SkipTest(f"{name} is not installed")
    return path


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)


class UnitTests(SynchronousTestCase):
    """chatd.service and chatd.socket."""

    def setUp(self) -> None:
        self.analyze = program("systemd-analyze")
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        self.service, self.socket = folder / "chatd.service", folder / "chatd.socket"
        unit = (ETC / "chatd.service").read_text()
        self.service.write_text(unit.replace("/opt/chatd/bin/twistd", "/bin/true"))
        shutil.copy(ETC / "chatd.socket", self.socket)

    def test_verified(self) -> None:
        """systemd finds no fault with the units, the commented lines included."""
        for _ in range(2):
            done = run(self.analyze, "verify", str(self.service), str(self.socket))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            ipv6 = re.sub(r"(?m)^#(\w+=)", r"\1", self.socket.read_text())
            self.socket.write_text(ipv6)

    def test_hardened(self) -> None:
        """The service is exposed no more than that, as systemd counts."""
        done = run(self.analyze, "security", "--offline=true", str(self.service))
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+) OK", done.stdout)
        assert found is not None, done.stdout + done.stderr  # for the type checker
        self.assertLessEqual(float(found[1]), MOST_EXPOSED)


class FolderTests(SynchronousTestCase):
    """chatd.sysusers and chatd.tmpfiles."""

    def test_user_and_folders(self) -> None:
        """The user that the unit runs as is made, and the folders are its own alone."""
        if os.getuid():
            raise SkipTest("only root makes users")
        users, files = program("systemd-sysusers"), program("systemd-tmpfiles")
        root = Path(self.mktemp()).absolute()
        (root / "etc").mkdir(parents=True)
        done = run(users, f"--root={root}", str(ETC / "chatd.sysusers"))
        self.assertEqual(done.returncode, 0, done.stderr)
        (line,) = (root / "etc" / "passwd").read_text().splitlines()
        name, _, uid, _, _, home, shell = line.split(":")
        self.assertEqual((name, home), ("chatd", "/var/lib/chatd"))
        self.assertIn("nologin", shell)
        unit = (ETC / "chatd.service").read_text()
        self.assertIn(f"\nUser={name}\n", unit)
        rules = str(ETC / "chatd.tmpfiles")
        done = run(files, f"--root={root}", "--create", rules)
        self.assertEqual(done.returncode, 0, done.stderr)
        for folder, mode in (("var/lib/chatd", 0o700), ("var/log/chatd", 0o750)):
            there = (root / folder).stat()
            self.assertEqual((there.st_uid, there.st_mode & 0o777), (int(uid), mode))


class Fail2banTests(SynchronousTestCase):
    """The filter and the jail."""

    others = (
        '2026-01-31T12:00:00.000Z warn 192.0.2.1:4000 slow reason="x Z warn'
        ' 192.0.2.99:4000 refused "\n'
        "2026-01-31T12:00:00.000Z info 192.0.2.2:4000 connected\n"
    )

    def setUp(self) -> None:
        """A real daemon's log of a wrong key, of junk and of one who is right."""
        daemon = Daemon(self)
        for sent in (
            netstring(Fernet(Fernet.generate_key()).encrypt(b"let me in")),
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            with daemon.connect() as connection:
                connection.sendall(sent)
                while connection.recv(1000):
                    pass
        with daemon.connect() as connection:
            connection.sendall(netstring(daemon.fernet.encrypt(b"hello")))
            self.assertTrue(connection.recv(1))
        daemon.terminate()
        written = daemon.log().splitlines()
        lines = [line for line in written if " warn 127.0.0.1:" in line]
        self.assertEqual([line.split()[3] for line in lines], ["refused", "bad-frame"])
        self.log = Path(self.mktemp()).absolute()
        other = [line.replace("127.0.0.1:", "[2001:db8::7]:") for line in lines]
        journal = [f"Jan 31 12:00:00 some.host chatd[12]: {line}" for line in lines]
        every = "\n".join([*lines, *other, *journal, ""])
        self.log.write_text(daemon.log() + every + self.others)

    def test_fail2ban(self) -> None:
        """fail2ban finds who was refused or spoke junk, in the log and the journal."""
        done = run(program("fail2ban-regex"), "-o", "ip", str(self.log), str(FILTER))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            done.stdout.split(),
            ["127.0.0.1"] * 4 + ["2001:db8::7"] * 2 + ["127.0.0.1"] * 2,
        )

    def test_expression(self) -> None:
        """The expression alone does, too, after fail2ban has cut off the time."""
        (written,) = re.findall(r"(?m)^failregex = (.*)$", FILTER.read_text())
        expression = re.compile(written.replace("<ADDR>", "([0-9a-f.:]+)"))
        time = re.compile(r"^(\S+Z|Jan 31 12:00:00)")
        found = [
            match[1]
            for line in self.log.read_text().splitlines()
            if (match := expression.match(time.sub("", line)))
        ]
        self.assertEqual(
            found, ["127.0.0.1"] * 4 + ["2001:db8::7"] * 2 + ["127.0.0.1"] * 2
        )

    def test_jail(self) -> None:
        """fail2ban takes the jail and its filter."""
        client = program("fail2ban-client")
        folder = Path(self.mktemp()).absolute()
        shutil.copytree("/etc/fail2ban", folder)
        shutil.copytree(ETC / "fail2ban", folder, dirs_exist_ok=True)
        (folder / "jail.d" / "defaults-debian.conf").unlink(missing_ok=True)
        done = run(client, "-c", str(folder), "-d")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("['add', 'chatd', 'systemd']", done.stdout)
        self.assertIn("_SYSTEMD_UNIT=chatd.service", done.stdout)


class ToldTests(SynchronousTestCase):
    """docs/operations.md."""

    def test_each_file(self) -> None:
        """Each file in etc/ is told of, by a link."""
        text = OPERATIONS.read_text()
        for path in ETC.rglob("*"):
            if path.is_file():
                self.assertTrue(f"(../{path.relative_to(ROOT)})" in text, path)
