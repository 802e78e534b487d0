"""Older pages put before a copy, checked backwards."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from chatd.journal.copies import ChainBroken
from chatd.wire.messages import ROOT_HASH, Message
from tests.journal.chains import FIELDS, WRONG, CopiesCase, altered, chain


class PrependTests(CopiesCase):
    """Older pages."""

    def setUp(self) -> None:
        super().setUp()
        self.messages = chain("#ops", 9)
        self.copies.begin("#ops", 6, self.messages[5].hash)

    def test_pages(self) -> None:
        """Pages join at the front, up to the room's first message."""
        self.copies.add(self.messages[6:])
        for page in self.messages[3:6], self.messages[1:3], self.messages[:1], []:
            self.copies.prepend("#ops", page)
        self.assertEqual(self.held(), self.messages)
        self.assertEqual((self.copy().first, self.copy().last), (1, 9))

    def test_empty_copy(self) -> None:
        """A page before a copy that holds nothing yet is checked by its hash."""
        self.copies.prepend("#ops", self.messages[2:6])
        self.assertEqual(self.held(), self.messages[2:6])
        self.assertEqual(self.copies.add(self.messages[6:]), self.messages[6:])
        self.assertEqual(self.copy().first, 3)

    def test_twice(self) -> None:
        """A page asked for twice, or one that overlaps, is no break."""
        self.copies.add(self.messages[6:])
        self.copies.prepend("#ops", self.messages[3:6])
        self.copies.prepend("#ops", self.messages[3:6])
        self.copies.prepend("#ops", self.messages[1:8])
        self.assertEqual(self.held(), self.messages[1:])
        self.assertEqual((self.copy().first, self.copy().trouble), (2, None))

    def test_not_copied(self) -> None:
        """A page that comes after the copy was dropped is dropped."""
        self.copies.forget("#ops")
        self.copies.prepend("#ops", self.messages[3:6])
        self.assertEqual(self.held(), [])

    def assertRefused(self, page: Sequence[Message], why: str) -> None:
        before = self.held()
        with self.assertRaises(ChainBroken, msg=why) as caught:
            self.copies.prepend("#ops", page)
        self.assertEqual(self.held(), before, why)
        self.assertEqual(self.copy().trouble, "broken", why)
        self.assertNotIn("text", str(caught.exception))
        self.copies.trouble("#ops", None)

    def test_harmed(self) -> None:
        """A page with a field altered, two swapped, one missing: nothing is kept.

        Held or not what it is to be put before.
        """
        for held in (self.messages[6:6], self.messages[6:]):
            self.copies.add(held)
            page = self.messages[:6]
            for at in range(6):
                for field in FIELDS:
                    told = list(page)
                    told[at] = altered(told[at], field)
                    self.assertRefused(told, f"{field} of {at}")
            for at in range(5):
                told = list(page)
                told[at], told[at + 1] = told[at + 1], told[at]
                self.assertRefused(told, f"swapped {at}")
            for at in range(1, 5):
                self.assertRefused([*page[:at], *page[at + 1 :]], f"without {at}")
            self.assertRefused(page[:5], "ends too early")
            self.assertRefused(chain("#lobby", 6), "another room")

    def test_another_chain(self) -> None:
        """A page that is right in itself is refused where it does not link here."""
        other = chain("#ops", 6, hash=WRONG)[2:]
        self.assertRefused(other, "before what holds nothing yet")
        self.copies.add(self.messages[6:])
        self.assertRefused(other, "before what is held")

    def test_another_room(self) -> None:
        """A page is of its room: nothing passes under another's name."""
        self.copies.add(self.messages[6:])
        for at in 5, 7:
            stray = self.messages[at]._replace(room="#lobby")
            self.assertRefused([stray], f"message {at + 1}")
        self.assertEqual(self.held("#lobby"), [])

    def test_harmed_overlap(self) -> None:
        """What a page says of messages held is compared with them."""
        self.copies.add(self.messages[6:])
        for field in FIELDS:
            told = [*self.messages[3:7], altered(self.messages[7], field)]
            self.assertRefused(told, field)

    def test_forged_oldest(self) -> None:
        """What a page's oldest was said to be shows when the page before it comes."""
        forged = altered(self.messages[3], "sender")
        self.copies.prepend("#ops", [forged, *self.messages[4:6]])
        self.assertRefused(self.messages[1:3], "what follows was forged")

    def test_forged_start(self) -> None:
        """A room begins with ROOT_HASH: no other first message is taken."""
        other = chain("#ops", 6, hash=WRONG)
        self.copies.begin("#ops", 6, other[5].hash)
        self.assertRefused(other, "another start")

    @given(st.data())
    @settings(deadline=None, derandomize=True, max_examples=80)
    def test_like_lists(self, data: st.DataObject) -> None:
        """Pages and pushes in any order: one list without a gap."""
        count = data.draw(st.integers(0, 12))
        messages = chain("#ops", count)
        first = last = data.draw(st.integers(0, count))
        copies = self.make()
        copies.begin("#ops", last, messages[last - 1].hash if last else ROOT_HASH)
        for older in data.draw(st.lists(st.booleans(), max_size=8)):
            if older:
                start = data.draw(st.integers(0, first))
                end = data.draw(st.integers(first, last))
                copies.prepend("#ops", messages[start:end])
                first = start
            else:
                end = data.draw(st.integers(last, count))
                copies.add(messages[last:end])
                last = end
            self.assertEqual(copies.history("#ops", None, 100), messages[first:last])
            copy = copies.of("#ops")
            assert copy is not None
            self.assertEqual((copy.first, copy.last), (first + 1, last))
            self.assertIsNone(copy.trouble)
