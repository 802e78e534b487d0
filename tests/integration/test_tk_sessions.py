"""The window among others: real daemon, real window, a second client."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import TestCase

from chatd.clients.chat_tk.preferences import Preferences, load
from chatd.clients.chat_tk.program import Program
from chatd.clients.chat_tk.side_list import SideItem
from tests.chat_tk import xvfb
from tests.helpers import project_environment
from tests.screens.stage import Stage


class SessionTests(TestCase):
    """Mira at her window; Wei, Jonas and Priya elsewhere."""

    timeout = 60

    def setUp(self) -> None:
        if not xvfb.display():
            self.skipTest(xvfb.MISSING)
        self.stage = Stage(self)

    async def open(self, room: str = "#general") -> Program:
        await self.stage.talk()
        program = self.stage.window(Preferences(theme="light", room=room))
        self.window = program.window
        await self.online()
        return program

    async def online(self) -> None:
        await self.stage.until(self.window.root.winfo_viewable)
        status = self.window.side.status
        await self.stage.until(lambda: "Online" in str(status.cget("text")))

    def item(self, label: str) -> SideItem:
        return next(each for each in self.window.side.items if each.label == label)

    def shown(self) -> str:
        return self.window.messages.text.get("1.0", "end")

    async def shows(self, text: str) -> None:
        await self.stage.until(lambda: text in self.shown())

    def send(self, text: str) -> None:
        self.window.composer.put(text)
        self.window.composer.text.event_generate("<Return>")

    async def test_talk(self) -> None:
        """What is written reaches the others, and what they write the window."""
        await self.open()
        wei = self.stage.people["wei"]
        self.window.composer.text.focus_force()
        self.send("hello all")
        await self.stage.until(
            lambda: (
                "hello all"
                in [m.body for m in wei._copies.history("#general", None, 1)]
            )
        )
        wei.say("#general", "hello mira")
        await self.shows("hello mira")
        await self.shows("3 of 3")

    async def test_unread_and_search(self) -> None:
        """Elsewhere is counted until it is opened; what was said is found again."""
        await self.open()
        before = self.item("#random").unread
        self.stage.people["jonas"].say("#random", "there is more cake")
        await self.stage.until(lambda: self.item("#random").unread == before + 1)
        self.window.composer.text.focus_force()
        self.window.composer.text.event_generate("<Alt-Down>")  # lobby
        self.window.composer.text.event_generate("<Alt-Down>")  # ops
        self.window.composer.text.event_generate("<Alt-Down>")
        await self.shows("there is more cake")
        await self.stage.until(lambda: self.item("#random").unread == 0)
        self.window.search_bar.begin()
        self.window.search_bar.value.set("KITCH")
        count = self.window.search_bar.count
        await self.stage.until(lambda: str(count.cget("text")) == "1 of 1")

    async def test_lost_and_regained(self) -> None:
        """Through kill -9 of the daemon nothing is lost, nothing stands twice."""
        await self.open()
        self.stage.daemon.kill()
        banner = self.window.banner
        await self.stage.until(lambda: "Nothing listens" in banner.text.cget("text"))
        self.send("one while away")
        self.send("two while away")
        self.window.root.geometry("700x500")
        self.window.header.look.invoke()
        self.stage.daemon.restart()
        banner.retry.invoke()
        await self.online()
        await self.shows("of 3")
        wei = self.stage.people["wei"]
        wei.retry_now()
        await self.stage.until(
            lambda: (
                [m.body for m in wei._copies.history("#general", None, 2)]
                == ["one while away", "two while away"]
            )
        )
        self.assertEqual(self.shown().count("two while away"), 1)

    async def test_kept_until_the_next_start(self) -> None:
        """Draft, room, look and size are there again; what was said at once."""
        program = await self.open("#ops")
        await self.shows("disk at 97 %")
        self.window.composer.put("half a thought")
        self.window.header.look.invoke()
        self.window.root.geometry("801x555+10+10")
        await self.stage.until(lambda: self.window.root.winfo_width() == 801)
        kept = program._preferences_path
        await self.stage.close()
        self.stage.daemon.kill()
        preferred = load(kept)
        self.assertRegex(preferred.geometry, r"^801x555\+")
        self.window = self.stage.window(preferred).window
        self.assertIn("disk at 97 %", self.shown())
        await self.stage.until(self.window.root.winfo_viewable)
        self.assertEqual(self.window.composer.get(), "half a thought")
        self.assertTrue(self.window._theme.palette.dark)

    async def test_first_run_by_invite(self) -> None:
        """A pasted invite becomes a key file and a session; a second use is told."""
        command = [sys.executable, "-m", "chatd.ctl", "invite", "nils"]
        command += ["--state", str(self.stage.daemon.state)]
        command += ["--host", f"127.0.0.1:{self.stage.daemon.port}"]
        made = subprocess.run(
            command,
            env=project_environment(),
            check=True,
            capture_output=True,
            text=True,
        )
        line = next(w for w in made.stdout.split() if w.startswith("chatd://"))
        self.stage.daemon.signal(signal.SIGHUP)  # or it looks in half a second
        await self.stage.until(lambda: "users=1" in self.stage.daemon.log())
        for used in (False, True):
            path = Path(self.mktemp()).absolute() / "nils.key"
            self.window = self.stage.window(Preferences(), path).window
            form = self.window.form
            await self.stage.until(form.winfo_ismapped)
            form.values["invite"].set(line)
            form.connect.invoke()
            if used:
                note = form.notes["invite"]
                await self.stage.until(lambda n=note: "used" in str(n.cget("text")))  # type: ignore[misc]
                self.assertFalse(path.exists())
            else:
                await self.online()
                self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            await self.stage.close()
