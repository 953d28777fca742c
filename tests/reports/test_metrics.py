import asyncio
import time
from datetime import UTC, datetime

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from checks.finding import Finding, Levels, Message, State
from checks.verdict import Side, Urgency
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from reports.case import CaseState
from reports.metrics import Lag, Series, Snapshot, render, render_probe

AT = datetime(2026, 10, 20, 14, 0, tzinfo=UTC)


def snapshot(**more):
    lag = Lag()
    for seconds in (0.0004, 0.002, 0.03, 9.0):
        lag.add(seconds)
    given = {
        "version": "0.1.0",
        "agent": "pop-a",
        "checks": {("icmp", State.OK): 3, ("icmp", State.CRITICAL): 1},
        "oldest_s": 7.5,
        "observations": {("icmp", "ok"): 40, ("icmp", "timeout"): 2},
        "probe_seconds": {"icmp": 3.25},
        "cases": {(CaseState.OPEN, Urgency.EMERGENCY, Side.CARRIER): 1},
        "overruns": 4,
        "lag": lag.read(),
        "reload_ok": True,
        "reloaded_at": AT,
        "store_up": True,
        "tracks": 12,
        "outbox": {("zammad", "waiting"): 2},
    }
    return Snapshot(**{**given, **more})


def samples(text, parser=parse):
    return {(s.name, *(f"{k}={v}" for k, v in sorted(s.labels.items()))): s.value for family in parser(text) for s in family.samples}


def shown(**more):
    return samples(render(snapshot(**more))[0].decode())


def test_every_figure_is_shown_once_with_base_units():
    found = {key: value for key, value in shown().items() if key[0].startswith("firstline_")}
    assert {key: value for key, value in found.items() if "bucket" not in key[0]} == {
        ("firstline_build_info", "agent=pop-a", "version=0.1.0"): 1,
        ("firstline_checks", "prober=icmp", "state=ok"): 3,
        ("firstline_checks", "prober=icmp", "state=critical"): 1,
        ("firstline_check_age_seconds",): 7.5,
        ("firstline_observations_total", "outcome=ok", "prober=icmp"): 40,
        ("firstline_observations_total", "outcome=timeout", "prober=icmp"): 2,
        ("firstline_probe_seconds_total", "prober=icmp"): 3.25,
        ("firstline_cases", "side=carrier", "state=open", "urgency=emergency"): 1,
        ("firstline_cases_major",): 0,
        ("firstline_outbox", "feed=zammad", "state=waiting"): 2,
        ("firstline_schedule_overruns_total",): 4,
        ("firstline_event_loop_lag_seconds_count",): 4,
        ("firstline_event_loop_lag_seconds_sum",): pytest.approx(9.0324),
        ("firstline_config_reload_success",): 1,
        ("firstline_config_last_reload_timestamp_seconds",): AT.timestamp(),
        ("firstline_store_up",): 1,
        ("firstline_series",): 12,
    }


def test_lag_buckets_are_cumulative():
    found = {key[1]: value for key, value in shown().items() if key[0].endswith("_bucket")}
    assert (found["le=0.001"], found["le=0.005"], found["le=0.05"], found["le=5.0"], found["le=+Inf"]) == (1, 2, 3, 3, 4)


def test_a_lag_at_a_bound_is_within_it():
    lag = Lag((0.1, 1.0))
    lag.add(0.1)
    assert lag.read().counts == (1, 1, 1)


def test_what_is_not_known_is_left_out_not_zero():
    names = {key[0] for key in shown(oldest_s=None, reloaded_at=None)}
    assert not {"firstline_check_age_seconds", "firstline_config_last_reload_timestamp_seconds", "firstline_value"} & names


def test_the_process_itself_is_shown():
    assert shown()[("process_resident_memory_bytes",)] > 1e6


def series(count):
    return (Series(f"node-{n}", "icmp/latency", 'if "x"\\', "ms", None if n == 1 else n / 2, State.WARNING) for n in range(count))


def test_per_target_series_carry_value_and_state():
    found = shown(series=series(3))
    labels = ("check=icmp/latency", 'item=if "x"\\', "node=node-2")
    assert found[("firstline_value", *labels, "unit=ms")] == 1.0
    assert found[("firstline_state", *labels)] == 1
    assert found[("firstline_series_dropped",)] == 0


def test_missing_value_has_a_state_and_no_value():
    names = [key[0] for key in shown(series=series(3)) if "node=node-1" in key]
    assert names == ["firstline_state"]


@pytest.mark.parametrize(("count", "kept", "dropped"), [(9, 9, 0), (10, 10, 0), (11, 10, 1), (500, 10, 490)])
def test_series_beyond_the_maximum_are_counted_not_shown(count, kept, dropped):
    found = shown(series=series(count), max_series=10)
    assert sum(key[0] == "firstline_state" for key in found) == kept
    assert found[("firstline_series_dropped",)] == dropped


def test_openmetrics_is_given_to_those_who_ask():
    body, content_type = render(snapshot(series=series(3)), "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    assert samples(body.decode(), parse_openmetrics)[("firstline_schedule_overruns_total",)] == 4


def test_probe_is_shown_as_blackbox_exporter_does():
    seen = Observation("a", "core", "icmp", AT, 81.0, EchoSample("192.0.2.1", 5, 4))
    finding = Finding("icmp/loss", seen, State.WARNING, Message("x"), Levels(0.2, 0.6, "ratio", "x"), value=0.2)
    found = samples(render_probe(True, 0.081, [finding])[0].decode())
    assert found == {
        ("probe_success",): 1,
        ("probe_duration_seconds",): 0.081,
        ("firstline_value", "check=icmp/loss", "item=", "unit=ratio"): 0.2,
        ("firstline_state", "check=icmp/loss", "item="): 1,
    }


def test_ten_thousand_targets_in_a_thread_do_not_hold_the_loop():
    async def measure():
        late = []
        rendering = asyncio.create_task(asyncio.to_thread(render, snapshot(series=series(10_000))))
        while not rendering.done():
            begun = time.perf_counter()
            await asyncio.sleep(0.005)
            late.append(time.perf_counter() - begun - 0.005)
        return sorted(late), (await rendering)[0]

    late, body = asyncio.run(measure())
    assert body.count(b"\nfirstline_state{") == 10_000
    assert late[len(late) // 2] < 0.05


def test_major_cases_are_counted():
    assert {key: value for key, value in shown(major=2).items() if key[0] == "firstline_cases_major"} == {("firstline_cases_major",): 2}


def test_audits_of_inboxes_are_counted_by_outcome_and_not_shown_without_an_inbox():
    found = shown(audits={"agree": 3, "differ": 1, "rejected": 0})
    assert {key[1]: value for key, value in found.items() if key[0] == "firstline_audits_total"} == {
        "outcome=agree": 3, "outcome=differ": 1, "outcome=rejected": 0,
    }  # fmt: skip
    assert not [key for key in shown() if key[0].startswith("firstline_audits")]
