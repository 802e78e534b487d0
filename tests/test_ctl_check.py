"""chatctl check: each of its lines, well and failing."""

from __future__ import annotations

import io
import re
import shutil
import socket
import sqlite3
import tempfile
import time
from contextlib import closing, redirect_stdout
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from chatd import ctl, ctl_ports, keyfile, tap
from chatd.ctl_check import AHEAD, ROOM, SLOW, Machine, commit_seconds, findings
from chatd.ctl_ports import PortFault, examine
from chatd.journal import schema
from chatd.server.users import Users
from chatd.wire.tokens import Key
from tests.helpers import ROOT, Daemon, certify

NOW = 1_800_000_000.0
SUBJECTS = ["state", "keys", "users", "store", "clock", "disk", "commits", "port"]


class CheckCase(SynchronousTestCase):
    """A state folder of one key, one user and a store; a machine that is well."""

    def setUp(self) -> None:
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir(0o700)
        self.key = self.state / "secret.key"
        keyfile.create(self.key, Key(b"k" * 32))
        Users(self.state / "keys", lambda: NOW).add("alice", None)
        self.journal = self.state / "journal.db"
        with closing(schema.connect(self.journal)) as connection:
            schema.migrate(self.journal, connection)
        self.machine = Machine(
            now=lambda: NOW,
            synchronised=lambda: True,
            free=lambda folder: 1 << 40,
            commit=lambda folder: SLOW,
        )

    def lines(self, *words: str) -> dict[str, str]:
        """The lines by their subjects, those that fail with FAIL before them."""
        options = tap.Options()
        if "--listen" not in words:
            words = (*words, "--listen", "tcp:0:interface=127.0.0.1")
        options.parseOptions(["--state", str(self.state), *words])
        found = {}
        for well, line in findings(options, self.machine):
            self.assertNotIn("\n", line)
            subject, _, said = line.partition(": ")
            found[subject] = said if well else f"FAIL {said}"
        return found

    def assert_fails(
        self, subject: str, *told: str, options: tuple[str, ...] = ()
    ) -> None:
        """That line alone fails, and tells it."""
        lines = self.lines(*options)
        failing = [name for name, line in lines.items() if line.startswith("FAIL")]
        self.assertEqual(failing, [subject])
        for words in told:
            self.assertIn(words, lines[subject])

    def change(self, sql: str, **values: int) -> None:
        with closing(sqlite3.connect(self.journal)) as connection:
            connection.execute(sql, values)
            connection.commit()


class LineTests(CheckCase):
    """One subject after the other."""

    def test_all_well(self) -> None:
        """A machine that is well has each line, and none that fails."""
        lines = self.lines()
        self.assertEqual(list(lines), SUBJECTS)
        self.assertEqual([line for line in lines.values() if "FAIL" in line], [])
        self.assertEqual(lines["keys"], Key(b"k" * 32).id)
        self.assertEqual(lines["users"], "1 users, 1 keys")

    def test_changes_nothing(self) -> None:
        """Nothing in the state folder is another than before."""
        before = self.tree()
        self.machine = replace(self.machine, commit=commit_seconds)
        self.lines()
        self.assertEqual(self.tree(), before)

    def tree(self) -> dict[Path, bytes]:
        """What is there, but for the two files that SQLite keeps beside a store."""
        paths = [p for p in self.state.rglob("*") if "journal.db-" not in p.name]
        return {p: p.read_bytes() if p.is_file() else b"" for p in paths}

    def test_before_the_first_start(self) -> None:
        """What the first start makes is not missed; what nothing makes is."""
        for path in sorted(self.state.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        lines = self.lines()
        self.assertEqual([line for line in lines.values() if "FAIL" in line], [])
        self.state.rmdir()
        self.assert_fails("state", "no folder", "--state")

    def test_state_others_can_write(self) -> None:
        """A state folder that others can write to fails; the one line mends it."""
        self.state.chmod(0o770)
        self.assert_fails("state", "mode 0770", f"chmod 700 {self.state}")

    def test_keys(self) -> None:
        """A shared key that others can read fails, and a named one that is missing."""
        self.key.chmod(0o640)
        self.assert_fails("keys", "mode 0640", "chmod 600")
        self.assert_fails("keys", "keygen", options=("--key", "/nowhere/x.key"))

    def test_users(self) -> None:
        """A user's key that others can read fails, and so does a stray file."""
        path = self.state / "keys" / "alice.key"
        path.chmod(0o644)
        self.assert_fails("users", "alice.key", "chmod 600")
        path.chmod(0o600)
        path.with_name("alice.kee").touch()
        self.assert_fails("users", "alice.kee", "move away")

    def test_store_damaged(self) -> None:
        """A file that is no store, and a head that is not its room's, fail."""
        self.change("INSERT INTO rooms VALUES (1, '#a', 1, 5, x'00', x'00')")
        self.assert_fails("store", "#a: its head", "restore a backup")
        for name in ("journal.db-wal", "journal.db-shm"):
            (self.state / name).unlink(missing_ok=True)
        self.journal.write_bytes(b"no store" * 1000)
        self.assert_fails("store", "restore a backup")

    def test_store_version(self) -> None:
        """A newer store fails; an older one is told to be migrated, and passes."""
        known = len(schema.MIGRATIONS)
        self.change(f"PRAGMA user_version={known + 1}")
        self.assert_fails("store", "newer chatd", "install that version")
        self.change(f"PRAGMA user_version={known - 1}")
        self.assertIn(f"will be migrated to {known}", self.lines()["store"])

    def put_message(self, seconds: float) -> None:
        """A message of that time."""
        self.change("DELETE FROM messages")
        self.change("DELETE FROM rooms")
        self.change("INSERT INTO rooms VALUES (1, '#a', 1, 1, x'00', x'00')")
        self.change(
            "INSERT INTO messages VALUES"
            " (1, 1, 1, 'x', 'alice', :ms, NULL, 't', NULL, x'00')",
            ms=int(seconds * 1000),
        )

    def test_clock_behind(self) -> None:
        """A clock far behind the newest message fails; a little passes."""
        self.put_message(NOW + AHEAD)
        self.assertNotIn("FAIL", self.lines()["clock"])
        self.put_message(NOW + AHEAD + 1)
        self.assertIn("FAIL the newest message is 61 s ahead", self.lines()["clock"])

    def test_clock_not_synchronised(self) -> None:
        """That nothing sets the clock fails where --ttl needs it, and is told else."""
        self.machine = replace(self.machine, synchronised=lambda: False)
        self.assertIn("nothing that sets it", self.lines()["clock"])
        self.assert_fails("clock", "NTP", options=("--ttl", "60"))

    def test_disk(self) -> None:
        """Free must be some room and a copy of the journal: one byte less fails."""
        wanted = ROOM + self.journal.stat().st_size
        self.machine = replace(self.machine, free=lambda folder: wanted)
        self.assertNotIn("FAIL", self.lines()["disk"])
        self.machine = replace(self.machine, free=lambda folder: wanted - 1)
        self.assert_fails("disk", "make room")

    def test_commits(self) -> None:
        """A disk that syncs slower than the limit fails."""
        self.machine = replace(self.machine, commit=lambda folder: SLOW + 0.001)
        self.assert_fails("commits", "101 ms", "faster disk")

    def test_not_writable(self) -> None:
        """What the system refuses is a line that names the file."""

        def refuse(folder: Path) -> float:
            raise PermissionError(13, "Permission denied", str(folder))

        self.machine = replace(self.machine, commit=refuse)
        self.assert_fails("commits", str(self.state), "Permission denied")


class PortTests(CheckCase):
    """What is on the port."""

    def test_not_an_endpoint(self) -> None:
        """What is no endpoint, or cannot be had, fails by its name."""
        for description in (
            "pigeon:1",
            "tcp:x",
            "ssl:0:privateKey=/nowhere.pem",
            "unix:/nowhere/socket",
            "tcp:0:interface=192.0.2.1",
        ):
            self.assert_fails("port", description, options=("--listen", description))

    def test_systemd(self) -> None:
        """What systemd opens is left to it."""
        lines = self.lines("--listen", "systemd:domain=INET:index=0")
        self.assertIn("systemd's", lines["port"])

    def test_free(self) -> None:
        """A port that nobody has is free, and stays it."""
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
        listen = f"tcp:{port}:interface=127.0.0.1"
        for _ in range(2):
            found = self.lines("--listen", listen)
            self.assertEqual(found["port"], f"{listen} is free")

    def test_taken(self) -> None:
        """A port that a daemon with another key has fails."""
        daemon = Daemon(self)
        listen = f"tcp:{daemon.port}:interface=127.0.0.1"
        self.assert_fails("port", "another key", options=("--listen", listen))

    def test_taken_by_the_silent(self) -> None:
        """Who never answers has the port for another purpose."""
        self.patch(ctl_ports, "PATIENCE", 0.01)
        with socket.create_server(("127.0.0.1", 0)) as other:
            listen = f"tcp:{other.getsockname()[1]}:interface=127.0.0.1"
            self.assert_fails("port", "ss -lptx", options=("--listen", listen))

    def test_ours(self) -> None:
        """A daemon with our key is known by its answer, in either dialect."""
        for option in ((), ("--no-plain",)):
            daemon = Daemon(self, *option)
            listen = f"tcp:{daemon.port}:interface=127.0.0.1"
            said = examine(listen, [daemon.key], plain=not option)
            self.assertEqual(said, f"{listen} answers under our key")
            self.assertRaises(PortFault, examine, listen, [Key(b"o" * 32)], True)

    def test_unix(self) -> None:
        """Ours is known on a Unix socket; a path that is free is left as it was."""
        folder = Path(tempfile.mkdtemp())  # mktemp's paths are too long for a socket
        self.addCleanup(shutil.rmtree, folder)
        listen = f"unix:{folder}/s"
        daemon = Daemon(self, "--listen", listen)
        self.assertIn("answers", examine(listen, [daemon.key], True))
        daemon.terminate()
        self.assertIn("is free", examine(listen, [daemon.key], True))
        self.assertEqual(list(folder.iterdir()), [])

    def test_tls(self) -> None:
        """Ours is known behind TLS."""
        folder = Path(self.mktemp())
        folder.mkdir()
        certify(folder)
        pair = f"interface=127.0.0.1:privateKey={folder}/k:certKey={folder}/c"
        daemon = Daemon(self, "--listen", f"ssl:0:{pair}")
        said = examine(f"ssl:{daemon.port}:{pair}", [daemon.key], True)
        self.assertIn("answers under our key", said)


class CommandTests(CheckCase):
    """The command line."""

    def run_check(self, *words: str) -> tuple[int, list[str]]:
        out = io.StringIO()
        with redirect_stdout(out):
            code = ctl.main(["check", *words])
        return code, out.getvalue().splitlines()

    def config(self, *lines: str) -> str:
        path = Path(self.mktemp()).absolute()
        path.write_text("\n".join(["[chatd]", *lines, ""]))
        return str(path)

    def test_beside_a_daemon(self) -> None:
        """Beside a daemon that runs and is well, each line is ok, and the code 0."""
        daemon = Daemon(self)
        listen = f"listen = tcp:{daemon.port}:interface=127.0.0.1"
        words = ("--state", str(daemon.state), "--config", self.config(listen))
        code, said = self.run_check(*words)
        shown = [line.partition(":")[0] for line in said]
        expected = [f"ok   {subject}" for subject in ["options", *SUBJECTS]]
        self.assertEqual((code, shown), (0, expected), said)
        self.assertIn("answers under our key", said[-1])

    def test_failing(self) -> None:
        """One line that fails makes the code 1; all others are said."""
        self.key.chmod(0o644)
        config = self.config(f"state = {self.state}", "listen = tcp:0")
        code, said = self.run_check("--config", config)
        failing = [line for line in said if line.startswith("FAIL keys: ")]
        self.assertEqual((code, len(said), len(failing)), (1, 9, 1), said)

    def test_options(self) -> None:
        """A configuration that the daemon would refuse is the one line there is."""
        code, said = self.run_check("--config", self.config("ttl = soon"))
        self.assertEqual((code, len(said)), (1, 1))
        self.assertTrue(said[0].startswith("FAIL options: "))
        self.assertIn("ttl: a whole number", said[0])

    def test_documented(self) -> None:
        """docs/operations.md has each line of it, with the limits that hold."""
        text = (ROOT / "docs" / "operations.md").read_text()
        table = text.partition("\n| line | fails where |\n")[2].partition("\n\n")[0]
        documented = re.findall(r"(?m)^\| `([a-z]+)` \|", table)
        self.assertEqual(documented, ["options", *SUBJECTS])
        for figure in (
            f"over {AHEAD:.0f} s ahead",
            f"{ROOM >> 20} MiB",
            f"over {SLOW * 1000:.0f} ms",
        ):
            self.assertIn(figure, table)

    def test_the_machine_itself(self) -> None:
        """The machine answers what it is asked."""
        machine = Machine()
        self.assertIsInstance(machine.synchronised(), bool)
        self.assertGreater(machine.free(self.state), 0)
        self.assertLess(abs(machine.now() - time.time()), 60)
