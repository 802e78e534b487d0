"""Start-up: everything that needs both Tk and the reactor."""

from __future__ import annotations

import argparse
import getpass
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from chatd.client import settings

_NO_TKINTER = (
    "chat-tk: this Python has no tkinter; install it with: apt-get install python3-tk"
    " (or use chat-term, which needs none)"
)
_NO_SCREEN = "chat-tk: there is no screen to draw on; chat-term needs none"
_BROKEN = 2  # exit code: it cannot run here, or not with these options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the window until it is closed. 0; 2 when it cannot run."""
    parser = argparse.ArgumentParser(
        prog="chat-tk", description="Chat with a chatd server in a window."
    )
    settings.add_arguments(parser)
    parser.add_argument(
        "--theme",
        choices=("system", "light", "dark"),
        help="the look (default: as in the preferences)",
    )
    parser.add_argument(
        "--scale",
        type=_scale,
        metavar="FACTOR",
        help="1 at 96 dots an inch, up to 4 (default: as the desktop says)",
    )
    parser.add_argument("--geometry", metavar="WxH+X+Y", help="size and place")
    args = parser.parse_args(argv)
    try:
        wanted = settings.resolve(args, os.environ, Path.cwd())
    except settings.BadSettings as error:
        print(f"chat-tk: {error}", file=sys.stderr)
        return _BROKEN
    try:
        import tkinter
    except ImportError:
        print(_NO_TKINTER, file=sys.stderr)
        return _BROKEN

    from chatd.clients.chat_tk import preferences, screen

    screen.before_tk()
    try:
        root = tkinter.Tk(className="Chat")
    except tkinter.TclError:
        print(_NO_SCREEN, file=sys.stderr)
        return _BROKEN
    path = preferences.path(os.environ)
    preferred = preferences.load(path)
    if args.theme is not None:
        preferred = replace(preferred, theme=args.theme)
    usual = screen.geometry(root, preferred.geometry)
    try:
        root.geometry(args.geometry or usual or _size(args.scale or screen.scale(root)))
    except tkinter.TclError:
        print("chat-tk: --geometry: give WIDTHxHEIGHT+X+Y", file=sys.stderr)
        return _BROKEN

    from twisted.internet import reactor

    from chatd.clients.chat_tk.program import Program, Reactor

    program = Program(
        root,
        cast(Reactor, reactor),
        wanted,
        name=_own_name(),
        scale=args.scale or screen.scale(root),
        preferred=preferred,
        preferences_path=path,
    )
    program.run()
    return 0


def _scale(text: str) -> float:
    value = float(text)
    if not 0.5 <= value <= 4:
        raise ValueError(text)
    return value


def _size(scale: float) -> str:
    return f"{round(1040 * scale)}x{round(700 * scale)}"


def _own_name() -> str:
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError):  # a user without a name: a container's
        return "you"
