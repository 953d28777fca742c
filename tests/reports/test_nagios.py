import re
from datetime import UTC, datetime

import pytest

from checks.finding import Finding, Levels, Message, State
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from reports.locale.text import texts
from reports.render.nagios import check_nagios, exit_code

SEEN = Observation("a", "core", "icmp", datetime(2026, 10, 20, tzinfo=UTC), 81.0, EchoSample("192.0.2.1", 5, 5))


def finding(state=State.OK, value=None, levels=None, item="", check="icmp/loss", text="fine"):
    return Finding(check, SEEN, state, Message(text), levels, item, value)


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([State.OK], 0),
        ([State.OK, State.WARNING], 1),
        ([State.WARNING, State.UNKNOWN], 1),
        ([State.UNKNOWN, State.OK], 3),
        ([State.UNKNOWN, State.CRITICAL, State.WARNING], 2),
        ([], 3),
    ],
)
def test_critical_beats_warning_beats_unknown(states, code):
    assert exit_code([finding(state) for state in states]) == code


@pytest.mark.parametrize(
    ("value", "levels", "data"),
    [
        (0.2, Levels(0.2, 0.6, "ratio", "x"), "loss=20%;20;60;0;100"),
        (12.5, Levels(100.0, 300.0, "ms", "x"), "loss=12.5ms;100;300;0"),
        (9.0, Levels(30.0, 7.0, "d", "x", low=True), "loss=9;@~:30;@~:7"),
        (-16.5, Levels(-12.0, -14.4, "dBm", "x", low=True), "loss=-16.5;@~:-12;@~:-14.4"),
        (-0.5, Levels(100.0, None, "ms", "x"), "loss=-0.5ms;~:100"),
        (4.0, Levels(None, 8.0, "", "x"), "loss=4;;8"),
        (4096.0, Levels(None, None, "bytes", "x"), "loss=4096B;;;0"),
        (3.0, None, "loss=3"),
    ],
)
def test_performance_data_follow_the_guidelines(value, levels, data):
    assert check_nagios("icmp", [finding(value=value, levels=levels)], texts("en")) == f"ICMP OK - fine | {data}\n"


def alerts(value, text):
    """The guidelines' own reading of a range: alert outside start..end, with @ inside; a bare number is 0..number."""
    inside = text.startswith("@")
    start, _, end = text.lstrip("@").rpartition(":")
    low = float("-inf") if start == "~" else float(start or 0)
    return (low <= value <= float(end)) is inside


@pytest.mark.parametrize("value", [-20.0, -14.4, -13.0, -12.0, -3.0])
def test_low_levels_alert_exactly_where_ours_do(value):
    levels = Levels(-12.0, -14.4, "dBm", "x", low=True)
    line = check_nagios("icmp", [finding(value=value, levels=levels)], texts("en"))
    warning, critical = re.search(r"=\S+?;([^;]*);(\S*)", line).groups()
    assert alerts(value, critical) is (levels.judge(value) is State.CRITICAL)
    assert alerts(value, warning) is (levels.judge(value) is not State.OK)


def test_missing_value_has_no_performance_data():
    assert check_nagios("icmp", [finding(State.UNKNOWN)], texts("en")) == "ICMP UNKNOWN - fine\n"


def test_labels_are_quoted_and_pipes_cannot_end_the_text():
    line = check_nagios("host", [finding(value=1.0, item="/my disk", text="a|b"), finding(value=2.0, item="x=y'z")], texts("en"))
    assert line == "HOST OK - a/b, fine | 'loss /my disk'=1 'loss x_y''z'=2\n"


def test_it_is_one_line_with_an_english_state():
    line = check_nagios("icmp", [finding(State.CRITICAL, text="x\ny")], texts("zh"))
    assert line.startswith("ICMP CRITICAL - ")
    assert line.count("\n") == 1


@pytest.mark.parametrize("ports", [10, 500])
def test_a_large_device_fits_and_what_is_bad_is_never_left_out(ports):
    found = [
        finding(State.CRITICAL if number == ports - 1 else State.OK, 0.5, Levels(0.2, 0.4, "ratio", "x"), f"端口-{number}")
        for number in range(ports)
    ]
    line = check_nagios("snmp", found, texts("zh"))
    assert len(line.encode()) <= 8192
    assert f"端口-{ports - 1}" in line.partition("|")[2]
    assert line.count("=50%") == ports or ports == 500
    assert line.endswith("\n")
