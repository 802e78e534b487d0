"""What is written into the list, without a display."""

from __future__ import annotations

import datetime as dt

from twisted.trial.unittest import SynchronousTestCase

from chatd.clients.chat_tk.spans import (
    Body,
    Day,
    Head,
    Mark,
    Message,
    Span,
    clean,
    day_label,
    initials,
    linkify,
    rows,
    whole,
    without_colour_pictures,
)

NOON = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC).timestamp()


class SpanTests(SynchronousTestCase):
    def test_links_end_where_people_mean(self) -> None:
        """Punctuation and unopened brackets after an address are not part of it."""
        for text, links in (
            ("see https://a.org/x.", ["https://a.org/x"]),
            ("(https://a.org/x)", ["https://a.org/x"]),
            ("https://en.wiki/Foo_(bar)", ["https://en.wiki/Foo_(bar)"]),
            ("www.a.org!", ["www.a.org"]),
            ("https://", []),
            ("a@b.c and `https://no.org`", []),
            ("http://a http://b", ["http://a", "http://b"]),
        ):
            spans = linkify(text)
            self.assertEqual([s.text for s in spans if s.href], links)
            self.assertEqual("".join(s.text for s in spans), text.replace("`", ""))

    def test_only_web_addresses_are_links(self) -> None:
        """Nobody can send a link to a file or a script."""
        for text in ("file:///etc/passwd", "javascript:alert(1)", "mailto:a@b.c"):
            self.assertEqual(linkify(text), (Span(text),))
        self.assertEqual(linkify("www.a.org")[0].href, "https://www.a.org")

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

    def test_messages_are_grouped(self) -> None:
        """One head for what a sender writes in a row; a new one after a pause."""

        def message(id: int, after: float, sender: str = "mira") -> Message:
            return Message(id, sender, "text", NOON + after, Mark.STORED)

        group = [message(1, 0), message(2, 10), message(3, 400), message(4, 401, "x")]
        group.append(message(5, 86400, "x"))
        kinds = [type(r) for r in rows(group, None, NOON, dt.UTC)]
        expected = [Day, Head, Body, Body, Head, Body, Head, Body, Day, Head, Body]
        self.assertEqual(kinds, expected)
        joined = rows([message(2, 11)], message(1, 0), NOON, dt.UTC)
        self.assertEqual([type(r) for r in joined], [Body])

    def test_initials(self) -> None:
        """One or two letters of a name, its host left out."""
        names = ("Mira Tolk", "wei@larch", "", "ж", "x_y")
        self.assertEqual([initials(n) for n in names], ["MT", "W", "?", "Ж", "XY"])
