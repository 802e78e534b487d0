"""The plain dialect's answers, and the first frame that decides the dialect."""

from __future__ import annotations

import hashlib
import json

from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.handshake import is_hello, refused
from chatd.wire.plain import DEFAULT_FRAME, longest_text, reply


class ReplyTests(SynchronousTestCase):
    """What the server says."""

    def test_echo(self) -> None:
        """The answer is the prefix and the text, byte for byte."""
        for text in ["", "hi", "a\nb\t\r\0", "é ✓ 𝄞", "\x1e{}", "Server received: x"]:
            said = reply(text.encode(), DEFAULT_FRAME)
            self.assertEqual(said, b"Server received: " + text.encode())

    def test_not_utf8(self) -> None:
        """Bytes that are no UTF-8, surrogates among them, are refused."""
        for text in [b"\xff", b"ok\xc3", b"\xed\xa0\x80", b"\xc0\x80"]:
            said = reply(text, DEFAULT_FRAME)
            self.assertEqual(said, b"Server refused: not UTF-8 text")

    def test_too_long(self) -> None:
        """A text of frame - 17 bytes is answered; one byte more is refused."""
        longest = longest_text(DEFAULT_FRAME)
        self.assertEqual(longest, DEFAULT_FRAME - 17)
        self.assertEqual(len(reply(b"x" * longest, DEFAULT_FRAME)), DEFAULT_FRAME)
        said = reply(b"x" * (longest + 1), DEFAULT_FRAME)
        self.assertEqual(said, b"Server refused: too long")


class HelloTests(SynchronousTestCase):
    """Which texts ask for a session."""

    def test_hello(self) -> None:
        """0x1E and an object whose op is hello, whatever else stands in it."""
        for text in [
            '{"op":"hello"}',
            ' {"op": "hello", "v": 9}\n',
            '{"op":"hello","x":[]}',
        ]:
            self.assertTrue(is_hello(b"\x1e" + text.encode()), text)

    def test_faulty_hello(self) -> None:
        """A hello with faults, or one in doubt, is a hello: it is never echoed."""
        deep = b'{"op":"hello","x":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
        for text in [
            b'{"op":"hello","v":' + b"9" * 5000 + b"}",
            b'{"op":"hello","v":NaN}',
            b'{"op":"hello","op":"bye"}',
            b'{"op":"bye","op":"hello"}',
            b'{"op":"hello","x":{"op":"bye"}}',
            b'{"op":"h\\u0065llo"}',
            deep,
        ]:
            self.assertTrue(is_hello(b"\x1e" + text), text[:40])

    def test_text(self) -> None:
        """Anything else is text, even if it begins with 0x1E."""
        for text in [
            b"",
            b"\x1e",
            b"\x1ehello",
            b'{"op":"hello"}',
            b'\x1e["op","hello"]',
            b'\x1e[["op","hello"]]',
            b'\x1e"hello"',
            b'\x1e{"op":"bye"}',
            b'\x1e{"x":{"op":"hello"}}',
            b'\x1e{"op":"hello"',
            b"\x1e\xff",
            b"\x1e" + '{"op":"hello"}'.encode("utf-16"),
            b"\x1e" + b"[" * 50_000,
        ]:
            self.assertFalse(is_hello(text), text[:20])

    def test_refused(self) -> None:
        """A refusal is bound to its hello by the hash of the whole plaintext."""
        hello = b'\x1e{"op":"hello","v":1}'
        refusal = refused(hello, "version", "why", versions=[])
        self.assertEqual(refusal[:1], b"\x1e")
        self.assertEqual(
            json.loads(refusal[1:]),
            {
                "op": "refused",
                "v": 1,
                "to": hashlib.sha256(hello).hexdigest(),
                "code": "version",
                "reason": "why",
                "versions": [],
            },
        )
