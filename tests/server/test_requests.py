"""Sessions against a whole server in memory: every op, its errors, its limits."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from chatd.journal.interface import Draft
from chatd.server.limits import Limits
from chatd.wire.json_text import write
from chatd.wire.messages import ROOT_HASH, holds, parse_message
from chatd.wire.tokens import Key
from tests.server.house import House, Peer


class SendTests(SynchronousTestCase):
    """send: what an ack promises."""

    def setUp(self) -> None:
        self.house = House(self)
        self.alice = self.house.session("alice")
        self.bob = self.house.session("bob")

    def test_acknowledged(self) -> None:
        """The ack has the message's place; the log holds it, chained."""
        first = self.alice.say("#lobby", "one", "id1")
        second = self.bob.say("#lobby", "two", "id1")
        self.assertEqual((first["seq"], second["seq"]), (1, 2))
        page = self.alice.ask("history", room="#lobby")["messages"]
        messages = [parse_message(each) for each in page]
        self.assertEqual([m.sender for m in messages], ["alice", "bob"])
        self.assertTrue(holds(ROOT_HASH, messages[0]))
        self.assertTrue(holds(messages[0].hash, messages[1]))
        self.assertEqual(messages[1].hash, second["hash"])

    def test_again(self) -> None:
        """The same again, at any time, gets the first answer; another a conflict."""
        first = self.alice.say("#lobby", "one", "id1")
        self.house.clock.advance(1)
        self.assertEqual(self.alice.say("#lobby", "one", "id1"), first)
        for room, body in (("#lobby", "two"), ("@alice+bob", "one")):
            self.assertEqual(self.alice.say(room, body, "id1")["code"], "conflict")

    def test_again_before_rights(self) -> None:
        """A resend is answered before rights and limits are looked at."""
        first = self.alice.say("@alice+bob", "one", "id1")
        self.house.users.remove("bob")
        self.assertEqual(self.alice.say("@alice+bob", "one", "id1"), first)
        self.assertEqual(
            self.alice.say("@alice+bob", "two", "id2")["code"], "forbidden"
        )

    def test_flood(self) -> None:
        """A flood is answered slow-down, with a time; behind it `held`, in order."""
        house = House(self, Limits(messages=1.0, message_burst=3.0))
        alice = house.session("alice")
        for number in range(6):
            alice.post("send", f"m{number}", room="#lobby", body="x")
        alice.look()
        codes = [alice.answers[f"m{n}"].get("code", "ack") for n in range(6)]
        self.assertEqual(codes, ["ack"] * 3 + ["slow-down"] + ["held"] * 2)
        wait = alice.answers["m3"]["retry_after"]
        self.assertIsInstance(wait, int)
        house.clock.advance(wait / 1000)
        alice.answers.clear()
        self.assertEqual(
            alice.ask("send", "m4", room="#lobby", body="x")["code"], "held"
        )
        self.assertEqual(alice.say("#lobby", "x", "m3")["seq"], 4)
        house.clock.advance(2)
        self.assertEqual(alice.say("#lobby", "x", "m4")["seq"], 5)

    def test_refused_for_good(self) -> None:
        """What is refused for good, when it comes again, holds nothing back."""
        house = House(self, Limits(messages=1.0, message_burst=1.0))
        alice, _ = house.session("alice"), house.session("bob")
        self.assertEqual(alice.say("@alice+bob", "x", "m0")["op"], "ack")
        self.assertEqual(alice.say("@alice+bob", "x", "m1")["code"], "slow-down")
        house.clock.advance(2)
        house.users.remove("bob")
        self.assertEqual(alice.say("@alice+bob", "x", "m1")["code"], "forbidden")
        house.users.add("bob", "again")
        self.assertEqual(alice.say("@alice+bob", "x", "m2")["op"], "ack")

    def test_flood_of_an_address(self) -> None:
        """All users of one address together have a limit, others have their own."""
        house = House(self, Limits(messages=1.0, message_burst=2.0))
        codes = []
        for number in range(11):
            user = house.session(f"user{number}")
            codes += [user.say("#lobby", "x").get("code") for _ in range(2)]
        self.assertEqual(codes, [None] * 20 + ["slow-down", "held"])
        other = house.session("other", host="192.0.2.77")
        self.assertEqual(other.say("#lobby", "x")["op"], "ack")

    def test_paste(self) -> None:
        """A paste of 200 lines is one message."""
        paste = "\n".join(f"line {n}\tof it" for n in range(200))
        self.assertEqual(self.alice.say("#lobby", paste)["seq"], 1)

    def test_not_stored(self) -> None:
        """What is not stored is not acknowledged, and nothing overtakes it."""

        def full(draft: Draft) -> str | None:
            return "not-stored" if draft.id == "a" else None

        self.house.journal.fault = full
        codes = [self.alice.say("#lobby", "x", id).get("code") for id in "ab"]
        self.assertEqual(codes, ["not-stored", "held"])
        other_room = self.alice.say("@alice+bob", "x", "c")
        self.assertEqual(other_room["op"], "ack")
        self.house.journal.fault = lambda draft: None
        self.assertEqual(self.alice.say("#lobby", "x", "a")["seq"], 1)
        self.assertEqual(self.alice.say("#lobby", "x", "b")["seq"], 2)

    def test_bodies(self) -> None:
        """A body has 1 to 16 384 bytes and no control characters."""
        self.assertEqual(self.alice.say("#lobby", "x" * 16_384)["op"], "ack")
        self.assertEqual(self.alice.say("#lobby", "x" * 16_385)["code"], "too-long")
        self.assertEqual(self.alice.say("#lobby", "ä" * 8_193)["code"], "too-long")
        for body in ("", "a\0", "\x1b[2J", "\x7f", "\r"):
            self.assertEqual(self.alice.say("#lobby", body)["code"], "bad-request")
        self.assertEqual(self.alice.say("#lobby", "a\tb\nc")["op"], "ack")

    def test_server_answers_once(self) -> None:
        """What is said to the server is stored with its answer; a resend has none."""
        for _ in range(2):
            self.alice.say("@alice+server", "hi", "id1")
        page = self.alice.ask("history", room="@alice+server")["messages"]
        self.assertEqual(
            [(m["sender"], m["id"], m["body"]) for m in page],
            [("alice", "id1", "hi"), ("server", "re:1", "Server received: hi")],
        )

    def test_in_flight(self) -> None:
        """256 requests may wait; then reading pauses, and nothing is lost."""
        self.house.journal.hold = True
        for number in range(300):
            self.alice.post("send", f"m{number}", room="#lobby", body="x")
        self.assertEqual(self.alice.transport.producerState, "paused")
        self.assertEqual(len(self.house.journal._held), 256)
        self.house.journal.hold = False
        self.house.journal.release()
        self.alice.look()
        self.assertEqual(self.alice.transport.producerState, "producing")
        seqs = [self.alice.answers[f"m{n}"]["seq"] for n in range(300)]
        self.assertEqual(seqs, list(range(1, 301)))

    def test_lost_while_it_is_stored(self) -> None:
        """A connection that goes before its ack disturbs nobody."""
        self.house.journal.hold = True
        self.alice.post("send", room="#lobby", body="x")
        self.alice.lose()
        self.house.journal.release()
        self.assertEqual(self.bob.ask("ping")["op"], "ack")


class JoinTests(SynchronousTestCase):
    """join: reading on from a position."""

    def setUp(self) -> None:
        self.house = House(self, Limits(messages=0))
        self.alice = self.house.session("alice")
        self.bob = self.house.session("bob")

    def fill(self, count: int) -> list[dict[str, Any]]:
        return [self.alice.say("#lobby", f"{n}") for n in range(1, count + 1)]

    def test_ack_before_pushes(self) -> None:
        """The ack comes first, then all behind `after`, then what is live."""
        acks = self.fill(3)
        id = self.bob.post("join", room="#lobby", after=1, hash=acks[0]["hash"])
        self.house.turn()
        assert self.bob._channel is not None
        texts = self.bob._channel.open(self.bob._tokens())
        self.assertIn(id.encode(), texts[0])
        self.assertEqual([b'"seq":2' in texts[1], b'"seq":3' in texts[2]], [True] * 2)
        self.fill(1)
        self.assertEqual(self.bob.bodies(), ["1"])

    def test_head(self) -> None:
        """The ack tells first, last, hash and base; of an empty room 1, 0 and zeros."""
        empty = self.bob.ask("join", room="#new")
        self.assertEqual((empty["first"], empty["last"]), (1, 0))
        self.assertEqual((empty["hash"], empty["base"]), (ROOT_HASH, ROOT_HASH))
        last = self.fill(2)[-1]
        ack = self.bob.ask("join", room="#lobby")
        self.assertEqual((ack["last"], ack["hash"]), (2, last["hash"]))
        self.assertEqual(self.bob.bodies(), [])

    def test_joined_again(self) -> None:
        """Joining again replaces the subscription."""
        self.fill(2)
        for after in (2, 0):
            self.bob.ask("join", room="#lobby", after=after)
        self.assertEqual(self.bob.bodies(), ["1", "2"])
        self.fill(1)
        self.assertEqual(self.bob.bodies(), ["1"])

    def test_diverged(self) -> None:
        """A position beyond the end, or another hash: the server lost something."""
        acks = self.fill(3)
        for after, hash in ((4, None), (2, acks[0]["hash"]), (0, acks[0]["hash"])):
            fields = {} if hash is None else {"hash": hash}
            answer = self.bob.ask("join", room="#lobby", after=after, **fields)
            self.assertEqual(answer["code"], "diverged")
            self.assertEqual((answer["last"], answer["hash"]), (3, acks[2]["hash"]))
        for after in (0, 1, 2, 3):
            hash = ROOT_HASH if not after else acks[after - 1]["hash"]
            answer = self.bob.ask("join", room="#lobby", after=after, hash=hash)
            self.assertEqual(answer["op"], "ack")

    def test_pruned(self) -> None:
        """Behind a pruned part the reading goes on at `first`, from `base`."""
        acks = self.fill(3)
        self.house.journal.prune(int(self.house.now() * 1000) + 1)
        self.alice.say("#lobby", "new")
        ack = self.bob.ask("join", room="#lobby", after=1, hash=acks[0]["hash"])
        self.assertEqual((ack["first"], ack["base"]), (4, acks[2]["hash"]))
        self.assertEqual(self.bob.bodies(), ["new"])

    def test_long_way(self) -> None:
        """A reader that comes late gets all of a long log, page by page, in order."""
        self.fill(700)
        self.bob.ask("join", room="#lobby", after=0)
        self.assertEqual(self.bob.bodies(), [f"{n}" for n in range(1, 701)])

    def test_slow_reader(self) -> None:
        """Who does not read is pushed no more, costs no memory, delays nobody, and
        gets all the rest later, in order."""
        carol = self.house.session("carol")
        for each in (self.bob, carol):
            each.ask("join", room="#lobby")
        self.bob.transport.takes = 0
        for number in range(600):
            self.alice.say("#lobby", f"{number:04}" * 250)
            if number == 0:
                self.bob.protocol.pauseProducing()
        self.assertEqual(len(carol.bodies()), 600)
        live = self.bob.protocol.live
        assert live is not None
        waiting = sum(map(len, live._outgoing))
        self.assertLess(waiting + len(self.bob.transport.value()), 200_000)
        self.bob.transport.takes = 10**9
        self.bob.protocol.resumeProducing()
        self.house.turn()
        bodies = self.bob.bodies()
        self.assertEqual([body[:4] for body in bodies], [f"{n:04}" for n in range(600)])

    def test_made_by_a_join(self) -> None:
        """A user's join makes a public room; with --no-new-rooms it does not."""
        self.assertEqual(self.bob.say("#ops", "x")["code"], "no-such-room")
        self.assertEqual(self.bob.ask("join", room="#ops")["op"], "ack")
        self.assertEqual(self.alice.say("#ops", "x")["op"], "ack")
        house = House(self, Limits(create=False))
        code = house.session("bob").ask("join", room="#ops")["code"]
        self.assertEqual(code, "no-such-room")

    def test_too_many_rooms(self) -> None:
        """There is a limit to rooms."""
        house = House(self, Limits(rooms=2))
        bob = house.session("bob")
        self.assertEqual(bob.ask("join", room="#a")["op"], "ack")
        self.assertEqual(bob.ask("join", room="#b")["code"], "forbidden")


class SightTests(SynchronousTestCase):
    """Who may see what."""

    def setUp(self) -> None:
        self.house = House(self)
        self.alice = self.house.session("alice")
        self.bob = self.house.session("bob")
        self.carol = self.house.session("carol")
        self.guest = self.house.session("~gus", host="192.0.2.9")
        self.alice.say("@alice+bob", "secret word")
        self.alice.say("#lobby", "open word")

    def test_private_room(self) -> None:
        """A private room is, to others, no room, in every op."""
        for peer in (self.carol, self.guest):
            for op, fields in (
                ("join", {}),
                ("join", {"after": 0}),
                ("history", {}),
                ("search", {"query": "secret"}),
                ("members", {}),
                ("send", {"body": "x"}),
            ):
                answer = peer.ask(op, room="@alice+bob", **fields)
                self.assertEqual(answer["code"], "no-such-room", op)
                self.assertEqual(
                    peer.ask(op, room="@alice+zoe", **fields)["reason"],
                    answer["reason"],
                )
        answer = self.carol.ask("mark", room="@alice+bob", received=0)
        self.assertEqual(answer["code"], "no-such-room")
        rooms = self.carol.ask("rooms")["rooms"]
        self.assertNotIn("@alice+bob", [each["room"] for each in rooms])
        self.assertEqual(self.carol.ask("search", query="secret")["messages"], [])
        self.assertEqual(self.carol.pushed("room"), [])

    def test_both_see_it(self) -> None:
        """Both who talk see their conversation, and learn that it began."""
        self.assertEqual(len(self.bob.ask("search", query="secret")["messages"]), 1)
        self.assertEqual([p["room"] for p in self.bob.pushed("room")], ["@alice+bob"])
        members = self.bob.ask("members", room="@alice+bob")["members"]
        self.assertEqual([m["name"] for m in members], ["alice", "bob"])

    def test_other_spellings(self) -> None:
        """A room has one spelling."""
        for room in ("@bob+alice", "@alice+alice", "lobby", "#Lobby", "#server", "@a"):
            self.assertEqual(self.alice.ask("join", room=room)["code"], "bad-request")

    def test_stranger(self) -> None:
        """There is no conversation with somebody who never was."""
        self.assertEqual(self.alice.say("@alice+zoe", "x")["code"], "no-such-room")

    def test_removed(self) -> None:
        """With one who was removed the history stays, and nothing more is said."""
        self.house.users.remove("bob")
        self.assertEqual(
            self.alice.ask("history", room="@alice+bob")["messages"][0]["body"],
            "secret word",
        )
        self.assertEqual(self.alice.say("@alice+bob", "x")["code"], "forbidden")

    def test_guest(self) -> None:
        """A guest uses public rooms and ping; marks and keys are for users."""
        self.assertEqual(self.guest.ask("join", room="#lobby")["op"], "ack")
        self.assertEqual(self.guest.say("#lobby", "x")["op"], "ack")
        self.assertEqual(self.guest.ask("join", room="#none")["code"], "no-such-room")
        rooms = self.guest.ask("rooms")["rooms"]
        self.assertEqual([each["room"] for each in rooms], ["#lobby"])
        for op, fields in (
            ("mark", {"room": "#lobby", "received": 1}),
            ("rekey", {"key": Key.generate(os.urandom).text}),
        ):
            self.assertEqual(self.guest.ask(op, **fields)["code"], "forbidden")
        self.assertEqual(self.guest.pushed("presence"), [])

    def test_guest_and_server(self) -> None:
        """What a guest says to the server is answered, and kept nowhere."""
        ack = self.guest.say("@server+~gus", "hi")
        self.assertEqual(ack["seq"], 1)
        self.assertEqual(self.guest.bodies(), ["hi", "Server received: hi"])
        self.assertEqual(self.house.journal.of("@server+~gus"), [])
        self.assertEqual(self.guest.ask("join", room="@server+~gus")["last"], 2)


class ListTests(SynchronousTestCase):
    """history, search, rooms, members, mark."""

    def setUp(self) -> None:
        self.house = House(self)
        self.alice = self.house.session("alice")

    def seqs(self, **fields: Any) -> tuple[list[int], bool]:
        answer = self.alice.ask("history", room="#lobby", **fields)
        return [m["seq"] for m in answer["messages"]], answer["more"]

    def test_history(self) -> None:
        """before and after are exclusive; without either the newest; oldest first."""
        for _ in range(60):
            self.alice.say("#lobby", "x")
        self.assertEqual(self.seqs(), (list(range(11, 61)), True))
        self.assertEqual(self.seqs(limit=3, before=10), ([7, 8, 9], True))
        self.assertEqual(self.seqs(limit=3, before=4), ([1, 2, 3], False))
        self.assertEqual(self.seqs(limit=3, after=57), ([58, 59, 60], False))
        self.assertEqual(self.seqs(limit=3, after=56), ([57, 58, 59], True))
        self.assertEqual(self.seqs(before=0), ([], False))
        self.assertEqual(self.seqs(before=1), ([], False))
        self.assertEqual(self.seqs(after=1000), ([], False))
        answer = self.alice.ask("history", room="#lobby", before=1, after=1)
        self.assertEqual(answer["code"], "bad-request")

    def test_as_many_as_fit(self) -> None:
        """A list holds as many whole items as fit a frame, at least one, and `more`."""
        for _ in range(12):
            self.alice.say("#lobby", '"' * 16_000)
        seqs, more = self.seqs()
        self.assertEqual(
            (seqs, more), ([11, 12], True) if len(seqs) == 2 else ([12], True)
        )
        seqs, more = self.seqs(after=0)
        self.assertEqual((seqs[0], more), (1, True))
        found = self.alice.ask("search", query='"""')
        self.assertTrue(found["more"])
        seen = [m["seq"] for m in found["messages"]]
        while found["more"]:
            found = self.alice.ask("search", query='"""', next=found["next"])
            seen += [m["seq"] for m in found["messages"]]
        self.assertEqual(seen, list(range(12, 0, -1)))

    def test_rooms_in_pages(self) -> None:
        """Rooms come by name, and the next page begins behind one."""
        for name in ("#b", "#a"):
            self.alice.ask("join", room=name)
        rooms = [each["room"] for each in self.alice.ask("rooms")["rooms"]]
        self.assertEqual(rooms, ["#a", "#b", "#lobby", "@alice+server"])
        rooms = [each["room"] for each in self.alice.ask("rooms", after="#b")["rooms"]]
        self.assertEqual(rooms, ["#lobby", "@alice+server"])

    def test_marks(self) -> None:
        """Marks only grow; read raises received; none goes beyond the end."""
        bob = self.house.session("bob")
        bob.ask("join", room="#lobby")
        for _ in range(3):
            self.alice.say("#lobby", "x")
        for name, seq in (("received", 1), ("read", 2), ("received", 1), ("read", 0)):
            mark: dict[str, Any] = {"room": "#lobby", name: seq}
            answer = self.alice.ask("mark", **mark)
            self.assertEqual(answer["op"], "ack")
            self.house.clock.advance(1.1)
        answer = self.alice.ask("mark", room="#lobby", received=4)
        self.assertEqual(answer["code"], "bad-request")
        (mine,) = [
            each
            for each in bob.ask("members", room="#lobby")["members"]
            if each["name"] == "alice"
        ]
        self.assertEqual((mine["received"], mine["read"]), (2, 2))
        cursors = [(c["received"], c["read"]) for c in bob.pushed("cursor")]
        self.assertEqual(cursors, [(1, 0), (2, 2)])

    def test_merged(self) -> None:
        """Cursors are merged: the latest value, at most one a second."""
        bob = self.house.session("bob")
        bob.ask("join", room="#lobby")
        for seq in range(1, 11):
            self.alice.say("#lobby", "x")
            self.alice.ask("mark", room="#lobby", received=seq)
        self.assertEqual([c["received"] for c in bob.pushed("cursor")], [1])
        self.house.clock.advance(1)
        self.assertEqual([c["received"] for c in bob.pushed("cursor")], [10])

    def test_too_many_requests(self) -> None:
        """Reads have a limit, too, and lists cost five of it; pings have none."""
        house = House(self, Limits(requests=1.0, request_burst=7.0))
        alice = house.session("alice")
        asked = ["rooms", "members", "join", "join", "join"]
        codes = [alice.ask(op, room="#lobby").get("code") for op in asked]
        self.assertEqual(codes, [None, "slow-down", None, None, "slow-down"])
        self.assertEqual(alice.ask("ping")["op"], "ack")

    def test_too_many_rekeys(self) -> None:
        """A rekey waits for the disk and leaves a record: few are taken an hour."""
        codes = [
            self.alice.ask("rekey", key=Key.generate(os.urandom).text).get("code")
            for _ in range(21)
        ]
        self.assertEqual(codes, [None] * 20 + ["slow-down"])
        self.assertEqual(self.alice.say("#lobby", "x")["op"], "ack")

    def test_failing_journal(self) -> None:
        """A read that fails is answered `internal`, and told to the operator."""

        def broken(*args: object, **more: object) -> Any:
            raise OSError("the disk is gone")

        self.house.journal.read = broken  # type: ignore[method-assign]
        answer = self.alice.ask("history", room="#lobby")
        self.assertEqual(answer["code"], "internal")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class FrameTests(SynchronousTestCase):
    """Bad input, and the end of a session."""

    def setUp(self) -> None:
        self.house = House(self)
        self.alice = self.house.session("alice")

    def test_bad_frames(self) -> None:
        """What is no request at all ends the session with goodbye bad-frame."""
        for text in (
            b"[]",
            b"{",
            b'{"op":"ping"}',
            b'{"op":"ping","id":"a","id":"b"}',
            b'{"op":"ping","id":"a","x":NaN}',
            b'{"op":"ping","id":"a","x":' + b"[" * 8 + b"]" * 8 + b"}",
            b'{"op":"ping","id":"\xff"}',
            b'{"op":"ping","id":"' + b"a" * 65 + b'"}',
        ):
            peer = self.house.session("alice")
            peer.tell(text)
            (goodbye,) = peer.pushed("goodbye")
            self.assertEqual(goodbye["reason"], "bad-frame", text)
            self.assertTrue(peer.closed)
            peer.lose()

    def test_requests_before_a_bad_frame(self) -> None:
        """What stood before it is answered first; goodbye is the last frame."""
        self.alice.tell(write({"op": "ping", "id": "p"}), b"nonsense")
        self.alice.look()
        self.assertEqual(self.alice.pushes[-1]["op"], "goodbye")

    def test_errors_keep_the_session(self) -> None:
        """A request that cannot be done is answered with an error, and life goes on."""
        for op, fields, code in (
            ("dance", {}, "unknown-op"),
            ("join", {}, "bad-request"),
            ("join", {"room": 7}, "bad-request"),
            ("join", {"room": "#lobby", "after": 1.0}, "bad-request"),
            ("join", {"room": "#lobby", "after": True}, "bad-request"),
            ("join", {"room": "#lobby", "after": -1}, "bad-request"),
            ("history", {"room": "#lobby", "limit": 201}, "bad-request"),
            ("search", {"query": " "}, "bad-request"),
            ("mark", {"room": "#lobby"}, "bad-request"),
            ("rekey", {"key": "short"}, "bad-request"),
        ):
            self.assertEqual(self.alice.ask(op, **fields)["code"], code, (op, fields))
        self.assertEqual(self.alice.ask("ping", unknown="field")["op"], "ack")

    def test_silence(self) -> None:
        """A session silent for 30 s is ended."""
        self.house.clock.pump([1.0] * 29)
        self.assertFalse(self.alice.closed)
        self.house.clock.pump([1.0] * 2)
        self.assertEqual(self.alice.pushed("goodbye")[0]["reason"], "idle")
        self.assertTrue(self.alice.closed)

    def test_never_live(self) -> None:
        """A welcome without a frame behind it lives for 10 s, changes nothing, and
        counts as a failure."""
        peer = Peer(self.house, self.house.user("bob"), "bob")
        peer.hello()
        self.assertFalse(self.house.hub.presence.online("bob"))
        self.house.clock.pump([1.0] * 11)
        self.assertTrue(peer.closed)

    def test_presence(self) -> None:
        """Users see each other come and go, merged to one a second."""
        bob = self.house.session("bob")
        bob.lose()
        again = self.house.session("bob")
        again.lose()
        self.house.clock.advance(1)
        news = [p for p in self.alice.pushed("presence") if p["name"] == "bob"]
        self.assertEqual([p["online"] for p in news], [True, False])

    def test_sixteen_sessions(self) -> None:
        """A user has at most 16 sessions; one more is refused for a while."""
        for _ in range(15):
            self.house.session("alice")
        peer = Peer(self.house, self.house.user("alice"), "alice")
        answer = peer.hello()
        self.assertEqual(getattr(answer, "code", None), "full")
        self.assertIsInstance(getattr(answer, "retry_after", None), int)

    async def _drained(self) -> None:
        await self.house.factory.drain()

    def test_drain(self) -> None:
        """At the end what was sent is acknowledged first; goodbye is the last frame."""
        self.house.journal.hold = True
        id = self.alice.post("send", room="#lobby", body="x")
        Deferred.fromCoroutine(self._drained())
        self.alice.look()
        self.assertEqual(self.alice.answers[id]["op"], "ack")
        self.assertEqual(self.alice.pushes[-1]["reason"], "restart")
        self.assertIn("retry_after", self.alice.pushes[-1])
        self.alice.lose()
