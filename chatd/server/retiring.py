"""How keys go: each is retired on disk before the file goes that made it alive."""

from __future__ import annotations

from chatd.server.credentials import Standing, is_used_up
from chatd.server.user_files import Files
from chatd.server.user_records import Invite, Misuse, Retired
from chatd.wire.tokens import Key

RETIRED_MS = 90 * 86_400_000
"""How long keys that are accepted no more are kept (protocol section 4.7)."""


def retire(
    files: Files,
    key: Key,
    name: str,
    why: Standing,
    now: int,
    misused: tuple[Misuse, ...] = (),
) -> None:
    """Note that `key` is accepted no more. `now`: ms since the epoch."""
    before = files.retired.get(key)
    file = files.free_name(key, ".retired") if before is None else before.file
    files.put_retired(Retired(file, key, name, why.value, now, misused))


def retire_invite(files: Files, invite: Invite, why: Standing, now: int) -> None:
    """The same for an invite, whose file goes."""
    retire(files, invite.key, invite.name, why, now, invite.misused)
    files.drop_invite(invite)


def settle(files: Files, now: int) -> None:
    """Finish what was cut off, and retire what is over. Nothing is left for a second.

    `now`: ms since the epoch. Raises OSError.
    """
    files.sweep()
    gone = files.gone
    for place, key in list(files.pending.items()):
        # Without the key it was to replace, it would outlive what an operator took.
        if place.name in gone or place not in files.keys:
            retire(files, key, place.name, Standing.REMOVED, now)
            files.drop_pending(place)
    for place, key in list(files.keys.items()):
        if place.name in gone:
            retire(files, key, place.name, Standing.REMOVED, now)
            files.drop_key(place)
    for invite in list(files.invites.values()):
        if invite.name in gone:
            if invite.bound is not None:
                retire(files, invite.bound, invite.name, Standing.REMOVED, now)
            retire_invite(files, invite, Standing.REMOVED, now)
        elif invite.key in files.retired:
            files.drop_invite(invite)
        elif is_used_up(files, invite):
            retire_invite(files, invite, Standing.USED, now)
        elif invite.bound is None and invite.expires <= now:
            retire_invite(files, invite, Standing.EXPIRED, now)
    for record in list(files.retired.values()):
        if record.at < now - RETIRED_MS:
            files.drop_retired(record)
