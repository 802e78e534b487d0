"""Keys and tokens, against cryptography.fernet."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.framing import token_length
from chatd.wire.tokens import BadKey, Key, Refusal, Sealer, Signatures

NOW = 1_700_000_000
KEY = Key(bytes(range(32)))
ORACLE = Fernet(KEY.text)

batches = st.lists(st.binary(max_size=100), max_size=8)


def sealer(now: float = NOW) -> Sealer:
    return Sealer(KEY, lambda: now, os.urandom)


def by_oracle(text: bytes, made: int = NOW) -> bytes:
    return ORACLE.encrypt_at_time(text, made)


class KeyTests(SynchronousTestCase):
    """Keys as text."""

    def test_parse(self) -> None:
        """What Fernet.generate_key() gives is a key, with or without a newline."""
        text = Fernet.generate_key()
        self.assertEqual(Key.parse(text).text.encode(), text)
        self.assertEqual(Key.parse(text + b"\n"), Key.parse(text.decode()))

    def test_refuses(self) -> None:
        """Anything else is refused, and the message does not hold it."""
        good = KEY.text
        for bad in [
            "",
            "secret",
            good[:-1],
            good + "A",
            good[:-2] + "9=",  # trailing bits
            good.replace("=", ""),
            good[:20] + "\n" + good[20:],
            good[:-2] + "é=",
            "//" + good[2:],
        ]:
            with self.assertRaises(BadKey) as caught:
                Key.parse(bad)
            if bad:
                self.assertNotIn(bad, str(caught.exception))
        self.assertRaises(BadKey, Key, b"x" * 31)

    def test_shows_its_id_alone(self) -> None:
        """Neither repr nor str shows the key; different keys have different ids."""
        self.assertEqual(repr(KEY), f"<Key {KEY.id}>")
        self.assertNotIn(KEY.text, str(KEY))
        self.assertNotEqual(KEY.id, Key.generate(os.urandom).id)

    def test_equality(self) -> None:
        """Keys are equal by their bytes, and to nothing else."""
        self.assertEqual(len({KEY, Key(KEY.raw)}), 1)
        self.assertNotEqual(KEY, KEY.text)


class SealingTests(SynchronousTestCase):
    """Sealing and opening."""

    @settings(deadline=None, derandomize=True)
    @given(batches)
    def test_seal(self, texts: list[bytes]) -> None:
        """The oracle opens every sealed token, and reads the time in it."""
        tokens = sealer().seal(texts)
        self.assertEqual([ORACLE.decrypt(token) for token in tokens], texts)
        for text, token in zip(texts, tokens, strict=True):
            self.assertEqual(ORACLE.extract_timestamp(token), NOW)
            self.assertEqual(len(token), token_length(len(text)))

    @settings(deadline=None, derandomize=True)
    @given(batches)
    def test_open(self, texts: list[bytes]) -> None:
        """What the oracle sealed is opened."""
        self.assertEqual(sealer().open([by_oracle(text) for text in texts]), texts)

    def test_ivs_differ(self) -> None:
        """No two tokens of a key share an IV, in one batch or over several."""
        one = sealer()
        tokens = one.seal([b"x"] * 500) + [one.seal([b"x"])[0] for _ in range(500)]
        ivs = {base64.urlsafe_b64decode(token)[9:25] for token in tokens}
        self.assertEqual(len(ivs), 1000)

    @settings(deadline=None, derandomize=True, max_examples=300)
    @given(st.binary(max_size=64), st.data())
    def test_one_byte_added(self, text: bytes, data: st.DataObject) -> None:
        """A token with one byte added anywhere does not open."""
        token = by_oracle(text)
        at = data.draw(st.integers(0, len(token)))
        byte = data.draw(st.binary(min_size=1, max_size=1))
        longer = token[:at] + byte + token[at:]
        self.assertIsInstance(sealer().open([longer])[0], Refusal)

    @settings(deadline=None, derandomize=True, max_examples=300)
    @given(st.binary(max_size=64), st.data())
    def test_one_byte_changed(self, text: bytes, data: st.DataObject) -> None:
        """A token with any byte changed does not open: not even to the same text."""
        token = bytearray(by_oracle(text))
        at = data.draw(st.integers(0, len(token) - 1))
        token[at] ^= data.draw(st.integers(1, 255))
        self.assertIsInstance(sealer().open([bytes(token)])[0], Refusal)

    def test_what_the_oracle_takes_too_freely(self) -> None:
        """Texts that Fernet.decrypt opens, though not canonical, are refused."""
        text = b"sixteen letters."
        token = by_oracle(text)  # its base64 ends in one "="
        self.assertTrue(token.endswith(b"=") and not token.endswith(b"=="))
        digit = token[-2:-1]
        spare = bytes((digit[0] + 1,))  # differs in the bits behind the last byte
        joined = token + by_oracle(b"again")
        accepted = 0
        for variant in [
            token + b"\n",
            token + b"=",
            b" " + token,
            joined,
            token[:50] + b"\n" + token[50:],
            token[:-2] + spare + b"=",
        ]:
            self.assertEqual(sealer().open([variant]), [Refusal.MALFORMED], variant)
            with contextlib.suppress(InvalidToken):
                accepted += ORACLE.decrypt(variant) == text
        self.assertGreater(accepted, 2)
        for n in range(50):  # until a token has a letter that differs
            token = by_oracle(b"%d" % n)
            standard = token.replace(b"-", b"+").replace(b"_", b"/")
            if standard != token:
                break
        self.assertNotEqual(standard, token)
        self.assertEqual(sealer().open([standard]), [Refusal.MALFORMED])

    def test_refusals_leave_the_others(self) -> None:
        """A bad token in a batch takes no other with it."""
        wrong = Fernet(Fernet.generate_key()).encrypt(b"x")
        tokens = [by_oracle(b"1"), wrong, b"junk", b"", by_oracle(b"2"), b"A" * 100]
        expected: Sequence[bytes | Refusal] = [
            b"1",
            Refusal.WRONG_KEY,
            Refusal.MALFORMED,
            Refusal.MALFORMED,
            b"2",
            Refusal.MALFORMED,
        ]
        self.assertEqual(sealer().open(tokens), expected)

    def test_signed_but_badly_padded(self) -> None:
        """A token rightly signed but wrongly padded is refused, not cut at random."""
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.hmac import HMAC

        signed = b"\x80" + NOW.to_bytes(8, "big") + os.urandom(16)
        for _ in range(20):
            mac = HMAC(KEY.raw[:16], hashes.SHA256())
            body = signed + os.urandom(32)
            mac.update(body)
            token = base64.urlsafe_b64encode(body + mac.finalize())
            try:
                ORACLE.decrypt(token)
            except InvalidToken:
                self.assertEqual(sealer().open([token]), [Refusal.MALFORMED])
                return
        self.fail("twenty random blocks were all rightly padded")

    def test_ttl(self) -> None:
        """With a ttl of 10, tokens from 10 s ago to 60 s ahead open, no others."""
        for age, expected in [
            (10, b"x"),
            (11, Refusal.EXPIRED),
            (-60, b"x"),
            (-61, Refusal.FUTURE),
        ]:
            token = by_oracle(b"x", NOW - age)
            self.assertEqual(sealer().open([token], 10), [expected], age)
            self.assertEqual(sealer().open([token]), [b"x"])

    def test_token_length_edges(self) -> None:
        """token_length holds at the default limit and around each block."""
        for size in [0, 15, 16, 17, 65_535, 65_536, 65_537]:
            self.assertEqual(token_length(size), len(by_oracle(b"x" * size)))
        self.assertEqual(token_length(0), 100)


class SignaturesTests(SynchronousTestCase):
    """Whose key it was, of many."""

    def test_found(self) -> None:
        """The key that sealed a token is found, and none for anything else."""
        keys = [Key.generate(os.urandom) for _ in range(3)]
        signatures = Signatures(keys)
        for key in keys:
            (token,) = Sealer(key, lambda: NOW, os.urandom).seal([b"x"])
            self.assertEqual(signatures.find(token), key)
        for token in (by_oracle(b"x"), b"", b"!", b"AAAA", b"A" * 100):
            self.assertIsNone(signatures.find(token))
