"""Copies of rooms: contiguous, checked, and the same as plain lists."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chatd.journal.copies import ChainBroken, Copy
from chatd.wire.messages import ROOT_HASH, Message
from tests.journal.chains import FIELDS, WRONG, CopiesCase, altered, chain

ROOMS = ["#lobby", "#ops", "@alice+bob"]


class AddTests(CopiesCase):
    """What is pushed."""

    def test_order(self) -> None:
        """What follows is stored whole, the cursor at its end."""
        messages = chain("#ops", ["a", None, "grün", "日本"])
        self.copies.begin("#ops", 0, ROOT_HASH)
        self.assertEqual(self.copies.add(messages), messages)
        self.assertEqual(self.held(), messages)
        self.assertEnds(messages[-1])
        self.assertEqual(self.copy().first, 1)

    def test_from_the_middle(self) -> None:
        """A copy goes on behind any message whose hash is known."""
        messages = chain("#ops", 9)
        begun = self.copies.begin("#ops", 5, messages[4].hash)
        self.assertEqual((begun.first, begun.last), (6, 5))
        self.assertEqual(self.copies.add(messages[5:]), messages[5:])
        self.assertEqual(self.copy().first, 6)

    def test_told_again(self) -> None:
        """What is held already is not new; what is new behind it, is."""
        messages = chain("#ops", 6)
        self.copies.begin("#ops", 0, ROOT_HASH)
        self.copies.add(messages[:4])
        self.assertEqual(self.copies.add([*messages[1:], *messages]), messages[4:])
        self.assertEqual(self.held(), messages)

    def test_not_begun(self) -> None:
        """What comes of a room that is not copied is dropped, without complaint."""
        self.copies.begin("#ops", 0, ROOT_HASH)
        self.assertEqual(self.copies.add(chain("#lobby", 3)), [])
        self.assertEqual(self.held("#lobby"), [])

    def test_gap(self) -> None:
        """A message too far on is refused; what stood before it is kept."""
        messages = chain("#ops", 6)
        self.copies.begin("#ops", 0, ROOT_HASH)
        with self.assertRaises(ChainBroken) as caught:
            self.copies.add([*messages[:3], *messages[4:]])
        broken = caught.exception
        self.assertEqual((broken.room, broken.seq), ("#ops", 5))
        self.assertEqual(broken.before, messages[:3])
        self.assertEqual(self.held(), messages[:3])
        self.assertEnds(messages[2])
        self.assertEqual(self.copy().trouble, "broken")
        self.assertNotIn("text", str(broken))

    def test_gap_that_fits(self) -> None:
        """A number left out is refused, though the chain was made to fit it."""
        first = chain("#ops", 1)
        self.copies.begin("#ops", 0, ROOT_HASH)
        leap = chain("#ops", 1, last=4, hash=first[0].hash)
        self.assertRaises(ChainBroken, self.copies.add, first + leap)
        self.assertEqual(self.held(), first)

    def test_in_trouble(self) -> None:
        """Nothing more is taken of a room in trouble, until that is taken back."""
        messages = chain("#ops", 3)
        self.copies.begin("#ops", 0, ROOT_HASH)
        self.copies.trouble("#ops", "diverged")
        self.assertEqual(self.copies.add(messages), [])
        self.assertEqual(self.copy().trouble, "diverged")
        self.copies.trouble("#ops", None)
        self.assertEqual(self.copies.add(messages), messages)

    def test_other_rooms(self) -> None:
        """A room that breaks does not cost the others a message."""
        ops, lobby = chain("#ops", 4), chain("#lobby", 4)
        for room in ("#ops", "#lobby"):
            self.copies.begin(room, 0, ROOT_HASH)
        batch = [lobby[0], ops[0], ops[2], lobby[1], ops[1], lobby[2]]
        with self.assertRaises(ChainBroken) as caught:
            self.copies.add(batch)
        self.assertEqual((caught.exception.room, caught.exception.seq), ("#ops", 3))
        self.assertEqual(
            caught.exception.before, [lobby[0], ops[0], lobby[1], lobby[2]]
        )
        self.assertEqual(self.held("#lobby"), lobby[:3])
        self.assertEqual(self.held(), ops[:1])
        self.assertEqual(self.copies.add(lobby[3:]), lobby[3:])
        self.assertIsNone(self.copy("#lobby").trouble)

    def test_every_field(self) -> None:
        """A new message altered in any field is refused."""
        message = chain("#ops", 1)[0]
        for field in FIELDS:
            self.copies.begin("#ops", 0, ROOT_HASH)
            with self.assertRaises(ChainBroken, msg=field):
                self.copies.add([altered(message, field)])
            self.assertEqual(self.held(), [], field)

    def test_every_field_again(self) -> None:
        """A message told again, altered in any field, is refused: in the next call
        and in the same."""
        message = chain("#ops", 1)[0]
        for field in FIELDS:
            for batches in ([[0], [1]], [[0, 1]]):
                both = message, altered(message, field)
                self.copies.begin("#ops", 0, ROOT_HASH)
                with self.assertRaises(ChainBroken, msg=field):
                    for batch in batches:
                        self.copies.add([both[each] for each in batch])
                self.assertEqual(self.held(), [message], field)

    def test_removed_since(self) -> None:
        """A message whose body was removed since is the same; its body stays here."""
        messages = chain("#ops", 2)
        self.copies.begin("#ops", 0, ROOT_HASH)
        self.copies.add(messages)
        self.assertEqual(self.copies.add([messages[0]._replace(body=None)]), [])
        self.assertEqual(self.held(), messages)

    def test_another_room(self) -> None:
        """A room's messages do not pass for another's."""
        self.copies.begin("#ops", 0, ROOT_HASH)
        stolen = chain("#lobby", 1)[0]._replace(room="#ops")
        self.assertRaises(ChainBroken, self.copies.add, [stolen])

    @given(st.data())
    @settings(deadline=None, derandomize=True, max_examples=80)
    def test_like_lists(self, data: st.DataObject) -> None:
        """However the messages come, split, twice and overlapping: as plain lists."""
        copies = self.make()
        rooms: dict[str, list[Message]] = {}
        for room in ROOMS:
            bodies = st.lists(st.none() | st.text("aß日 ", min_size=1), max_size=8)
            rooms[room] = chain(room, data.draw(bodies))
            copies.begin(room, 0, ROOT_HASH)
        lists: dict[str, list[Message]] = {room: [] for room in ROOMS}
        for _ in range(data.draw(st.integers(1, 6))):
            batch: list[Message] = []
            fresh: list[Message] = []
            for room in data.draw(st.lists(st.sampled_from(ROOMS), max_size=4)):
                at = len(lists[room])
                start = data.draw(st.integers(0, at))
                part = rooms[room][start : data.draw(st.integers(start, 8))]
                batch += part
                new = [message for message in part if message.seq > at]
                lists[room] += new
                fresh += new
            self.assertEqual(copies.add(batch), fresh)
            for room, list_ in lists.items():
                self.assertEqual(copies.history(room, None, 100), list_)
                copy = copies.of(room)
                assert copy is not None
                end = list_[-1].hash if list_ else ROOT_HASH
                self.assertEqual((copy.last, copy.hash), (len(list_), end))

    @given(st.data())
    @settings(deadline=None, derandomize=True, max_examples=150)
    def test_any_harm(self, data: st.DataObject) -> None:
        """One field altered, two swapped, one missing: refused, and all before kept."""
        messages = chain("#ops", data.draw(st.integers(2, 9)))
        # Without the last message there is no gap, there is just less.
        at = data.draw(st.integers(0, len(messages) - 2))
        harm = data.draw(st.sampled_from([*FIELDS, "swap", "miss"]))
        told = list(messages)
        if harm == "swap":
            told[at], told[at + 1] = told[at + 1], told[at]
        elif harm == "miss":
            del told[at]
        else:
            told[at] = altered(told[at], harm)
        cut = data.draw(st.integers(0, len(told)))
        copies = self.make()
        copies.begin("#ops", 0, ROOT_HASH)
        with self.assertRaises(ChainBroken):
            copies.add(told[:cut])
            copies.add(told[cut:])
        self.assertEqual(copies.history("#ops", None, 100), messages[:at])
        copy = copies.of("#ops")
        assert copy is not None
        self.assertEqual((copy.last, copy.trouble), (at, "broken"))


class CopyTests(CopiesCase):
    """What is known of a room."""

    def test_marks_only_grow(self) -> None:
        """A lower mark is without effect."""
        self.copies.begin("#ops", 0, ROOT_HASH)
        for seq in (3, 7, 5):
            self.copies.read("#ops", seq)
            self.copies.received("#ops", seq + 1)
        self.assertEqual((self.copy().read, self.copy().received), (7, 8))

    def test_follow(self) -> None:
        """Whether it is followed is kept, room by room, and by name."""
        for room in ("#ops", "#lobby"):
            self.copies.begin(room, 0, ROOT_HASH)
        self.copies.follow("#ops", True)
        found = [(copy.room, copy.followed) for copy in self.copies.all()]
        self.assertEqual(found, [("#lobby", False), ("#ops", True)])
        self.copies.follow("#ops", False)
        self.assertFalse(self.copy().followed)

    def test_skip(self) -> None:
        """Behind what the server pruned the copy goes on from its base; what was held
        before stays to be read."""
        messages = chain("#ops", 9)
        self.copies.begin("#ops", 0, ROOT_HASH)
        self.copies.add(messages[:3])
        self.copies.skip("#ops", 7, messages[5].hash)
        self.assertEqual((self.copy().first, self.copy().last), (7, 6))
        self.assertEqual(self.copies.add(messages[6:]), messages[6:])
        self.assertEqual(self.held(), messages[:3] + messages[6:])
        self.assertEqual(self.copies.add(messages[1:3]), [])
        told_otherwise = [altered(messages[1], "sender")]
        self.assertRaises(ChainBroken, self.copies.add, told_otherwise)

    def test_forget(self) -> None:
        """Nothing is left of a room that is forgotten, and all of the others."""
        lobby = chain("#lobby", 2)
        for room in ("#ops", "#lobby"):
            self.copies.begin(room, 0, ROOT_HASH)
        self.copies.add([*chain("#ops", 2), *lobby])
        self.copies.forget("#ops")
        self.assertIsNone(self.copies.of("#ops"))
        self.assertEqual(self.held(), [])
        self.assertEqual(self.held("#lobby"), lobby)

    def test_begin_again(self) -> None:
        """A copy begun again holds nothing of before, nor its trouble."""
        self.copies.begin("#ops", 0, ROOT_HASH)
        self.copies.add(chain("#ops", 3))
        self.copies.trouble("#ops", "diverged")
        begun = self.copies.begin("#ops", 2, WRONG)
        self.assertEqual(begun, self.copy())
        self.assertEqual(begun, Copy("#ops", 3, 2, WRONG, 0, 0, None, False))
        self.assertEqual(self.held(), [])
