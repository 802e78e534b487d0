"""docs/webhooks.md: what is printed there is run."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import time

from twisted.trial.unittest import SynchronousTestCase

from chatd.server.limits import Limits
from chatd.webhooks.limits import HookLimits
from chatd.webhooks.signature import LONGEST_AGE, sign
from chatd.wire.json_text import write
from tests.helpers import ROOT, STOP_SECONDS, project_environment
from tests.test_docs import block

SHARED = "shared"
PAGE = (ROOT / "docs" / "webhooks.md").read_text()


class ReceiverTests(SynchronousTestCase):
    """The receiver."""

    def setUp(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", block(PAGE, "python"), "0"],
            env=project_environment(CHATD_HOOK_SECRET=SHARED),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.addCleanup(self.end)
        self.port = int(self.line().split()[-1])

    def end(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=STOP_SECONDS)

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def deliver(self, seq: int, secret: str = SHARED, age: int = 0) -> int:
        """The code of the answer."""
        body = write({"room": "#ops", "seq": seq, "sender": "alice", "body": f"m{seq}"})
        stamp = int(time.time()) - age
        headers = {
            "Chatd-Timestamp": str(stamp),
            "Chatd-Signature": sign(secret, stamp, body),
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, STOP_SECONDS)
        connection.request("POST", "/", body, headers)
        code = connection.getresponse().status
        connection.close()
        return code

    def test_receiver(self) -> None:
        """It takes what is signed and new, each once, and nothing else."""
        for seq, secret, age, code in [
            (1, SHARED, 0, 204),
            (1, SHARED, 0, 204),
            (2, "other", 0, 403),
            (2, SHARED, LONGEST_AGE + 60, 403),
            (2, SHARED, 0, 204),
        ]:
            self.assertEqual(self.deliver(seq, secret, age), code)
        self.assertEqual([self.line(), self.line()], ["alice m1\n", "alice m2\n"])


class FigureTests(SynchronousTestCase):
    """The figures."""

    def test_limits(self) -> None:
        """They are the limits', here and in docs/operations.md."""
        limits, words = HookLimits(), " ".join(PAGE.split())
        rows = (ROOT / "docs" / "operations.md").read_text()
        for text in (
            f"There are {limits.outgoing} outgoing and {limits.incoming} incoming",
            f"more than {limits.posts:.0f} a second in the long run,"
            f" or {limits.post_burst:.0f} at once",
            f"within {limits.timeout:.0f} s",
            f"after {limits.first_retry:.0f} s, 2 s",
            f"{limits.last_retry / 60:.0f} min, less",
            f"may be ({Limits().body} bytes)",
        ):
            self.assertIn(text, words)
        self.assertEqual(limits.failing, 5 * 86_400)
        self.assertEqual(limits.retry_after, 3_600)
        for row in (
            f"| outgoing webhooks | {limits.outgoing}; {limits.url} bytes of URL |",
            f"| incoming webhooks | {limits.incoming} |",
            f"| a receiver's answer | {limits.timeout:.0f} s,",
            f"| body of an answer | {limits.answer // 1024} KiB;",
            f"| an `Idempotency-Key` | {limits.key} letters |",
        ):
            self.assertIn(row, rows)

    def test_codes(self) -> None:
        """The table has each code that a post is answered with."""
        sources = [
            (ROOT / "chatd" / path).read_text()
            for path in ("web/hooks.py", "webhooks/incoming.py")
        ]
        said = set(re.findall(r"NotTaken\(\s*(\d+)", "".join(sources)))
        said |= set(re.findall(r"answer\((\d+)", "".join(sources)))
        table = PAGE.partition("| code |")[2].partition("\n\n")[0]
        told = set(
            re.findall(r"\b\d{3}\b", "".join(re.findall(r"(?m)^\| [\d, ]+ \|", table)))
        )
        self.assertEqual(told, said | {"413"})
