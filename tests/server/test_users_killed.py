"""Users: killed at any step, done in any order, no key is lost or comes alive."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from chatd import keyfile
from chatd.keyfile import KeyFileError
from chatd.server.users import InviteUsed, Standing, Users
from chatd.wire.tokens import Key
from tests.server.users_case import START, UsersCase, new_key


class Killed(BaseException):
    """Nothing of the code under test catches it."""


@contextlib.contextmanager
def killed_at(nth: int) -> Iterator[list[bool]]:
    """Die before the `nth` step that touches the disk. The list: whether it came."""
    died: list[bool] = []
    steps = 0

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def step(*args: object, **kwargs: object) -> object:
            nonlocal steps
            steps += 1
            if died or steps > nth:
                died.append(True)
                raise Killed
            return real(*args, **kwargs)

        return step

    names = ("fsync", "rename", "link", "unlink")
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(patch(f"os.{name}", dying(getattr(os, name))))
        stack.enter_context(contextlib.suppress(Killed))
        yield died


class DurabilityTests(UsersCase):
    def steps(self, act: Callable[[], object]) -> list[str]:
        """What `act` does to the disk, in order; temporary names are told apart."""
        steps: list[str] = []

        def noting(name: str, real: Callable[..., object]) -> Callable[..., object]:
            def step(target: int | Path, *more: object) -> object:
                if isinstance(target, int):
                    is_folder = stat.S_ISDIR(os.fstat(target).st_mode)
                    steps.append("sync folder" if is_folder else "sync file")
                else:
                    kind = " temporary" if target.name.startswith(".") else ""
                    steps.append(name + kind)
                return real(target, *more)

            return step

        with contextlib.ExitStack() as stack:
            for name in ("fsync", "rename", "link", "unlink"):
                real = getattr(os, name)
                stack.enter_context(patch(f"os.{name}", noting(name, real)))
            act()
        return steps

    def test_on_disk(self) -> None:
        """A text is on disk before it has its name, and each name before the next."""
        old, new = keyfile.read(self.users.add("alice", None)), new_key()
        bound = new_key()
        invite = self.users.invite("alice", "phone", 60)
        put = ["sync file", "rename temporary", "sync folder"]
        create = ["sync file", "link temporary", "unlink temporary", "sync folder"]
        rename = ["rename", "sync folder"]
        unlink = ["unlink", "sync folder"]
        users = self.users
        for act, expected in [
            (lambda: users.announce(old, new), put),
            (lambda: users.proven(new), put + rename),
            (lambda: users.announce(invite, bound), put),
            (lambda: users.proven(bound), create + put + unlink),
            (lambda: users.misused(invite, "10.0.0.1"), put),
            (lambda: users.remove("alice"), rename + (put + unlink) * 2),
            (lambda: users.add("alice", None), rename + create),
            (lambda: users.invite("bob", None, 60), put + put),
        ]:
            self.assertEqual(self.steps(act), expected)


class CrashTests(UsersCase):
    """Killed before each step, and done again: as if nothing had happened."""

    def shape(self, users: Users) -> list[tuple[str, str | None, str]]:
        """What the folder comes to, whatever the keys; nothing is left undone."""
        files = sorted(re.sub(r"[0-9a-f]{8}\.", "ID.", name) for name in self.files())
        found = [
            (c.name, c.device, c.standing.value) for c in users.credentials.values()
        ]
        return found + [(name, None, "file") for name in files]

    def at_each_step(
        self,
        prepare: Callable[[Users], list[Key]],
        act: Callable[[Users, list[Key]], object],
        check: Callable[[Users, list[Key]], None],
    ) -> None:
        """`check` is asked of what a new process finds after each crash."""
        nth, expected = 0, None
        while True:
            shutil.rmtree(self.folder)
            users = self.opened()
            keys = prepare(users)
            if expected is None:
                act(users, keys)
                expected = self.shape(self.opened())
                continue
            with killed_at(nth) as died:
                act(users, keys)
            users = self.opened()
            with self.subTest(step=nth):
                check(users, keys)
                with contextlib.suppress(KeyFileError, InviteUsed):
                    act(users, keys)  # KeyFileError: it was done
                self.assertEqual(self.shape(users), expected)
                self.assertEqual(self.shape(self.opened()), expected)
            if not died:
                break
            nth += 1
        self.assertGreater(nth, 2)

    @staticmethod
    def added(users: Users) -> list[Key]:
        return [keyfile.read(users.add("alice", None)), new_key()]

    @staticmethod
    def announced(users: Users) -> list[Key]:
        keys = CrashTests.added(users)
        users.announce(*keys)
        return keys

    @staticmethod
    def invited(users: Users) -> list[Key]:
        return [users.invite("alice", "phone", 60), new_key()]

    @staticmethod
    def bound(users: Users) -> list[Key]:
        keys = CrashTests.invited(users)
        users.announce(*keys)
        return keys

    def old_opens(self, users: Users, keys: list[Key]) -> None:
        self.assertTrue(users.credentials[keys[0]].alive)

    def new_opens(self, users: Users, keys: list[Key]) -> None:
        self.assertTrue(users.credentials[keys[1]].alive)

    def test_announce(self) -> None:
        """A rekey that is cut off leaves the old key alive."""
        self.at_each_step(
            self.added, lambda users, keys: users.announce(*keys), self.old_opens
        )

    def test_announce_another(self) -> None:
        """So does one that replaces a pending key."""
        another = new_key()
        self.at_each_step(
            self.announced,
            lambda users, keys: users.announce(keys[0], another),
            self.old_opens,
        )

    def test_proven(self) -> None:
        """The new key opens at each step at which it takes the old one's place."""
        self.at_each_step(
            self.announced, lambda users, keys: users.proven(keys[1]), self.new_opens
        )

    def test_bind(self) -> None:
        """An invite that is being bound stays alive."""
        self.at_each_step(
            self.invited, lambda users, keys: users.announce(*keys), self.old_opens
        )

    def test_bound_proven(self) -> None:
        """A bound key opens at each step at which it becomes the device's."""
        self.at_each_step(
            self.bound, lambda users, keys: users.proven(keys[1]), self.new_opens
        )

    def test_add(self) -> None:
        """A user who is being added is there, or not, or is added again."""
        self.at_each_step(
            lambda users: [], lambda users, _: users.add("alice", None), self.nothing
        )

    def test_add_again(self) -> None:
        """So is one who was removed; the old key never comes alive."""

        def removed(users: Users) -> list[Key]:
            keys = self.added(users)
            users.remove("alice")
            return keys

        def check(users: Users, keys: list[Key]) -> None:
            self.assertFalse(users.credentials[keys[0]].alive)

        self.at_each_step(removed, lambda users, _: users.add("alice", None), check)

    def test_invite(self) -> None:
        """An invite whose making was cut off was made once, twice, or not."""
        for nth in range(20):
            shutil.rmtree(self.folder)
            users = self.opened()
            with killed_at(nth) as died:
                users.invite("alice", None, 60)
            users = self.opened()
            made = len(users.credentials)
            self.assertLessEqual(made, 1)
            key = users.invite("alice", None, 60)
            self.assertEqual(len(self.opened().credentials), made + 1)
            self.assertTrue(self.opened().credentials[key].alive)
            self.assertEqual(users.names, {"alice"})
            if not died:
                return
        self.fail("never done")

    def test_remove(self) -> None:
        """All keys of a user die at once."""

        def everything(users: Users) -> list[Key]:
            keys = [*self.announced(users), *self.bound(users)]
            return [*keys, users.invite("alice", None, 60)]

        def check(users: Users, keys: list[Key]) -> None:
            alive = {users.credentials[key].alive for key in keys}
            self.assertEqual(len(alive), 1)

        self.at_each_step(everything, lambda users, _: users.remove("alice"), check)

    def test_expire(self) -> None:
        """An invite that expires is dead at each step."""

        def act(users: Users, keys: list[Key]) -> None:
            self.time = START + 61
            users.expire()

        def check(users: Users, keys: list[Key]) -> None:
            self.assertFalse(users.credentials[keys[0]].alive)

        def invited(users: Users) -> list[Key]:
            self.time = START
            return self.invited(users)

        self.at_each_step(invited, act, check)

    def nothing(self, users: Users, keys: list[Key]) -> None:
        """Nothing is promised of what was not finished."""


class Rotations(RuleBasedStateMachine):
    """Users against a model: who holds which key, and which one opens."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.users = Users(self.folder, lambda: START)
        self.live: dict[str, Key] = {}
        self.pending: dict[str, Key] = {}
        self.dead: set[Key] = set()

    @rule(name=st.sampled_from(["alice", "bob"]))
    def add(self, name: str) -> None:
        if name in self.live:
            with contextlib.suppress(KeyFileError):
                self.users.add(name, None)
                raise AssertionError
        else:
            self.live[name] = keyfile.read(self.users.add(name, None))

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def announce(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.live)))
        self.pending[name] = new_key()
        self.users.announce(self.live[name], self.pending[name])

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def prove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.pending)))
        new = self.pending.pop(name)
        assert self.users.proven(new) == self.live[name]
        self.dead.add(self.live[name])
        self.live[name] = new

    @precondition(lambda self: self.live)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.live)))
        self.users.remove(name)
        self.dead.add(self.live.pop(name))
        if name in self.pending:
            self.dead.add(self.pending.pop(name))

    @rule()
    def restart(self) -> None:
        self.users = Users(self.folder, lambda: START)

    @rule()
    def another_process(self) -> None:
        Users(self.folder, lambda: START).invite("carl", None, 60)

    @invariant()
    def as_the_model(self) -> None:
        held = self.users.credentials.values()
        mine = [each for each in held if each.name != "carl"]
        opening = {c.key: (c.name, c.standing) for c in mine if c.alive}
        expected = {key: (name, Standing.LIVE) for name, key in self.live.items()}
        expected |= {k: (name, Standing.PENDING) for name, k in self.pending.items()}
        assert opening == expected
        assert {c.key for c in mine if not c.alive} == self.dead
        assert [c.name for c in held] == sorted(c.name for c in held)


class ModelTests(UsersCase):
    def test_model(self) -> None:
        """Whatever is done in whatever order, the keys that should open do."""
        Rotations.folder = self.folder
        run_machine(
            Rotations,
            settings=settings(max_examples=25, stateful_step_count=15, deadline=None),
        )
