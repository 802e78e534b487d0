"""What the pictures show. Each scene is brought about as a person would."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from chatd.clients.chat_tk.preferences import Preferences
from chatd.clients.chat_tk.program import Program
from tests.screens.stage import Stage

Scene = Callable[[Stage, str], Awaitable[Program]]
"""Makes a window in the look of that name."""


def _preferred(look: str) -> Preferences:
    return Preferences(theme=look, room="#general")


async def _online(stage: Stage, program: Program) -> None:
    await stage.until(program.window.root.winfo_viewable)
    side = program.window.side
    await stage.until(lambda: "Online" in str(side.status.cget("text")))
    people = {"jonas", "priya", "wei"}
    await stage.until(lambda: people <= {i.label for i in side.items if i.online})


async def main(stage: Stage, look: str) -> Program:
    """A room with what was said; unread counts at others."""
    program = stage.window(_preferred(look))
    await _online(stage, program)
    program._presenter.open("#general")
    text = program.window.messages.text
    await stage.until(lambda: "Nice" in text.get("1.0", "end"))
    return program


async def search(stage: Stage, look: str) -> Program:
    """What was searched for is pointed at."""
    program = await main(stage, look)
    program.window.search_bar.begin()
    program.window.search_bar.value.set("the")
    count = program.window.search_bar.count
    await stage.until(lambda: " of " in str(count.cget("text")))
    return program


async def preferences(stage: Stage, look: str) -> Program:
    """The preferences stand beside the conversation."""
    program = await main(stage, look)
    program.window.open_preferences()
    return program


async def offline(stage: Stage, look: str) -> Program:
    """The daemon is away: what is written waits, and the strip says when."""
    program = await main(stage, look)
    stage.daemon.kill()
    banner = program.window.banner
    await stage.until(lambda: "Nothing listens" in str(banner.text.cget("text")))
    program.window.composer.put("This one waits until the server is back")
    program.window.composer.hand_over()
    return program


async def first_run(stage: Stage, look: str) -> Program:
    """Nothing is set up yet."""
    program = stage.window(_preferred(look), Path("none") / "me.key")
    await stage.until(program.window.form.winfo_ismapped)
    return program


async def narrow(stage: Stage, look: str) -> Program:
    """A small window: the conversation has all of it."""
    program = await main(stage, look)
    program.window.root.geometry("480x400+0+0")
    await stage.until(lambda: not program.window.side.winfo_ismapped())
    return program


SCENES: dict[str, Scene] = {
    "main": main,
    "search": search,
    "preferences": preferences,
    "first-run": first_run,
    "narrow": narrow,
    "offline": offline,  # last: it ends the daemon
}
