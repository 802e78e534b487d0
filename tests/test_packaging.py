"""What is packaged: the wheel and the sdist, and the commands that a reader is told."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.helpers import ROOT, project_environment

BUILD_SECONDS = 120
_NOT_SOURCE = shutil.ignore_patterns(
    ".*", "_trial_temp*", "build", "var", "__pycache__", "*.egg-info", "dropin.cache"
)


def _modules(folder: Path, name: str) -> set[str]:
    """The files of the package in `folder`, as they are named in a wheel."""
    return {f"{name}/{path.name}" for path in folder.glob("*.py")}


def _expected() -> set[str]:
    names = {"chatd/py.typed", "twisted/plugins/chatd_plugin.py"}
    for part in (
        "",
        "/client",
        "/clients",
        "/journal",
        "/server",
        "/web",
        "/webhooks",
        "/wire",
    ):
        names |= _modules(ROOT / f"chatd{part}", f"chatd{part}")
    for client in ("chat_term", "chat_tk"):
        names |= _modules(ROOT / "clients" / client, f"chatd/clients/{client}")
    return names


@cache
def _built() -> Path:
    """The folder of sdist and wheel, built once, without a network.

    Built from a copy, so that nothing that was built before gets in.
    """
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))  # trial's own folder
    source, built = folder / "source", folder / "built"
    shutil.copytree(ROOT, source, ignore=_NOT_SOURCE)
    shutil.copytree(ROOT / ".ci", source / ".ci")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    done = subprocess.run(
        [*command, str(built)], cwd=source, capture_output=True, timeout=BUILD_SECONDS
    )
    if done.returncode:
        raise RuntimeError(done.stdout.decode() + done.stderr.decode())
    return built


class BuiltTests(SynchronousTestCase):
    """The sdist and the wheel that is built from it."""

    def setUp(self) -> None:
        self.folder = _built()
        (self.wheel,) = self.folder.glob("*.whl")
        (self.sdist,) = self.folder.glob("*.tar.gz")

    def _installed(self, *arguments: str) -> str:
        """What Python says, run far from the checkout, the wheel on its path."""
        site = self.folder / "site"
        if not site.exists():
            shutil.unpack_archive(self.wheel, site, "zip")
        return subprocess.run(
            [sys.executable, *arguments],
            cwd="/",
            env=project_environment(PYTHONPATH=str(site)),
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    def test_wheel_is_exact(self) -> None:
        """The wheel holds each module of chatd, the clients, the plugin; no more."""
        with zipfile.ZipFile(self.wheel) as wheel:
            names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        self.assertEqual(names, _expected())

    def test_wheel_shadows_nothing(self) -> None:
        """The wheel makes neither twisted nor twisted.plugins a package of its own."""
        with zipfile.ZipFile(self.wheel) as wheel:
            names = wheel.namelist()
        self.assertNotIn("twisted/__init__.py", names)
        self.assertNotIn("twisted/plugins/__init__.py", names)

    def test_wheel_has_scripts(self) -> None:
        """The three commands are installed, the window's as a GUI script."""
        with zipfile.ZipFile(self.wheel) as wheel:
            (name,) = (n for n in wheel.namelist() if n.endswith("/entry_points.txt"))
            points = wheel.read(name).decode().split("\n\n")
        console, gui = (set(part.split("\n")) - {""} for part in points)
        self.assertEqual(
            console,
            {
                "[console_scripts]",
                "chatctl = chatd.ctl:main",
                "chat-term = chatd.clients.chat_term.app:main",
            },
        )
        self.assertEqual(
            gui, {"[gui_scripts]", "chat-tk = chatd.clients.chat_tk.app:main"}
        )

    def test_installed_plugin_is_found(self) -> None:
        """Installed from the wheel, Twisted's own command knows chatd."""
        said = self._installed("-m", "twisted", "chatd", "--help")
        self.assertIn("--max-per-address", said)

    def test_installed_clients_are_found(self) -> None:
        """Installed from the wheel, both clients come from there."""
        where = "import chatd.clients.chat_tk as a, chatd.clients.chat_term as b;"
        said = self._installed("-c", where + "print(a.__file__); print(b.__file__)")
        site = self.folder / "site" / "chatd" / "clients"
        self.assertEqual(
            said.split(),
            [str(site / name / "__init__.py") for name in ("chat_tk", "chat_term")],
        )

    def test_sdist_is_whole(self) -> None:
        """The sdist has all that the tests, the checks and the operator need."""
        with tarfile.open(self.sdist) as sdist:
            names = {name.partition("/")[2] for name in sdist.getnames()}
        folders = (".ci", "bench", "chatd", "clients", "debian", "docs", "etc", "tests")
        wanted = {
            str(path.relative_to(ROOT))
            for folder in folders
            for path in (ROOT / folder).rglob("*")
            if path.is_file()
            and not {"__pycache__", "out"} & set(path.parts)
            and path.suffix != ".pyc"
        }
        wanted |= {"Makefile", "README.md", "ruff.toml", "setup.cfg", "LICENSE"}
        self.assertEqual(wanted - names, set())

    def test_sdist_has_no_keys(self) -> None:
        """No key file and no state gets into the sdist."""
        with tarfile.open(self.sdist) as sdist:
            names = sdist.getnames()
        self.assertEqual([n for n in names if n.endswith((".key", ".pem", ".log"))], [])


class CheckoutTests(SynchronousTestCase):
    """The checkout, with nothing installed."""

    def _python(self, *arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=project_environment(),
            capture_output=True,
            check=True,
            text=True,
        ).stdout

    def test_plugin_is_found(self) -> None:
        """In a checkout, ``python -m twisted chatd`` knows the daemon."""
        self.assertIn(
            "--max-per-address", self._python("-m", "twisted", "chatd", "--help")
        )

    def test_main_is_twistd(self) -> None:
        """In a checkout, ``python -m chatd`` is the daemon, too."""
        self.assertIn("--max-per-address", self._python("-m", "chatd", "--help"))

    def test_clients_are_found(self) -> None:
        """In a checkout, the clients answer by the names they have when installed."""
        said = self._python("-m", "chatd.clients.chat_term", "--help")
        self.assertIn("usage: chat-term", said)

    def test_plugin_imports_no_chatd(self) -> None:
        """The plugin file, read by each twistd of that Python, imports only Twisted."""
        plugin = (ROOT / "twisted" / "plugins" / "chatd_plugin.py").read_text()
        imported = [
            node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in ast.walk(ast.parse(plugin))
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        self.assertEqual(imported, ["twisted.application.service"])

    def test_each_package_is_listed(self) -> None:
        """setup.cfg names each folder of modules: no package is forgotten."""
        listed = (ROOT / "setup.cfg").read_text().split()
        for folder in {path.parent for path in (ROOT / "chatd").rglob("*.py")}:
            name = ".".join(folder.relative_to(ROOT).parts)
            self.assertIn(name, listed)
        for folder in {path.parent for path in (ROOT / "clients").rglob("*.py")}:
            self.assertIn("chatd." + ".".join(folder.relative_to(ROOT).parts), listed)


class ToldTests(SynchronousTestCase):
    """What README and CONTRIBUTING tell a reader to type."""

    def test_make_commands_exist(self) -> None:
        """Each ``make X`` that is told is a target of the Makefile."""
        makefile = (ROOT / "Makefile").read_text()
        targets = set(" ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.M)).split())
        for name in ("README.md", "CONTRIBUTING.md"):
            text = (ROOT / name).read_text()
            told = set(re.findall(r"(?:`|^ *|\| )make ([a-z-]+)", text, re.M))
            self.assertEqual(told - targets, set(), name)
            self.assertIn("test", told, name)

    def test_targets_have_recipes(self) -> None:
        """Make knows how to do each phony target (it is asked, but does nothing)."""
        makefile = (ROOT / "Makefile").read_text()
        (line,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.M)
        make = shutil.which("make")
        self.assertIsNotNone(make)
        for target in line.split():
            done = subprocess.run(
                [str(make), "-n", target], cwd=ROOT, capture_output=True, timeout=60
            )
            self.assertEqual((target, done.returncode), (target, 0), done.stderr)

    def test_scripts_can_run(self) -> None:
        """The scripts for a fresh machine are executable."""
        for name in (".ci/run", ".ci/system", ".ci/deb", "debian/rules"):
            self.assertTrue(os.access(ROOT / name, os.X_OK), name)
