"""The service's figures as Prometheus metrics: base units, bounded labels, read from one Snapshot so that nothing is counted twice."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from checks.finding import Finding, State
from checks.verdict import Side, Urgency
from reports.case import CaseState

MAX_SERIES = 100_000
LAG_BOUNDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
STATE_CODES = {State.OK: 0.0, State.WARNING: 1.0, State.CRITICAL: 2.0, State.UNKNOWN: 3.0}


class Series(msgspec.Struct, frozen=True):
    """One finding as it stands: the number that was judged (None: none was), its unit, and the state that is shown."""

    node: str
    check: str
    item: str
    unit: str
    value: float | None
    state: State


class Histogram(msgspec.Struct, frozen=True):
    """How many values were seen up to each bound (cumulative, the last bound is infinity), and their sum."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


class Lag:
    """Counts event loop lag as the service measures it."""

    def __init__(self, bounds: Sequence[float] = LAG_BOUNDS) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def read(self) -> Histogram:
        """Return what was counted since the start."""
        total, counts = 0, []
        for count in self._counts:
            total += count
            counts.append(total)
        return Histogram((*self._bounds, float("inf")), tuple(counts), self._sum)


class Snapshot(msgspec.Struct, frozen=True):
    """What the service gives to be shown; counts ending in _total are cumulative since the start.

    `checks` counts jobs by (prober, the worst state shown), `observations` by (prober, "ok" or the failure's kind); `oldest_s` is the age
    of the oldest reading, None without any; `outbox` counts events by (feed, "waiting" …),
    `notifications` those of SNMP by (outcome, name where accepted), None where none are taken; `audits` those of
    inboxes by outcome, None without an inbox; `major` counts the major cases. `series` is consumed in the
    rendering thread: give it an iterator over a copy of the container, None when per-target series are not wanted.
    """

    version: str
    agent: str
    checks: Mapping[tuple[str, State], int]
    oldest_s: float | None
    observations: Mapping[tuple[str, str], int]
    probe_seconds: Mapping[str, float]
    cases: Mapping[tuple[CaseState, Urgency, Side], int]
    overruns: int
    lag: Histogram
    reload_ok: bool
    reloaded_at: datetime | None
    store_up: bool
    tracks: int
    outbox: Mapping[tuple[str, str], int] = {}
    notifications: Mapping[tuple[str, str], int] | None = None
    audits: Mapping[str, int] | None = None
    major: int = 0
    series: Iterable[Series] | None = None
    max_series: int = MAX_SERIES


def render(snapshot: Snapshot, accept: str = "") -> tuple[bytes, str]:
    """Return the exposition and its content type, as the scraper's Accept header wants it; to be called in a thread."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Reading(collect(snapshot)))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def render_probe(success: bool, took_s: float, findings: Sequence[Finding], accept: str = "") -> tuple[bytes, str]:
    """Return one probe's exposition: probe_success and probe_duration_seconds as blackbox_exporter names them, and the readings."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Reading(_collect_probe(success, took_s, findings)))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def collect(snapshot: Snapshot) -> Iterator[Metric]:
    """Yield every metric of the snapshot."""
    build = GaugeMetricFamily("firstline_build_info", "The version that runs, always 1.", labels=["version", "agent"])
    build.add_metric([snapshot.version, snapshot.agent], 1)
    yield build
    yield _gauge("firstline_checks", "Jobs by the worst state shown.", ["prober", "state"], snapshot.checks)
    if snapshot.oldest_s is not None:
        yield GaugeMetricFamily("firstline_check_age_seconds", "Age of the oldest last reading.", value=snapshot.oldest_s)
    text = "Measurements by outcome: ok, or the kind of failure."
    yield _counter("firstline_observations", text, ["prober", "outcome"], snapshot.observations)
    times = {(prober,): seconds for prober, seconds in snapshot.probe_seconds.items()}
    yield _counter("firstline_probe_seconds", "Time spent measuring.", ["prober"], times)
    yield _gauge("firstline_cases", "Cases that are not cleared.", ["state", "urgency", "side"], snapshot.cases)
    yield GaugeMetricFamily("firstline_cases_major", "Major cases that are not cleared: many customers by one cause.", value=snapshot.major)
    yield _gauge("firstline_outbox", "Events on their way to a feed.", ["feed", "state"], snapshot.outbox)
    yield CounterMetricFamily("firstline_schedule_overruns", "Jobs that came due while still running.", value=snapshot.overruns)
    if snapshot.notifications is not None:
        text = "SNMP notifications by what was done with them; accepted ones by name."
        yield _counter("firstline_snmp_notifications", text, ["outcome", "notification"], snapshot.notifications)
    if snapshot.audits is not None:
        counts = {(outcome,): count for outcome, count in snapshot.audits.items()}
        yield _counter("firstline_audits", "Pairs of bills of inboxes by what came of them.", ["outcome"], counts)
    lag = HistogramMetricFamily("firstline_event_loop_lag_seconds", "How late the event loop was.")
    buckets = [(_bound(bound), count) for bound, count in zip(snapshot.lag.bounds, snapshot.lag.counts, strict=True)]
    lag.add_metric([], buckets, snapshot.lag.sum)
    yield lag
    yield GaugeMetricFamily("firstline_config_reload_success", "1 when the last reload was taken.", value=float(snapshot.reload_ok))
    if snapshot.reloaded_at is not None:
        text = "When a configuration was last taken."
        yield GaugeMetricFamily("firstline_config_last_reload_timestamp_seconds", text, value=snapshot.reloaded_at.timestamp())
    yield GaugeMetricFamily("firstline_store_up", "1 when the last write to the store was accepted.", value=float(snapshot.store_up))
    yield GaugeMetricFamily("firstline_series", "Findings that are followed over time.", value=snapshot.tracks)
    if snapshot.series is not None:
        yield from _collect_series(iter(snapshot.series), snapshot.max_series)


def _collect_series(series: Iterator[Series], limit: int) -> Iterator[Metric]:
    value = GaugeMetricFamily(
        "firstline_value", "The last number judged, in the unit of its label.", labels=["node", "check", "item", "unit"]
    )
    state = GaugeMetricFamily("firstline_state", "0 ok, 1 warning, 2 critical, 3 unknown.", labels=["node", "check", "item"])
    for one in islice(series, limit):
        if one.value is not None:
            value.add_metric([one.node, one.check, one.item, one.unit], one.value)
        state.add_metric([one.node, one.check, one.item], STATE_CODES[one.state])
    yield value
    yield state
    left = sum(1 for _ in series)
    yield GaugeMetricFamily("firstline_series_dropped", "Findings beyond the maximum, not shown.", value=left)


def _collect_probe(success: bool, took_s: float, findings: Sequence[Finding]) -> Iterator[Metric]:
    yield GaugeMetricFamily("probe_success", "1 when the target answered and nothing is critical.", value=float(success))
    yield GaugeMetricFamily("probe_duration_seconds", "How long the measurement took.", value=took_s)
    value = GaugeMetricFamily("firstline_value", "The number judged, in the unit of its label.", labels=["check", "item", "unit"])
    state = GaugeMetricFamily("firstline_state", "0 ok, 1 warning, 2 critical, 3 unknown.", labels=["check", "item"])
    for finding in findings:
        if finding.value is not None:
            value.add_metric([finding.check, finding.key[3], finding.levels.unit if finding.levels else ""], finding.value)
        state.add_metric([finding.check, finding.key[3]], STATE_CODES[finding.state])
    yield value
    yield state


def _gauge(name: str, text: str, labels: Sequence[str], counts: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, count in sorted(counts.items()):
        family.add_metric([str(value) for value in values], count)
    return family


def _counter(name: str, text: str, labels: Sequence[str], counts: Mapping[Any, float]) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in sorted(counts.items()):
        family.add_metric([str(value) for value in values], count)
    return family


def _bound(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(bound)


class _Reading(Collector):
    """Hands metrics that are made on the way to a registry, once."""

    def __init__(self, metrics: Iterator[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        return self._metrics
