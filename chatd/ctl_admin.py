"""chatctl's commands for a running daemon: what it does, and what it shall do."""

from __future__ import annotations

import argparse
import re
from collections.abc import Awaitable, Callable
from typing import Any

from chatd import ctl_http, ctl_views
from chatd.ctl_http import Daemon
from chatd.ctl_table import moment
from chatd.ctl_views import list_items, of, tell

_UNITS = {"m": 60, "h": 3_600, "d": 86_400}

Command = Callable[[Daemon, argparse.Namespace], Awaitable[None]]


def add_commands(commands: Any) -> None:
    """Add them to the subparsers `commands`."""

    def add(
        parent: Any, name: str, words: str, command: Command, *arguments: str
    ) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = parent.add_parser(
            name, help=words, description=words
        )
        for each in arguments:
            parser.add_argument(each.lower(), metavar=each)
        parser.add_argument("--json", action="store_true", help="print JSON")

        def run(args: argparse.Namespace) -> int:
            async def work(daemon: Daemon) -> int:
                await command(daemon, args)
                return 0

            return ctl_http.run_with_daemon(ctl_http.state_of(args), work)

        ctl_http.add_state(parser, run)
        return parser

    add(commands, "status", "the daemon at a glance", ctl_views.status)
    add(commands, "rooms", "list the rooms", ctl_views.rooms)
    add(commands, "users", "list the users, their keys, who is online", ctl_views.users)
    add(commands, "sessions", "list the live sessions", ctl_views.sessions)
    add(
        commands, "bans", "list who is muted, and which keys are banned", ctl_views.bans
    )
    add(commands, "kick", "end a user's sessions; they may come again", _kick, "NAME")
    mute = add(commands, "mute", "let a user say nothing", _mute, "NAME")
    _add_for(mute)
    add(commands, "unmute", "let a user speak again", _unmute, "NAME")
    ban = add(
        commands, "ban", "refuse a key, or all keys of a user", _ban, "KEY-OR-NAME"
    )
    _add_for(ban)
    add(commands, "unban", "accept them again", _unban, "KEY-OR-NAME")
    add(commands, "say", "say a line in a room as the server", _say, "ROOM", "TEXT")
    tail = add(commands, "tail", "print what is said in a room", ctl_views.tail, "ROOM")
    where = tail.add_mutually_exclusive_group()
    where.add_argument(
        "-n", type=_number, default=10, metavar="N", help="so many back (default 10)"
    )
    where.add_argument(
        "--from", dest="start", type=_number, metavar="SEQ", help="from this message on"
    )
    add(
        commands,
        "trace",
        "each step of a message, never its text",
        ctl_views.trace,
        "ID",
    )

    words = "rooms: create, private, public, admit, expel, retention"
    actions = commands.add_parser("room", help=words, description=words)
    room = actions.add_subparsers(metavar="ACTION", required=True)
    add(room, "create", "make a public room", _room("create"), "ROOM")
    private = add(
        room,
        "private",
        "let only some users see a room: those named, or its members so far",
        _private,
        "ROOM",
    )
    private.add_argument("names", nargs="*", metavar="NAME")
    add(room, "public", "let everybody see it", _room("public"), "ROOM")
    add(room, "admit", "let one more see it", _member("admit"), "ROOM", "NAME")
    add(room, "expel", "let one see it no more", _member("expel"), "ROOM", "NAME")
    add(room, "members", "list who may see it, or is in it", ctl_views.members, "ROOM")
    retention = add(
        room, "retention", "how long texts are kept there", _retention, "ROOM"
    )
    retention.add_argument("days", metavar="DAYS", help="days, or: default", type=_days)

    words = "webhooks: list, add, remove"
    hooks = commands.add_parser("hook", help=words, description=words)
    hook = hooks.add_subparsers(metavar="ACTION", required=True)
    add(hook, "list", "list the hooks and how they fare", _hooks)
    adding = add(
        hook,
        "add",
        "post a room's messages to a URL; without one: a token to post into the room",
        _add_hook,
        "ROOM",
        "NAME",
    )
    adding.add_argument("--url", metavar="URL", help="http:// or https://")
    add(hook, "remove", "end a hook; its token opens nothing", _remove_hook, "ID")


def _add_for(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--for",
        dest="seconds",
        type=_duration,
        metavar="TIME",
        help="30m, 12h, 7d (default: until it is lifted)",
    )


def _duration(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: give a time like 30m or 7d")
    return seconds


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: give a number")
    return int(text)


def _days(text: str) -> int | None:
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: give days, or: default")
    return int(text)


async def _kick(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("kick", name=args.name)
    tell(args, told, f"{told['ended']} sessions of {args.name} ended")


async def _mute(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("mute", name=args.name, seconds=args.seconds)
    tell(args, told, f"{args.name} is muted")


async def _unmute(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("unmute", name=args.name)
    tell(args, told, f"{args.name} may speak again")


async def _ban(daemon: Daemon, args: argparse.Namespace) -> None:
    who = getattr(args, "key-or-name")
    told = await daemon.post("ban", who=who, seconds=args.seconds)
    tell(args, told, f"banned: {' '.join(told['keys'])}")


async def _unban(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("unban", who=getattr(args, "key-or-name"))
    tell(args, told, f"accepted again: {' '.join(told['keys'])}")


async def _say(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("say", room=args.room, text=args.text)
    tell(args, told, f"said in {told['room']}: message {told['seq']}")


def _room(action: str) -> Command:
    async def command(daemon: Daemon, args: argparse.Namespace) -> None:
        told = await daemon.post(f"room/{action}", room=args.room)
        done = "is there" if action == "create" else "is seen by all"
        tell(args, told, f"{args.room} {done}")

    return command


def _member(action: str) -> Command:
    async def command(daemon: Daemon, args: argparse.Namespace) -> None:
        told = await daemon.post(f"room/{action}", room=args.room, name=args.name)
        now = "sees" if action == "admit" else "sees no more of"
        tell(args, told, f"{args.name} {now} {args.room}")

    return command


async def _private(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("room/private", room=args.room, names=args.names)
    tell(args, told, f"{args.room} is private; chatctl room members '{args.room}'")


async def _retention(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("room/retention", room=args.room, days=args.days)
    kept = "as everywhere" if args.days is None else f"{args.days} days"
    tell(args, told, f"texts of {args.room} are kept {kept}")


# Webhooks.


async def _hooks(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("hooks"))["hooks"]
    columns = {
        "ID": of("id"),
        "KIND": of("kind"),
        "ROOM": of("room"),
        "NAME": of("name"),
        "TO": of("to"),
        "BACKLOG": of("backlog"),
        "NEXT TRY": lambda i: moment(i["next_try"]),
        "LAST ERROR": lambda i: i["disabled"] or i["last_error"],
    }
    list_items(args, found, columns, "no hooks: chatctl hook add ROOM NAME [--url URL]")


async def _add_hook(daemon: Daemon, args: argparse.Namespace) -> None:
    members = {"room": args.room, "name": args.name}
    if args.url:
        told = await daemon.post("hook/outgoing", **members, url=args.url)
        secret = f"secret, to verify signatures with: {told['secret']}"
        tell(args, told, f"hook {told['id']}", secret, "it is not shown again")
        return
    told = await daemon.post("hook/incoming", **members)
    where = f"POST to the address of --http: /hooks/{told['token']}"
    tell(args, told, f"hook {told['id']}", where, "it is not shown again")


async def _remove_hook(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("hook/remove", id=args.id)
    tell(args, told, f"hook {args.id} is removed")
