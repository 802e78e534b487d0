"""What chatctl shows of a running daemon: tables for people, JSON for scripts."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

from chatd.ctl_http import Daemon, NotDone
from chatd.ctl_table import moment, print_table, printable


def tell(args: argparse.Namespace, told: Any, *lines: str) -> None:
    """What was done: as JSON, or in words."""
    if args.json:
        print(json.dumps(told))
    else:
        for line in lines:
            print(line)


def list_items(
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
        print_table(
            list(columns), [[cell(i) for cell in columns.values()] for i in items]
        )
    else:
        print(none)


def of(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda item: item[name]


async def status(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.get("status")
    lines = [
        f"chatd {told['version']}, pid {told['pid']}, since {moment(told['started'])}",
        f"listens on {', '.join(told['listening'])}; the store is {told['store']}",
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
    tell(args, told, *lines)


async def rooms(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("rooms"))["rooms"]
    columns = {
        "ROOM": of("room"),
        "SEEN BY": lambda i: f"{len(i['names'])} users" if i["private"] else "all",
        "MEMBERS": of("members"),
        "READERS": of("readers"),
        "FIRST": of("first"),
        "LAST": of("last"),
        "DAYS": of("days"),
    }
    list_items(args, found, columns, "no rooms")


async def members(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("rooms"))["rooms"]
    room = next((each for each in found if each["room"] == args.room), None)
    if room is None:
        raise NotDone(f"there is no room {args.room[:40]!r}")
    names = room["names"] if room["private"] else []
    seen = "all users" if not room["private"] else " ".join(names) or "nobody"
    tell(args, room, f"{args.room} is seen by {seen}; {room['members']} have joined")


async def users(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("users"))["users"]
    columns = {
        "NAME": of("name"),
        "DEVICE": of("device"),
        "KEY": of("key"),
        "STANDING": of("standing"),
        "ONLINE": of("online"),
        "MUTED": of("muted"),
        "BANNED": of("banned"),
    }
    list_items(args, found, columns, "no users yet: chatctl invite NAME")


async def sessions(daemon: Daemon, args: argparse.Namespace) -> None:
    found = (await daemon.get("sessions"))["sessions"]
    columns = {
        "CONNECTION": of("connection"),
        "NAME": of("name"),
        "PEER": of("peer"),
        "SINCE": lambda i: moment(i["since"]),
        "KEY": of("key"),
        "ROOMS": of("rooms"),
        "IN FLIGHT": of("in_flight"),
    }
    list_items(args, found, columns, "nobody is here")


async def bans(daemon: Daemon, args: argparse.Namespace) -> None:
    told = await daemon.get("bans")
    found = [{"what": "muted", "key": None, **each} for each in told["mutes"]]
    found += [{"what": "banned", **each} for each in told["bans"]]
    columns = {
        "WHAT": of("what"),
        "NAME": of("name"),
        "KEY": of("key"),
        "UNTIL": lambda i: moment(i["until"]),
    }
    list_items(args, found, columns, "nobody is muted or banned")


async def tail(daemon: Daemon, args: argparse.Namespace) -> None:
    def told(message: dict[str, Any]) -> None:
        if args.json:
            print(json.dumps(message), flush=True)
            return
        body = message.get("body")
        text = "(removed)" if body is None else printable(body.replace("\n", " ⏎ "))
        when, sender = moment(message["time"]), printable(message["sender"])
        print(f"{message['seq']} {when} {sender}: {text}", flush=True)

    after = None if args.start is None else args.start - 1
    await daemon.stream("tail", told, room=args.room, count=args.n, after=after)


async def trace(daemon: Daemon, args: argparse.Namespace) -> None:
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
        raise NotDone(f"nothing is known of the message {args.id[:64]!r}")
    tell(args, told, *map(printable, lines))
