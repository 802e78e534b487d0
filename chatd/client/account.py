"""One's account at a server: its keys, its store, and how its key is replaced.

A new key lies beside the old one, as ``FILE.pending``, from before it is announced
until a session has proved that the server holds it (protocol section 4.7). Each step
can be cut off, and done again.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

from chatd import keyfile
from chatd.client.chat import ChatClient
from chatd.client.link import Reason
from chatd.client.reach import reach
from chatd.client.settings import Settings
from chatd.journal.client_store import ClientStore, StoreBusy
from chatd.wire.tokens import Key

MakeClient = Callable[[Sequence[Key], ClientStore], ChatClient]
"""Makes a client that tries these keys in this order, and keeps things there."""


def store_path(settings: Settings, environ: Mapping[str, str]) -> Path:
    """The store of one key file at one server: in ``$XDG_DATA_HOME/chatd``.

    By the file's name, not by the key: a rotation keeps what was not sent.
    """
    base = environ.get("XDG_DATA_HOME", "")
    if not base.startswith("/"):  # XDG Base Directory Specification
        base = str(Path(environ.get("HOME") or Path.home(), ".local", "share"))
    where = f"{settings.key_path.absolute()}\0{settings.host}\0{settings.port}"
    name = sha256(os.fsencode(where)).hexdigest()[:24]
    return Path(base, "chatd", f"{name}.db")


def open_store(path: Path) -> tuple[ClientStore, bool]:
    """The store, or one in memory while another program has it; whether it is that.

    Raises StoreError.
    """
    try:
        return ClientStore(path), True
    except StoreBusy:
        return ClientStore(None), False


def keys(path: Path) -> list[Key]:
    """The keys to try, the announced one first. Raises KeyFileError."""
    pending = _pending(path)
    if not pending.exists():
        return [keyfile.read(path)]
    announced = keyfile.read(pending)
    return [announced, keyfile.read(path)] if path.exists() else [announced]


def settle(path: Path, proven: Key) -> None:
    """A session under `proven` was live: if it was announced, it is the key now."""
    pending = _pending(path)
    if pending.exists() and keyfile.read(pending) == proven:
        keyfile.replace(pending, path)


async def accept(
    invite: Key, path: Path, make: MakeClient, clock: IReactorTime, seconds: float
) -> str:
    """Turn an invite into a key file at `path`; the name that it is for.

    May be repeated after a crash at any moment. Raises KeyFileError where `path`
    holds a key already or the invite is no one's, Unreached, RequestFailed, SayFailed.
    """
    if path.exists():
        raise keyfile.KeyFileError(f"{path} is there already; give another --key")
    return await _replace(invite, path, make, clock, seconds)


async def rotate(
    path: Path, make: MakeClient, clock: IReactorTime, seconds: float
) -> str:
    """Replace the user's key at `path`; the user's name. May be repeated, too.

    Raises as `accept` does; KeyFileError where the key is the shared one.
    """
    *_, current = keys(path)
    return await _replace(current, path, make, clock, seconds)


async def _replace(
    old: Key, path: Path, make: MakeClient, clock: IReactorTime, seconds: float
) -> str:
    pending = _pending(path)
    announced = [keyfile.read(pending)] if pending.exists() else []
    async with _session(make, [*announced, old], clock, seconds) as client:
        name, used = client.name or "", client.key
        if client.guest:
            raise keyfile.KeyFileError(
                "this key is shared by many and is nobody's own:"
                " ask the operator for an invite"
            )
        if used not in announced:
            # Written no sooner: who cannot get in leaves no key behind.
            if not announced:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                keyfile.create(pending, Key.generate(os.urandom))
            await client.rekey(keyfile.read(pending))
    if used not in announced:
        new = keyfile.read(pending)
        async with _session(make, [new], clock, seconds):
            pass  # live: the server keeps the new key alone from here on
    keyfile.replace(pending, path)
    return name


@asynccontextmanager
async def _session(
    make: MakeClient, candidates: Sequence[Key], clock: IReactorTime, seconds: float
) -> AsyncIterator[ChatClient]:
    """A live session under one of the keys, which sends nothing that waits."""
    store = ClientStore(None)
    client = make(candidates, store)
    client.start()
    try:
        await reach(client, clock, seconds, final=frozenset(Reason))
        yield client
    finally:
        await client.stop()
        store.close()


def _pending(path: Path) -> Path:
    return path.with_name(f"{path.name}.pending")
