"""What the operator has decided: private rooms, mutes, bans, how long texts are kept.

Small texts beside the logs (`IJournal.keep`): durable before they hold, in every
backup. One that cannot be read is taken for the strictest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeAlias

from twisted.internet.defer import DeferredLock
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
        self._turn = DeferredLock()
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
                return _parsed_rule(members)
            until = members.get("until")
            if not (until is None or is_integer(until)):
                raise ValueError("until")
            if isinstance(table.strict, Mute):
                return Mute(until)
            return Ban(until, str(members.get("name", "")))
        except (BadJSON, ValueError, KeyError) as fault:
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

    def left(self, ban: Ban) -> int | None:
        """For how many ms a ban holds yet; None: until it is lifted."""
        if ban.until is None:
            return None
        return max(ban.until - int(self._now() * 1000), 1)

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

    # What is decided, one after the other. Each raises NotDecided, and changes
    # nothing then.

    async def set_private(self, room: str, names: frozenset[str]) -> None:
        """Only these users see the room from now on."""
        await self._rule(room, lambda rule: replace(rule, allowed=names))

    async def set_public(self, room: str) -> None:
        await self._rule(room, lambda rule: replace(rule, allowed=None))

    async def admit(self, room: str, name: str) -> None:
        """One more user sees the private room."""

        def admitted(rule: Rule) -> Rule:
            return replace(rule, allowed=_allowed(room, rule) | {name})

        await self._rule(room, admitted)

    async def expel(self, room: str, name: str) -> None:
        """One user less sees the private room."""

        def expelled(rule: Rule) -> Rule:
            allowed = _allowed(room, rule)
            if name not in allowed:
                raise NotDecided(f"{name} has no access to {room}")
            return replace(rule, allowed=allowed - {name})

        await self._rule(room, expelled)

    async def retain(self, room: str, days: int | None) -> None:
        """Keep the texts of a room for so long; None: as the option says."""
        if days is not None and not 1 <= days <= MOST_DAYS:
            raise NotDecided(f"give 1 to {MOST_DAYS} days")
        await self._rule(room, lambda rule: replace(rule, days=days))

    async def mute(self, name: str, until: int | None) -> None:
        self._check_ahead(until)
        await self._decide("mute", name, lambda _: Mute(until))

    async def unmute(self, name: str) -> None:
        if not self.muted(name):
            raise NotDecided(f"{name} is not muted")
        await self._decide("mute", name, lambda _: None)

    async def set_ban(self, key_id: str, until: int | None, name: str) -> None:
        self._check_ahead(until)
        await self._decide("ban", key_id, lambda _: Ban(until, name))

    async def lift_ban(self, key_id: str) -> None:
        if self.ban(key_id) is None:
            raise NotDecided(f"the key {key_id} is not banned")
        await self._decide("ban", key_id, lambda _: None)

    async def forget_expired(self) -> None:
        """Remove from the disk the mutes and bans that are over."""

        def still(decision: Mute | Ban | None) -> Mute | Ban | None:
            return decision if decision is not None and self._holds(decision) else None

        for kind in ("mute", "ban"):
            for about, decision in list(self._tables[kind].found.items()):
                if not self._holds(decision):
                    await self._decide(kind, about, still)

    def _check_ahead(self, until: int | None) -> None:
        if until is not None and not (is_integer(until) and self._holds(Mute(until))):
            raise NotDecided("that time is over, or too far away: give a later one")

    async def _rule(self, room: str, change: Callable[[Rule], Rule]) -> None:
        def changed(rule: Rule | None) -> Rule | None:
            new = change(rule or Rule())
            if len(new.allowed or ()) > MOST_MEMBERS:
                raise NotDecided(f"at most {MOST_MEMBERS} members of a private room")
            return new if new != Rule() else None

        await self._decide("room", room, changed)

    async def _decide(
        self, kind: str, about: str, change: Callable[[Any], Decision | None]
    ) -> None:
        """`change`: from what was decided before to what is now; None is nothing."""
        await self._turn.acquire()  # else two changes of one room undo each other
        try:
            found = self._tables[kind].found
            decision = change(found.get(about))
            text = None if decision is None else _text(decision)
            if decision and about not in found and len(found) >= MOST_ENTRIES:
                raise NotDecided(f"there are {MOST_ENTRIES} already: lift some first")
            if not await self._journal.keep(f"{kind}/{about}", text):
                raise NotDecided(
                    "it could not be stored: look at the disk, and try again"
                )
            found.pop(about, None)
            if decision is not None:
                found[about] = decision
        finally:
            self._turn.release()


def _allowed(room: str, rule: Rule) -> frozenset[str]:
    if rule.allowed is None:
        raise NotDecided(f"{room} is public: make it private first")
    return rule.allowed


def _text(decision: Decision) -> str:
    members = asdict(decision)
    if isinstance(decision, Rule) and decision.allowed is not None:
        members["allowed"] = sorted(decision.allowed)
    return write(members).decode()


def _parsed_rule(members: Mapping[str, object]) -> Rule:
    """Raises ValueError; KeyError for a text that does not say all."""
    allowed, days = members["allowed"], members["days"]
    if not (days is None or (is_integer(days) and 1 <= days <= MOST_DAYS)):
        raise ValueError("days")
    if allowed is None:
        return Rule(None, days)
    if not isinstance(allowed, list) or not all(
        isinstance(name, str) and is_name(name) for name in allowed
    ):
        raise ValueError("allowed")
    return Rule(frozenset(allowed), days)
