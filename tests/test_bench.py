"""The benchmarks run and measure what they say; how fast is not tested."""

from __future__ import annotations

import contextlib
import io
import json
import shutil

from twisted.trial.unittest import SynchronousTestCase

from bench import ack, chat, idle, window
from tests.chat_tk import xvfb


class BenchTests(SynchronousTestCase):
    """Short runs."""

    if shutil.which("cc") is None:
        skip = "no C compiler (apt-get install gcc): the load generator is in C"

    def run_main(self, main: object, *words: str) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            self.assertEqual(main(list(words)), 0)  # type: ignore[operator]  # a main
        return out.getvalue()

    def test_ack(self) -> None:
        """Both shapes, all servers, right replies from each, ratios to the base."""
        said = self.run_main(ack.main, "--rounds", "1", "--seconds", "0.2", "--json")
        results = json.loads(said)
        self.assertEqual(len(results), 2)
        for servers in results.values():
            self.assertLessEqual({"chatd", ack.BASE, "threads"}, set(servers))
            self.assertEqual(servers[ack.BASE]["ratio"], 1.0)
            for row in servers.values():
                self.assertGreater(row["acks_per_second"], 0)
                self.assertGreaterEqual(row["p99_us"], row["p50_us"])

    def test_idle(self) -> None:
        """A burst, memory, and the cost of idle connections."""
        said = self.run_main(idle.main, "--connections", "200", "--rounds", "1")
        self.assertEqual(len(said.splitlines()), 3)

    def test_chat(self) -> None:
        """Durable acks beside raw SQLite, fan-out, a crowd: all of it is counted."""
        sizes = ("--messages", "40", "--sessions", "8", "--seconds", "0.5")
        said = self.run_main(chat.main, "--rounds", "1", *sizes)
        for word in ("raw", "journal", "daemon", "ratio", "deliveries", "sessions"):
            self.assertIn(word, said)


class WindowBenchTests(SynchronousTestCase):
    """A short run."""

    def test_window(self) -> None:
        """Opening, paging, jumping, and doing nothing."""
        if not xvfb.display():
            self.skipTest(xvfb.MISSING)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            window.main(["--messages", "1500", "--seconds", "0.5"])
        for word in ("open:", "a page above:", "a jump:", "idle:"):
            self.assertIn(word, out.getvalue())
