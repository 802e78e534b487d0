"""What is measured is what the documents, the alerts and the dashboard speak of."""

from __future__ import annotations

import json
import re
from typing import Any, cast

import yaml
from prometheus_client.metrics_core import Metric
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from chatd.server.meters import MOST_REASONS, Histogram
from chatd.server.meters import Meters as Counts
from chatd.web.health import Health
from chatd.web.house import House
from chatd.web.metrics import Meters
from tests.helpers import ROOT
from tests.server.house import House as ServerHouse

_SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": [""]}


class Waiting:
    """A journal of which nothing is asked but this."""

    waiting = 0


class NoHooks:
    def list_hooks(self) -> list[Any]:
        return []


class MonitoringCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = server = ServerHouse(self)
        self.house = House(
            server.factory,
            server.hub,
            cast(Any, Waiting()),
            server.users,
            server.keyring,
            cast(Any, NoHooks()),
            cast(Any, None),
            server.now,
            server.now(),
            list,
        )

    def families(self) -> list[Metric]:
        return list(Meters(self.house).collect())

    def names(self) -> set[str]:
        """As the documents call them."""
        return {f.name + _SUFFIXES[f.type][0] for f in self.families()}

    def samples(self) -> set[str]:
        """As queries call them."""
        found = self.names()
        for family in self.families():
            if family.type == "histogram":
                found |= {family.name + s for s in ("_bucket", "_sum", "_count")}
        return found


class NameTests(MonitoringCase):
    def test_documented(self) -> None:
        """docs/operations.md lists all metrics, and no other."""
        text = (ROOT / "docs" / "operations.md").read_text()
        rows = [line for line in text.split("\n") if line.startswith("| `chatd_")]
        listed = {
            n for r in rows for n in re.findall(r"`(chatd_\w+)`", r.split("|")[1])
        }
        self.assertEqual(listed, self.names())

    def assert_measured(self, expression: str) -> None:
        for name in re.findall(r"\b(?:chatd|process)_\w+", expression):
            if name.startswith("chatd_"):
                self.assertIn(name, self.samples(), expression)

    def test_alerts(self) -> None:
        """Each alert is about something measured, and says what to do."""
        found = yaml.safe_load((ROOT / "etc/prometheus/alerts.yml").read_text())
        rules = found["groups"][0]["rules"]
        self.assertGreater(len(rules), 8)
        for rule in rules:
            self.assert_measured(rule["expr"])
            self.assertTrue(rule["annotations"]["summary"])
            self.assertTrue(rule["annotations"]["action"])

    def test_dashboard(self) -> None:
        """Each panel shows something measured."""
        found = json.loads((ROOT / "etc/grafana/chatd.json").read_text())
        for panel in found["panels"]:
            for target in panel["targets"]:
                self.assert_measured(target["expr"])


class ValueTests(MonitoringCase):
    def value(self, name: str, **labels: str) -> float:
        for family in self.families():
            for sample in family.samples:
                if (sample.name, sample.labels) == (name, labels):
                    return float(sample.value)
        raise AssertionError(name)

    def test_lag(self) -> None:
        """A reader that does not read is behind; one that does is not."""
        alice, bob = map(self.server.session, ("alice", "bob"))
        for peer in (alice, bob):
            peer.ask("join", room="#lobby")
        bob.transport.takes = 0
        assert bob.protocol.live is not None
        bob.protocol.live.writable = False
        for number in range(7):
            alice.say("#lobby", f"{number}")
        self.assertEqual(self.value("chatd_fanout_lag"), 7)
        self.assertEqual(self.value("chatd_readers_behind"), 1)

    def test_away(self) -> None:
        """While the store is away the daemon is not ready, and says why."""
        health = Health(self.house)
        self.assertEqual(self.ask(health), (200, []))
        self.server.hub.meters.set_away(True)
        code, reasons = self.ask(health)
        self.assertEqual((code, len(reasons)), (503, 1))
        self.assertIn("store", reasons[0])
        self.assertEqual(self.value("chatd_ready"), 0)
        self.assertEqual(self.value("chatd_journal_away"), 1)

    def test_draining(self) -> None:
        """One that is stopping is not ready."""
        self.server.factory.draining = True
        self.assertEqual(self.ask(Health(self.house))[0], 503)

    def ask(self, health: Health) -> tuple[int, list[str]]:
        request = DummyRequest([b""])
        told = json.loads(health.render_GET(cast(Any, request)))
        return int(request.responseCode or 0), told["reasons"]

    def test_latency_of_acks(self) -> None:
        """From the arrival of a send to its ack, whatever lies between."""
        alice = self.server.session("alice")
        self.server.journal.hold = True
        alice.post("send", room="@alice+server", body="x")
        self.server.clock.advance(0.3)
        self.server.journal.release()
        self.assertEqual(self.value("chatd_ack_seconds_bucket", le="0.25"), 0)
        self.assertEqual(self.value("chatd_ack_seconds_bucket", le="0.5"), 1)
        self.assertAlmostEqual(self.value("chatd_ack_seconds_sum"), 0.3)


class MeterTests(SynchronousTestCase):
    def test_histogram(self) -> None:
        """A value counts where it is at or under the bound."""
        histogram = Histogram([1.0, 2.0])
        for value in (0.5, 1.0, 1.5, 2.0, 3.0):
            histogram.add(value)
        self.assertEqual((histogram.counts, histogram.sum), ([2, 2, 1], 8.0))

    def test_reasons_are_bounded(self) -> None:
        """So many kinds of refusal are told apart; the next are "other"."""
        counts = Counts()
        for number in range(MOST_REASONS + 3):
            counts.refuse(str(number))
        self.assertEqual(len(counts.refused), MOST_REASONS + 1)
        self.assertEqual(counts.refused["other"], 3)
