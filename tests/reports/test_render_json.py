import json
from datetime import UTC, datetime

import pytest

from checks.failure import judge_failure
from checks.finding import Finding, Levels, Message, State
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from reports.locale.text import texts
from reports.render.json import check_json, pretty

AT = datetime(2026, 10, 20, 14, 2, 31, tzinfo=UTC)
SEEN = Observation("a", "core", "icmp", AT, 81.0, EchoSample("192.0.2.1", 5, 4, 1.0, 2.0, 3.0), "8080")


def document(findings, seen=SEEN):
    return json.loads(check_json("192.0.2.1", "icmp", seen, findings, texts("en")))


def test_check_document_has_the_keys_of_the_handbook():
    levels = Levels(0.2, 0.6, "ratio", "x")
    shown = document([Finding("icmp/loss", SEEN, State.WARNING, Message("check.good", {"n": 4}), levels, value=0.2)])
    assert set(shown) == {"target", "prober", "state", "at", "took_ms", "findings", "outcome"}
    assert (shown["target"], shown["prober"], shown["state"], shown["at"]) == ("192.0.2.1", "icmp", "warning", "2026-10-20T14:02:31Z")
    assert shown["findings"] == [
        {
            "check": "icmp/loss",
            "item": "8080",
            "state": "warning",
            "value": 0.2,
            "unit": "ratio",
            "levels": {"warning": 0.2, "critical": 0.6, "low": False, "source": "x"},
            "message": "4 readings good",
        }
    ]
    assert shown["outcome"]["type"] == "icmp"
    assert shown["outcome"]["jitter_ms"] is None


def test_missing_reading_is_null_never_zero():
    seen = Observation("a", "core", "icmp", AT, 81.0, Failure(Kind.TIMEOUT))
    shown = document([judge_failure("icmp/loss", seen, Failure(Kind.TIMEOUT))], seen)
    assert shown["state"] == "critical"
    assert (shown["findings"][0]["value"], shown["findings"][0]["unit"], shown["findings"][0]["levels"]) == (None, None, None)
    assert shown["outcome"] == {"type": "failure", "kind": "timeout", "detail": ""}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_null(value):
    assert document([Finding("x/y", SEEN, State.UNKNOWN, Message("x"), value=value)])["findings"][0]["value"] is None


def test_nothing_judged_is_unknown():
    assert document([])["state"] == "unknown"


def test_what_a_terminal_would_obey_is_escaped_and_reads_back_the_same() -> None:
    hostile = "a\x9b31m\x7f\u202eb"
    text = pretty({"detail": hostile})
    assert text.isascii()
    assert json.loads(text) == {"detail": hostile}
