"""What the terminal client prints."""

from __future__ import annotations

import io
import json

from twisted.trial.unittest import SynchronousTestCase

from chatd.clients.chat_term.output import Output, cleaned

EVIL = "a\x1b]0;title\x07b\x9b31mc\u202ed\x00\x7f\r\tok\nnext"


class BrokenStream(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


class OutputTests(SynchronousTestCase):
    """Replies on stdout, notices on stderr."""

    def setUp(self) -> None:
        self.stdout, self.stderr = io.StringIO(), io.StringIO()

    def output(self, *, as_json: bool = False, clean: bool = False) -> Output:
        return Output(
            lambda: self.stdout, lambda: self.stderr, as_json=as_json, clean=clean
        )

    def test_cleaned(self) -> None:
        """Nothing that steers a terminal is left; tabs, newlines and words are."""
        expected = "a\ufffd]0;title\ufffdb\ufffd31mc\ufffdd\ufffd\ufffd\ufffd\tok\nnext"
        self.assertEqual(cleaned(EVIL), expected)
        self.assertEqual(cleaned("é ✓ שלום 你好 🎉"), "é ✓ שלום 你好 🎉")

    def test_terminal(self) -> None:
        """At a terminal a reply is cleaned, as text and as JSON."""
        self.output(clean=True).reply("x", EVIL, 0.1)
        self.assertEqual(self.stdout.getvalue(), cleaned(EVIL) + "\n")
        self.output(clean=True, as_json=True).reply("x", "\x9b\u202e", 0.1)
        line = self.stdout.getvalue().splitlines()[-1]
        self.assertTrue(line.isascii())
        self.assertEqual(json.loads(line)["reply"], "\x9b\u202e")

    def test_pipe(self) -> None:
        """In a pipe a reply is passed on byte for byte."""
        self.output().reply("x", EVIL, 0.1)
        self.assertEqual(self.stdout.getvalue(), EVIL + "\n")

    def test_notices(self) -> None:
        """Notices and failures go to stderr, cleaned."""
        self.output().failure("x", "no\x1bway")
        self.assertEqual(self.stdout.getvalue(), "")
        self.assertEqual(self.stderr.getvalue(), "chat-term: not said: no\ufffdway\n")

    def test_json_failure(self) -> None:
        """With JSON a failure is an object, too."""
        self.output(as_json=True).failure("x", "why")
        said = json.loads(self.stdout.getvalue())
        self.assertEqual(said, {"sent": "x", "error": "why"})

    def test_reader_gone(self) -> None:
        """Once nobody reads, nothing more is written or complained of."""
        self.stdout = BrokenStream()
        output = self.output()
        output.reply("x", "y", 0.1)
        self.assertTrue(output.gone)
        output.reply("x", "y", 0.1)
        output.failure("x", "why")
        self.assertEqual(self.stderr.getvalue(), "")
