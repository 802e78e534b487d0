"""Users and their keys: a folder of small files, shared with chatctl.

    NAME.key, NAME@DEVICE.key   a live key, one a device
    NAME.pending, ...           the key that rekey announced for the .key beside it
    ID.invite                   an invite by its key's id, the key it is bound to
    ID.retired                  a key that is accepted no more, and why
    NAME.user                   the user exists
    NAME.removed                the name is reserved, and all keys under it are dead

Each step is one rename; whatever a crash leaves between two, both keys of a rekey are
kept until the new one has proven itself (protocol section 4.7).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from twisted.logger import Logger

from chatd import keyfile
from chatd.keyfile import KeyFileError
from chatd.server.user_files import (
    Object,
    drop,
    locked,
    move,
    put,
    put_key,
    put_object,
    read_object,
)
from chatd.wire.names import is_name
from chatd.wire.tokens import Key

_log = Logger()

KEPT = 90 * 86_400_000
"""Milliseconds that a dead key is kept, to say why it is refused."""
NOTED = 16
"""Addresses noted that tried a used invite."""
_DEVICE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_ID = re.compile(r"[0-9a-f]{8}")


class Standing(Enum):
    """What a key is good for."""

    LIVE = "live"
    PENDING = "pending"  # announced by rekey, not used yet
    INVITE = "invite"
    BOUND = "bound"  # announced over an invite, not used yet
    ROTATED = "rotated"
    USED = "used"
    EXPIRED = "expired"
    REMOVED = "removed"


ALIVE = frozenset({Standing.LIVE, Standing.PENDING, Standing.INVITE, Standing.BOUND})


@dataclass(frozen=True, slots=True)
class Credential:
    """One key of a user."""

    key: Key
    name: str
    device: str | None
    standing: Standing
    expires: int | None = None
    """Of an invite, in ms."""
    misused: tuple[tuple[str, int], ...] = ()
    """Where and when, in ms, a used invite was tried again."""

    @property
    def alive(self) -> bool:
        return self.standing in ALIVE


class InviteUsed(Exception):
    """The invite is bound to another key."""


class KeyTaken(Exception):
    """The key is held already."""


class Users:
    """The folder as it was read last, and the steps that change it."""

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        """`now`: seconds since the epoch. Raises KeyFileError, OSError."""
        self._folder = folder
        self._now = now
        self._seen: tuple[int, bool] = (0, False)
        self.credentials: dict[Key, Credential] = {}
        """All keys held, dead ones too."""
        self.names: frozenset[str] = frozenset()
        """The users that exist."""
        self._removed: frozenset[str] = frozenset()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.reload()

    def exists(self, name: str) -> bool:
        return name in self.names

    def known(self, name: str) -> bool:
        """Whether the user exists, or did."""
        return name in self.names or name in self._removed

    def changed(self) -> bool:
        """Whether the folder has changed since it was read."""
        stamp, settled = self._seen
        return not settled or self._folder.stat().st_mtime_ns != stamp

    def reload(self) -> None:
        """Read the folder. Raises KeyFileError, and then all stays as it was."""
        stamp = self._folder.stat().st_mtime_ns
        settled = self._now() - stamp / 1e9 > 1.0  # else a later change may look alike
        found = _Folder(self._folder, self._ms())
        self.credentials = found.credentials
        self.names = frozenset(found.names)
        self._removed = frozenset(found.removed)
        self._seen = (stamp, settled)

    # What a session changes (protocol section 4.7).

    def announce(self, opened: Key, new: Key) -> None:
        """Keep `new` beside `opened`, the key of the session that announces it.

        On disk at return. Raises InviteUsed, KeyTaken, OSError.
        """
        with self._changing():
            held = self.credentials.get(opened)
            if held is None or not held.alive:
                raise KeyFileError("the key of this session is dead")
            other = self.credentials.get(new)
            if held.standing is Standing.INVITE:
                path = self._folder / f"{opened.id}.invite"
                bound = _invite(path).bound
                if bound is not None and bound != new:
                    raise InviteUsed
                if bound is None:
                    if other is not None:
                        raise KeyTaken
                    put_object(path, _invite_members(held, bound=new))
            elif other is None:
                put_key(self._path(held, "pending"), new)
            elif other.standing is not Standing.PENDING or (
                (other.name, other.device) != (held.name, held.device)
            ):
                raise KeyTaken

    def proven(self, key: Key) -> Key | None:
        """A session under `key` is live: it replaces the key it was announced over.

        On disk at return; the key that is dead by it, or None. Raises OSError.
        """
        held = self.credentials.get(key)
        if held is None or held.standing not in (Standing.PENDING, Standing.BOUND):
            return None
        with self._changing():
            path = self._path(held, "key")
            if held.standing is Standing.PENDING:
                old = keyfile.read(path)
                self._retire(old, held, "rotated")
                move(self._path(held, "pending"), path)
                return old
            invite = self._bound_to(key)
            put_key(path, key)
            self._retire(invite, held, "used")
            drop(self._folder / f"{invite.id}.invite")
            return invite

    def misused(self, key: Key, address: str) -> bool:
        """A used invite was tried at `address`: noted; True the first time there."""
        with self._changing():
            for suffix in ("retired", "invite"):
                path = self._folder / f"{key.id}.{suffix}"
                if path.exists():
                    break
            members: Object = read_object(path, dict)
            noted = members.setdefault("misused", [])
            if len(noted) >= NOTED or any(each[0] == address for each in noted):
                return False
            noted.append([address, self._ms()])
            put_object(path, members)
            return True

    # What chatctl changes.

    def add(self, name: str, device: str | None) -> Path:
        """Make a user, or one more device of one; the path of the new key.

        Raises KeyFileError where the name, or the device, is no name or is there.
        """
        self._check(name, device)
        with self._changing():
            self._restore(name)
            path = self._folder / f"{_stem(name, device)}.key"
            keyfile.create(path, Key.generate(os.urandom))
            return path

    def invite(self, name: str, device: str | None, seconds: float) -> Key:
        """An invite for a user, who is made where there is none; its key."""
        self._check(name, device)
        with self._changing():
            self._restore(name)
            key = Key.generate(os.urandom)
            if device is None and (self._folder / f"{name}.key").exists():
                device = key.id
            expires = self._ms() + int(seconds * 1000)
            held = Credential(key, name, device, Standing.INVITE, expires)
            put_object(self._folder / f"{key.id}.invite", _invite_members(held))
            return key

    def remove(self, name: str) -> None:
        """Let no key of the user open any more; the name stays reserved."""
        self._check(name, None)
        with self._changing():
            if name not in self.names:
                raise KeyFileError(f"there is no user {name}")
            if not (self._folder / f"{name}.user").exists():
                put(self._folder / f"{name}.user", "")
            move(self._folder / f"{name}.user", self._folder / f"{name}.removed")
            self._clear(name)

    def _restore(self, name: str) -> None:
        """Let the user exist."""
        if (self._folder / f"{name}.removed").exists():
            self._clear(name)
            move(self._folder / f"{name}.removed", self._folder / f"{name}.user")
        elif not (self._folder / f"{name}.user").exists():
            put(self._folder / f"{name}.user", "")

    def _clear(self, name: str) -> None:
        """Retire all keys of a removed user, whatever a crash has left."""
        for held in list(self.credentials.values()):
            if held.name != name or _is_retired(self._folder, held.key):
                continue
            self._retire(held.key, held, "removed")
        for suffix in ("key", "pending"):
            for path in self._folder.glob(f"*.{suffix}"):
                if path.stem.partition("@")[0] == name:
                    drop(path)
        for path in self._folder.glob("*.invite"):
            if _invite(path).credential.name == name:
                drop(path)

    def _retire(self, key: Key, held: Credential, why: str) -> None:
        put_object(
            self._folder / f"{key.id}.retired",
            {
                "key": key.text,
                "name": held.name,
                "device": held.device,
                "why": why,
                "at": self._ms(),
                "misused": [list(each) for each in held.misused],
            },
        )

    def _bound_to(self, key: Key) -> Key:
        for path in self._folder.glob("*.invite"):
            invite = _invite(path)
            if invite.bound == key:
                return invite.credential.key
        raise KeyFileError("the invite of this key is gone")

    def _path(self, held: Credential, suffix: str) -> Path:
        return self._folder / f"{_stem(held.name, held.device)}.{suffix}"

    def _check(self, name: str, device: str | None) -> None:
        if not is_name(name):
            raise KeyFileError(
                f"{name[:40]!r} cannot be a user's name: up to 32 of a-z 0-9 _ . -, the"
                " first a letter or digit; not 'server', not ending in .key"
            )
        if device is not None and _DEVICE.fullmatch(device) is None:
            raise KeyFileError(
                f"{device[:40]!r} cannot be a device's name: up to 32 of a-z 0-9 _ -"
            )

    def _changing(self) -> _Changing:
        return _Changing(self)

    def _ms(self) -> int:
        return int(self._now() * 1000)


class _Changing:
    """Under the lock, with the folder as it is now; read again at the end."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self._lock = locked(users._folder)

    def __enter__(self) -> None:
        self._lock.__enter__()
        try:
            self._users.reload()
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise

    def __exit__(self, *error: object) -> None:
        try:
            self._users.reload()
        finally:
            self._lock.__exit__(None, None, None)


@dataclass(frozen=True, slots=True)
class _Invite:
    credential: Credential
    bound: Key | None


class _Folder:
    """One reading of the folder."""

    def __init__(self, folder: Path, now: int) -> None:
        self.credentials: dict[Key, Credential] = {}
        self.names: set[str] = set()
        self.removed: set[str] = set()
        self._now = now
        paths = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
        of: dict[str, list[Path]] = {}
        for path in paths:
            of.setdefault(path.suffix, []).append(path)
        self.removed = {p.stem for p in of.get(".removed", ())}
        self.names = {p.stem for p in of.get(".user", ())} - self.removed
        for suffix, standing in (
            (".key", Standing.LIVE),
            (".pending", Standing.PENDING),
        ):
            for path in of.get(suffix, ()):
                self._add_key(path, standing)
        self._add_invites(of.get(".invite", ()))
        self._add_retired(of.get(".retired", ()))

    def _add_key(self, path: Path, standing: Standing) -> None:
        name, at, device = path.stem.partition("@")
        if not is_name(name) or (at and _DEVICE.fullmatch(device) is None):
            raise KeyFileError(f"{path} names no user: rename it, or move it away")
        if name in self.removed:
            standing = Standing.REMOVED
        elif standing is Standing.LIVE:
            self.names.add(name)
        self._add(Credential(keyfile.read(path), name, device or None, standing), path)

    def _add(self, held: Credential, path: Path) -> None:
        if held.key in self.credentials:
            other = self.credentials[held.key]
            raise KeyFileError(
                f"{path} holds the key of {_stem(other.name, other.device)}, too:"
                " make another"
            )
        self.credentials[held.key] = held

    def _add_invites(self, paths: Iterable[Path]) -> None:
        for path in paths:
            invite = _invite(path)
            held, bound = invite.credential, invite.bound
            if bound is None and self._now - (held.expires or 0) > KEPT:
                path.unlink(missing_ok=True)
                continue
            standing = Standing.INVITE
            if held.name in self.removed:
                standing = Standing.REMOVED
            elif bound is not None and bound in self.credentials:
                standing = Standing.USED  # a crash came before the invite was dropped
            elif bound is None and (held.expires or 0) <= self._now:
                standing = Standing.EXPIRED
            self._add(_as(held, held.key, standing), path)
            if bound is not None and bound not in self.credentials:
                dead = standing is Standing.REMOVED
                self._add(_as(held, bound, standing if dead else Standing.BOUND), path)

    def _add_retired(self, paths: Iterable[Path]) -> None:
        for path in paths:
            held, at = read_object(path, _retired)
            if self._now - at > KEPT:
                path.unlink(missing_ok=True)
            elif held.key not in self.credentials:  # else a crash came in between
                self.credentials[held.key] = held


def _as(held: Credential, key: Key, standing: Standing) -> Credential:
    return Credential(key, held.name, held.device, standing, held.expires, held.misused)


def _stem(name: str, device: str | None) -> str:
    return name if device is None else f"{name}@{device}"


def _is_retired(folder: Path, key: Key) -> bool:
    return (folder / f"{key.id}.retired").exists()


def _invite(path: Path) -> _Invite:
    def check(members: Object) -> _Invite:
        bound = members["bound"]
        held = Credential(
            Key.parse(members["key"]),
            members["name"],
            members["device"],
            Standing.INVITE,
            int(members["expires"]),
            _noted(members),
        )
        return _Invite(held, None if bound is None else Key.parse(bound))

    invite: _Invite = read_object(path, check)
    return invite


def _invite_members(held: Credential, bound: Key | None = None) -> Object:
    return {
        "key": held.key.text,
        "name": held.name,
        "device": held.device,
        "expires": held.expires,
        "bound": None if bound is None else bound.text,
        "misused": [list(each) for each in held.misused],
    }


def _retired(members: Object) -> tuple[Credential, int]:
    held = Credential(
        Key.parse(members["key"]),
        members["name"],
        members["device"],
        Standing(members["why"]),
        misused=_noted(members),
    )
    return held, int(members["at"])


def _noted(members: Object) -> tuple[tuple[str, int], ...]:
    return tuple((str(where), int(when)) for where, when in members.get("misused", ()))
