"""The line of an invite: read, written, and never shown."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.invite import (
    DEFAULT_PORT,
    MOST_HOSTS,
    BadInvite,
    Invite,
    line,
    parse,
    parse_host,
)
from chatd.wire.names import is_name
from chatd.wire.tokens import Key

KEY = Key(bytes(range(32)))

_HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}", fullmatch=True),
    st.ip_addresses().map(str),
)
_INVITES = st.builds(
    Invite,
    st.lists(
        st.tuples(_HOSTS, st.integers(1, 65535)), min_size=1, max_size=MOST_HOSTS
    ).map(tuple),
    st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,31}", fullmatch=True).filter(is_name),
    st.binary(min_size=32, max_size=32).map(Key),
)


class InviteTests(SynchronousTestCase):
    def refusal(self, text: str) -> str:
        """Why `text` is none; the reason never holds a longer part of it."""
        with self.assertRaises(BadInvite) as caught:
            parse(text)
        reason = str(caught.exception)
        if KEY.text in text:
            self.assertNotIn(KEY.text[:12], reason)
        return reason

    @given(_INVITES)
    def test_round_trip(self, invite: Invite) -> None:
        """What was written is read again, on one line."""
        text = line(invite)
        self.assertEqual(parse(f" {text}\r\n"), invite)
        self.assertEqual(text.split(), [text])

    def test_as_the_protocol_has_it(self) -> None:
        """The line has the form that the protocol gives."""
        invite = Invite((("den.example", 5555), ("::1", 7)), "alice", KEY)
        self.assertEqual(
            line(invite),
            f"chatd://den.example:5555/?name=alice&host=[::1]:7#{KEY.text}",
        )

    def test_leniency(self) -> None:
        """A port may be missing, a parameter be unknown, a value percent-encoded."""
        found = parse(f"chatd://[::1]?x=1&host=a%3A7&name=bob#{KEY.text}")
        self.assertEqual(found, Invite((("::1", DEFAULT_PORT), ("a", 7)), "bob", KEY))

    @given(st.text() | st.text().map(lambda text: f"chatd://{text}#{KEY.text}"))
    def test_total(self, text: str) -> None:
        """Whatever the text, it is an invite or a BadInvite."""
        with contextlib.suppress(BadInvite):
            parse(text)

    def test_refusals(self) -> None:
        """Each fault is told, without the line."""
        whole = f"chatd://den:1/?name=bob#{KEY.text}"
        more = "&host=h" * MOST_HOSTS
        for text, reason in [
            ("", "begins with chatd://"),
            (whole.replace("chatd", "http"), "begins with chatd://"),
            (whole.partition("#")[0], "cut"),
            (whole[:-1], "cut"),
            (whole.replace("name=bob", ""), "name"),
            (whole.replace("bob", "Bob"), "name"),
            (whole.replace("bob", "bob&name=eve"), "name"),
            (whole.replace("den", ""), "host"),
            (whole.replace(":1", ":0"), "port"),
            (whole.replace(":1", ":65536"), "port"),
            (whole.replace(":1", ":"), "port"),
            (whole.replace("den:1", "::1"), "between [ and ]"),
            (whole.replace("den:1", "[::1"), "IPv6"),
            (whole.replace("den:1", "[fe80::1%eth0]"), "IPv6"),
            (whole.replace("den:1", "[::1]1"), "port"),
            (whole.replace("bob", f"bob{more}"), "hosts at most"),
            (whole + "x" * 9_000, "longer"),
        ]:
            with self.subTest(text=text):
                self.assertIn(reason, self.refusal(text))

    def test_repr(self) -> None:
        """The key does not show."""
        self.assertNotIn(KEY.text, repr(Invite((("den", 1),), "bob", KEY)))

    def test_host(self) -> None:
        """A host alone is read as in the line."""
        self.assertEqual(parse_host("10.0.0.1:80"), ("10.0.0.1", 80))
        self.assertEqual(parse_host("[2001:db8::1]"), ("2001:db8::1", DEFAULT_PORT))
