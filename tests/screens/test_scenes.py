"""The pictures' scenes: nothing is cut off, everything that should be seen is there."""

from __future__ import annotations

import os
import struct
import subprocess
import tkinter as tk
from collections.abc import Iterator
from pathlib import Path
from tkinter import ttk

from twisted.trial.unittest import TestCase

from chatd.clients.chat_tk.keys import SHORTCUTS
from chatd.clients.chat_tk.program import Program
from tests.chat_tk import xvfb
from tests.helpers import ROOT
from tests.screens.scenes import SCENES
from tests.screens.stage import Stage

FOLDER = os.environ.get("CHATD_SCREENSHOTS")
"""Where pictures are to be written; unset: nowhere."""
LOOKS = ("light", "dark")
SEEN = {
    "main": ("Nice", "New messages", "assert parse"),
    "search": ("of 5",),
    "preferences": ("Preferences", "Text size", "Mentions", "in words:", "Close"),
    "first-run": ("Connect to a server", "Invite", "Key file", "Connect"),
    "narrow": ("Nice",),
    "offline": ("Trying again in", "This one waits", "Try now"),
}


def widgets(parent: tk.Misc) -> Iterator[tk.Misc]:
    """All that are on the screen now."""
    for child in parent.winfo_children():
        if isinstance(child, tk.Toplevel) or child.winfo_ismapped():
            yield child
            yield from widgets(child)


def text_of(widget: tk.Misc) -> str:
    if isinstance(widget, tk.Text):
        return widget.get("1.0", "end")
    if isinstance(widget, ttk.Label | ttk.Button | ttk.Checkbutton | ttk.Radiobutton):
        return str(widget.cget("text"))
    return ""


class SceneTests(TestCase):
    timeout = 120

    def setUp(self) -> None:
        if not xvfb.display():
            self.skipTest(xvfb.MISSING)

    async def test_scenes(self) -> None:
        """Each scene, light and dark: its words are seen, and no label is cut off."""
        for look in LOOKS:
            stage = Stage(self)
            await stage.talk()
            for name, scene in SCENES.items():
                program = await scene(stage, look)
                await stage.pause(0.2)
                self._look_at(program, name, look)
                await stage.close()

    def _look_at(self, program: Program, name: str, look: str) -> None:
        root = program.window.root
        root.update_idletasks()
        seen = list(widgets(root))
        told = "\n".join(text_of(each) for each in seen)
        for words in SEEN[name]:
            self.assertIn(words, told, name)
        self.assertEqual(program.window._theme.palette.name, look)
        for each in seen:
            if isinstance(each, ttk.Label | ttk.Button) and text_of(each):
                self._assert_whole(each, f"{name}, {look}: {text_of(each)!r}")
        if FOLDER:
            path = Path(FOLDER, f"chat-tk-{name}-{look}.png")
            size = f"{root.winfo_width()}x{root.winfo_height()}+0+0"
            crop = ["-crop", size, "+repage", "-strip"]
            subprocess.run(["import", "-window", "root", *crop, str(path)], check=True)

    def _assert_whole(self, widget: tk.Misc, what: str) -> None:
        """It has the room that it asks for, inside of its window."""
        if int(str(widget.cget("width") or 0)) == 1:
            return  # made to be cut: the address beside the title
        self.assertGreaterEqual(widget.winfo_width(), widget.winfo_reqwidth(), what)
        self.assertGreaterEqual(widget.winfo_height(), widget.winfo_reqheight(), what)
        top = widget.winfo_toplevel()
        right = widget.winfo_rootx() + widget.winfo_width()
        self.assertLessEqual(right, top.winfo_rootx() + top.winfo_width(), what)


class GuideTests(TestCase):
    """docs/user-guide.md and its pictures."""

    def test_keys(self) -> None:
        """The guide lists the keys that F1 lists."""
        guide = (ROOT / "docs" / "user-guide.md").read_text()
        listed = [f"| {each.label} | {each.does} |" for each in SHORTCUTS]
        table = [line for line in guide.split("\n") if line in listed]
        self.assertEqual(table, listed)

    def test_pictures(self) -> None:
        """Each is there, of the window's size, and shown by the guide."""
        guide = (ROOT / "docs" / "user-guide.md").read_text()
        for name in SCENES:
            for look in LOOKS:
                path = ROOT / "docs" / "pictures" / f"chat-tk-{name}-{look}.png"
                self.assertIn(f"pictures/{path.name}", guide)
                with path.open("rb") as file:
                    head = file.read(24)
                self.assertEqual(head[:8], b"\x89PNG\r\n\x1a\n")
                wide, high = struct.unpack(">II", head[16:])
                size = (480, 400) if name == "narrow" else (1040, 700)
                self.assertEqual((wide, high), size, path.name)
