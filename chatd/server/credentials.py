"""What each key of the users is good for, judged from the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from chatd.keyfile import KeyFileError
from chatd.server.user_files import Files, Place
from chatd.server.user_records import Invite
from chatd.wire.tokens import Key


class Standing(Enum):
    """What a key is good for. PENDING: announced by rekey; BOUND: over an invite."""

    LIVE = "live"
    PENDING = "pending"
    INVITE = "invite"
    BOUND = "bound"
    ROTATED = "rotated"
    USED = "used"
    EXPIRED = "expired"
    REMOVED = "removed"


ALIVE = frozenset({Standing.LIVE, Standing.PENDING, Standing.INVITE, Standing.BOUND})


@dataclass(frozen=True, slots=True)
class Credential:
    """A key and whom it opens for."""

    key: Key
    name: str
    device: str | None
    standing: Standing
    older: Key | None = None
    """The key, or the invite, in whose place it comes once it has proven itself."""

    @property
    def alive(self) -> bool:
        """Whether the key opens."""
        return self.standing in ALIVE


def judged(files: Files, now: int) -> dict[Key, Credential]:
    """Every key that is held, dead ones too, ordered by name.

    `now`: ms since the epoch. Raises KeyFileError where two files hold the same key,
    both alive. One that was retired and stands in a key file is alive.
    """
    gone = files.gone
    alive: dict[Key, tuple[str, Credential]] = {}
    dead = {
        record.key: Credential(record.key, record.name, None, Standing(record.why))
        for record in files.retired.values()
    }
    for file, credential in _claims(files, now):
        if credential.name in gone:
            credential = replace(credential, standing=Standing.REMOVED)
        if not credential.alive:
            dead.setdefault(credential.key, credential)
            continue
        other, _ = alive.setdefault(credential.key, (file, credential))
        if other != file:
            raise KeyFileError(
                f"{files.folder / other} and {files.folder / file}"
                " hold the same key: make another"
            )
    held = dead | {key: credential for key, (_, credential) in alive.items()}
    ordered = sorted(held.values(), key=lambda c: (c.name, c.device or ""))
    return {credential.key: credential for credential in ordered}


def _claims(files: Files, now: int) -> Iterator[tuple[str, Credential]]:
    """What each file but a record of a retired key says."""
    for place, key in files.keys.items():
        yield f"{place.stem}.key", Credential(key, *place, Standing.LIVE)
    for place, key in files.pending.items():
        if place in files.keys:
            pending = Credential(key, *place, Standing.PENDING, files.keys[place])
            yield f"{place.stem}.pending", pending
    for invite in files.invites.values():
        key, place = invite.key, Place(invite.name, invite.device)
        used = is_used_up(files, invite)
        if used:
            yield invite.file, Credential(key, *place, Standing.USED)
        elif key not in files.retired:
            over = invite.bound is None and invite.expires <= now
            standing = Standing.EXPIRED if over else Standing.INVITE
            yield invite.file, Credential(key, *place, standing)
        if invite.bound is not None and not used:
            yield invite.file, Credential(invite.bound, *place, Standing.BOUND, key)


def is_used_up(files: Files, invite: Invite) -> bool:
    """Whether the key bound to the invite is a device's key by now."""
    return invite.bound is not None and any(
        key == invite.bound and place.name == invite.name
        for place, key in files.keys.items()
    )
