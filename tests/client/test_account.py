"""An account: where its store lies, which keys it tries, how its key is replaced."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from chatd import keyfile
from chatd.client import account
from chatd.client.chat import ChatClient
from chatd.client.link import Reason
from chatd.client.reach import Unreached
from chatd.client.settings import Settings, resolve
from chatd.journal.client_store import ClientStore
from chatd.wire.tokens import Key
from tests.client.cable import Cable
from tests.server.house import House

SECONDS = 10.0


class Killed(BaseException):
    """The process ends here: nothing that stands behind is done."""


class StoreTests(SynchronousTestCase):
    """One store for each key file at each server."""

    def path(self, key: str = "/k/a.key", host: str = "h", port: int = 1) -> Path:
        settings = Settings(host, port, Path(key))
        return account.store_path(settings, {"XDG_DATA_HOME": "/data"})

    def test_place(self) -> None:
        """It lies in XDG_DATA_HOME where that is absolute, else in the home folder."""
        self.assertEqual(self.path().parent, Path("/data/chatd"))
        for base in ("", "relative"):
            environ = {"XDG_DATA_HOME": base, "HOME": "/home/a"}
            path = account.store_path(Settings("h", 1, Path("/k/a.key")), environ)
            self.assertEqual(path.parent, Path("/home/a/.local/share/chatd"))

    def test_distinct(self) -> None:
        """Another key file, host or port has another store; the same has the same."""
        paths = {
            self.path(),
            self.path(key="/k/b.key"),
            self.path(host="i"),
            self.path(port=2),
        }
        self.assertEqual(len(paths), 4)
        self.assertEqual(self.path(), self.path())

    def test_any_spelling(self) -> None:
        """A key file given relative to the working folder is the same one."""
        options = Namespace(host="h", port="1", key="a.key")
        chosen = resolve(options, {}, Path("/k"))
        environ = {"XDG_DATA_HOME": "/data"}
        self.assertEqual(account.store_path(chosen, environ), self.path())

    def test_busy(self) -> None:
        """While another has the store, one in memory serves; then it is free again."""
        path = Path(self.mktemp()) / "s.db"
        first, kept = account.open_store(path)
        self.assertTrue(kept)
        second, kept = account.open_store(path)
        self.assertFalse(kept)
        second.close()
        first.close()
        third, kept = account.open_store(path)
        self.assertTrue(kept)
        third.close()


class KeyTests(SynchronousTestCase):
    """The new key is made, announced, proved, and put in its place."""

    def setUp(self) -> None:
        self.house = House(self)
        self.cable = Cable(self.house)
        self.path = Path(self.mktemp()).absolute() / "me.key"
        self.pending = self.path.with_name("me.key.pending")

    def make(self, keys: Sequence[Key], store: ClientStore) -> ChatClient:
        return ChatClient(
            self.house.clock,
            self.cable,
            keys,
            store,
            random=lambda: 0.0,
            now=self.house.now,
        )

    def finish(self, running: Coroutine[Any, Any, str]) -> str:
        """What it returns; what it raises."""
        results: list[Any] = []
        Deferred.fromCoroutine(running).addBoth(results.append)
        for _ in range(200):
            if results:
                break
            self.cable.flow()
            self.house.clock.advance(0.1)
        (result,) = results
        if isinstance(result, Failure):
            result.raiseException()
        return str(result)

    def accept(self, invite: Key) -> str:
        clock = self.house.clock
        return self.finish(account.accept(invite, self.path, self.make, clock, SECONDS))

    def rotate(self) -> str:
        clock = self.house.clock
        return self.finish(account.rotate(self.path, self.make, clock, SECONDS))

    def invite(self, name: str = "dora") -> Key:
        key = self.house.users.invite(name, None, 3600.0)
        self.house.users.reload()
        return key

    def own(self, name: str = "alice") -> Key:
        """A user, whose key lies in the key file."""
        key = self.house.user(name)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        keyfile.create(self.path, key)
        return key

    def assert_good(self, name: str, old: Key) -> None:
        """The key file opens a session; the key before it does no more."""
        self.assertFalse(self.pending.exists())
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertNotEqual(keyfile.read(self.path), old)
        self.assertEqual(self.session(account.keys(self.path)), name)
        with self.assertRaises(Unreached) as caught:
            self.session([old])
        self.assertIn(caught.exception.reason, (Reason.ROTATED, Reason.USED))

    def session(self, keys: Sequence[Key]) -> str:
        """The name under which one of `keys` lets in."""
        clock = self.house.clock

        async def name() -> str:
            context = account._session(self.make, keys, clock, SECONDS)
            async with context as client:
                return client.name or ""

        return self.finish(name())

    def test_accept(self) -> None:
        """An invite becomes a key of one's own, and is used up."""
        invite = self.invite()
        self.assertEqual(self.accept(invite), "dora")
        self.assert_good("dora", invite)

    def test_rotate(self) -> None:
        """The user's key is replaced, and the old one is dead."""
        old = self.own()
        self.assertEqual(self.rotate(), "alice")
        self.assert_good("alice", old)

    def test_no_overwriting(self) -> None:
        """A key file that is there is left alone, and the invite unused."""
        old, invite = self.own(), self.invite()
        with self.assertRaises(keyfile.KeyFileError):
            self.accept(invite)
        self.assertEqual(keyfile.read(self.path), old)
        self.path.unlink()
        self.assertEqual(self.accept(invite), "dora")

    def test_shared_key(self) -> None:
        """The shared key is nobody's to replace: refused, and no file is made."""
        self.path.parent.mkdir(parents=True)
        keyfile.create(self.path, self.house.shared)
        with self.assertRaises(keyfile.KeyFileError) as caught:
            self.rotate()
        self.assertIn("shared", str(caught.exception))
        self.assertEqual(list(self.path.parent.iterdir()), [self.path])

    def test_unreached(self) -> None:
        """Where nobody is reached, no file is made, and the reason is told."""
        invite = self.invite()
        self.cable.refusing = True
        with self.assertRaises(Unreached) as caught:
            self.accept(invite)
        self.assertIs(caught.exception.reason, Reason.REFUSED)
        self.assertFalse(self.path.parent.exists())

    def test_used(self) -> None:
        """An invite that another device has used is called that."""
        invite = self.invite()
        self.accept(invite)
        self.path = self.path.with_name("thief.key")
        with self.assertRaises(Unreached) as caught:
            self.accept(invite)
        self.assertIs(caught.exception.reason, Reason.USED)
        self.assertFalse(self.path.exists())

    def test_pending_first(self) -> None:
        """The announced key is tried first; alone where there is no other."""
        old, new = self.own(), Key.generate(os.urandom)
        keyfile.create(self.pending, new)
        self.assertEqual(account.keys(self.path), [new, old])
        self.path.unlink()
        self.assertEqual(account.keys(self.path), [new])

    def test_settle(self) -> None:
        """Only the session under the announced key makes it the key."""
        old, new = self.own(), Key.generate(os.urandom)
        keyfile.create(self.pending, new)
        account.settle(self.path, old)
        self.assertEqual(account.keys(self.path), [new, old])
        account.settle(self.path, new)
        self.assertEqual(account.keys(self.path), [new])
        self.assertFalse(self.pending.exists())

    def test_killed_accepting(self) -> None:
        """Killed before or after any step, an accept that is repeated succeeds."""

        def begin() -> tuple[Key, Callable[[], str]]:
            invite = self.invite(f"dora{self._life}")
            return invite, lambda: self.accept(invite)

        self._killed_everywhere(begin)

    def test_killed_rotating(self) -> None:
        """Killed before or after any step, a rotation that is repeated succeeds."""

        def begin() -> tuple[Key, Callable[[], str]]:
            return self.own(f"alice{self._life}"), self.rotate

        self._killed_everywhere(begin)

    def _killed_everywhere(
        self, begin: Callable[[], tuple[Key, Callable[[], str]]]
    ) -> None:
        steps = [
            (keyfile, "create", False),
            (keyfile, "create", True),
            (ChatClient, "rekey", False),
            (ChatClient, "rekey", True),
            (account, "reach", False),
            (account, "reach", True),
            (keyfile, "replace", False),
        ]
        for self._life, (owner, name, behind) in enumerate(steps):
            self.path = self.path.with_name(f"life{self._life}.key")
            self.pending = self.path.with_name(f"{self.path.name}.pending")
            old, replace_key = begin()
            # The last call of reach: the one for the session under the new key.
            skipped = 1 if name == "reach" else 0
            self._kill_at(owner, name, behind, skipped, replace_key)
            replace_key()
            with self.subTest(step=name, behind=behind):
                self.assert_good(
                    self.session(account.keys(self.path)),
                    old,
                )

    def _kill_at(
        self,
        owner: Any,
        name: str,
        behind: bool,
        skipped: int,
        replace_key: Callable[[], str],
    ) -> None:
        """Run until `name` is called, or, `behind`, has been done."""
        usual = getattr(owner, name)
        calls = []

        def until_here(*args: Any, **named: Any) -> Any:
            calls.append(name)
            if len(calls) <= skipped:
                return usual(*args, **named)
            if not behind:
                raise Killed
            done = usual(*args, **named)
            if isinstance(done, Deferred):
                return done.addCallback(self._die)
            if isinstance(done, Coroutine):
                return self._die_after(done)
            raise Killed

        patch = self.patch(owner, name, until_here)
        try:
            with self.assertRaises(Killed):
                replace_key()
        finally:
            patch.restore()
        # As by kill -9: the connections of the dead are gone, the files stay.
        self.cable.cut()
        self.house.clock.advance(1.0)

    @staticmethod
    def _die(_: object) -> None:
        raise Killed

    @staticmethod
    async def _die_after(done: Coroutine[Any, Any, Any]) -> None:
        await done
        raise Killed
