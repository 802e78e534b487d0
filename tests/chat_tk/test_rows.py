"""What is written into the list, without a display."""

from __future__ import annotations

import datetime as dt

from twisted.trial.unittest import SynchronousTestCase

from chatd.clients.chat_tk.drawable import (
    clean,
    whole,
    width,
    without_colour_pictures,
)
from chatd.clients.chat_tk.rows import (
    Body,
    Day,
    Head,
    Mark,
    Message,
    New,
    Reader,
    day_label,
    initials,
    rows,
)

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC).timestamp()
READER = Reader("mira", NOON, dt.UTC)


class DrawableTests(SynchronousTestCase):
    """Whatever strangers write may be drawn."""

    def test_strangers_characters_are_cleaned(self) -> None:
        """No controls, no bidi overrides, no half characters, a bounded length."""
        self.assertEqual(clean("a\x00b\x1b[31m\u202ec\u2028d"), "ab[31mc\nd")
        self.assertEqual(clean("x\ud83dy"), "x\ufffdy")
        self.assertEqual(clean("x" * 10, 10), "x" * 10)
        self.assertEqual(clean("x" * 11, 10), "x" * 10 + " … (cut)")

    def test_halves_of_a_pair_are_joined(self) -> None:
        """Tk 8.6 hands an emoji over as two halves."""
        self.assertEqual(whole("\ud83c\udf89"), "🎉")

    def test_colour_pictures_are_replaced(self) -> None:
        """With an old libXft no colour glyph reaches the widget; letters do."""
        self.assertEqual(without_colour_pictures("ж🎉✅"), "ж□□")

    def test_width(self) -> None:
        """Tk 8.6 counts a character from U+10000 up as two."""
        self.assertEqual(width("a🎉ж"), 4)


class RowTests(SynchronousTestCase):
    """Days, heads, bodies, and the line above what is new."""

    def test_days_have_their_names(self) -> None:
        """Near days by name, far ones by date."""
        today = dt.date(2026, 11, 23)
        for away, label in (
            (0, "Today"),
            (1, "Yesterday"),
            (2, "Saturday"),
            (7, "Monday 16 November"),
            (400, "Sunday 19 October 2025"),
        ):
            self.assertEqual(day_label(today - dt.timedelta(days=away), today), label)

    def message(self, id: int, after: float, sender: str = "mira") -> Message:
        return Message(id, sender, "text", NOON + after, Mark.STORED, seq=id)

    def test_messages_are_grouped(self) -> None:
        """One head for what a sender writes in a minute; a new one after a pause."""
        group = [self.message(1, 0), self.message(2, 10), self.message(3, 400)]
        group += [self.message(4, 401, "x"), self.message(5, 86400, "x")]
        kinds = [type(r) for r in rows(group, None, READER)]
        expected = [Day, Head, Body, Body, Head, Body, Head, Body, Day, Head, Body]
        self.assertEqual(kinds, expected)
        joined = rows([self.message(2, 11)], self.message(1, 0), READER)
        self.assertEqual([type(r) for r in joined], [Body])

    def test_new_line(self) -> None:
        """One line above the first new message, which has a head of its own."""
        group = [self.message(n, n, "bob") for n in (1, 2, 3)]
        found = rows(group, None, Reader("mira", NOON, dt.UTC, new=2))
        kinds = [type(r) for r in found]
        self.assertEqual(kinds, [Day, Head, Body, New, Head, Body, Body])

    def test_folded(self) -> None:
        """A long paste shows its beginning and offers the rest; then it is whole."""
        long = "\n".join(map(str, range(30)))
        message = Message(1, "bob", long, NOON)
        body = rows([message], None, READER)[-1]
        assert isinstance(body, Body)
        self.assertEqual(body.spans[-1].text, "Show 16 more lines")
        self.assertNotIn("29", "".join(span.text for span in body.spans[:-1]))
        whole_one = Message(1, "bob", long, NOON, unfolded=True)
        body = rows([whole_one], None, READER)[-1]
        assert isinstance(body, Body)
        self.assertEqual("".join(span.text for span in body.spans), long)

    def test_initials(self) -> None:
        """One or two letters of a name, its host left out."""
        names = ("Mira Tolk", "wei@larch", "", "ж", "x_y")
        self.assertEqual([initials(n) for n in names], ["MT", "W", "?", "Ж", "XY"])
