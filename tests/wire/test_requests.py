"""The parser of requests: total, strict, and the inverse of what clients write."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatd.wire.json_text import DEEPEST
from chatd.wire.names import direct, is_guest, is_name, is_room, pair
from chatd.wire.requests import (
    LARGEST_PAGE,
    LONGEST_QUERY,
    BadFrame,
    History,
    Invalid,
    Join,
    Mark,
    Members,
    Ping,
    Rekey,
    Request,
    Rooms,
    Search,
    Send,
    parse_request,
    request_text,
)
from chatd.wire.tokens import Key

BODY = 100

ids = st.from_regex(r"\A[A-Za-z0-9_.:-]{1,64}\Z")
names = st.from_regex(r"\A[a-z0-9][a-z0-9_.-]{0,31}\Z").filter(is_name)
rooms = names.map("#{}".format) | st.tuples(names, names).filter(
    lambda two: two[0] != two[1]
).map(lambda two: direct(*two))
numbers = st.integers(0, 2**53 - 1)
texts = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1
).filter(lambda text: len(text.encode()) <= BODY)
requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Join, ids, rooms, st.none() | numbers, st.none() | st.just("a" * 64)),
    st.builds(Send, ids, rooms, texts, st.none() | numbers),
    st.builds(History, ids, rooms, numbers, st.none(), st.integers(1, LARGEST_PAGE)),
    st.builds(Search, ids, texts.filter(str.split), st.none() | rooms),
    st.builds(Rooms, ids, st.none() | rooms),
    st.builds(Members, ids, rooms, st.none() | names),
    st.builds(Mark, ids, rooms, numbers, st.none() | numbers),
    st.builds(Rekey, ids, st.binary(min_size=32, max_size=32).map(Key)),
    st.builds(Ping, ids),
)
values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def parsed(**members: Any) -> Request | Invalid:
    return parse_request(json.dumps({"id": "x", **members}).encode(), BODY)


class RequestTests(SynchronousTestCase):
    """What comes is a request, an invalid one, or no frame."""

    @given(requests)
    def test_inverse(self, request: Request) -> None:
        """What a client writes is read as the same request."""
        self.assertEqual(parse_request(request_text(request), BODY), request)

    @given(st.binary(max_size=80) | values.map(lambda v: json.dumps(v).encode()))
    def test_total(self, data: bytes) -> None:
        """Nothing else is ever raised, whatever comes."""
        try:
            parse_request(data, BODY)
        except BadFrame:
            return

    @given(requests, st.text(max_size=8), values)
    def test_total_near_valid(self, request: Request, name: str, value: Any) -> None:
        """Nor for a request of which any field is anything."""
        members = json.loads(request_text(request))
        for changed in (name, *members):
            try:
                data = json.dumps(members | {changed: value}).encode()
                parse_request(data, BODY)
            except BadFrame:
                continue

    def test_bad_frames(self) -> None:
        """No object, a key twice, NaN, too deep, no id: no frame."""
        deep = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
        fine = parse_request(f'{{"op":"ping","id":"x","y":{deep}}}'.encode(), BODY)
        self.assertEqual(fine, Ping("x"))
        for data in (
            b"[]",
            b"1",
            b"",
            b'{"op":"ping"}',
            b'{"op":"ping","id":7}',
            b'{"op":"ping","id":""}',
            b'{"op":"ping","id":"a b"}',
            b'{"op":"ping","id":"x","id":"x"}',
            b'{"op":"ping","id":"x","y":NaN}',
            b'{"op":"ping","id":"x","y":-Infinity}',
            f'{{"op":"ping","id":"x","y":[{deep}]}}'.encode(),
            b'{"op":"ping","id":"' + b"x" * 65 + b'"}',
            b"[" * 100_000,
        ):
            with self.assertRaises(BadFrame):
                parse_request(data, BODY)

    def test_codes(self) -> None:
        """Each fault has its code; unknown fields are ignored."""
        for code, members in (
            ("unknown-op", {"op": "dance"}),
            ("bad-request", {"op": 7}),
            ("bad-request", {"op": "send", "room": "#a"}),
            ("bad-request", {"op": "send", "room": "#a", "body": None}),
            ("bad-request", {"op": "send", "room": "#a", "body": "\ud800"}),
            ("too-long", {"op": "send", "room": "#a", "body": "x" * (BODY + 1)}),
            ("bad-request", {"op": "join", "room": "#a", "after": None}),
            ("bad-request", {"op": "join", "room": "#a", "after": 2**53}),
            ("bad-request", {"op": "join", "room": "#a", "after": 10**30}),
            ("bad-request", {"op": "join", "room": "#a", "hash": "A" * 64}),
            ("bad-request", {"op": "history", "room": "#a", "limit": 0}),
            ("bad-request", {"op": "search", "query": "x" * (LONGEST_QUERY + 1)}),
            ("bad-request", {"op": "search", "query": "x", "next": "#a"}),
            ("bad-request", {"op": "search", "query": "x", "next": "a 1"}),
            ("bad-request", {"op": "search", "query": "x", "next": "#a 1x"}),
            ("bad-request", {"op": "search", "query": "x", "next": "#a " + "1" * 16}),
            ("bad-request", {"op": "mark", "room": "#a"}),
        ):
            found = parsed(**members)
            assert isinstance(found, Invalid), members
            self.assertEqual(found.code, code)
        self.assertEqual(parsed(op="ping", more={"of": "it"}), Ping("x"))
        longest = parsed(op="send", room="#a", body="x" * BODY)
        self.assertIsInstance(longest, Send)

    def test_keys_are_not_shown(self) -> None:
        """A rekey's key is in no repr, nor in why a bad one is refused."""
        key = Key.generate(os.urandom)
        self.assertNotIn(key.text, repr(parsed(op="rekey", key=key.text)))
        bad = parsed(op="rekey", key=key.text[:-1])
        assert isinstance(bad, Invalid)
        self.assertNotIn(key.text[:8], bad.reason)


class NameTests(SynchronousTestCase):
    """Names of users, guests and rooms."""

    def test_names(self) -> None:
        """A name has 1 to 32 characters, is not `server`, does not end in .key."""
        for name in ("a", "0", "a.b-c_d", "x" * 32, "server2", "key"):
            self.assertTrue(is_name(name), name)
        for name in (
            "",
            "A",
            "ä",
            ".a",
            "-a",
            "x" * 33,
            "server",
            "a.key",
            "a\n",
            "~a",
        ):
            self.assertFalse(is_name(name), name)
        self.assertTrue(is_guest("~a"))
        self.assertFalse(is_guest("~server"))

    def test_rooms(self) -> None:
        """A room has one spelling."""
        for room in ("#a", "@a+b", "@a+server", "@server+z", "@server+~bob"):
            self.assertTrue(is_room(room), room)
        for room in ("a", "#", "#A", "@a", "@b+a", "@a+a", "@a+b+c", "@~a+~b", "@a+~b"):
            self.assertFalse(is_room(room), room)
        self.assertEqual(pair("@a+b"), ("a", "b"))
        self.assertIsNone(pair("#a"))
