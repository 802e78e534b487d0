"""The chat client against a whole server in memory."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.client.errors import (
    Crowded,
    NotText,
    RequestFailed,
    SayFailed,
    TooLong,
)
from chatd.client.events import (
    Arrived,
    OwnChanged,
    OwnState,
    PresenceChanged,
    RoomBegun,
    Trouble,
)
from chatd.client.link import Phase, Reason
from chatd.journal.interface import Draft
from chatd.journal.outbox import LARGEST
from chatd.server.limits import Limits
from chatd.wire.tokens import Key
from tests.client.cable import Account, Cable
from tests.journal.list_journal import ListJournal
from tests.server.house import House


class ChatTests(SynchronousTestCase):
    """Two people and what lies between them."""

    def setUp(self) -> None:
        self.house = House(self)
        self.cable = Cable(self.house)
        self.journal = self.house.journal

    def account(self, name: str, path: Path | None = None) -> Account:
        return Account(self, self.cable, name, path)

    def stored(self, room: str) -> list[str | None]:
        return [message.body for message in self.journal.of(room)]

    def test_online(self) -> None:
        """A session is live; the client knows who it is and where."""
        alice = self.account("alice")
        self.assertIs(alice.client.state.phase, Phase.ONLINE)
        self.assertEqual((alice.client.name, alice.client.server), ("alice", "den"))
        self.assertEqual(alice.client.lag, 0.0)

    def test_people_talk(self) -> None:
        """What one says arrives at the other, who hears it once, in order."""
        alice, bob = self.account("alice"), self.account("bob")
        for each in (alice, bob):
            each.join("#lobby")
        for text in ("one", "two", "three"):
            alice.client.say("#lobby", text)
        self.cable.flow()
        self.assertEqual(bob.bodies, ["one", "two", "three"])
        self.assertEqual(alice.bodies, ["one", "two", "three"])
        self.assertEqual(alice.client.own(), [])

    def test_states_of_an_own_message(self) -> None:
        """queued, then stored with its seq; then it is in the room's log."""
        alice = self.account("alice")
        own = alice.client.say("#lobby", "text")
        self.assertIs(own.state, OwnState.QUEUED)
        self.cable.flow()
        changed = [e.own for e in alice.events if isinstance(e, OwnChanged)]
        self.assertEqual(
            [(each.state, each.seq) for each in changed],
            [(OwnState.QUEUED, None), (OwnState.STORED, 1)],
        )

    def test_failed_for_good(self) -> None:
        """What the server will never take is failed, with why; the next goes on."""
        alice = self.account("alice")
        alice.client.say("@bob+carol", "not mine")
        alice.client.say("#lobby", "fine")
        self.cable.flow()
        (failed,) = alice.client.own("@bob+carol")
        self.assertIs(failed.state, OwnState.FAILED)
        self.assertEqual(failed.code, "no-such-room")
        self.assertEqual(self.stored("#lobby"), ["fine"])
        alice.client.retry(failed.id)
        self.cable.flow()
        self.assertEqual(len(alice.client.own()), 1)
        (again,) = alice.client.own("@bob+carol")
        self.assertNotEqual(again.id, failed.id)
        self.assertTrue(alice.client.discard(again.id))
        self.assertEqual(alice.client.own(), [])

    def test_edit_of_what_waits(self) -> None:
        """What is not on the wire can be changed, in its place; afterwards not."""
        alice = self.account("alice")
        self.cable.cut()
        self.cable.refusing = True
        first = alice.client.say("#lobby", "frist")
        alice.client.say("#lobby", "second")
        self.assertTrue(alice.client.edit(first.id, "first"))
        self.cable.refusing = False
        self.cable.pass_time(5)
        self.assertEqual(self.stored("#lobby"), ["first", "second"])
        self.assertFalse(alice.client.edit(first.id, "late"))
        self.assertFalse(alice.client.discard("nobody's"))

    def test_refused_text(self) -> None:
        """What cannot be a message is refused at once, and nothing is taken."""
        alice = self.account("alice")
        self.assertRaises(TooLong, alice.client.say, "#lobby", "ä" * 8193)
        for text in ("", "a\0b", "\ud800", "\x7f"):
            self.assertRaises(NotText, alice.client.say, "#lobby", text)
        alice.client.say("#lobby", "ä" * 8192)
        self.cable.flow()
        self.assertEqual(len(self.stored("#lobby")), 1)

    def test_offline_in_order(self) -> None:
        """Text typed offline is sent in typed order once the server is there."""
        alice = Account(self, self.cable, "alice", connect=False)
        texts = [f"{n}" for n in range(200)]
        for text in texts:
            alice.client.say("#lobby", text)
        alice.client.start()
        self.cable.flow()
        self.cable.pass_time(2)
        self.assertEqual(self.stored("#lobby"), texts)

    def test_outbox_survives(self) -> None:
        """What was typed is sent by the next run of the program."""
        path = Path(self.mktemp()) / "alice.db"
        self.cable.refusing = True
        alice = self.account("alice", path)
        for text in ("a", "b"):
            alice.client.say("#lobby", text)
        alice.end()
        self._cleanups.pop()
        self.cable.refusing = False
        again = self.account("alice", path)
        self.assertEqual(self.stored("#lobby"), ["a", "b"])
        self.assertEqual(again.client.own(), [])

    def test_sent_but_not_answered(self) -> None:
        """What was stored and not acknowledged is sent again, and stands once."""
        path = Path(self.mktemp()) / "alice.db"
        alice = self.account("alice", path)
        self.journal.hold = True
        alice.client.say("#lobby", "once")
        self.cable.flow()
        self.cable.cut()
        self.journal.hold = False
        self.journal.release()
        self.cable.pass_time(3)
        self.assertEqual(self.stored("#lobby"), ["once"])
        self.assertEqual(
            [e.own.state for e in alice.events if isinstance(e, OwnChanged)][-1],
            OwnState.STORED,
        )

    def test_crowded(self) -> None:
        """The outbox has a limit."""
        alice = Account(self, self.cable, "alice", connect=False)
        connection = alice.store._connection
        connection.executemany(
            "INSERT INTO outbox (room, id, body, composed) VALUES ('#a', ?, 'x', 0)",
            [(str(n),) for n in range(LARGEST - 1)],
        )
        alice.client.say("#lobby", "the last")
        self.assertRaises(Crowded, alice.client.say, "#lobby", "one more")

    def test_rejoin(self) -> None:
        """After a cut the client reads on where it was: no gap, nothing twice."""
        alice, bob = self.account("alice"), self.account("bob")
        bob.join("#lobby")
        alice.client.say("#lobby", "1")
        self.cable.flow()
        self.cable.cut()
        alice.client.say("#lobby", "2")
        alice.client.retry_now()
        self.cable.flow()
        self.cable.pass_time(3)
        alice.client.say("#lobby", "3")
        self.cable.flow()
        self.assertEqual(bob.bodies, ["1", "2", "3"])

    def test_rejoin_in_the_next_run(self) -> None:
        """What came while the program was closed comes at its next start."""
        path = Path(self.mktemp()) / "bob.db"
        bob = self.account("bob", path)
        bob.join("#lobby")
        bob.end()
        self._cleanups.pop()
        alice = self.account("alice")
        alice.client.say("#lobby", "meanwhile")
        self.cable.flow()
        again = self.account("bob", path)
        self.assertEqual(again.bodies, ["meanwhile"])

    def test_leave(self) -> None:
        """A room that was left is not joined again."""
        alice = self.account("alice")
        alice.join("#lobby")
        alice.client.leave("#lobby")
        self.cable.cut()
        self.cable.pass_time(3)
        copy = alice.client.copy("#lobby")
        assert copy is not None
        self.assertFalse(copy.followed)
        self.assertEqual(self.house.hub.rooms["#lobby"].readers, {})

    def test_join_refused(self) -> None:
        """A room that may not be seen cannot be joined, and is not tried again."""
        alice = self.account("alice")
        failure = alice.join("@bob+carol")
        self.assertIsInstance(failure.value, RequestFailed)
        self.assertEqual(failure.value.code, "no-such-room")

    def test_join_waits_for_the_session(self) -> None:
        """Asked for offline, a room is joined with the session; stopped, it fails."""
        self.cable.refusing = True
        alice = self.account("alice")
        joined = alice.client.join("#lobby")
        other = alice.client.join("#lobby")
        self.cable.refusing = False
        self.cable.pass_time(3)
        self.assertEqual(self.successResultOf(joined).room, "#lobby")
        self.assertEqual(self.successResultOf(other).room, "#lobby")
        self.cable.cut()
        waiting = alice.client.join("#ops")
        alice.client.stop()
        failure = self.failureResultOf(waiting, SayFailed)
        self.assertIs(failure.value.reason, Reason.STOPPED)

    def test_history(self) -> None:
        """Older pages come from the server, are checked, and are there offline."""
        alice = self.account("alice")
        for number in range(120):
            alice.client.say("#lobby", f"{number}")
        self.cable.flow()
        bob = self.account("bob")
        bob.join("#lobby")
        page = bob.get(bob.client.messages("#lobby"))
        self.assertEqual([m.body for m in page], [f"{n}" for n in range(70, 120)])
        page = bob.get(bob.client.messages("#lobby", before=page[0].seq, limit=100))
        self.assertEqual([m.body for m in page], [f"{n}" for n in range(70)])
        self.assertEqual(bob.get(bob.client.messages("#lobby", before=1)), [])
        self.cable.refusing = True
        self.cable.cut()
        page = bob.get(bob.client.messages("#lobby", limit=3))
        self.assertEqual([m.body for m in page], ["117", "118", "119"])
        found = bob.get(bob.client.search("11 9"))
        self.assertEqual([m.body for m in found.messages], ["119"])

    def test_search(self) -> None:
        """A search finds what may be seen, page by page, newest first."""
        alice = self.account("alice")
        for number in range(60):
            alice.client.say("#lobby", f"needle {number}")
        alice.client.say("@alice+server", "needle")
        self.cable.flow()
        bob = self.account("bob")
        found = bob.get(bob.client.search("NEEDLE"))
        self.assertEqual(len(found.messages), 50)
        self.assertEqual(found.messages[0].body, "needle 59")
        found = bob.get(bob.client.search("NEEDLE", next=found.next))
        self.assertEqual((len(found.messages), found.next), (10, None))

    def test_lists(self) -> None:
        """Rooms and members, all pages of them."""
        alice = self.account("alice")
        for number in range(40):
            alice.join(f"#room-{number}")
        rooms = alice.get(alice.client.rooms())
        self.assertEqual(len(rooms), 42)  # the lobby, and the talk with the server
        self.assertEqual(rooms[0].room, "#lobby")
        (member,) = alice.get(alice.client.members("#room-7"))
        self.assertEqual((member.name, member.online), ("alice", True))

    def test_delivered(self) -> None:
        """Own messages are known to be delivered by the members' marks."""
        alice, bob = self.account("alice"), self.account("bob")
        for each in (alice, bob):
            each.join("#lobby")
        alice.get(alice.client.members("#lobby"))
        alice.client.say("#lobby", "text")
        self.cable.flow()
        self.cable.pass_time(3)
        self.assertEqual(alice.client.delivered("#lobby", 1, "alice"), (1, 1))
        self.assertEqual(alice.client.delivered("#lobby", 2, "alice"), (0, 1))

    def test_marks(self) -> None:
        """received follows what is stored; read what the person saw, at most once a
        second, and again after a reconnect."""
        alice, bob = self.account("alice"), self.account("bob")
        bob.join("#lobby")
        for text in ("a", "b", "c"):
            alice.client.say("#lobby", text)
        self.cable.flow()
        self.cable.pass_time(2)
        self.assertEqual(tuple(self.journal.marks["#lobby"]["bob"]), (3, 0))
        self.cable.refusing = True
        self.cable.cut()
        bob.client.read("#lobby", 2)
        self.cable.refusing = False
        self.cable.pass_time(3)
        self.assertEqual(tuple(self.journal.marks["#lobby"]["bob"]), (3, 2))
        copy = bob.client.copy("#lobby")
        assert copy is not None
        self.assertEqual((copy.received, copy.read), (3, 2))

    def test_presence(self) -> None:
        """Users see each other come and go."""
        alice = self.account("alice")
        bob = self.account("bob")
        bob.client.stop()
        self.cable.pass_time(2)
        seen = [e for e in alice.events if isinstance(e, PresenceChanged)]
        self.assertEqual(
            [(e.name, e.online) for e in seen if e.name == "bob"],
            [("bob", True), ("bob", False)],
        )

    def test_new_conversation(self) -> None:
        """Whoever is spoken to learns of it."""
        alice, bob = self.account("alice"), self.account("bob")
        alice.client.say("@alice+bob", "psst")
        self.cable.flow()
        self.assertIn(RoomBegun("@alice+bob"), bob.events)

    def test_server_answers(self) -> None:
        """What one says to the server stands beside its answer, for ever."""
        alice = self.account("alice")
        alice.join("@alice+server")
        alice.client.say("@alice+server", "hi")
        self.cable.flow()
        self.assertEqual(alice.bodies, ["hi", "Server received: hi"])

    def test_guest(self) -> None:
        """A guest talks in public rooms, and with the server, who keeps nothing."""
        guest = self.account("~gus")
        guest.join("#lobby")
        guest.client.say("#lobby", "hello")
        guest.client.say("@server+~gus", "hi")
        self.cable.flow()
        self.assertEqual(
            sorted(map(str, guest.bodies)), ["Server received: hi", "hello", "hi"]
        )
        self.assertEqual(self.stored("@server+~gus"), [])
        self.assertEqual(guest.client.own(), [])

    def test_pruned(self) -> None:
        """Where the server kept less than the client missed, it goes on behind."""
        bob = self.account("bob")
        bob.join("#lobby")
        self.cable.refusing = True
        self.cable.cut()
        alice = House.session(self.house, "alice")
        for text in ("a", "b", "c"):
            alice.say("#lobby", text)
        self.journal.prune(int(self.house.now() * 1000) + 1)
        alice.say("#lobby", "d")
        self.cable.refusing = False
        self.cable.pass_time(3)
        self.assertEqual(bob.bodies, ["d"])
        copy = bob.client.copy("#lobby")
        assert copy is not None
        self.assertEqual((copy.first, copy.last, copy.trouble), (4, 4, None))


class TroubleTests(SynchronousTestCase):
    """A server that is not the one it was."""

    def setUp(self) -> None:
        self.house = House(self)
        self.cable = Cable(self.house)
        self.path = Path(self.mktemp()) / "bob.db"
        self.alice = Account(self, self.cable, "alice")
        bob = Account(self, self.cable, "bob", self.path)
        bob.join("#lobby")
        for text in ("1", "2", "3"):
            self.alice.client.say("#lobby", text)
        self.cable.flow()
        bob.end()
        self._cleanups.pop()

    def come_back(self) -> Account:
        return Account(self, self.cable, "bob", self.path)

    def forget_last(self, count: int) -> None:
        """The server loses its last messages, as an old backup does."""
        journal, room = self.house.journal, self.house.hub.rooms["#lobby"]
        del journal.log[-count:]
        last = journal.log[-1]
        head = room.head._replace(last=last.seq, hash=last.hash)
        journal.heads["#lobby"] = room.head = head
        room._clear()

    def test_lost(self) -> None:
        """A server restored from an old backup is noticed, told, and not followed."""
        self.forget_last(1)
        bob = self.come_back()
        (trouble,) = [e for e in bob.events if isinstance(e, Trouble)]
        self.assertEqual((trouble.kind, trouble.seq), ("diverged", 3))
        self.assertIn("ask the operator", trouble.advice)
        kept = bob.get(bob.client.messages("#lobby"))
        self.assertEqual([m.body for m in kept], ["1", "2", "3"])
        self.alice.client.say("#lobby", "new")
        self.cable.flow()
        self.assertEqual(bob.bodies, [])

    def test_lost_and_grown_again(self) -> None:
        """So is one that has gone on since: the hashes differ."""
        self.forget_last(2)
        self.cable.pass_time(1)
        for text in ("x", "y", "z"):
            House.session(self.house, "carol").say("#lobby", text)
        bob = self.come_back()
        (trouble,) = [e for e in bob.events if isinstance(e, Trouble)]
        self.assertEqual(trouble.kind, "diverged")

    def test_start_over(self) -> None:
        """The person may start over with what the server has."""
        self.forget_last(1)
        bob = self.come_back()
        bob.client.forget("#lobby")
        self.cable.flow()
        self.alice.client.say("#lobby", "new")
        self.cable.flow()
        self.assertEqual(bob.bodies, ["new"])
        page = bob.get(bob.client.messages("#lobby"))
        self.assertEqual([m.body for m in page], ["1", "2", "new"])

    def test_old_client_state(self) -> None:
        """A client restored from an old copy of its own reads on from there."""
        bob = self.come_back()
        self.alice.client.say("#lobby", "4")
        self.cable.flow()
        self.assertEqual(bob.bodies, ["4"])
        self.assertEqual([e for e in bob.events if isinstance(e, Trouble)], [])

    def test_changed_history(self) -> None:
        """An older page that does not fit what follows it is told, and not kept."""
        bob = Account(self, self.cable, "carol")
        bob.join("#lobby")
        journal = self.house.journal
        journal.log[1] = journal.log[1]._replace(body="forged")
        bob.get(bob.client.messages("#lobby"))
        (trouble,) = [e for e in bob.events if isinstance(e, Trouble)]
        self.assertEqual(trouble.kind, "broken")
        self.assertEqual(bob.client._copies.history("#lobby", None, 10), [])

    def test_broken_push(self) -> None:
        """A pushed message that does not follow is told, and neither kept nor shown."""
        bob = self.come_back()
        room = self.house.hub.rooms["#lobby"]
        room.head = room.head._replace(hash="0" * 64)
        self.house.journal.heads["#lobby"] = room.head
        House.session(self.house, "carol").say("#lobby", "grafted")
        self.cable.flow()
        (trouble,) = [e for e in bob.events if isinstance(e, Trouble)]
        self.assertEqual((trouble.kind, trouble.seq), ("broken", 3))
        self.assertEqual(bob.bodies, [])


class LinkTests(SynchronousTestCase):
    """The session's beginning, its heartbeat and its end."""

    def setUp(self) -> None:
        self.house = House(self)
        self.cable = Cable(self.house)

    def test_pulled_cable(self) -> None:
        """A connection that went silent is given up within 20 s, and made again."""
        alice = Account(self, self.cable, "alice")
        self.cable.links[0].silent = True
        self.cable.pass_time(16)
        self.assertIs(alice.client.state.reason, Reason.TIMEOUT)
        self.cable.pass_time(3)
        self.assertIs(alice.client.state.phase, Phase.ONLINE)

    def test_heartbeat(self) -> None:
        """A quiet session lives on, on both sides, for it is pinged."""
        alice = Account(self, self.cable, "alice")
        self.cable.pass_time(120)
        self.assertIs(alice.client.state.phase, Phase.ONLINE)
        self.assertEqual(len(self.cable.links), 1)

    def test_wrong_key(self) -> None:
        """A key that the server does not know: probably the wrong one."""
        alice = Account(self, self.cable, "alice", keys=[Key.generate(os.urandom)])
        self.assertIs(alice.client.state.reason, Reason.WRONG_KEY)
        self.assertIs(alice.client.state.phase, Phase.WAITING)

    def test_removed(self) -> None:
        """A removed user is told, and does not come back by itself."""
        alice = Account(self, self.cable, "alice")
        self.house.users.remove("alice")
        self.house.hub.dismiss()
        self.cable.flow()
        state = alice.client.state
        self.assertEqual((state.phase, state.reason), (Phase.STOPPED, Reason.REMOVED))
        self.assertIn("Ask its operator", state.advice)
        alice.client.start()
        self.cable.flow()
        self.assertIs(alice.client.state.reason, Reason.REMOVED)

    def test_full(self) -> None:
        """A user with too many sessions waits as long as the server says."""
        for _ in range(16):
            Account(self, self.cable, "alice")
        last = Account(self, self.cable, "alice")
        state = last.client.state
        self.assertEqual((state.phase, state.reason), (Phase.WAITING, Reason.FULL))
        self.assertEqual(state.retry_in, 5.0)

    def test_restart(self) -> None:
        """A server that restarts says when to come back."""
        alice = Account(self, self.cable, "alice")
        for connection in list(self.house.factory.connections):
            assert connection.live is not None
            connection.live.goodbye("restart", 2000)
        self.cable.flow()
        state = alice.client.state
        self.assertEqual((state.reason, state.retry_in), (Reason.RESTART, 2.0))

    def test_rekey(self) -> None:
        """A key is replaced: announced, proven by a session, the old one dead."""
        alice = Account(self, self.cable, "alice")
        old, new = self.house.user("alice"), Key.generate(os.urandom)
        alice.get(alice.client.rekey(new))
        self.assertTrue(self.house.users.credentials[old].alive)
        later = Account(self, self.cable, "alice", keys=[new, old])
        self.assertIs(later.client.state.phase, Phase.ONLINE)
        self.assertEqual(later.client.key, new)
        self.assertFalse(self.house.users.credentials[old].alive)
        self.assertIs(alice.client.state.reason, Reason.ROTATED)

    def test_rotation_interrupted(self) -> None:
        """Before the server knew the new key, the old one is tried next, at once."""
        key = self.house.user("alice")
        unknown = Key.generate(os.urandom)
        alice = Account(self, self.cable, "alice", keys=[unknown, key])
        self.cable.pass_time(0.5)
        self.assertIs(alice.client.state.phase, Phase.ONLINE)
        self.assertEqual(alice.client.key, key)

    def test_invite(self) -> None:
        """An invite's session may rekey and ping, and then it is used up."""
        invite = self.house.users.invite("dora", None, 3600)
        dora = Account(self, self.cable, "dora", keys=[invite])
        self.assertEqual(dora.join("#lobby").value.code, "forbidden")
        new = Key.generate(os.urandom)
        dora.get(dora.client.rekey(new))
        other = Account(self, self.cable, "dora", keys=[invite])
        with self.assertRaises(RequestFailed) as caught:
            other.get(other.client.rekey(Key.generate(os.urandom)))
        self.assertEqual(caught.exception.code, "used")
        mine = Account(self, self.cable, "dora", keys=[new])
        self.assertEqual(mine.join("#lobby").room, "#lobby")
        late = Account(self, self.cable, "dora", keys=[invite])
        self.assertIs(late.client.state.reason, Reason.USED)


STEPS = ["say", "say", "say", "time", "time", "cut", "kill", "slow", "hold", "go"]


class OrderTests(SynchronousTestCase):
    """Order under refusal, whatever happens."""

    @given(st.data())
    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def test_nothing_overtakes(self, data: st.DataObject) -> None:
        """With random refusals, cuts and restarts every message stands once, in the
        order of typing of its room."""
        limits = Limits(messages=4.0, message_burst=6.0)
        house = House(self, limits, begin=False)
        codes = st.sampled_from(
            [None, None, None, "not-stored", "internal", "slow-down"]
        )

        def fault(draft: Draft) -> str | None:
            return data.draw(codes) if troubled else None

        troubled = True
        journal = house.journal
        assert isinstance(journal, ListJournal)
        journal.fault = fault
        house.hub.open()
        house.factory.start()
        cable = Cable(house)
        path = Path(self.mktemp()) / "w.db"
        writer = Account(self, cable, "writer", path)
        typed: dict[str, list[str]] = {"#lobby": [], "@reader+writer": []}
        house.user("reader")
        steps = st.lists(
            st.sampled_from(STEPS),
            min_size=8,
            max_size=40,
        )
        for step in data.draw(steps):
            match step:
                case "say":
                    for _ in range(data.draw(st.integers(1, 4))):
                        room = data.draw(st.sampled_from(sorted(typed)))
                        typed[room].append(f"{len(typed[room])}")
                        writer.client.say(room, typed[room][-1])
                    cable.flow()
                case "time":
                    cable.pass_time(data.draw(st.sampled_from([0.25, 1.0, 3.0])))
                case "cut":
                    cable.cut()
                case "kill":
                    cable.cut()
                    writer.end()
                    self._cleanups.pop()
                    writer = Account(self, cable, "writer", path)
                case "slow":
                    cable.slow = not cable.slow
                case "hold":
                    journal.hold = True
                case "go":
                    journal.hold = False
                    journal.release()
                    cable.flow()
        troubled = cable.slow = False
        journal.hold = False
        journal.release()
        cable.pass_time(90, step=1.0)
        for room, texts in typed.items():
            self.assertEqual([m.body for m in journal.of(room)], texts)
        self.assertEqual(writer.client.own(), [])
        self.doCleanups()


class ArrivedTests(SynchronousTestCase):
    """Who listens."""

    def test_a_listener_that_raises(self) -> None:
        """A listener that raises is logged and disturbs nobody; one may stop."""
        house = House(self)
        cable = Cable(house)
        alice = Account(self, cable, "alice")
        alice.join("#lobby")

        def broken(event: object) -> None:
            raise RuntimeError("a bug")

        alice.client._listeners = {object(): broken, **alice.client._listeners}
        heard: list[object] = []
        stop = alice.client.listen(heard.append)
        stop()
        alice.client.say("#lobby", "text")
        cable.flow()
        self.assertTrue([e for e in alice.events if isinstance(e, Arrived)])
        self.assertEqual(heard, [])
        self.assertTrue(self.flushLoggedErrors(RuntimeError))


class GuestNameTests(SynchronousTestCase):
    """A guest without a wish is given a name, and keeps it."""

    def test_kept(self) -> None:
        """After a reconnect it is the same one, unless somebody else has it."""
        house = House(self)
        cable = Cable(house)
        account = Account(self, cable, "any", keys=[house.shared])
        name = account.client.name
        assert name is not None
        cable.cut()
        cable.pass_time(2)
        self.assertEqual(account.client.name, name)
        cable.refusing = True
        cable.cut()
        house.session(name, host="192.0.2.5")
        cable.refusing = False
        cable.pass_time(5)
        self.assertIs(account.client.state.phase, Phase.ONLINE)
        self.assertNotEqual(account.client.name, name)
