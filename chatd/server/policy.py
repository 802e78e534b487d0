"""What the operator has decided: private rooms, mutes, bans, how long texts are kept.

Small texts beside the logs (`IJournal.keep`): durable before they hold, in every
backup. One that cannot be read is taken for the strictest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

from twisted.logger import Logger

from chatd.journal.interface import IJournal
from chatd.wire.json_text import BadJSON, read_object, write
from chatd.wire.messages import is_integer
from chatd.wire.names import is_name

_log = Logger()

MOST_DAYS = 36_500
MOST_MEMBERS = 10_000
"""Names with access to one private room."""
MOST_ENTRIES = 10_000
"""Rules, mutes and bans, of each kind."""


class NotDecided(Exception):
    """Why a decision does not hold, in one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Of one room."""

    allowed: frozenset[str] | None = None
    """The users who may see it; None: it is public."""
    days: int | None = None
    """How long texts are kept; None: as the daemon's option says."""


@dataclass(frozen=True, slots=True)
class Mute:
    """A user may say nothing, but to the server."""

    until: int | None = None
    """Milliseconds since the epoch; None: until it is lifted."""


@dataclass(frozen=True, slots=True)
class Ban:
    """A key opens nothing."""

    until: int | None = None
    name: str = ""
    """Whose it is, for the list."""


Decision: TypeAlias = Rule | Mute | Ban


@dataclass(slots=True)
class _Table:
    """Decisions of one kind, by what they are about."""

    strict: Decision
    """What is taken for one that cannot be read."""
    found: dict[str, Any] = field(default_factory=dict)


class Policy:
    """Answers from memory; each change is on disk first."""

    def __init__(self, journal: IJournal, now: Callable[[], float]) -> None:
        """`now`: seconds since the epoch."""
        self._journal, self._now = journal, now
        self._tables = {
            "room": _Table(Rule(allowed=frozenset())),
            "mute": _Table(Mute()),
            "ban": _Table(Ban()),
        }

    def load(self, kept: Mapping[str, str]) -> None:
        """Take up what the journal has kept."""
        for name, text in kept.items():
            kind, _, about = name.partition("/")
            if kind in self._tables:
                table = self._tables[kind]
                table.found[about] = self._parsed(table, name, text)

    def _parsed(self, table: _Table, name: str, text: str) -> Decision:
        try:
            members = read_object(text.encode())
            if isinstance(table.strict, Rule):
                return _rule(members)
            until = members.get("until")
            if not (until is None or is_integer(until)):
                raise ValueError("until")
            if isinstance(table.strict, Mute):
                return Mute(until)
            return Ban(until, str(members.get("name", "")))
        except (BadJSON, ValueError) as fault:
            _log.error("decision-unreadable", name=name, reason=str(fault))
            return table.strict

    # What holds.

    def rule(self, room: str) -> Rule:
        rule: Rule = self._tables["room"].found.get(room) or Rule()
        return rule

    def may_enter(self, room: str, name: str) -> bool:
        """Whether `name`, a guest's included, may see a room ``#name``."""
        allowed = self.rule(room).allowed
        return allowed is None or name in allowed

    def muted(self, name: str) -> bool:
        return name in self.mutes

    def ban(self, key_id: str) -> Ban | None:
        """What holds of a key, None: nothing."""
        ban: Ban | None = self._tables["ban"].found.get(key_id)
        return ban if ban is not None and self._holds(ban) else None

    @property
    def rules(self) -> dict[str, Rule]:
        return dict(self._tables["room"].found)

    @property
    def mutes(self) -> dict[str, Mute]:
        found = self._tables["mute"].found
        return {name: mute for name, mute in found.items() if self._holds(mute)}

    @property
    def bans(self) -> dict[str, Ban]:
        """By key id."""
        found = self._tables["ban"].found
        return {id: ban for id, ban in found.items() if self._holds(ban)}

    def _holds(self, decision: Mute | Ban) -> bool:
        return decision.until is None or decision.until > self._now() * 1000

    # What is decided. Each raises NotDecided, and changes nothing then.

    async def set_private(self, room: str, names: frozenset[str]) -> None:
        """Only these users see the room from now on."""
        if len(names) > MOST_MEMBERS:
            raise NotDecided(f"at most {MOST_MEMBERS} members of a private room")
        await self._keep("room", room, replace(self.rule(room), allowed=names))

    async def set_public(self, room: str) -> None:
        await self._keep("room", room, replace(self.rule(room), allowed=None))

    async def admit(self, room: str, name: str) -> None:
        """One more user sees the private room."""
        allowed = self.rule(room).allowed
        if allowed is None:
            raise NotDecided(f"{room} is public: make it private first")
        await self.set_private(room, allowed | {name})

    async def expel(self, room: str, name: str) -> None:
        """One user less sees the private room."""
        allowed = self.rule(room).allowed
        if allowed is None:
            raise NotDecided(f"{room} is public: make it private first")
        if name not in allowed:
            raise NotDecided(f"{name} has no access to {room}")
        await self.set_private(room, allowed - {name})

    async def retain(self, room: str, days: int | None) -> None:
        """Keep the texts of a room for so long; None: as the option says."""
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise NotDecided(f"give 1 to {MOST_DAYS} days")
        await self._keep("room", room, replace(self.rule(room), days=days))

    async def mute(self, name: str, until: int | None) -> None:
        await self._keep("mute", name, Mute(until))

    async def unmute(self, name: str) -> None:
        if not self.muted(name):
            raise NotDecided(f"{name} is not muted")
        await self._keep("mute", name, None)

    async def set_ban(self, key_id: str, until: int | None, name: str) -> None:
        await self._keep("ban", key_id, Ban(until, name))

    async def lift_ban(self, key_id: str) -> None:
        if self.ban(key_id) is None:
            raise NotDecided(f"the key {key_id} is not banned")
        await self._keep("ban", key_id, None)

    async def _keep(self, kind: str, about: str, decision: Decision | None) -> None:
        found = self._tables[kind].found
        if about not in found and len(found) >= MOST_ENTRIES:
            raise NotDecided(f"there are {MOST_ENTRIES} already: lift some first")
        if decision == Rule():
            decision = None
        text = None if decision is None else _text(decision)
        if not await self._journal.keep(f"{kind}/{about}", text):
            raise NotDecided("it could not be stored: look at the disk, and try again")
        found.pop(about, None)
        if decision is not None:
            found[about] = decision


def _text(decision: Decision) -> str:
    members = asdict(decision)
    if isinstance(decision, Rule) and decision.allowed is not None:
        members["allowed"] = sorted(decision.allowed)
    return write(members).decode()


def _rule(members: Mapping[str, object]) -> Rule:
    """Raises ValueError."""
    allowed, days = members.get("allowed"), members.get("days")
    if not (days is None or (is_integer(days) and 1 <= days <= MOST_DAYS)):
        raise ValueError("days")
    if allowed is None:
        return Rule(None, days)
    if not isinstance(allowed, list) or not all(
        isinstance(name, str) and is_name(name) for name in allowed
    ):
        raise ValueError("allowed")
    return Rule(frozenset(allowed), days)
