"""chatctl's commands for a running daemon: what it does, and what it shall do."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from chatd import ctl_http
from chatd.ctl_http import Daemon
from chatd.ctl_table import moment, print_table, printable

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

    add(commands, "status", "the daemon at a glance", _status)
    add(commands, "rooms", "list the rooms", _rooms)
    add(commands, "users", "list the users, their keys, who is online", _users)
    add(commands, "sessions", "list the live sessions", _sessions)
    add(commands, "bans", "list who is muted, and which keys are banned", _bans)
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
    tail = add(commands, "tail", "print what is said in a room", _tail, "ROOM")
    tail.add_argument(
        "-n", type=int, default=10, metavar="N", help="begin so far back (default 10)"
    )
    add(commands, "trace", "each step of a message, never its text", _trace, "ID")

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
    add(room, "members", "list who may see it, or is in it", _members, "ROOM")
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


def _days(text: str) -> int | None:
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 6):
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: give days, or: default")
    return int(text)


def _told(args: argparse.Namespace, told: Any, *lines: str) -> None:
    """What was done: as JSON, or in words."""
    if args.json:
        print(json.dumps(told))
    else:
        for line in lines:
            print(line)


def _list(
    args: argparse.Namespace,
    items: Sequence[dict[str, Any]],
    columns: dict[str, Callable[[dict[str, Any]], object]],
    none: str,
) -> None:
    """A table; with --json an object a line."""
    if args.json:
        for item in items:
            print(json.dumps(item))
    elif items:
        print_table(list(columns), [[of(i) for of in columns.values()] for i in items])
    else:
        print(none)


def _of(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda item: item[name]


# What the daemon does.


async def _status(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.get("status")
    lines = [
        f"chatd {told['version']}, pid {told['pid']}, since {moment(told['started'])}",
        "ready" if told["ready"] else "NOT READY: " + "; ".join(told["reasons"]),
        f"{told['connections']} connections: {told['sessions']} sessions of users,"
        f" {told['guests']} of guests",
        f"{told['users']} users, {told['rooms']} rooms; shared keys"
        f" {' '.join(told['keys'])}",
        f"{told['acks']} acks, {told['refused']} refused; waiting: {told['waiting']}"
        f" for the disk, {told['in_flight']} requests; slowest reader"
        f" {told['lag']} behind",
    ]
    if told["muted"] or told["banned"]:
        lines.append(f"{told['muted']} muted, {told['banned']} keys banned")
    for hook in told["hooks"]:
        if hook["disabled"] or hook["last_error"]:
            why = hook["disabled"] or hook["last_error"]
            lines.append(f"hook {hook['name']} of {hook['room']}: {printable(why)}")
    _told(args, told, *lines)


async def _rooms(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("rooms"))["rooms"]
    columns = {
        "ROOM": _of("room"),
        "SEEN BY": lambda i: f"{len(i['names'])} users" if i["private"] else "all",
        "MEMBERS": _of("members"),
        "READERS": _of("readers"),
        "FIRST": _of("first"),
        "LAST": _of("last"),
        "DAYS": _of("days"),
    }
    _list(args, found, columns, "no rooms")


async def _members(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("rooms"))["rooms"]
    room = next((each for each in found if each["room"] == args.room), None)
    if room is None:
        raise ctl_http.NotDone(f"there is no room {args.room[:40]!r}")
    names = room["names"] if room["private"] else []
    seen = "all users" if not room["private"] else " ".join(names) or "nobody"
    _told(args, room, f"{args.room} is seen by {seen}; {room['members']} have joined")


async def _users(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("users"))["users"]
    columns = {
        "NAME": _of("name"),
        "DEVICE": _of("device"),
        "KEY": _of("key"),
        "STANDING": _of("standing"),
        "ONLINE": _of("online"),
        "MUTED": _of("muted"),
        "BANNED": _of("banned"),
    }
    _list(args, found, columns, "no users yet: chatctl invite NAME")


async def _sessions(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("sessions"))["sessions"]
    columns = {
        "CONNECTION": _of("connection"),
        "NAME": _of("name"),
        "PEER": _of("peer"),
        "KEY": _of("key"),
        "ROOMS": _of("rooms"),
        "IN FLIGHT": _of("in_flight"),
    }
    _list(args, found, columns, "nobody is here")


async def _bans(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.get("bans")
    found = [{"what": "muted", "key": None, **each} for each in told["mutes"]]
    found += [{"what": "banned", **each} for each in told["bans"]]
    columns = {
        "WHAT": _of("what"),
        "NAME": _of("name"),
        "KEY": _of("key"),
        "UNTIL": lambda i: moment(i["until"]),
    }
    _list(args, found, columns, "nobody is muted or banned")


async def _tail(daemon: Daemon, args: argparse.Namespace) -> None:
    def told(message: dict[str, Any]) -> None:
        if args.json:
            print(json.dumps(message), flush=True)
            return
        body = message.get("body")
        text = "(removed)" if body is None else printable(body.replace("\n", " ⏎ "))
        said = f"{moment(message['time'])} {printable(message['sender'])}: {text}"
        print(said, flush=True)

    await daemon.stream("tail", told, room=args.room, count=max(0, args.n))


async def _trace(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("trace", id=args.id)
    lines = []
    for send in told["sends"]:
        place = "" if send["seq"] is None else f" as {send['room']} {send['seq']}"
        lines += [
            f"{moment(send['received'])} received of {send['sender']}"
            f" for {send['room']}, connection {send['connection']}",
            f"  answered after {send['took'] * 1000:.1f} ms: {send['outcome']}{place}",
        ]
    for each in told["stored"]:
        lines += [
            f"{moment(each['time'])} stored as {each['room']} {each['seq']}, sender"
            f" {each['sender']}, hash {each['hash'][:16]}…",
            f"  pushed to {each['pushed']} of {each['readers']} readers",
            f"  received by {' '.join(each['received']) or 'nobody'}; read by"
            f" {' '.join(each['read']) or 'nobody'}",
        ]
    if not lines:
        raise ctl_http.NotDone(f"nothing is known of the message {args.id[:64]!r}")
    _told(args, told, *map(printable, lines))


# What it shall do.


async def _kick(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("kick", name=args.name)
    _told(args, told, f"{told['ended']} sessions of {args.name} ended")


async def _mute(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("mute", name=args.name, seconds=args.seconds)
    _told(args, told, f"{args.name} is muted")


async def _unmute(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("unmute", name=args.name)
    _told(args, told, f"{args.name} may speak again")


async def _ban(daemon: Daemon, args: argparse.Namespace) -> None:
    who = getattr(args, "key-or-name")
    told = await daemon.post("ban", who=who, seconds=args.seconds)
    _told(args, told, f"banned: {' '.join(told['keys'])}")


async def _unban(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("unban", who=getattr(args, "key-or-name"))
    _told(args, told, f"accepted again: {' '.join(told['keys'])}")


async def _say(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("say", room=args.room, text=args.text)
    _told(args, told, f"said in {told['room']}: message {told['seq']}")


def _room(action: str) -> Command:
    async def command(daemon: Daemon, args: argparse.Namespace) -> None:
        told = await daemon.post(f"room/{action}", room=args.room)
        done = "is there" if action == "create" else "is seen by all"
        _told(args, told, f"{args.room} {done}")

    return command


def _member(action: str) -> Command:
    async def command(daemon: Daemon, args: argparse.Namespace) -> None:
        told = await daemon.post(f"room/{action}", room=args.room, name=args.name)
        now = "sees" if action == "admit" else "sees no more of"
        _told(args, told, f"{args.name} {now} {args.room}")

    return command


async def _private(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("room/private", room=args.room, names=args.names)
    _told(args, told, f"{args.room} is private; chatctl room members '{args.room}'")


async def _retention(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("room/retention", room=args.room, days=args.days)
    kept = "as everywhere" if args.days is None else f"{args.days} days"
    _told(args, told, f"texts of {args.room} are kept {kept}")


# Webhooks.


async def _hooks(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("hooks"))["hooks"]
    columns = {
        "ID": _of("id"),
        "KIND": _of("kind"),
        "ROOM": _of("room"),
        "NAME": _of("name"),
        "TO": _of("to"),
        "BACKLOG": _of("backlog"),
        "NEXT TRY": lambda i: moment(i["next_try"]),
        "LAST ERROR": lambda i: i["disabled"] or i["last_error"],
    }
    _list(args, found, columns, "no hooks: chatctl hook add ROOM NAME [--url URL]")


async def _add_hook(daemon: Daemon, args: argparse.Namespace) -> None:
    members = {"room": args.room, "name": args.name}
    if args.url:
        told = await daemon.post("hook/outgoing", **members, url=args.url)
        secret = f"secret, to verify signatures with: {told['secret']}"
        _told(args, told, f"hook {told['id']}", secret, "it is not shown again")
        return
    told = await daemon.post("hook/incoming", **members)
    where = f"POST to the address of --http: /hooks/{told['token']}"
    _told(args, told, f"hook {told['id']}", where, "it is not shown again")


async def _remove_hook(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.post("hook/remove", id=args.id)
    _told(args, told, f"hook {args.id} is removed")
