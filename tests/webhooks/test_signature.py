"""chatd.webhooks.signature."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatd.webhooks.signature import LONGEST_AGE, sign, verify

NOW = 1_700_000_000


class SignatureTests(SynchronousTestCase):
    def test_vector(self) -> None:
        """HMAC-SHA256 over timestamp, dot, body; as openssl dgst -hmac says it."""
        self.assertEqual(
            sign("secret", NOW, b"{}"),
            "v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163",
        )

    def test_own(self) -> None:
        """What was signed verifies, up to the age limit on both sides."""
        signature = sign("secret", NOW, b"{}")
        for now, good in [
            (NOW, True),
            (NOW + LONGEST_AGE, True),
            (NOW + LONGEST_AGE + 1, False),
            (NOW - LONGEST_AGE, True),
            (NOW - LONGEST_AGE - 1, False),
        ]:
            self.assertIs(verify("secret", str(NOW), signature, b"{}", now), good)

    def test_others(self) -> None:
        """Another secret, time, body or spelling does not verify, nor raise."""
        right = sign("secret", NOW, b"{}")
        for secret, time, signature, body in [
            ("other", str(NOW), right, b"{}"),
            ("secret", str(NOW + 1), right, b"{}"),
            ("secret", f"0{NOW}.", right, b"{}"),
            ("secret", "\u0661", right, b"{}"),
            ("secret", "9" * 5000, right, b"{}"),
            ("secret", "", right, b"{}"),
            ("secret", str(NOW), right, b"{ }"),
            ("secret", str(NOW), right.upper(), b"{}"),
            ("secret", str(NOW), right[3:], b"{}"),
            ("secret", str(NOW), "\u00fc", b"{}"),
            ("secret", str(NOW), "", b"{}"),
        ]:
            self.assertFalse(verify(secret, time, signature, body, NOW))
