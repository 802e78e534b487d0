"""Users and their keys: who exists, which key opens as whom, how one replaces another.

The folder is the truth (see user_files): chatctl and operators change it while the
daemon runs. Each operation may be cut off at any step and done again; at no step does
a user stand without a key that opens.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from twisted.logger import Logger

from chatd.keyfile import KeyFileError
from chatd.server import private_files, user_files
from chatd.server.credentials import ALIVE, judged
from chatd.server.credentials import Credential as Credential
from chatd.server.credentials import Standing as Standing
from chatd.server.retiring import retire, retire_invite, settle
from chatd.server.user_files import Files, Place
from chatd.server.user_records import MOST_MISUSES, Invite, Misuse, Retired, is_device
from chatd.wire.names import is_name
from chatd.wire.tokens import Key

_log = Logger()

PATIENCE = 0.5
"""Seconds that the daemon, which does nothing else meanwhile, waits for the lock."""

_YOUNG_NS = 10**9  # a change this close to a reading may have come after it
_LONGEST_ADDRESS = 64


class InviteUsed(Exception):
    """The invite is bound to another key."""


class KeyTaken(Exception):
    """The key is held already, alive or dead."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the list of users. A user without keys has one with no `key_id`.

    `expires`: of an invite that is not bound; ms since the epoch.
    """

    name: str
    device: str | None = None
    key_id: str | None = None
    standing: Standing | None = None
    expires: int | None = None
    misused: tuple[Misuse, ...] = ()


class Users:
    """The users of a folder. Keys are distinct, and names given once."""

    def __init__(
        self, folder: Path, now: Callable[[], float], patience: float = PATIENCE
    ) -> None:
        """Makes the folder where it is not there. Raises KeyFileError, OSError.

        `now`: seconds since the epoch; `patience`: seconds to wait for the lock.
        """
        self._folder = folder
        self._now = now
        self._patience = patience
        self.reserved: frozenset[Key] = frozenset()
        """Keys that no user may announce: the shared ones."""
        self._warned: set[str] = set()
        self._seen: object = None
        self._young = False
        private_files.make(folder)
        self._files = Files(folder)
        self._take(self._files)
        self.reload()

    # What there is.

    @property
    def credentials(self) -> dict[Key, Credential]:
        """Every key that is held, dead ones too, ordered by name."""
        if self._ms() >= self._next_expiry:
            self._take(self._files)
        return self._credentials

    @property
    def names(self) -> frozenset[str]:
        """The users that exist."""
        return self._names

    def exists(self, name: str) -> bool:
        """Whether there is a user of this name."""
        return name in self._names

    def known(self, name: str) -> bool:
        """Whether there is one, or was."""
        return name in self._names or name in self._files.gone

    def listing(self) -> list[Listed]:
        """All that there is to say, by name."""
        files, lines = self._files, []
        for key, c in self.credentials.items():
            invite, record = files.invites.get(key), files.retired.get(key)
            bound = invite is not None and invite.bound is not None
            expires = invite.expires if invite is not None and not bound else None
            noted = record or invite
            misused = noted.misused if noted is not None else ()
            lines.append(Listed(c.name, c.device, key.id, c.standing, expires, misused))
        keyed = {line.name for line in lines if line.standing in ALIVE}
        lines += [Listed(name) for name in self._names - keyed]
        lines += [Listed(name, standing=Standing.REMOVED) for name in files.gone]
        return sorted(lines, key=lambda line: (line.name, line.device or ""))

    # The folder may have changed.

    def changed(self) -> bool:
        """Whether the folder has changed since it was read. Cheap.

        A folder that was modified just before it was read counts as changed once more:
        its time stamp is too coarse to tell.
        """
        if isinstance(self._seen, int):
            return self._young or private_files.stamp(self._folder) != self._seen
        return private_files.thorough_stamp(self._folder) != self._seen

    def reload(self) -> None:
        """Read the folder again, and clean up. Raises KeyFileError, OSError.

        Where it raises, all stays as it was.
        """
        try:
            with private_files.locked(self._folder, self._patience):
                try:
                    self._read()
                except KeyFileError:
                    # What mends it need not show in the folder's own time.
                    self._seen = private_files.thorough_stamp(self._folder)
                    raise
                try:
                    settle(self._files, self._ms())
                except OSError as error:  # what was read is right without it
                    reason = error.strerror or ""
                    _log.warn("key-clean-up-failed", reason=reason)
                self._take(self._files)
                self._note_stamp()
        except BlockingIOError:
            self._seen = None  # who holds the lock may have written already
            raise
        except OSError:
            self._seen = private_files.thorough_stamp(self._folder)
            raise

    def expire(self) -> None:
        """Retire the invites that have expired. Raises KeyFileError, OSError."""
        with self._writing():
            pass  # it settles

    # What the daemon does.

    def announce(self, opened: Key, new: Key) -> None:
        """Keep `new` beside `opened`, the session's key (protocol 4.7); on disk then.

        The same key again changes nothing; another takes the place of a pending one.
        Raises InviteUsed, KeyTaken, KeyFileError, OSError; PermissionError, an OSError,
        where `opened` is accepted no more.
        """
        with self._writing() as files:
            match self.credentials.get(opened):
                case Credential(standing=Standing.LIVE) as live:
                    place = Place(live.name, live.device)
                    if files.pending.get(place) != new:
                        self._refuse_held(new)
                        files.put_pending(place, new)
                case Credential(standing=Standing.INVITE):
                    invite = files.invites[opened]
                    if invite.bound is None:
                        self._refuse_held(new)
                        now = self._ms()
                        files.put_invite(replace(invite, bound=new, bound_at=now))
                    elif invite.bound != new:
                        raise InviteUsed
                case Credential(standing=Standing.USED):
                    raise InviteUsed
                case _:
                    raise PermissionError("the session's key is accepted no more")

    def proven(self, key: Key) -> Key | None:
        """The first session under `key` is live: it takes its place, on disk then.

        Returns the key that is retired for it; None where nothing was to be done.
        Raises KeyFileError, OSError, and may be called again.
        """
        credential = self.credentials.get(key)
        if credential is None or credential.standing not in (
            Standing.PENDING,
            Standing.BOUND,
        ):
            return None
        with self._writing() as files:
            for place, pending in files.pending.items():
                if pending == key:
                    old = files.keys[place]
                    retire(files, old, place.name, Standing.ROTATED, self._ms())
                    files.replace_key(place)
                    return old
            for invite in files.invites.values():
                if invite.bound == key:
                    files.put_key(_free_place(files, invite), key)
                    retire_invite(files, invite, Standing.USED, self._ms())
                    return invite.key
        return None

    def misused(self, key: Key, address: str) -> bool:
        """Note that an invite which was used is tried again.

        True the first time for this address; False where so many are noted already
        that this one is not. A disk that fails makes it no less true.
        """
        address = address[:_LONGEST_ADDRESS]
        record = self._files.retired.get(key) or self._files.invites.get(key)
        if record is None or not _to_be_noted(record, address):
            return False
        try:
            with self._writing() as files:
                noted = files.retired.get(key) or files.invites.get(key)
                if noted is None or not _to_be_noted(noted, address):
                    return False
                misuses = (*noted.misused, Misuse(address, self._ms()))
                if isinstance(noted, Invite):
                    files.put_invite(replace(noted, misused=misuses))
                else:
                    files.put_retired(replace(noted, misused=misuses))
        except (KeyFileError, OSError) as error:
            _log.error("misuse-not-noted", key=key.id, reason=str(error))
        return True

    # What the operator does.

    def add(self, name: str, device: str | None) -> Path:
        """A new key for the user, who is made, or brought back, if need be; its file.

        Raises KeyFileError, OSError; ValueError for what is no name.
        """
        place = _checked(name, device)
        with self._writing() as files:
            if place in files.keys:
                raise KeyFileError(
                    f"{files.path(place)} is there already; it was left alone:"
                    " give another --device, or make an invite"
                )
            self._make(files, name)
            files.put_key(place, self._new_key())
            return files.path(place)

    def invite(self, name: str, device: str | None, seconds: float) -> Key:
        """The key of a new invite for the user, who is made if need be.

        Should the device be taken when it is used, another name is found. Raises
        KeyFileError, OSError; ValueError for what is no name.
        """
        _checked(name, device)
        with self._writing() as files:
            self._make(files, name)
            key = self._new_key()
            file = files.free_name(key, ".invite")
            expires = self._ms() + int(seconds * 1000)
            files.put_invite(Invite(file, key, name, device, expires))
            return key

    def remove(self, name: str) -> None:
        """All keys of the user are dead; the name stays reserved.

        Raises KeyFileError, OSError.
        """
        with self._writing() as files:
            if name not in self._names:
                gone = " any more" if name in files.gone else ""
                raise KeyFileError(f"there is no user {name}{gone}")
            files.remove_user(name)
            settle(self._files, self._ms())

    # How.

    def _ms(self) -> int:
        return int(self._now() * 1000)

    @contextmanager
    def _writing(self) -> Iterator[Files]:
        """The lock is held, and what is known is what stands in the folder."""
        with private_files.locked(self._folder, self._patience):
            if private_files.stamp(self._folder) != self._seen:
                self._read()
            try:
                settle(self._files, self._ms())
                self._take(self._files)
                yield self._files
            except OSError:
                self._seen = None  # no telling what was done: read again
                raise
            self._take(self._files)
            self._note_stamp()

    def _read(self) -> None:
        files = user_files.read(self._folder, self._now())
        self._take(files)
        self._note_stamp()
        for name in sorted(files.unknown - self._warned):
            _log.warn("unknown-key-file", name=name)
        self._warned = files.unknown

    def _note_stamp(self) -> None:
        self._seen = seen = private_files.stamp(self._folder)
        self._young = abs(self._now() * 1e9 - seen) < _YOUNG_NS

    def _take(self, files: Files) -> None:
        """Judge all keys. Raises KeyFileError, and then all stays as it was."""
        now = self._ms()
        credentials = judged(files, now)
        self._files = files
        self._credentials = credentials
        self._names = frozenset(files.existing)
        self._next_expiry: float = min(
            (i.expires for i in files.invites.values() if i.expires > now),
            default=float("inf"),
        )

    def _make(self, files: Files, name: str) -> None:
        if name not in files.users:
            files.put_user(name)

    def _refuse_held(self, key: Key) -> None:
        if key in self.credentials or key in self.reserved:
            raise KeyTaken

    def _new_key(self) -> Key:
        return Key.generate(os.urandom)


def _free_place(files: Files, invite: Invite) -> Place:
    """Where the key bound to the invite goes."""
    name = invite.name
    wanted = [Place(name, invite.device), Place(name, None), Place(name, invite.key.id)]
    for place in wanted:
        if place not in files.keys:
            return place
    raise FileExistsError(f"no place is free for a key of {name}")


def _to_be_noted(record: Invite | Retired, address: str) -> bool:
    return len(record.misused) < MOST_MISUSES and all(
        misuse.address != address for misuse in record.misused
    )


def _checked(name: str, device: str | None) -> Place:
    if not is_name(name):
        raise ValueError("not a user's name")
    if device is not None and not is_device(device):
        raise ValueError("not a device's name")
    return Place(name, device)
