"""Runs of one kind in a message, without a display."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.clients.chat_tk import markup
from chatd.clients.chat_tk.markup import Span, folded, mentions, runs


class RunTests(SynchronousTestCase):
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
            spans = runs(text)
            self.assertEqual([s.text for s in spans if s.href], links)
            self.assertEqual("".join(s.text for s in spans), text.replace("`", ""))

    def test_only_web_addresses_are_links(self) -> None:
        """Nobody can send a link to a file or a script."""
        for text in ("file:///etc/passwd", "javascript:alert(1)", "mailto:a@b.c"):
            self.assertEqual(runs(text), (Span(text),))
        self.assertEqual(runs("www.a.org")[0].href, "https://www.a.org")

    def test_code_blocks(self) -> None:
        """Lines between fences are code; an open fence reaches the end."""
        found = runs("see\n```python\nx = `1`\n\ny\n```\nthere")
        self.assertEqual(
            found, (Span("see\n"), Span("x = `1`\n\ny", "block"), Span("there"))
        )
        self.assertEqual(runs("```\na @mira", "mira"), (Span("a @mira", "block"),))
        self.assertEqual(runs("```\n```"), ())

    def test_mentions(self) -> None:
        """@name is told apart; the reader's own with or without the sign."""
        found = runs("@bob, Mira and @mira. not x@mira", "mira")
        kinds = [(span.text, span.kind) for span in found if span.kind]
        self.assertEqual(kinds, [("@bob", "mention"), ("Mira", "me"), ("@mira", "me")])

    def test_who_is_spoken_of(self) -> None:
        """Not in code, in an address, or as a part of another name."""
        for text in ("hi mira", "@MIRA!", "(mira)", "mira: look"):
            self.assertTrue(mentions(text, "mira"), text)
        for text in (
            "`mira`",
            "```\nmira\n```",
            "https://a.org/mira",
            "mira-lou",
            "@mira2",
            "admiral",
            "",
        ):
            self.assertFalse(mentions(text, "mira"), text)

    def test_nothing_is_lost(self) -> None:
        """Whatever is written, all of it is shown, but the fences."""
        text = "a `b` @c https://d.e/f, mira\n" * 3
        shown = "".join(span.text for span in runs(text, "mira"))
        self.assertEqual(shown, text.replace("`", ""))


class FoldTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """At the limit all is shown, at one more the beginning."""
        text = "\n".join(["x"] * markup.FOLD_LINES)
        self.assertEqual(folded(text), (text, ""))
        beginning, rest = folded(text + "\nx")
        self.assertEqual(beginning.count("\n") + 1, markup.FOLDED_LINES)
        self.assertEqual(rest, "Show 5 more lines")

    def test_letters(self) -> None:
        """One endless line is folded, too."""
        text = "x" * markup.FOLD_LETTERS
        self.assertEqual(folded(text), (text, ""))
        beginning, rest = folded(text + "x")
        self.assertEqual(len(beginning), markup.FOLDED_LETTERS + 1)
        self.assertEqual(rest, "Show all of it")
