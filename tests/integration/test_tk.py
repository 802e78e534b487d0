"""The real window against a real daemon."""

from __future__ import annotations

import os
import signal
import sys
import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from typing import cast

from twisted.internet import reactor, task
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from chatd import keyfile
from chatd.client.settings import Settings
from chatd.clients.chat_tk.preferences import Preferences
from chatd.clients.chat_tk.program import Program, Reactor
from chatd.wire.tokens import Key
from tests.chat_tk import xvfb
from tests.helpers import Daemon, project_environment


class WindowTests(TestCase):
    timeout = 60

    def setUp(self) -> None:
        if not xvfb.display():
            self.skipTest(xvfb.MISSING)

    async def open(self, port: int, key_path: Path) -> Program:
        """The program in this process, in trial's reactor."""
        root = tk.Tk(className="ChatTest")
        wanted = Settings("127.0.0.1", port, key_path)
        program = Program(
            root,
            cast(Reactor, reactor),
            wanted,
            name="mira@larch",
            scale=1.0,
            preferred=Preferences(theme="light"),
            preferences_path=Path(self.mktemp()),
        )
        self.window = program.window
        program.loop.start()
        program.begin()

        def end() -> Deferred[None]:
            done = program.shut_down()
            done.addCallback(lambda _: program.loop.close())
            return done

        self.addCleanup(end)
        return program

    def until(self, true: Callable[[], object]) -> Deferred[task.LoopingCall]:
        """Fires when `true` says so; the test's timeout bounds it."""

        def look() -> None:
            if true():
                looking.stop()

        looking = task.LoopingCall(look)
        return looking.start(0.01)

    def status(self) -> str:
        return str(self.window.side.status.cget("text")).strip()

    def banner(self) -> str:
        banner = self.window.banner
        if not banner.winfo_ismapped():
            return ""
        return f"{banner.text.cget('text')} {banner.detail.cget('text')}"

    def shown(self) -> str:
        return self.window.messages.text.get("1.0", "end")

    def marks(self) -> list[str]:
        names = [str(name) for name in self.window.messages.text.image_names()]
        return [n.split(":")[2] for n in names if n.startswith("mark:")]

    def send(self, text: str) -> None:
        self.window.composer.put(text)
        self.window.composer.hand_over()

    async def test_line_is_answered(self) -> None:
        """What is sent appears at once, and then the server's answer to it."""
        daemon = Daemon(self)
        await self.open(daemon.port, daemon.key_path)
        await self.until(lambda: self.status().startswith("Online"))
        self.send("Hello, Server!")
        self.assertEqual(self.marks(), ["pending"])
        await self.until(lambda: "Server received: Hello, Server!" in self.shown())
        self.assertEqual((self.marks(), self.banner()), (["stored"], ""))

    async def test_killed_daemon_is_shown_and_found_again(self) -> None:
        """A countdown while it is away; a line said meanwhile goes out by itself.

        Try now need not wait for the countdown.
        """
        daemon = Daemon(self)
        await self.open(daemon.port, daemon.key_path)
        await self.until(lambda: self.status().startswith("Online"))
        daemon.kill()
        await self.until(lambda: "Trying again in" in self.banner())
        await self.until(lambda: "Nothing listens" in self.banner())
        self.send("while away")
        self.assertEqual(self.marks(), ["pending"])
        daemon.restart()
        self.window.banner.retry.invoke()
        await self.until(lambda: "Server received: while away" in self.shown())
        self.assertEqual(self.marks(), ["stored"])

    async def test_wrong_key_is_named(self) -> None:
        """Another key is told apart from a server that is down."""
        daemon = Daemon(self)
        path = Path(self.mktemp())
        keyfile.create(path, Key.generate(os.urandom))
        await self.open(daemon.port, path)
        await self.until(lambda: "wrong key" in self.banner())
        await self.until(self.window.banner.settings.winfo_ismapped)

    async def test_first_run_asks_and_then_connects(self) -> None:
        """Without a key file the form is shown; with the right one it connects."""
        daemon = Daemon(self)
        await self.open(daemon.port, Path(self.mktemp()))
        await self.until(self.window.form.winfo_ismapped)
        self.window.form.values["key_path"].set(str(daemon.key_path))
        self.window.form.connect.invoke()
        await self.until(lambda: self.status().startswith("Online"))
        await self.until(lambda: not self.window.form.winfo_ismapped())


class Run(ProcessProtocol):
    """A process of the program, its output and its end."""

    def __init__(self) -> None:
        self.output = b""
        self.up: Deferred[None] = Deferred()
        self.ended: Deferred[int] = Deferred()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.output += data
        if b"window is up" in self.output and not self.up.called:
            self.up.callback(None)

    def processEnded(self, reason: Failure) -> None:
        error = reason.value
        code = error.exitCode if isinstance(error, ProcessTerminated) else 0
        if not self.up.called:
            self.up.errback(RuntimeError(self.output.decode()))
            self.up.addErrback(lambda _: None)
        self.ended.callback(-1 if code is None else code)


class ProgramTests(TestCase):
    timeout = 60

    def setUp(self) -> None:
        if not xvfb.display():
            self.skipTest(xvfb.MISSING)

    def run_program(self, *args: str, **environ: str) -> Run:
        run = Run()
        process = reactor.spawnProcess(
            run,
            sys.executable,
            [sys.executable, *args],
            env=project_environment(HOME=os.path.abspath(self.mktemp()), **environ),
        )

        def end() -> Deferred[int] | None:
            if run.ended.called:
                return None
            process.signalProcess("KILL")
            return run.ended

        self.addCleanup(end)
        self.process = process
        return run

    async def test_signals_end_it_cleanly(self) -> None:
        """SIGINT and SIGTERM: exit code 0, and nothing went wrong on the way."""
        daemon = Daemon(self)
        for number in (signal.SIGINT, signal.SIGTERM):
            options = ["--port", str(daemon.port), "--key", str(daemon.key_path)]
            run = self.run_program("-m", "chatd.clients.chat_tk", *options)
            await run.up
            self.process.signalProcess(number.value)
            self.assertEqual(await run.ended, 0, run.output)
            for word in (b"Traceback", b"error", b"critical"):
                self.assertNotIn(word, run.output)

    async def test_closed_window_ends_it(self) -> None:
        """The window manager's close button: exit code 0."""
        code = (
            "import tkinter as tk, sys\n"
            "from chatd.clients.chat_tk import app, view\n"
            "shown = view.MainWindow.show_form\n"
            "def show_form(self, *args, **named):\n"
            "    shown(self, *args, **named)\n"
            "    close = self.root.protocol('WM_DELETE_WINDOW')\n"
            "    self.root.after(50, lambda: self.root.tk.call(close))\n"
            "view.MainWindow.show_form = show_form\n"
            "sys.exit(app.main(['--key', 'none.key']))\n"
        )
        run = self.run_program("-c", code)
        self.assertEqual(await run.ended, 0, run.output)
        self.assertNotIn(b"Traceback", run.output)

    async def test_no_screen_is_one_line(self) -> None:
        """Exit code 2, and the client that needs no screen is named."""
        run = self.run_program("-m", "chatd.clients.chat_tk", DISPLAY=":nope")
        self.assertEqual(await run.ended, 2)
        self.assertEqual(run.output.count(b"\n"), 1)
        self.assertIn(b"chat-term", run.output)

    async def test_no_tkinter_is_one_line(self) -> None:
        """Exit code 2, and the command that installs it."""
        code = (
            "import sys; sys.modules['tkinter'] = None\n"
            "from chatd.clients.chat_tk.app import main; sys.exit(main([]))\n"
        )
        run = self.run_program("-c", code)
        self.assertEqual(await run.ended, 2)
        self.assertEqual(run.output.count(b"\n"), 1)
        self.assertIn(b"apt-get install python3-tk", run.output)
