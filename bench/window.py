"""What the window costs: pages of a room of 100 000 messages, and doing nothing.

    python -m bench.window [--messages N] [--seconds N]

Needs Xvfb. Prints: milliseconds to open the room, to show a page above, and to jump
into its middle, each with all that is drawn; the part of a core that the whole program
takes while it is connected and nothing happens.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import tkinter as tk
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock

from bench.servers import start_daemon
from chatd import keyfile
from chatd.client.chat import ChatClient
from chatd.clients.chat_tk.presenter import Presenter
from chatd.clients.chat_tk.theme import Theme
from chatd.clients.chat_tk.view import Actions, MainWindow
from chatd.journal.client_store import ClientStore
from chatd.wire.messages import ROOT_HASH, Message, chained, digest
from chatd.wire.tokens import Key
from tests.chat_tk import xvfb

ROOM = "#lobby"
PAGES = 40
_DONT_WAIT = 2
_WORDS = [
    "the",
    "room",
    "is",
    "a",
    "log",
    "and",
    "send",
    "appends",
    "to",
    "it",
    "its",
    "ack",
    "is",
    "the",
    "position",
]


def fill(store: ClientStore, count: int) -> None:
    """Put a room of `count` messages into `store`, read to its end."""
    words = random.Random(1)
    store.set("name", "mira")
    store.copies.begin(ROOM, 0, ROOT_HASH)
    hash, page = ROOT_HASH, []
    for seq in range(1, count + 1):
        body = " ".join(words.choices(_WORDS, k=words.randint(3, 40)))
        sender, said = words.choice(["mira", "bob", "eve"]), digest(body)
        when = 1_700_000_000_000 + seq * 20_000
        hash = chained(hash, ROOM, seq, f"{seq:032x}", sender, when, None, said)
        page.append(
            Message(ROOM, seq, f"{seq:032x}", sender, when, None, body, said, hash)
        )
        if len(page) == 1_000 or seq == count:
            store.copies.add(page)
            page = []
    store.copies.follow(ROOM, True)
    store.copies.read(ROOM, count)


def took(root: tk.Tk, act: Callable[[], object]) -> float:
    """Milliseconds for `act` and all that is drawn after it."""
    begin = time.perf_counter()
    act()
    root.update_idletasks()
    while root.tk.dooneevent(_DONT_WAIT):
        pass
    return (time.perf_counter() - begin) * 1_000


def pages(count: int) -> None:
    """Print what opening, paging and jumping cost."""
    root = tk.Tk()
    root.geometry("1040x700+0+0")
    theme = Theme(root, 1.0)
    theme.use("light")

    def nothing(*_: object) -> str:
        return ""

    actions = Actions(
        close=lambda: None,
        theme=lambda name: None,
        settings=lambda: None,
        connect=lambda place: None,
        accept=lambda invite, path: None,
        browse=nothing,
        open_url=lambda url: None,
        new_key=lambda: Key.generate(os.urandom),
        drawable=str,
        notify=lambda text: None,
    )
    window, clock = MainWindow(root, theme, "mira", actions), Clock()
    presenter = Presenter(window, clock, time.time, "mira")
    window.bind(presenter)
    store = ClientStore(None)
    fill(store, count)
    endpoint = TCP4ClientEndpoint(clock, "127.0.0.1", 1)
    client = ChatClient(clock, endpoint, [Key.generate(os.urandom)], store)
    presenter.attach(client, "nowhere:1")
    took(root, lambda: None)
    print(f"open: {took(root, lambda: presenter.open(ROOM)):.0f} ms")
    presenter.scrolled(False)
    above = [took(root, presenter.conversation.older) for _ in range(PAGES)]
    print(f"a page above: median {median(above):.0f} ms, most {max(above):.0f} ms")
    jumps = [
        took(root, lambda seq=seq: presenter.conversation.jump(seq))  # type: ignore[misc]
        for seq in range(500, count, max(1, count // PAGES))
    ]
    print(f"a jump: median {median(jumps):.0f} ms, most {max(jumps):.0f} ms")
    presenter.close()
    store.close()
    root.destroy()


def idle(seconds: float) -> None:
    """Print the part of a core that a connected, silent window takes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = folder / "secret.key"
        keyfile.create(key, Key.generate(os.urandom))
        server = start_daemon(key, folder / "state")
        command = [sys.executable, "-m", "chatd.clients.chat_tk"]
        command += ["--port", str(server.port), "--key", str(key)]
        program = subprocess.Popen(
            command, stderr=subprocess.DEVNULL, env=os.environ | {"HOME": name}
        )
        try:
            time.sleep(4)
            before = _cpu(program.pid)
            time.sleep(seconds)
            part = (_cpu(program.pid) - before) / seconds
        finally:
            program.terminate()
            program.wait(10)
            server.stop()
    print(f"idle: {part * 100:.1f} % of a core")


def _cpu(pid: int) -> float:
    """Seconds of CPU so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="what the window costs")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    args = parser.parse_args(argv)
    if not xvfb.display():
        raise SystemExit(xvfb.MISSING)
    pages(args.messages)
    idle(args.seconds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
