"""hello, welcome and refused: what is taken for one, and what is not."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire import handshake
from chatd.wire.handshake import (
    BadHandshake,
    Ephemeral,
    HelloFault,
    Refused,
    Welcome,
)
from chatd.wire.tokens import Key

LOW_ORDER = [
    bytes(32),
    bytes([1]) + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]
"""Public keys whose shared secret is all zero (RFC 7748, 6.1)."""


def said(**members: Any) -> bytes:
    return b"\x1e" + json.dumps(members).encode()


class HelloTests(SynchronousTestCase):
    """The client's first frame."""

    def setUp(self) -> None:
        self.public = Ephemeral(os.urandom).public
        self.hello = handshake.hello("test/1", "bob", self.public)
        self.members = json.loads(self.hello[1:])

    def code(self, plaintext: bytes) -> str:
        with self.assertRaises(HelloFault) as caught:
            handshake.parse_hello(plaintext)
        return str(caught.exception.code)

    def test_taken(self) -> None:
        """A hello is what it says; its name may be left out."""
        hello = handshake.parse_hello(self.hello)
        self.assertEqual(
            (hello.agent, hello.name, hello.public), ("test/1", "bob", self.public)
        )
        nameless = handshake.parse_hello(handshake.hello("test/1", None, self.public))
        self.assertIsNone(nameless.name)

    def test_faults(self) -> None:
        """Any fault is bad-hello; another version is told which are spoken."""
        for changed in (
            {"pub": None},
            {"pub": "short"},
            {"pub": self.members["pub"] + "="},
            {"pub": self.members["pub"][:-1] + "é"},
            {"name": 7},
            {"agent": "x" * 65},
            {"agent": "a\nb"},
            {"v": "1"},
            {"v": True},
        ):
            self.assertEqual(self.code(said(**self.members | changed)), "bad-hello")
        self.assertEqual(self.code(b"\x1enonsense"), "bad-hello")
        with self.assertRaises(HelloFault) as caught:
            handshake.parse_hello(said(**self.members | {"v": 2}))
        fault = caught.exception
        self.assertEqual((fault.code, fault.fields), ("version", {"versions": [1]}))

    def test_one_spelling(self) -> None:
        """A public key whose last character has spare bits set is not its spelling."""
        alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        text = self.members["pub"]
        other = text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]
        self.assertEqual(self.code(said(**self.members | {"pub": other})), "bad-hello")

    def test_low_order(self) -> None:
        """A public key that makes the secret all zero gives no keys."""
        key = Key(bytes(32))
        for peer in LOW_ORDER:
            with self.assertRaises(BadHandshake):
                Ephemeral(os.urandom).keys(peer, key, b"hello", b"welcome")


class AnswerTests(SynchronousTestCase):
    """The server's answer."""

    def setUp(self) -> None:
        self.hello = handshake.hello("test/1", None, Ephemeral(os.urandom).public)
        self.terms = Welcome("den", "bob", bytes(32), 16_384, 65_536)
        self.members = json.loads(handshake.welcome(self.hello, self.terms)[1:])

    def test_bound(self) -> None:
        """An answer to another hello, or of another version, is none."""
        other = handshake.hello("test/1", None, Ephemeral(os.urandom).public)
        for answer in (
            handshake.welcome(other, self.terms),
            handshake.refused(other, "full", "x"),
            said(**self.members | {"v": 2}),
            said(**self.members | {"op": "hello"}),
            said(**self.members | {"limits": {}}),
            said(**self.members | {"limits": {"body": 16_384, "frame": 16_384}}),
            said(**self.members | {"pub": "short"}),
            b"Server received: x",
            b"\x1e[]",
        ):
            with self.assertRaises(BadHandshake):
                handshake.parse_answer(self.hello, answer)

    def test_refused(self) -> None:
        """A refusal has its code, its reason, and perhaps when to come back."""
        for after in (None, 5000):
            fields = {} if after is None else {"retry_after": after}
            refusal = handshake.refused(self.hello, "full", "later", **fields)
            answer = handshake.parse_answer(self.hello, refusal)
            self.assertEqual(answer, Refused("full", "later", after))

    @given(st.binary(max_size=200), st.binary(max_size=60))
    def test_total(self, plaintext: bytes, tail: bytes) -> None:
        """Whatever comes is an answer, a fault or no handshake; nothing else is
        raised, and never by the recognition of a hello."""
        for text in (plaintext, b"\x1e" + plaintext, self.hello[:-3] + tail):
            handshake.is_hello(text)
            with self.assertRaises(BadHandshake):
                handshake.parse_answer(b"another", text)
