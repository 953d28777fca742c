from datetime import UTC, datetime

import pytest

from checks.failure import judge_failure
from checks.finding import Finding, Levels, Message, State
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from reports.locale.text import texts
from reports.render.columns import join, width
from reports.render.findings import check_text, headline, limit_text

AT = datetime(2026, 10, 20, 14, 2, 31, tzinfo=UTC)
LOSS = Levels(0.2, 0.6, "ratio", "ITU-T Y.1541 class 0 allows 0.1 %; five echoes can't show less than 20 %")
SEEN = Observation("pop-a", "core", "icmp", AT, 81.0, EchoSample("192.0.2.1", 5, 5, 0.03, 0.041, 0.06))
DEAD = Observation("pop-a", "核心交换机", "icmp", AT, 2000.0, Failure(Kind.TIMEOUT))


def say(text):
    """A message whose text is its id, so that this file does not depend on any check's wording."""
    return Message(text)


OK = [
    Finding("icmp/loss", SEEN, State.OK, say("5 of 5 echoes"), LOSS, value=0.0),
    Finding("icmp/latency", SEEN, State.OK, say("0.04 ms"), Levels(100.0, 300.0, "ms", "x"), value=0.041),
]
BAD = [
    Finding("host/load", SEEN, State.OK, say("load 0.4"), value=0.4),
    Finding("host/space", SEEN, State.WARNING, say("4.1 GiB free of 40"), Levels(0.15, 0.05, "ratio", "ours", low=True), "/var", 0.1),
    Finding("host/clock", SEEN, State.UNKNOWN, say("not readable")),
    Finding("icmp/loss", SEEN, State.CRITICAL, say("1 of 5 echoes 丢包率过高"), LOSS, value=0.8),
]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(
    ("name", "target", "observation", "findings"),
    [
        ("ok", "127.0.0.1", SEEN, OK),
        ("bad", "core", SEEN, BAD),
        ("silent", "核心交换机", DEAD, [judge_failure("icmp/loss", DEAD, Failure(Kind.TIMEOUT))]),
    ],
)
def test_screen_is_the_golden_one(golden, language, name, target, observation, findings):
    golden(f"check-{name}.{language}", check_text(target, "icmp", observation, findings, texts(language), zone=UTC))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_narrow_screen_is_the_golden_one(golden, language):
    golden(f"check-narrow.{language}", check_text("core", "icmp", SEEN, BAD, texts(language), columns=44, zone=UTC))


def test_first_line_answers():
    first = check_text("127.0.0.1", "icmp", SEEN, OK, texts("en"), zone=UTC).splitlines()[0]
    assert first == "127.0.0.1  icmp  ok  5 of 5 echoes, 0.04 ms"


def test_critical_makes_the_headline_and_comes_first():
    lines = check_text("core", "host", SEEN, BAD, texts("en"), zone=UTC).splitlines()
    assert lines[0] == "core  host  critical  1 of 5 echoes 丢包率过高"
    assert [line.split()[0] for line in lines[1:] if line.startswith("  ") and "/" in line.split()[0]] == [
        "icmp/loss",
        "host/space",
        "host/clock",
        "host/load",
    ]


def test_our_own_blindness_is_unknown_in_the_first_line():
    finding = judge_failure("tcp/port", DEAD, Failure(Kind.UPLINK))
    assert "unknown  can't see, our own uplink is down" in check_text("core", "tcp", DEAD, [finding], texts("en"), zone=UTC)


def test_limits_and_source_stand_with_what_is_bad_only():
    shown = check_text("core", "host", SEEN, BAD, texts("en"), zone=UTC)
    assert "limits: warning ≥ 20 %, critical ≥ 60 %" in shown
    assert "limits: warning ≤ 15 %, critical ≤ 5 %" in shown
    assert "ITU-T Y.1541" in shown
    assert "Y.1541" not in check_text("core", "host", SEEN, OK, texts("en"), zone=UTC)


def test_one_sided_levels_show_one_limit():
    assert limit_text(Levels(None, 4.0, "ms", "x"), texts("en")) == "limit ≥ 4 ms"
    assert limit_text(Levels(None, None, "ms", "x"), texts("en")) == ""


def test_colour_only_on_demand():
    assert "\x1b" not in check_text("core", "host", SEEN, BAD, texts("en"), zone=UTC)
    assert "\x1b[1;31mcritical\x1b[0m" in check_text("core", "host", SEEN, BAD, texts("en"), colour=True, zone=UTC)


@pytest.mark.parametrize("columns", [44, 60, 80, 120])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_line_fits_the_terminal(columns, language):
    for line in check_text("core", "icmp", SEEN, BAD, texts(language), colour=True, columns=columns, zone=UTC).splitlines():
        assert width(line) <= columns


def test_many_good_readings_are_counted_not_listed():
    many = [Finding("host/x", SEEN, State.OK, say(f"r{n}"), item=str(n)) for n in range(14)]
    assert headline(many, texts("en")) == "14 readings good"


def test_many_bad_readings_end_in_a_count():
    many = [Finding("host/x", SEEN, State.WARNING, say(f"disk {n} is nearly full"), item=str(n)) for n in range(14)]
    assert headline(many, texts("en"), 60) == "disk 0 is nearly full, disk 1 is nearly full, 12 more"


def test_good_readings_are_shown_as_many_as_fit_without_a_count():
    three = [Finding("icmp/x", SEEN, State.OK, say(text)) for text in ("5 of 5 echoes", "0.04 ms", "jitter 0.01 ms")]
    assert headline(three, texts("en"), 38) == "5 of 5 echoes, 0.04 ms, jitter 0.01 ms"
    assert headline(three, texts("en"), 37) == "5 of 5 echoes, 0.04 ms"


def test_a_long_name_does_not_push_the_others_aside():
    found = [Finding("host/mount", SEEN, State.OK, say("mounted"), item="/a/very/long/path/" + "x" * 60), OK[0]]
    lines = check_text("core", "host", SEEN, found, texts("en"), columns=80, zone=UTC).splitlines()
    assert lines[2].index("ok") <= 2 + 80 // 3 + 2
    assert max(map(width, lines)) <= 80


def test_nothing_judged_is_unknown():
    assert "unknown  nothing was judged" in check_text("core", "host", SEEN, [], texts("en"), zone=UTC)


def test_targets_control_characters_are_written_out():
    assert "\x1b" not in check_text("a\x1b[2Jb", "icmp", SEEN, OK, texts("en"), zone=UTC)


PORT = [
    Finding("interfaces/oper", SEEN, State.OK, say("ge1 is up"), item="ge1"),
    Finding("interfaces/errors", SEEN, State.OK, say("ge1: no damaged frames"), item="ge1"),
]


def test_what_is_good_about_one_port_shares_a_row():
    lines = check_text("core", "snmp", SEEN, [*PORT, BAD[0]], texts("en"), zone=UTC).splitlines()
    assert lines[1].split("  ") == ["", "interfaces ge1", "ok", "is up · no damaged frames"]


def test_what_is_bad_about_a_port_keeps_a_row_of_its_own():
    bad = Finding("interfaces/flaps", SEEN, State.WARNING, say("ge1: 4 changes"), item="ge1")
    lines = check_text("core", "snmp", SEEN, [*PORT, bad], texts("en"), zone=UTC).splitlines()
    assert lines[1].split() == ["interfaces/flaps", "ge1", "warning", "ge1:", "4", "changes"]
    assert lines[2].split("  ")[1] == "interfaces ge1"


def test_answer_that_does_not_fit_into_the_first_line_is_shown_whole_below():
    finding = Finding("registration/state", SEEN, State.OK, say("registered at " + "a very long address " * 4 + "shown"))
    assert "shown" in check_text("core", "registration", SEEN, [finding], texts("en"), columns=60, zone=UTC)


def test_many_good_readings_begin_with_what_the_device_said():
    good = [Finding("snmp/answer", SEEN, State.OK, say("answers: box 1")), *OK, *PORT]
    assert headline(good, texts("en")) == "answers: box 1, 5 readings good"
    assert headline(good, texts("en"), room=20) == "5 readings good"


def test_where_an_address_is_stands_first_when_it_was_asked_for():
    place = Finding("snmp/mac", SEEN, State.OK, say("00:11 is at ge7"), item="00:11")
    good = [Finding("snmp/answer", SEEN, State.OK, say("answers: box 1")), *OK, *PORT, place]
    assert headline(good, texts("en")) == "00:11 is at ge7, answers: box 1, 6 readings good"
    assert headline(good, texts("en"), room=34) == "00:11 is at ge7, 6 readings good"


def test_enumeration_of_chinese_parts_has_the_comma_of_chinese():
    assert join(["应答 200 OK", "0.6 毫秒后应答"]) == "应答 200 OK，0.6 毫秒后应答"
    assert join(["answers 200 OK", "0.6 ms"]) == "answers 200 OK, 0.6 ms"


def test_long_name_of_a_trunk_is_never_cut_away():
    finding = Finding("cdr/ner", SEEN, State.CRITICAL, say("NER 6.9%"), item="trunk SIP/carrier-of-the-north")
    lines = check_text("localhost", "cdr", SEEN, [finding], texts("en"), columns=60, zone=UTC).splitlines()
    assert lines[1].strip() == "cdr/ner trunk SIP/carrier-of-the-north"
    assert lines[2].split("  ")[-2:] == ["critical", "NER 6.9%"]


def test_items_of_which_the_same_is_said_share_a_row_and_keep_their_names():
    down = [Finding("interfaces/flaps", SEEN, State.OK, say(f"ge{n} is down"), item=f"ge{n}") for n in range(250)]
    busy = [Finding("interfaces/utilisation", SEEN, State.OK, say(f"up{n}: {n}% used"), item=f"up{n}") for n in range(2)]
    lines = check_text("core", "snmp", SEEN, [*down, *busy], texts("en"), columns=80, zone=UTC).splitlines()
    assert lines[1].split() == ["interfaces/flaps", "×250", "ok", "is", "down"]
    named = " ".join(lines[2:]).replace(",", " ").split()
    assert {f"ge{n}" for n in range(250)} <= set(named)
    assert len(lines) < 60
    assert any("up1: 1% used" in line for line in lines)


def test_few_items_of_which_the_same_is_said_have_a_row_each():
    three = [Finding("snmp/fan", SEEN, State.OK, say(f"fan {n}: normal"), item=f"fan {n}") for n in range(3)]
    lines = check_text("core", "snmp", SEEN, [*three, *OK], texts("en"), zone=UTC).splitlines()
    assert sum("normal" in line for line in lines) == 3


def test_a_text_that_another_of_its_row_begins_with_is_said_once():
    both = [
        Finding("interfaces/utilisation", SEEN, State.OK, say("ge1 is down"), item="ge1"),
        Finding("interfaces/flaps", SEEN, State.OK, say("ge1 is down; no change"), item="ge1"),
    ]
    assert "  is down; no change\n" in check_text("core", "snmp", SEEN, both, texts("en"), zone=UTC)


def test_a_module_s_own_limits_are_named_in_the_reader_s_language():
    levels = Levels(None, -24.0, "dBm", "the module's own limits", low=True)
    finding = Finding("snmp/rx-power", SEEN, State.CRITICAL, say("-28 dBm"), levels, "ge1", -28.0)
    assert "依据：模块自带门限" in check_text("core", "snmp", SEEN, [finding], texts("zh"), zone=UTC)
    assert "source: the module's own limits" in check_text("core", "snmp", SEEN, [finding], texts("en"), zone=UTC)
