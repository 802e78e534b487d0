"""chatd.webhooks.registry and records."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from chatd.webhooks.limits import HookLimits
from chatd.webhooks.records import (
    Incoming,
    Outgoing,
    Place,
    parse_hook,
    parse_place,
    text,
)
from chatd.webhooks.registry import HookError, url_fault
from chatd.wire.json_text import read_object
from tests.webhooks.receiver import HookHouse

URL = "https://receiver.example/x"


class RegistryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = HookHouse(self)
        self.registry = self.house.registry

    def refused(self, adding: Deferred[tuple[str, str]]) -> str:
        return str(self.failureResultOf(adding, HookError).value)

    def test_listed(self) -> None:
        """What is added is listed, by room and name, after a restart too."""
        self.house.say("x", room="#other")
        for room, name in [("#other", "a"), ("#lobby", "b"), ("#lobby", "a")]:
            self.successResultOf(self.registry.add_outgoing(room, URL, name))
            self.successResultOf(self.registry.add_incoming(room, name))
        listed = self.registry.list_hooks()
        self.assertEqual(
            [(each.room, each.name, each.kind) for each in listed],
            [
                (room, name, kind)
                for room, name in [("#lobby", "a"), ("#lobby", "b"), ("#other", "a")]
                for kind in ("outgoing", "incoming")
            ],
        )
        again = HookHouse(self, None, self.house.journal)
        self.assertEqual(again.registry.list_hooks(), listed)

    def test_token(self) -> None:
        """A token opens its hook, until it is removed; nothing else does."""
        id, token = self.successResultOf(self.registry.add_incoming("#lobby", "ci"))
        found = self.registry.by_token(token)
        self.assertIsNotNone(found)
        for other in ("", token[:-1], "x" + token, "\udc80", id):
            self.assertIsNone(self.registry.by_token(other))
        self.successResultOf(self.registry.remove(id))
        self.assertIsNone(self.registry.by_token(token))
        again = HookHouse(self, None, self.house.journal)
        self.assertIsNone(again.registry.by_token(token))

    def test_token_not_kept(self) -> None:
        """No token is stored, or logged; nor are secrets shown or logged."""
        with capturedLogs() as logged:
            _, token = self.successResultOf(self.registry.add_incoming("#lobby", "ci"))
            _, secret = self.successResultOf(
                self.registry.add_outgoing("#lobby", URL, "ci")
            )
        self.assertNotIn(token, repr(self.house.journal.kept))
        for shown in (repr(logged), repr(self.registry.list_hooks())):
            self.assertNotIn(token, shown)
            self.assertNotIn(secret, shown)

    def test_removed(self) -> None:
        """A removed hook gets nothing more, and nothing of it stays."""
        id, _ = self.successResultOf(self.registry.add_outgoing("#lobby", URL, "ci"))
        self.house.say("a")
        self.successResultOf(self.registry.remove(id))
        self.house.say("b")
        self.assertEqual(self.house.receiver.bodies, ["a"])
        self.assertEqual(self.house.journal.kept, {})
        self.assertEqual(self.registry.list_hooks(), [])
        self.failureResultOf(self.registry.remove(id), HookError)

    def test_refused(self) -> None:
        """Wrong names, rooms and URLs are refused, and nothing is kept."""
        add, receive = self.registry.add_outgoing, self.registry.add_incoming
        self.house.say("hi", room="@alice+bob")
        for refused, said in [
            (add("#lobby", URL, "Ci"), "not a name"),
            (receive("#lobby", "a b"), "not a name"),
            (receive("#lobby", "a" * 28), "too long"),
            (add("#nowhere", URL, "ci"), "no such room"),
            (receive("#nowhere", "ci"), "no such room"),
            (add("@alice+bob", URL, "ci"), "conversations"),
            (receive("@alice+bob", "ci"), "conversations"),
            (add("#lobby", "ftp://a.example/", "ci"), "http"),
        ]:
            self.assertIn(said, self.refused(refused))
        self.assertEqual(self.house.journal.kept, {})

    def test_most(self) -> None:
        """So many hooks of a kind, and not one more."""
        house = HookHouse(self, HookLimits(outgoing=2, incoming=1))
        add, receive = house.registry.add_outgoing, house.registry.add_incoming
        for _ in range(2):
            self.successResultOf(add("#lobby", URL, "ci"))
        self.assertIn("there are 2", self.refused(add("#lobby", URL, "ci")))
        self.successResultOf(receive("#lobby", "ci"))
        self.assertIn("there are 1", self.refused(receive("#lobby", "ci")))

    def test_store_away(self) -> None:
        """What the store does not take is not done, and said."""
        id, token = self.successResultOf(self.registry.add_incoming("#lobby", "ci"))
        journal = self.house.journal
        journal.keep = lambda name, text: succeed(False)  # type: ignore[method-assign]
        for failing in (
            self.registry.add_outgoing("#lobby", URL, "ci"),
            self.registry.remove(id),
        ):
            error = self.failureResultOf(failing, HookError).value
            self.assertIn("try again", str(error))
        self.assertEqual([each.id for each in self.registry.list_hooks()], [id])
        self.assertIsNotNone(self.registry.by_token(token))

    def test_place_first(self) -> None:
        """A hook's place is stored before it: a crash leaves no hook without one."""
        kept: list[str] = []
        keep = self.house.journal.keep

        def note(name: str, text: str | None) -> Deferred[bool]:
            kept.append(name.partition("/")[0])
            return keep(name, text)

        self.house.journal.keep = note  # type: ignore[method-assign]  # looks on
        self.successResultOf(self.registry.add_outgoing("#lobby", URL, "ci"))
        self.assertEqual(kept, ["hook-at", "hook"])

    def test_unreadable(self) -> None:
        """A record that is damaged is told and left alone; the others work."""
        _, token = self.successResultOf(self.registry.add_incoming("#lobby", "ci"))
        self.house.journal.kept["hook/broken"] = "{"
        self.house.journal.kept["hook/placeless"] = text(
            Outgoing("placeless", "x", "#lobby", URL, "s", 1)
        )
        with capturedLogs() as logged:
            again = HookHouse(self, None, self.house.journal)
        self.assertEqual(
            [e["hook"] for e in logged if e["log_format"] == "hook-unreadable"],
            ["broken", "placeless"],
        )
        self.assertIsNotNone(again.registry.by_token(token))


class RecordTests(SynchronousTestCase):
    def test_round_trip(self) -> None:
        """What is kept is read again as it was."""
        for hook in (
            Outgoing("1", "ci", "#lobby", URL, "secret", 5),
            Incoming("2", "ci", "#lobby", "digest", 5),
        ):
            self.assertEqual(parse_hook(text(hook)), hook)
            self.assertNotIn("secret", repr(hook))
        place = Place(5, 6, "gone")
        self.assertEqual(parse_place(text(place)), place)
        self.assertEqual(read_object(text(place).encode())["seq"], 5)

    def test_damaged(self) -> None:
        """Anything else raises ValueError."""
        for damaged in ("", "[]", "{}", '{"kind":"Outgoing"}', '{"seq":1,"x":2}'):
            self.assertRaises(ValueError, parse_hook, damaged)
            self.assertRaises(ValueError, parse_place, damaged)


class URLTests(SynchronousTestCase):
    def test_good(self) -> None:
        """http and https, with ports, paths, queries, addresses."""
        for url in [
            "http://a",
            "https://a.example:8443/x/y?z=%20",
            "http://127.0.0.1:80/",
            "http://[::1]:8080/",
            "https://a/" + "x" * 2038,
        ]:
            self.assertIsNone(url_fault(url, 2048), url)

    def test_bad(self) -> None:
        """Anything else has a fault, which does not repeat the URL."""
        for url in [
            "",
            "a.example",
            "ftp://a.example/",
            "file:///etc/passwd",
            "unix:/x",
            "http://",
            "http:///x",
            "http://:80/",
            "http://a:0/",
            "http://a:99999/",
            "http://a:x/",
            "http://[::1/",
            "http://user:secret@a/",
            "http://user@a/",
            "http://a/#secret",
            "http://a/ b",
            "http://a/\r\nX: y",
            "http://\u00fc.example/",
            "https://a/" + "x" * 2039,
        ]:
            fault = url_fault(url, 2048)
            self.assertIsNotNone(fault, url)
            self.assertNotIn("secret", str(fault))
