"""To an outsider a private room is as one that never was."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.journal.interface import IJournal, Marks
from chatd.server.limits import Limits
from chatd.server.operator import Operator
from chatd.wire.json_text import write
from tests.server.house import House
from tests.server.test_policy import OperatorCase

ROOM = "#ops"

_places = st.integers(0, 5)
_asked = st.one_of(
    st.fixed_dictionaries(
        {"op": st.just("join"), "room": st.sampled_from([ROOM, "#lobby"])},
        optional={"after": _places, "hash": st.just("ab" * 32)},
    ),
    st.fixed_dictionaries(
        {
            "op": st.just("send"),
            "room": st.sampled_from([ROOM, "#lobby"]),
            "body": st.sampled_from(["needle", "hay"]),
        }
    ),
    st.fixed_dictionaries(
        {"op": st.just("history"), "room": st.just(ROOM)},
        optional={"limit": st.integers(1, 3)},
    ),
    st.fixed_dictionaries(
        {"op": st.just("history"), "room": st.just(ROOM), "before": _places}
    ),
    st.fixed_dictionaries(
        {"op": st.just("search"), "query": st.sampled_from(["needle", "e"])},
        optional={
            "room": st.just(ROOM),
            "limit": st.integers(1, 3),
            "next": st.sampled_from([f"{ROOM} 1", f"{ROOM} 99", "#lobby 2"]),
        },
    ),
    st.fixed_dictionaries(
        {"op": st.just("rooms")}, optional={"after": st.sampled_from(["#a", ROOM])}
    ),
    st.fixed_dictionaries({"op": st.just("members"), "room": st.just(ROOM)}),
    st.fixed_dictionaries(
        {"op": st.just("mark"), "room": st.just(ROOM), "read": _places}
    ),
)


class World:
    """A house whose outsider is asked; with the private room, or without."""

    def __init__(self, case: SynchronousTestCase, outsider: str, private: bool) -> None:
        self.house = House(case, Limits(create=False))
        self.private = private
        if private:
            journal = IJournal(self.house.journal)
            operator = Operator(
                self.house.hub,
                journal,
                self.house.users,
                self.house.keyring,
                self.house.limits,
                os.urandom,
            )
            self.house.user("alice")
            for act in (operator.create(ROOM), operator.make_private(ROOM, ["alice"])):
                case.successResultOf(Deferred.fromCoroutine(act))
        self.alice = self.house.session("alice")
        self.outsider = self.house.session(outsider, "192.0.2.2")
        for n in range(3):
            assert self.alice.say("#lobby", f"needle {n}", f"m{n}")["op"] == "ack"
            self.inside(n)

    def inside(self, n: int) -> None:
        """What goes on in the private room, while the outsider asks."""
        if self.private:
            self.alice.ask("join", room=ROOM)
            self.alice.say(ROOM, f"needle {n}")
            self.alice.ask("mark", room=ROOM, read=1)

    def told(self, requests: list[dict[str, Any]]) -> list[bytes]:
        """All that the outsider is told."""
        texts: list[bytes] = []
        for n, fields in enumerate(requests):
            texts.append(write(self.outsider.ask(id=f"r{n}", **fields)))
            self.inside(n)
            self.house.clock.advance(1)
        return texts + [write(push) for push in self.outsider.look()]


class OutsiderTests(SynchronousTestCase):
    """Users without access, and guests."""

    @settings(max_examples=60, deadline=None, derandomize=True)
    @example([{"op": "search", "query": "needle", "next": f"{ROOM} 1"}], "eve")
    @given(st.lists(_asked, min_size=1, max_size=8), st.sampled_from(["eve", "~gus"]))
    def test_same_bytes(self, requests: list[dict[str, Any]], outsider: str) -> None:
        """Whatever is asked, in whatever order, the answers and pushes are the same
        bytes whether there is a private room with people who talk, or none."""
        worlds = [World(self, outsider, private) for private in (True, False)]
        there, none = [world.told(requests) for world in worlds]
        self.assertEqual(there, none)


class MeanwhileTests(OperatorCase):
    """Access is lost while a request waits for the disk."""

    def test_joining(self) -> None:
        """Who is expelled while a join is stored does not read on."""
        self.alice.ask("join", room=ROOM)
        self.alice.say(ROOM, "x")
        self.do(self.operator.make_private(ROOM, ["alice", "bob"]))
        mark, waiting = self.house.journal.mark, Deferred[bool]()

        def slowly(room: str, name: str, marks: Marks) -> Deferred[bool]:
            mark(room, name, marks)
            return waiting

        self.patch(self.house.journal, "mark", slowly)
        id = self.bob.post("join", room=ROOM, after=0)
        self.do(self.operator.expel(ROOM, "bob"))
        waiting.callback(True)
        self.assertEqual(self.bob.bodies(), [])
        self.assertEqual(self.bob.answers[id]["code"], "no-such-room")
        self.alice.say(ROOM, "y")
        self.assertEqual(self.bob.bodies(), [])
