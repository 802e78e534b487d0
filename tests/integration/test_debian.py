"""The Debian package: ``make deb`` builds it and runs all of this.

Without it, what the recipe says is looked at alone.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from chatd import __version__
from tests.helpers import (
    ROOT,
    STOP_SECONDS,
    Daemon,
    netstring,
    project_environment,
    read_frame,
)

PLACE = "usr/lib/chatd"


class RecipeTests(SynchronousTestCase):
    """debian/."""

    def test_version(self) -> None:
        """The package has the version of chatd."""
        first = (ROOT / "debian" / "changelog").read_text().splitlines()[0]
        self.assertEqual(first.split()[:2], ["chatd", f"({__version__})"])

    def test_each_file(self) -> None:
        """Each sample in etc/ is installed."""
        rules = (ROOT / "debian" / "rules").read_text()
        for path in (ROOT / "etc").rglob("*"):
            if path.is_file():
                self.assertRegex(rules, rf"(?m)^\tinstall .*{path.relative_to(ROOT)}\b")


class PackagedDaemon(Daemon):
    """A real daemon as its unit starts it, but out of the unpacked package."""

    root: Path

    def _start(self) -> None:
        unit = (self.root / "lib/systemd/system/chatd.service").read_text()
        (command,) = re.findall(r"(?m)^ExecStart=(.*)$", unit)
        for path in ("/usr/", "/etc/"):
            command = command.replace(path, f"{self.root}{path}")
        program, *options = command.split()
        name = f"chatd-test-{os.getpid()}-{os.urandom(4).hex()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind("\0" + name)
            ready.settimeout(0.1)
            with self.log_path.open("ab") as log:
                self.process = subprocess.Popen(
                    [
                        *(f"{self.root}/{PLACE}/bin/python", "-I", program, *options),
                        *("--state", str(self.state.absolute())),
                        *("--listen", "tcp:0:interface=127.0.0.1"),
                    ],
                    cwd="/",
                    env=project_environment(NOTIFY_SOCKET="@" + name),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            self.port = self._await_ready(ready)


class PackageTests(SynchronousTestCase):
    """The package that CHATD_DEB names, unpacked; Debian's Python beside it."""

    def setUp(self) -> None:
        package = os.environ.get("CHATD_DEB")
        if not package:
            raise SkipTest("make deb builds the package and looks at it")
        self.root = Path(self.mktemp()).absolute()
        self.dpkg("-x", package, str(self.root))
        (self.root / "usr/bin/python3").symlink_to("/usr/bin/python3")
        self.info = self.dpkg("-I", package)

    def dpkg(self, *words: str) -> str:
        return self.said("dpkg-deb", *words)

    def said(self, *words: str) -> str:
        done = subprocess.run(
            words, capture_output=True, text=True, cwd="/", timeout=STOP_SECONDS
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def python(self, program: str, *words: str) -> str:
        """What a command of the package says."""
        found = (self.root / "usr/bin" / program).resolve()
        head = found.read_text().splitlines()[0]
        self.assertEqual(head, f"#!/{PLACE}/bin/python")
        return self.said(f"{self.root}/{PLACE}/bin/python", "-I", str(found), *words)

    def test_daemon(self) -> None:
        """The daemon starts as the unit says, and answers; chatctl finds all well."""
        PackagedDaemon.root = self.root
        daemon = PackagedDaemon(self)
        with daemon.connect() as connection:
            connection.sendall(netstring(daemon.fernet.encrypt(b"hi")))
            reply = daemon.fernet.decrypt(read_frame(connection))
        self.assertEqual(reply, b"Server received: hi")
        config = Path(self.mktemp()).absolute()
        shutil.copy(self.root / "etc/chatd/chatd.conf", config)
        self.assertIn("\nstate = /var/lib/chatd\n", config.read_text())
        with config.open("a") as file:
            file.write(f"listen = tcp:{daemon.port}:interface=127.0.0.1\n")
        state = str(daemon.state.absolute())
        said = self.python(
            "chatctl", "check", "--config", str(config), "--state", state
        )
        self.assertIn("answers under our key", said)

    def test_clients(self) -> None:
        """The terminal client is there, with what it edits lines by."""
        self.assertIn("usage: chat-term", self.python("chat-term", "--help"))
        libraries = (self.root / "usr/share/doc/chatd/libraries.txt").read_text()
        for name in ("Twisted", "cryptography", "prompt_toolkit", "pyOpenSSL"):
            self.assertRegex(libraries, rf"(?mi)^{name}==")

    def test_nothing_of_the_build(self) -> None:
        """No file tells where the package was built."""
        for path in self.root.rglob("*"):
            if path.is_file() and not path.is_symlink():
                self.assertNotIn(b"/build/deb/chatd-", path.read_bytes(), path)

    def test_what_dpkg_knows(self) -> None:
        """It depends on the Python it was built for; the settings are conffiles."""
        (site,) = (self.root / PLACE / "lib").iterdir()
        self.assertRegex(self.info, rf"(?m)^ Depends: .*\b{site.name}\b")
        package = os.environ["CHATD_DEB"]
        conffiles = self.dpkg("-I", package, "conffiles").split()
        self.assertIn("/etc/chatd/chatd.conf", conffiles)
        self.assertIn("/etc/logrotate.d/chatd", conffiles)
        postinst = self.dpkg("-I", package, "postinst")
        self.assertIn("systemd-sysusers", postinst)
        self.assertIn("enable 'chatd.service'", postinst)
