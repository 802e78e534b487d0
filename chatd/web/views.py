"""What the admin API tells, as JSON: never a text, a key or a token."""

from __future__ import annotations

import os
from collections.abc import Sequence

from chatd import __version__
from chatd.journal.check import Verdict
from chatd.journal.interface import Marks
from chatd.web.house import House
from chatd.wire.json_text import Object


def status(house: House) -> Object:
    """The daemon at a glance."""
    sessions, meters = house.sessions, house.meters
    guests = sum(session.who.guest for session in sessions)
    return {
        "version": __version__,
        "pid": os.getpid(),
        "started": int(house.started * 1000),
        "uptime": int(house.now() - house.started),
        "ready": not house.unready(),
        "reasons": house.unready(),
        "store": "away" if meters.away else "open" if house.hub.opened else "closed",
        "listening": list(house.listening()),
        "keys": list(house.keyring.ids),
        "users": len(house.users.names),
        "connections": len(house.factory.connections),
        "sessions": len(sessions) - guests,
        "guests": guests,
        "rooms": len(house.hub.rooms),
        "acks": sum(meters.ack_seconds.counts),
        "refused": sum(meters.refused.values()),
        "waiting": house.journal.waiting,
        "in_flight": sum(session.in_flight for session in sessions),
        "lag": max(house.lags, default=0),
        "muted": len(house.hub.policy.mutes),
        "banned": len(house.hub.policy.bans),
        "hooks": hooks(house),
    }


def rooms(house: House) -> list[Object]:
    """All rooms but direct conversations, which are nobody's business."""
    policy = house.hub.policy
    found = []
    for name, room in sorted(house.hub.rooms.items()):
        if not room.public:
            continue
        rule = policy.rule(name)
        found.append(
            {
                "room": name,
                "private": rule.allowed is not None,
                "names": sorted(rule.allowed or ()),
                "first": room.head.first,
                "last": room.head.last,
                "hash": room.head.hash,
                "members": sum(house.hub.belongs(room, each) for each in room.marks),
                "readers": len(room.readers),
                "days": rule.days,
            }
        )
    return found


def users(house: House) -> list[Object]:
    """All users and their keys' ids."""
    mutes, bans = house.hub.policy.mutes, house.hub.policy.bans
    return [
        {
            "name": line.name,
            "device": line.device,
            "key": line.key_id,
            "standing": None if line.standing is None else line.standing.value,
            "online": house.hub.presence.online(line.name),
            "muted": line.name in mutes,
            "banned": line.key_id in bans,
        }
        for line in house.users.listing()
    ]


def sessions(house: House) -> list[Object]:
    """All live sessions."""
    found = []
    now, clock = house.now(), house.factory.seconds()
    for connection in sorted(house.factory.connections, key=lambda each: each.number):
        live = connection.live
        if live is not None and live.proven:
            found.append(
                {
                    "connection": connection.number,
                    "name": live.who.name,
                    "peer": connection.peer,
                    "since": int((now - (clock - connection.began)) * 1000),
                    "key": live.who.key.id,
                    "in_flight": live.in_flight,
                    "rooms": len(live.subscriptions),
                }
            )
    return found


def bans(house: House) -> Object:
    """Who is muted, and which keys are banned, until when."""
    policy = house.hub.policy
    return {
        "mutes": [
            {"name": name, "until": mute.until}
            for name, mute in sorted(policy.mutes.items())
        ],
        "bans": [
            {"key": id, "name": ban.name, "until": ban.until}
            for id, ban in sorted(policy.bans.items())
        ],
    }


def hooks(house: House) -> list[Object]:
    """All hooks and how they fare."""
    return [
        {
            "id": each.id,
            "kind": each.kind,
            "name": each.name,
            "room": each.room,
            "to": each.to,
            "backlog": each.backlog,
            "last_error": each.last_error,
            "next_try": each.next_try,
            "disabled": each.disabled,
        }
        for each in house.hooks.list_hooks()
    ]


async def trace(house: House, id: str) -> Object:
    """Each step of the messages of that id, as far as it is known still."""
    sends = [step._asdict() for step in house.hub.trace.of(id)]
    stored = []
    for message in await house.journal.find(id):
        room = house.hub.rooms.get(message.room)
        marks = {} if room is None else room.marks
        readers = {} if room is None else room.readers
        stored.append(
            {
                "room": message.room,
                "seq": message.seq,
                "sender": message.sender,
                "time": message.time,
                "composed": message.composed,
                "hash": message.hash,
                "removed": message.body is None,
                "pushed": sum(r.position >= message.seq for r in readers.values()),
                "readers": len(readers),
                "received": _names(marks, "received", message.seq),
                "read": _names(marks, "read", message.seq),
            }
        )
    return {"id": id, "sends": sends, "stored": stored}


def verdicts(found: Sequence[Verdict]) -> Object:
    """What verifying has brought."""
    told = [
        {"room": each.room, "seq": each.seq, "hash": each.hash, "fault": each.fault}
        for each in found
    ]
    return {"rooms": told, "whole": all(each.fault is None for each in found)}


def _names(marks: dict[str, Marks], which: str, seq: int) -> list[str]:
    """Who has come so far, "received" or "read"."""
    return sorted(name for name, m in marks.items() if getattr(m, which) >= seq)
