"""What an operator does while people talk: rooms, mutes, bans, goodbyes, words."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.logger import Logger

from chatd.journal.interface import Draft, Head, IJournal, Lane, Receipt
from chatd.server.hub import Hub
from chatd.server.keyring import Keyring
from chatd.server.limits import Limits
from chatd.server.policy import NotDecided
from chatd.server.rooms import Room
from chatd.server.users import Users
from chatd.wire.names import LOBBY, SERVER, is_public
from chatd.wire.requests import body_fault

_log = Logger()


class Operator:
    """Each act is on disk when it is done, and logged; NotDecided: it was not done."""

    def __init__(
        self,
        hub: Hub,
        journal: IJournal,
        users: Users,
        keyring: Keyring,
        limits: Limits,
        urandom: Callable[[int], bytes],
    ) -> None:
        self._hub, self._journal, self._users = hub, journal, users
        self._keyring, self._limits, self._urandom = keyring, limits, urandom
        self._policy = hub.policy

    # Rooms.

    async def create(self, room: str) -> None:
        """Make a public room. Raises NotDecided, as all of these."""
        if not is_public(room):
            raise NotDecided(f"{room[:40]!r} is no room's name: give #name")
        if room in self._hub.rooms:
            raise NotDecided(f"{room} is there already")
        if len(self._hub.rooms) >= self._limits.rooms:
            raise NotDecided(f"there are {self._limits.rooms} rooms already")
        if not await self._journal.create(room):
            raise NotDecided("it could not be stored: look at the disk, and try again")
        self._hub.rooms.setdefault(room, Room(room, Head(), {}))
        self._did("room-create", room)

    async def make_private(self, room: str, names: Sequence[str]) -> None:
        """Only these see it; none given: its members so far."""
        known = self._room(room)
        if room == LOBBY:
            raise NotDecided(f"{LOBBY} is for everybody")
        chosen = frozenset(names) or frozenset(
            name for name in known.marks if self._users.exists(name)
        )
        for name in chosen:
            self._user(name)
        before = self._policy.rule(room).allowed
        await self._policy.set_private(room, chosen)
        self._hub.shut_out(room)
        self._hub.tell_access(room, chosen - (before or chosen))
        self._did("room-private", room)

    async def make_public(self, room: str) -> None:
        self._room(room)
        await self._policy.set_public(room)
        self._did("room-public", room)

    async def admit(self, room: str, name: str) -> None:
        """Let one more user see a private room."""
        self._room(room)
        self._user(name)
        await self._policy.admit(room, name)
        self._hub.tell_access(room, [name])
        self._did("room-admit", room, name)

    async def expel(self, room: str, name: str) -> None:
        """Let a user see a private room no more."""
        self._room(room)
        await self._policy.expel(room, name)
        self._hub.shut_out(room)
        self._did("room-expel", room, name)

    async def retain(self, room: str, days: int | None) -> None:
        """How many days texts are kept; None: as the daemon's option says."""
        self._room(room)
        await self._policy.retain(room, days)
        self._hub.prune()
        self._did("room-retention", room)

    async def say(self, room: str, text: str) -> Receipt:
        """Say something in a room in the server's name."""
        self._room(room)
        if (fault := body_fault(text, self._limits.body)) is not None:
            raise NotDecided(fault)
        id = f"say:{self._urandom(16).hex()}"
        outcome = await self._journal.append(
            Draft(room, SERVER, id, text, None, Lane())
        )
        if not isinstance(outcome, Receipt):
            raise NotDecided(f"it was not stored: {outcome.code}; try again")
        self._did("say", room)
        return outcome

    # People.

    async def mute(self, name: str, until: int | None) -> None:
        """`until`: ms since the epoch; None: until it is lifted."""
        self._user(name)
        await self._policy.mute(name, until)
        self._did("mute", name)

    async def unmute(self, name: str) -> None:
        await self._policy.unmute(name)
        self._did("unmute", name)

    async def ban(self, who: str, until: int | None) -> list[str]:
        """Ban a key by its id, or all keys of a user; the ids."""
        held = {key.id: c.name for key, c in self._users.credentials.items()}
        held |= dict.fromkeys(self._keyring.ids, "guests")
        ids = [id for id, name in held.items() if who in (id, name)]
        if not ids:
            raise NotDecided(f"there is no user and no key {who[:40]!r}")
        for id in ids:
            await self._policy.set_ban(id, until, held[id])
            self._did("ban", id, held[id])
        self._hub.dismiss()
        return ids

    async def unban(self, who: str) -> list[str]:
        """Lift the ban of a key, or of all keys of a user; the ids."""
        bans = self._policy.bans
        ids = [id for id, ban in bans.items() if who in (id, ban.name)]
        if not ids:
            raise NotDecided(f"nothing of {who[:40]!r} is banned")
        for id in ids:
            await self._policy.lift_ban(id)
            self._did("unban", id, bans[id].name)
        return ids

    def kick(self, name: str) -> int:
        """End all sessions of a user or guest; they may come again. How many."""
        sessions = self._hub.presence.of(name)
        if not sessions:
            raise NotDecided(f"{name[:40]!r} is not here")
        for session in sessions:
            session.goodbye("kicked")
        self._did("kick", name)
        return len(sessions)

    # How.

    def _room(self, room: str) -> Room:
        found = self._hub.rooms.get(room)
        if found is None or not room.startswith("#"):
            raise NotDecided(f"there is no room {room[:40]!r}: give #name")
        return found

    def _user(self, name: str) -> None:
        if not self._users.exists(name):
            raise NotDecided(f"there is no user {name[:40]!r}")

    def _did(self, act: str, about: str, name: str = "") -> None:
        more = {"user": name} if name else {}
        _log.info("operator", act=act, about=about, **more)
