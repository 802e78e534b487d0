"""The folder of the users' keys: its files, its lock, and writes that last.

    NAME.key      NAME@DEVICE.key       a device's key
    NAME.pending  NAME@DEVICE.pending   the one announced to replace it
    ID.invite     ID.retired            records of a key in JSON; ID: the key's
    NAME.user                           the user exists (a key file says so too)
    NAME.removed                        the user is gone, the name stays reserved

Each write is on disk when it returns. Who writes holds the lock.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from chatd import keyfile
from chatd.keyfile import KeyFileError
from chatd.server import private_files
from chatd.server.user_records import BadRecord, Invite, Retired, is_device
from chatd.wire.names import is_name
from chatd.wire.tokens import Key

_Record = TypeVar("_Record", Invite, Retired)

_RECORD = re.compile(r"[0-9a-f]{8}(?:-[0-9]+)?")


class Place(NamedTuple):
    """Whose key, and of which device; None: the one without a name."""

    name: str
    device: str | None

    @property
    def stem(self) -> str:
        return self.name if self.device is None else f"{self.name}@{self.device}"


@dataclass(slots=True)
class Files:
    """What stood in the folder when it was read, kept true by its own writes."""

    folder: Path
    keys: dict[Place, Key] = field(default_factory=dict)
    pending: dict[Place, Key] = field(default_factory=dict)
    invites: dict[Key, Invite] = field(default_factory=dict)
    retired: dict[Key, Retired] = field(default_factory=dict)
    users: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    """May hold a name that is in `users` too: then the user exists."""
    unknown: set[str] = field(default_factory=set)
    """File names that mean nothing here."""
    old: list[str] = field(default_factory=list)
    """Temporary files that nobody will finish."""

    @property
    def gone(self) -> set[str]:
        """The users that were removed."""
        return self.removed - self.users

    @property
    def existing(self) -> set[str]:
        """The users that exist."""
        return self.users | ({place.name for place in self.keys} - self.gone)

    def path(self, place: Place) -> Path:
        """Where the key of `place` stands."""
        return self.folder / f"{place.stem}.key"

    def put_key(self, place: Place, key: Key) -> None:
        """Never overwrites: FileExistsError."""
        private_files.write(self.path(place), f"{key.text}\n", new=True)
        self.keys[place] = key

    def put_pending(self, place: Place, key: Key) -> None:
        private_files.write(self.folder / f"{place.stem}.pending", f"{key.text}\n")
        self.pending[place] = key

    def replace_key(self, place: Place) -> None:
        """The pending key takes the place of the one before it."""
        private_files.rename(self.folder / f"{place.stem}.pending", self.path(place))
        self.keys[place] = self.pending.pop(place)

    def drop_key(self, place: Place) -> None:
        private_files.unlink(self.path(place))
        del self.keys[place]

    def drop_pending(self, place: Place) -> None:
        private_files.unlink(self.folder / f"{place.stem}.pending")
        del self.pending[place]

    def put_invite(self, invite: Invite) -> None:
        private_files.write(self.folder / invite.file, invite.text())
        self.invites[invite.key] = invite

    def drop_invite(self, invite: Invite) -> None:
        private_files.unlink(self.folder / invite.file)
        del self.invites[invite.key]

    def put_retired(self, record: Retired) -> None:
        private_files.write(self.folder / record.file, record.text())
        self.retired[record.key] = record

    def drop_retired(self, record: Retired) -> None:
        private_files.unlink(self.folder / record.file)
        del self.retired[record.key]

    def free_name(self, key: Key, suffix: str) -> str:
        """A file name for a record of `key`: two keys may have the same id."""
        name, number = f"{key.id}{suffix}", 1
        while os.path.lexists(self.folder / name):
            number += 1
            name = f"{key.id}-{number}{suffix}"
        return name

    def put_user(self, name: str) -> None:
        """Make the user, or bring the one who was removed back."""
        path = self.folder / f"{name}.user"
        if name in self.removed:
            private_files.rename(self.folder / f"{name}.removed", path)
        else:
            private_files.write(path, "")
        self.removed.discard(name)
        self.users.add(name)

    def remove_user(self, name: str) -> None:
        """From here on all keys of the user are dead."""
        path = self.folder / f"{name}.removed"
        if name in self.users:
            private_files.rename(self.folder / f"{name}.user", path)
        else:
            private_files.write(path, "")
        self.users.discard(name)
        self.removed.add(name)

    def sweep(self) -> None:
        """Delete the temporary files that nobody will finish."""
        while self.old:
            private_files.unlink(self.folder / self.old.pop())


def read(folder: Path, now: float) -> Files:
    """What stands in the folder. Raises KeyFileError, which names the file.

    `now`: seconds since the epoch.
    """
    files = Files(folder)
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries)
    for name in names:
        if not name.startswith("."):
            if not _take(files, name):
                files.unknown.add(name)
        elif private_files.is_abandoned(folder / name, now):
            files.old.append(name)
    return files


def _take(files: Files, file: str) -> bool:
    """Read one file. False: its name means nothing here."""
    stem, _, kind = file.rpartition(".")
    path = files.folder / file
    match kind:
        case "user" | "removed" if is_name(stem):
            (files.users if kind == "user" else files.removed).add(stem)
        case "key" | "pending":
            name, at, device = stem.partition("@")
            if not is_name(name) or (at and not is_device(device)):
                return False
            keys = files.keys if kind == "key" else files.pending
            keys[Place(name, device or None)] = keyfile.read(path)
        case "invite" if _RECORD.fullmatch(stem):
            invite = _parsed(Invite.parse, path)
            if invite.key in files.invites:
                other = files.folder / files.invites[invite.key].file
                raise KeyFileError(f"{other} and {path} hold the same key")
            files.invites[invite.key] = invite
        case "retired" if _RECORD.fullmatch(stem):
            record = _parsed(Retired.parse, path)
            files.retired.setdefault(record.key, record)
        case _:
            return False
    return True


def _parsed(parse: Callable[[str, bytes], _Record], path: Path) -> _Record:
    try:
        return parse(path.name, private_files.read(path))
    except BadRecord as error:
        raise KeyFileError(f"{path}: {error}: move it away") from None
