"""``GET /metrics`` for Prometheus, by prometheus_client (the extra ``http``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from twisted.web.resource import Resource
from twisted.web.server import Request

from chatd.server.meters import Histogram
from chatd.web.house import House


class Meters(Collector):
    """Reads the daemon's meters when it is asked; nothing is counted twice."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        house, meters = self._house, self._house.meters
        sessions = house.sessions
        guests = sum(session.who.guest for session in sessions)
        lags = house.lags
        yield _gauge("connections", "open connections", len(house.factory.connections))
        yield _count("connections", "connections since the start", meters.connections)
        yield _counts(
            "turned_away",
            "connections that found no room",
            "reason",
            meters.turned_away,
        )
        yield _counts(
            "ended", "connections that the daemon closed", "event", meters.ended
        )
        kinds = Counter(user=len(sessions) - guests, guest=guests)
        yield _gauges("sessions", "live sessions", "kind", kinds)
        yield _count("frames_received", "frames taken from peers", meters.frames_in)
        yield _count("frames_sent", "frames given to peers", meters.frames_out)
        yield _count("tokens_opened", "tokens that opened", meters.opened)
        yield _counts(
            "tokens_refused", "tokens and hellos refused", "reason", meters.refused
        )
        yield _histogram(
            "ack_seconds", "from a send's arrival to its ack", meters.ack_seconds
        )
        yield _counts("send_errors", "sends refused", "code", meters.errors)
        yield _histogram(
            "commit_seconds", "a group commit, to the disk", meters.commit_seconds
        )
        yield _histogram(
            "commit_writes", "writes of a group commit", meters.batch_sizes
        )
        yield _gauge(
            "journal_waiting", "writes that wait for the disk", house.journal.waiting
        )
        yield _gauge("journal_away", "1 while the store failed", int(meters.away))
        flying = sum(session.in_flight for session in sessions)
        yield _gauge("requests_in_flight", "requests not answered yet", flying)
        yield _gauge("rooms", "rooms", len(house.hub.rooms))
        yield _gauge(
            "fanout_lag",
            "messages that the slowest reader is behind",
            max(lags, default=0),
        )
        behind = sum(lag > 0 for lag in lags)
        yield _gauge("readers_behind", "readers that are behind", behind)
        hooks = house.hooks.list_hooks()
        backlog = Counter({each.id: each.backlog or 0 for each in hooks})
        yield _gauges("hook_backlog", "messages not posted yet", "hook", backlog)
        disabled = sum(each.disabled is not None for each in hooks)
        yield _gauge("hooks_disabled", "hooks that were given up", disabled)
        yield _gauge("ready", "1 where messages are acknowledged", not house.unready())


class Metrics(Resource):
    """The text that Prometheus reads."""

    isLeaf = True

    def __init__(self, house: House) -> None:
        super().__init__()
        self._registry = registry = CollectorRegistry()
        registry.register(Meters(house))
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=registry)

    def render_GET(self, request: Request) -> bytes:
        request.setHeader(b"content-type", CONTENT_TYPE_LATEST.encode())
        return generate_latest(self._registry)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"chatd_{name}", about, value=float(value))


def _count(name: str, about: str, value: int) -> Metric:
    return CounterMetricFamily(f"chatd_{name}", about, value=value)


def _gauges(name: str, about: str, label: str, values: Counter[str]) -> Metric:
    family = GaugeMetricFamily(f"chatd_{name}", about, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _counts(name: str, about: str, label: str, values: Counter[str]) -> Metric:
    family = CounterMetricFamily(f"chatd_{name}", about, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _histogram(name: str, about: str, histogram: Histogram) -> Metric:
    family = HistogramMetricFamily(f"chatd_{name}", about)
    total, buckets = 0, []
    for bound, count in zip(histogram.bounds, histogram.counts, strict=False):
        total += count
        buckets.append((str(bound), total))
    buckets.append(("+Inf", total + histogram.counts[-1]))
    family.add_metric([], buckets, histogram.sum)
    return family
