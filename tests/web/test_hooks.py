"""chatd.web.hooks and chatd.webhooks.incoming."""

from __future__ import annotations

import json
from itertools import count

from treq import text_content
from treq.client import HTTPClient
from treq.testing import RequestTraversalAgent
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource

from chatd.journal.interface import Draft
from chatd.web.hooks import Hooks
from chatd.webhooks.incoming import Inbox
from tests.webhooks.receiver import Body, HookHouse

JSON = "application/json"


class PostCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = house = HookHouse(self)
        numbers = count(1)
        inbox = Inbox(
            house.world,
            house.registry,
            lambda n: next(numbers).to_bytes(n, "big"),
            house.limits.body,
        )
        root = Resource()
        root.putChild(b"hooks", Hooks(inbox))
        self.agent = RequestTraversalAgent(root)
        self.client = HTTPClient(self.agent, data_to_body_producer=Body)
        self.token = self.hook("ci")

    def hook(self, name: str, room: str = "#lobby") -> str:
        adding = self.house.registry.add_incoming(room, name)
        return self.successResultOf(adding)[1]

    def posting(
        self,
        data: bytes,
        kind: str = "text/plain",
        key: str | None = None,
        token: str | None = None,
        method: str = "POST",
    ) -> Deferred[tuple[int, str, dict[str, str]]]:
        headers = Headers({"Content-Type": [kind]})
        if key is not None:
            headers.addRawHeader("Idempotency-Key", key)
        url = f"http://chatd.example/hooks/{token or self.token}"

        async def post() -> tuple[int, str, dict[str, str]]:
            response = await self.client.request(
                method, url, data=data, headers=headers
            )
            told = {
                name.decode(): values[0].decode()
                for name, values in response.headers.getAllRawHeaders()
            }
            return response.code, await text_content(response), told

        return Deferred.fromCoroutine(post())

    def post(
        self, data: bytes, kind: str = "text/plain", key: str | None = None
    ) -> int:
        """The code of the answer."""
        return self.successResultOf(self.posting(data, kind, key))[0]

    def said(self) -> list[tuple[str, str, str | None]]:
        """Room, sender and body of all messages."""
        return [(m.room, m.sender, m.body) for m in self.house.journal.log]


class PostTests(PostCase):
    def test_text(self) -> None:
        """Text comes into the room of the token; the answer is its receipt."""
        code, text, headers = self.successResultOf(self.posting("grüß dich".encode()))
        self.assertEqual((code, headers["Content-Type"]), (200, JSON))
        (message,) = self.house.journal.log
        receipt = {"room": "#lobby", "seq": 1, "time": message.time}
        self.assertEqual(json.loads(text), receipt)
        self.assertEqual(self.said(), [("#lobby", "hook-ci", "grüß dich")])

    def test_read_by_people(self) -> None:
        """A member reads it like any message."""
        alice = self.house.session("alice")
        alice.ask("join", room="#lobby")
        self.post(b"deployed")
        (push,) = alice.pushed("message")
        self.assertEqual((push["sender"], push["body"]), ("hook-ci", "deployed"))

    def test_curl(self) -> None:
        """What `curl -d` calls a form is taken as the text that it is."""
        self.post(b"a=b&c %41", "application/x-www-form-urlencoded")
        self.assertEqual(self.said()[0][2], "a=b&c %41")

    def test_lines(self) -> None:
        """Lines may end as on any system; blank ones around the text are dropped."""
        self.post(b"\na\r\nb\n\n")
        self.assertEqual(self.said()[0][2], "a\nb")

    def test_json(self) -> None:
        """JSON's text is said; members not known are ignored."""
        data = json.dumps({"text": "hi", "attachments": []}).encode()
        self.assertEqual(self.post(data, JSON + "; charset=utf-8"), 200)
        self.assertEqual(self.said(), [("#lobby", "hook-ci", "hi")])

    def test_longest(self) -> None:
        """The longest text is taken, in JSON with each letter escaped, too."""
        longest = self.house.limits.body
        self.assertEqual(self.post(b"x" * longest), 200)
        escaped = '{"text":"' + "\\u0078" * longest + '"}'
        self.assertEqual(self.post(escaped.encode(), JSON), 200)
        self.assertEqual([len(m[2] or "") for m in self.said()], [longest] * 2)

    def test_on_disk_first(self) -> None:
        """There is no answer before the message is on disk."""
        self.house.journal.hold = True
        posting = self.posting(b"a")
        self.agent.flush()
        self.assertNoResult(posting)
        self.house.journal.release()
        self.agent.flush()
        self.assertEqual(self.successResultOf(posting)[0], 200)


class OnceTests(PostCase):
    def test_again(self) -> None:
        """The same key again gets the same receipt, and says nothing twice."""
        first = self.successResultOf(self.posting(b"a", key="build/7 é"))
        self.house.wait(5)
        again = self.successResultOf(self.posting(b"a", key="build/7 é"))
        self.assertEqual(first[:2], again[:2])
        self.assertEqual(len(self.said()), 1)

    def test_json_id(self) -> None:
        """JSON's id is such a key, too; the header's goes first."""
        data = json.dumps({"text": "a", "id": "7"}).encode()
        for _ in range(2):
            self.assertEqual(self.post(data, JSON), 200)
        self.assertEqual(self.post(b"a", key="7"), 200)
        self.assertEqual(len(self.said()), 1)
        self.assertEqual(self.post(data, JSON, key="8"), 200)
        self.assertEqual(len(self.said()), 2)

    def test_none(self) -> None:
        """Without a key each post is a new one."""
        for _ in range(2):
            self.post(b"a")
        self.assertEqual(len(self.said()), 2)

    def test_conflict(self) -> None:
        """A key used for another text is a conflict."""
        self.post(b"a", key="7")
        self.assertEqual(self.post(b"b", key="7"), 409)

    def test_own(self) -> None:
        """Two hooks may use one key, though they have one name."""
        self.post(b"a", key="7")
        other = self.hook("ci")
        code, _, _ = self.successResultOf(self.posting(b"b", key="7", token=other))
        self.assertEqual(code, 200)
        self.assertEqual(len(self.said()), 2)


class RefusedTests(PostCase):
    def test_codes(self) -> None:
        """What is wrong is refused with its code and a line; nothing is said."""
        longest = self.house.limits.body
        for data, kind, key, code in [
            (b"", "text/plain", None, 400),
            (b"\n", "text/plain", None, 400),
            (b"\xff", "text/plain", None, 400),
            (b"a\x00", "text/plain", None, 400),
            (b"{", JSON, None, 400),
            (b"[]", JSON, None, 400),
            (b"{}", JSON, None, 400),
            (b'{"text":1}', JSON, None, 400),
            (b'{"text":"a","id":1}', JSON, None, 400),
            (b'{"text":"\\ud800"}', JSON, None, 400),
            (b"a", "text/plain", "", 400),
            (b"a", "text/plain", "k" * 201, 400),
            (b"a", "application/xml", None, 415),
            (b"x" * (longest + 1), "text/plain", None, 413),
            (b"x" * 10**6, "text/plain", None, 413),
        ]:
            answered, line, _ = self.successResultOf(self.posting(data, kind, key))
            self.assertEqual(answered, code, data[:20])
            self.assertEqual(line.count("\n"), 1)
        self.assertEqual(self.said(), [])

    def test_longest_key(self) -> None:
        """A key of 200 letters is taken."""
        self.assertEqual(self.post(b"a", key="k" * 200), 200)

    def test_wrong_token(self) -> None:
        """A token that is none, or none any more, is 404."""
        hooks = self.house.registry.list_hooks()
        for token in ("x", self.token + "x", self.token + "/x", "%ff", "%00"):
            code, line, _ = self.successResultOf(self.posting(b"a", token=token))
            self.assertEqual(code, 404)
            self.assertNotIn(token, line)
        self.successResultOf(self.house.registry.remove(hooks[0].id))
        self.assertEqual(self.post(b"a"), 404)

    def test_methods(self) -> None:
        """Only POST is understood."""
        for method in ("GET", "PUT", "DELETE"):
            code, _, headers = self.successResultOf(self.posting(b"", method=method))
            self.assertEqual((code, headers["Allow"]), (405, "POST"))

    def test_rate(self) -> None:
        """50 at once and 5 a second in the long run; of one token alone."""
        codes = [self.post(b"a") for _ in range(51)]
        self.assertEqual(codes, [200] * 50 + [429])
        code, _, headers = self.successResultOf(self.posting(b"a"))
        self.assertEqual((code, headers["Retry-After"]), (429, "1"))
        other = self.successResultOf(self.posting(b"a", token=self.hook("b")))
        self.assertEqual(other[0], 200)
        self.house.wait(0.2)
        self.assertEqual([self.post(b"a"), self.post(b"a")], [200, 429])

    def test_store_away(self) -> None:
        """What cannot be stored now is 503, to be posted again."""
        self.house.journal.fault = lambda draft: "not-stored"
        code, _, headers = self.successResultOf(self.posting(b"a", key="7"))
        self.assertEqual((code, headers["Retry-After"]), (503, "1"))
        self.house.journal.fault = lambda draft: None
        self.assertEqual(self.post(b"a", key="7"), 200)

    def test_stopping(self) -> None:
        """A daemon that stops says 503, not that there is no such hook."""
        self.house.registry.stop()
        code, _, headers = self.successResultOf(self.posting(b"a"))
        self.assertEqual((code, headers["Retry-After"]), (503, "1"))

    def test_bug(self) -> None:
        """A bug is 500 and one line of the log, without token or text."""

        def broken(draft: Draft) -> str | None:
            raise RuntimeError(draft.body)

        self.house.journal.fault = broken
        with capturedLogs() as logged:
            self.assertEqual(self.post(b"said-in-secret"), 500)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual([e["log_format"] for e in logged], ["hook-post-failed"])

    def test_client_gone(self) -> None:
        """A client that left before the answer does no harm; its text is said."""
        self.house.journal.hold = True
        posting = self.posting(b"a")
        posting.addErrback(lambda _: None)
        posting.cancel()
        self.agent.flush()
        self.house.journal.hold = False
        self.house.journal.release()
        self.agent.flush()
        self.assertEqual(len(self.said()), 1)
        self.assertEqual(self.post(b"b"), 200)

    def test_not_logged(self) -> None:
        """Neither token nor text comes into the log, whatever becomes of the post."""
        with capturedLogs() as logged:
            self.post(b"said-in-secret")
            self.post(b"said-in-secret\x00")
        self.assertNotIn(self.token, repr(logged))
        self.assertNotIn("said-in-secret", repr(logged))
