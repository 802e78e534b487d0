"""chatctl's tables: aligned, and nothing in them steers the terminal."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.ctl_table import moment, printable, table


class TableTests(SynchronousTestCase):
    def test_columns(self) -> None:
        """Aligned, also where a letter takes two columns or none of its own."""
        rows: list[list[object]] = [
            ["alice", 1, True],
            ["木村", None, False],
            ["e\u0301", "", True],
        ]
        self.assertEqual(
            list(table(["NAME", "N", "ON"], rows)),
            [
                "NAME   N  ON",
                "alice  1  yes",
                "木村   -  no",
                "e\u0301      -  yes",
            ],
        )

    def test_width(self) -> None:
        """At the terminal's width a line stands, one longer is cut."""
        self.assertEqual(list(table(["ab"], [["abcd"]], 4)), ["ab", "abcd"])
        self.assertEqual(list(table(["ab"], [["abcde"]], 4)), ["ab", "abc…"])
        self.assertEqual(list(table(["ab"], [["木村木"]], 4)), ["ab", "木…"])

    def test_control(self) -> None:
        """Neither colours, nor lines, nor the direction of writing come through."""
        for letter in ("\x1b", "\n", "\r", "\x9b", "\u202e", "\u2028", "\x7f"):
            self.assertEqual(printable(f"a{letter}b"), "a\ufffdb")
            self.assertEqual(list(table(["A"], [[f"a{letter}"]]))[1], "a\ufffd")

    def test_moment(self) -> None:
        """The time of day, everywhere the same; none is nothing."""
        self.assertEqual(moment(1_700_000_000_999), "2023-11-14 22:13:20 UTC")
        self.assertEqual(moment(None), "")
