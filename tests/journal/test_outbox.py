"""The outbox: order, places, and kill -9."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.journal import outbox
from chatd.journal.client_store import ClientStore
from chatd.journal.outbox import Outbox, OutboxFull, Queued
from tests.helpers import ROOT, project_environment

WRITER = """
import sys
from pathlib import Path
from chatd.journal.client_store import ClientStore

store = ClientStore(Path(sys.argv[1]))
for number in range(1_000_000):
    queued = store.outbox.add("#lobby", f"id{number}", f"text {number}", number)
    print(queued.id, flush=True)
"""


def ids(box: Outbox) -> list[str]:
    return [queued.id for queued in box.all()]


class OutboxTests(SynchronousTestCase):
    """In memory."""

    def setUp(self) -> None:
        store = ClientStore(None)
        self.addCleanup(store.close)
        self.box = store.outbox

    def add(self, *names: str) -> list[Queued]:
        return [self.box.add("#ops", id, f"body of {id}", 7) for id in names]

    def test_typed_order(self) -> None:
        """What was typed first stands first, whatever its room or id."""
        for id, room in ("c", "#ops"), ("a", "#lobby"), ("b", "#ops"):
            self.box.add(room, id, "text", 1)
        self.assertEqual(ids(self.box), ["c", "a", "b"])

    def test_what_is_kept(self) -> None:
        """An entry is as it was added, to the byte."""
        added = self.box.add("@a+b", "x", "tab\tline\n grün 日本 \U0001f600", 2**53 - 1)
        self.assertEqual(self.box.all(), [added])
        self.assertEqual(added.body, "tab\tline\n grün 日本 \U0001f600")
        self.assertIsNone(added.code)

    def test_remove(self) -> None:
        """What was acknowledged leaves; the others stay where they are."""
        before = self.add("a", "b", "c")
        self.box.remove("b")
        self.assertEqual(self.box.all(), [before[0], before[2]])

    def test_never_before(self) -> None:
        """What is typed after all others were removed stands behind them."""
        last = self.add("a", "b")[-1]
        self.box.remove("a")
        self.box.remove("b")
        self.assertGreater(self.add("c")[0].n, last.n)

    def test_fail(self) -> None:
        """One that failed stays in its place and says why; the rest wait on."""
        self.add("a", "b", "c")
        self.box.fail("b", "forbidden", "not yours")
        self.assertEqual(
            [(q.id, q.code, q.reason) for q in self.box.all()],
            [("a", None, None), ("b", "forbidden", "not yours"), ("c", None, None)],
        )

    def test_requeue(self) -> None:
        """One that failed waits again: last, under its new id, with the same body."""
        self.add("a", "b")
        self.box.fail("a", "too-long", "no")
        again = self.box.requeue("a", "a2", 99)
        assert again is not None
        self.assertEqual(ids(self.box), ["b", "a2"])
        self.assertEqual(self.box.all()[-1], again)
        self.assertEqual((again.body, again.composed), ("body of a", 99))
        self.assertEqual((again.code, again.reason), (None, None))
        self.add("c")
        self.assertEqual(ids(self.box), ["b", "a2", "c"])

    def test_requeue_what_waits(self) -> None:
        """Only what failed is queued again: what waits might be stored twice."""
        self.add("a", "b")
        self.assertIsNone(self.box.requeue("a", "a2", 99))
        self.assertIsNone(self.box.requeue("gone", "g2", 99))
        self.assertEqual(ids(self.box), ["a", "b"])

    def test_replace(self) -> None:
        """An edited one keeps its place, under its new id, and waits again."""
        before = self.add("a", "b", "c")
        self.box.fail("b", "too-long", "no")
        edited = self.box.replace("b", "b2", "short", 8)
        self.assertEqual(edited, Queued(before[1].n, "#ops", "b2", "short", 8))
        self.assertEqual(self.box.all(), [before[0], edited, before[2]])

    def test_replace_what_is_gone(self) -> None:
        """What has left in the meantime does not come back by an edit."""
        self.assertIsNone(self.box.replace("gone", "new", "text", 1))
        self.assertEqual(self.box.all(), [])

    def test_full(self) -> None:
        """Beyond its limit it refuses, failed ones counted, and loses nothing."""
        self.patch(outbox, "LARGEST", 3)
        self.add("a", "b", "c")
        self.box.fail("a", "forbidden", "no")
        self.assertRaises(OutboxFull, self.add, "d")
        self.assertEqual(ids(self.box), ["a", "b", "c"])
        self.box.remove("a")
        self.add("d")
        self.assertEqual(ids(self.box), ["b", "c", "d"])

    def test_silent(self) -> None:
        """The text is not in what a log would show of an entry."""
        self.assertNotIn("body of", repr(self.add("a")[0]))

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["add", "remove", "fail", "requeue", "replace"]),
                st.integers(0, 5),
            ),
            max_size=30,
        )
    )
    @settings(deadline=None, derandomize=True, max_examples=150)
    def test_like_a_list(self, steps: list[tuple[str, int]]) -> None:
        """Whatever the steps, it holds what a plain list would."""
        store = ClientStore(None)
        box = store.outbox
        entries: list[list[Any]] = []
        for number, (step, at) in enumerate(steps):
            new = f"id{number}"
            entry = entries[at] if at < len(entries) else None
            id = "none" if entry is None else str(entry[0])
            match step:
                case "add":
                    box.add("#ops", new, new, number)
                    entries.append([new, new, number, None])
                case "remove":
                    box.remove(id)
                    entries = [each for each in entries if each is not entry]
                case "fail":
                    box.fail(id, "code", "reason")
                    if entry is not None:
                        entry[3] = "code"
                case "requeue":
                    box.requeue(id, new, number)
                    if entry is not None and entry[3]:
                        entries = [each for each in entries if each is not entry]
                        entries.append([new, entry[1], number, None])
                case _:
                    box.replace(id, new, new, number)
                    if entry is not None:
                        entry[:] = [new, new, number, None]
        held = [[q.id, q.body, q.composed, q.code] for q in box.all()]
        self.assertEqual(held, entries)
        store.close()


class KilledTests(SynchronousTestCase):
    """A real process, killed while it adds."""

    def test_killed(self) -> None:
        """What `add` returned for is there after kill -9, in the order of typing."""
        folder = Path(self.mktemp()).resolve()
        path = folder / "store.db"
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)],
            stdout=subprocess.PIPE,
            env=project_environment(),
            cwd=ROOT,
        )
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(200)]
        process.send_signal(signal.SIGKILL)
        told += [line for line in process.stdout if line.endswith(b"\n")]
        self.assertEqual(process.wait(), -signal.SIGKILL)
        process.stdout.close()
        store = ClientStore(path)
        self.addCleanup(store.close)
        held = store.outbox.all()
        said = [line.decode().strip() for line in told]
        self.assertEqual(said, [f"id{number}" for number in range(len(said))])
        self.assertEqual([q.id for q in held[: len(said)]], said)
        self.assertLessEqual(len(held), len(said) + 1)
        self.assertEqual(
            [q.body for q in held], [f"text {number}" for number in range(len(held))]
        )
