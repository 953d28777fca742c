import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from checks.failure import judge_failure
from checks.finding import Finding, Levels, Message, State
from checks.verdict import Area, CaseKind, Side, Urgency
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from reports.case import Case, CaseEvent, CaseState, EventKind
from reports.complaint import Complaint
from reports.locale.text import texts
from reports.render.cases import by_urgency, case_page, case_table
from reports.render.columns import width
from reports.render.json import cases_json
from reports.render.outcome import outcome_text
from reports.render.status import FeedTrouble, Maintenance, NotFresh, Status, status_text
from reports.render.watch import HEIGHT, sparkline, watch_text

NOW = datetime(2026, 10, 20, 14, 24, 11, tzinfo=UTC)


def case(number, urgency=Urgency.NORMAL, minutes=30, **more):
    begin = NOW - timedelta(minutes=minutes)
    given = {
        "kind": CaseKind.NETWORK,
        "cause": "server.silent",
        "element": "web-1",
        "severity": State.CRITICAL,
        "side": Side.COMPANY,
        "area": Area.SERVER,
        "confidence": None,
        "opened_at": begin + timedelta(seconds=40),
        "since": begin,
        "updated_at": begin + timedelta(seconds=40),
        "summary": Message("web-1 answers nothing"),
        "action": Message("look at its console; power and cable"),
        "agent": "pop-a",
        "keys": (("pop-a", "web-1", "icmp/loss", ""),),
    }
    return Case(id=number, urgency=urgency, **{**given, **more})


FIBRE = case(
    412,
    Urgency.EMERGENCY,
    22,
    summary=Message("fibre cut edge–pop (circuit CT-88213)"),
    side=Side.CARRIER,
    area=Area.FIBRE,
    affected=("Harbour Logistics", "海港物流"),
    confidence=0.97,
    state=CaseState.WAITING_CARRIER,
)
GATEWAY = case(
    409, minutes=60 * 30, summary=Message("港口物流网关离线"), side=Side.CUSTOMER, affected=("海港物流",), severity=State.WARNING
)
CLEARED = case(401, Urgency.EMERGENCY, 90, cleared_at=NOW - timedelta(minutes=80), cleared_by_itself=True, state=CaseState.RESOLVED)
CASES = [GATEWAY, CLEARED, FIBRE]
DEAD = Observation("pop-a", "pop", "icmp", NOW - timedelta(minutes=22), 2000.0, Failure(Kind.TIMEOUT))
LIVE = Observation("pop-a", "edge", "icmp", NOW, 4.0, EchoSample("192.0.2.1", 5, 5, 0.3, 0.4, 0.5))
LOST = judge_failure("icmp/loss", DEAD, Failure(Kind.TIMEOUT))
FINE = Finding("icmp/loss", LIVE, State.OK, Message("5 of 5 echoes"), value=0.0)
STATUS = Status(
    agent="pop-a",
    version="0.1.0",
    at=NOW,
    started_at=NOW - timedelta(days=3),
    checks=214,
    oldest_s=7.0,
    cases=(GATEWAY, FIBRE),
)
TROUBLED = msgspec.structs.replace(
    STATUS,
    stale=(NotFresh("web-1", "http", "https://portal", 190.0, 60.0), NotFresh("db", "postgresql", "", None, 60.0)),
    feeds=(FeedTrouble("zammad", 12, 540.0, "503 Service Unavailable"), FeedTrouble("mail", 1, 40.0)),
    maintenance=(Maintenance("核心交换机", NOW + timedelta(hours=2), "firmware"),),
    problems=(Message("failure.resolver", {"detail": ""}),),
)
languages = pytest.mark.parametrize("language", ["en", "zh"])


@languages
def test_case_table_is_the_golden_one(golden, language):
    golden(f"cases.{language}", case_table(CASES, texts(language), NOW, zone=UTC))


@languages
@pytest.mark.parametrize("columns", [60, 80])
def test_narrow_case_table_is_the_golden_one(golden, language, columns):
    golden(f"cases-{columns}.{language}", case_table(CASES, texts(language), NOW, columns=columns, zone=UTC))


@languages
def test_case_page_is_the_golden_one(golden, language):
    events = [CaseEvent(412, 1, FIBRE.opened_at, EventKind.OPENED, {}), CaseEvent(412, 2, NOW, EventKind.UPDATED, {})]
    page = case_page(FIBRE, texts(language), NOW, findings=[LOST], ruled_out=[FINE], events=events, zone=UTC)
    golden(f"case-page.{language}", page)


@languages
def test_status_is_the_golden_one(golden, language):
    golden(f"status.{language}", status_text(STATUS, texts(language), zone=UTC))
    golden(f"status-troubled.{language}", status_text(TROUBLED, texts(language), columns=80, zone=UTC))


def test_most_urgent_comes_first_and_cleared_last():
    assert [one.id for one in by_urgency(CASES)] == [412, 409, 401]


@languages
@pytest.mark.parametrize("columns", [50, 60, 80, 100])
@pytest.mark.parametrize("colour", [False, True])
def test_every_line_fits_the_terminal(columns, language, colour):
    said = texts(language)
    shown = case_table(CASES, said, NOW, colour, columns, UTC) + status_text(TROUBLED, said, colour, columns, UTC)
    shown += case_page(FIBRE, said, NOW, observations=[DEAD, LIVE], colour=colour, columns=columns, zone=UTC)
    assert [line for line in shown.splitlines() if width(line) > columns] == []


def test_colour_marks_open_cases_only_on_demand():
    assert "\x1b" not in case_table(CASES, texts("en"), NOW, zone=UTC)
    shown = case_table(CASES, texts("en"), NOW, colour=True, zone=UTC).splitlines()
    assert [line.startswith("\x1b") for line in shown] == [True, True, False]


def test_no_case_says_so():
    assert case_table([], texts("en"), NOW) == "no open case\n"


@pytest.mark.parametrize(
    ("change", "first"),
    [
        ({}, " pop-a · 214 checks, all fresh (oldest 7 s) · 2 cases"),
        ({"cases": (GATEWAY,), "checks": 1}, " pop-a · 1 check, all fresh (oldest 7 s) · 1 case"),
        ({"cases": (CLEARED,)}, " pop-a · 214 checks, all fresh (oldest 7 s) · no open case"),
        ({"oldest_s": None, "cases": ()}, " pop-a · 214 checks, no reading yet · no open case"),
        ({"stale": TROUBLED.stale}, " pop-a · 214 checks, 2 not fresh · 2 cases"),
    ],
)
def test_first_line_of_status_answers(change, first):
    assert status_text(msgspec.structs.replace(STATUS, **change), texts("en"), zone=UTC).splitlines()[0] == first


def test_status_survives_its_way_over_the_socket():
    assert msgspec.json.decode(msgspec.json.encode(TROUBLED), type=Status) == TROUBLED


def test_page_without_derived_findings_shows_what_was_measured():
    page = case_page(FIBRE, texts("en"), NOW, observations=[DEAD, LIVE], zone=UTC)
    assert "no answer in time" in page
    assert "sent 5, received 5, min_rtt 0.3 ms" in page


def test_missing_fields_of_a_sample_are_left_out_not_zero():
    assert outcome_text(EchoSample("192.0.2.1", 5, 0), texts("en")) == "sent 5, received 0, duplicates 0, address 192.0.2.1"


def test_uncalibrated_verdict_says_so():
    assert "confidence not calibrated" in case_page(GATEWAY, texts("en"), NOW, zone=UTC)
    assert "confidence 0.97" in case_page(FIBRE, texts("en"), NOW, zone=UTC)


def test_case_documents_have_the_keys_of_the_handbook():
    documents = json.loads(cases_json([FIBRE, CLEARED], texts("en")))
    assert documents[0] == {
        "id": 412,
        "kind": "network",
        "state": "waiting_carrier",
        "severity": "critical",
        "cause": "server.silent",
        "side": "carrier",
        "area": "fibre",
        "element": "web-1",
        "episode": 0,
        "affected": ["Harbour Logistics", "海港物流"],
        "urgency": "emergency",
        "confidence": 0.97,
        "agent": "pop-a",
        "since": "2026-10-20T14:02:11Z",
        "opened_at": "2026-10-20T14:02:51Z",
        "updated_at": "2026-10-20T14:02:51Z",
        "cleared_at": None,
        "cleared_by_itself": False,
        "summary": "fibre cut edge–pop (circuit CT-88213)",
        "action": "look at its console; power and cable",
        "major": True,
        "alternatives": [],
        "elsewhere": [],
        "decides": None,
        "merged_into": None,
        "complainants": [],
    }
    assert documents[1]["cleared_at"] == "2026-10-20T13:04:11Z"
    assert documents[1]["confidence"] is None


WHOLE = msgspec.structs.replace(
    FIBRE,
    element="sbc:5060",
    alternatives=("server.silent", "host_down"),
    elsewhere=("sbc", "edge:fib0"),
    decides=Message("read the switch port: up means the host"),
    complainants=("海港物流",),
)
PART = case(
    405, minutes=25, cleared_at=NOW - timedelta(minutes=20), state=CaseState.RESOLVED, merged_into=412, affected=("Harbour Logistics",)
)
COMPLAINTS = [
    Complaint(
        customer="海港物流",
        taken_at=NOW - timedelta(minutes=18),
        contact="陈女士 138…",
        symptoms=("no-calls",),
        number="+8675512345678",
        since=NOW - timedelta(minutes=21),
        text="所有电话都打不通",
        by="Li Wei",
    ),
    Complaint(customer="Harbour Logistics", taken_at=NOW - timedelta(minutes=3)),
]
ICMP, TCP = ["pop-a", "web-1", "icmp/loss", ""], ["pop-a", "web-1", "tcp/port", "443"]
STORY = [
    CaseEvent(405, 1, PART.opened_at, EventKind.OPENED, {}),
    CaseEvent(412, 1, NOW - timedelta(minutes=20), EventKind.OPENED, {"merged": [405], "came": [{"case": 405, "keys": [ICMP]}]}),
    CaseEvent(405, 2, NOW - timedelta(minutes=20), EventKind.MERGED, {"into": 412, "gone": [{"case": 412, "keys": [ICMP]}]}),
    CaseEvent(412, 2, NOW - timedelta(minutes=18), EventKind.JOINED, {"complaint": {"customer": "海港物流", "symptoms": ["no-calls"]}}),
    CaseEvent(412, 3, NOW, EventKind.UPDATED, {"gone": [{"case": 413, "keys": [TCP] * 5}], "came": [{"case": 406, "keys": [ICMP]}]}),
]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_of_a_case_with_parts_and_complaints_is_the_golden_one(language, golden):
    golden(f"case-whole.{language}", case_page(WHOLE, texts(language), NOW, events=STORY, complaints=COMPLAINTS, columns=100, zone=UTC))


def test_an_update_says_what_is_other_than_before():
    first = {"side": "company", "urgency": "urgent", "keys": [list(ICMP)]}
    told = [
        CaseEvent(412, 1, NOW, EventKind.OPENED, {"case": first}),
        CaseEvent(412, 2, NOW, EventKind.UPDATED, {"case": {**first, "keys": [list(ICMP), list(TCP)]}}),
        CaseEvent(412, 3, NOW, EventKind.UPDATED, {"case": {**first, "side": "carrier", "keys": [list(TCP)]}}),
    ]
    page = case_page(WHOLE, texts("en"), NOW, events=told, columns=100, zone=UTC)
    assert f"updated  with {TCP[1]} {TCP[2]}" in page
    assert f"updated  our side → carrier, without {ICMP[1]} {ICMP[2]}" in page


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_no_line_of_the_story_is_wider_than_the_screen(columns):
    page = case_page(WHOLE, texts("en"), NOW, events=STORY, complaints=COMPLAINTS, columns=columns, zone=UTC)
    assert max(map(width, page.splitlines()[1:])) <= max(columns, 60)


def test_a_merged_case_is_neither_open_nor_cleared():
    (line,) = case_table([PART], texts("en"), NOW, zone=UTC).splitlines()
    assert line.startswith("in #412  #405")
    page = case_page(PART, texts("en"), NOW, events=[STORY[0], STORY[2]], zone=UTC)
    assert "part of   #412 since 14:04:11" in page
    assert "merged  part of #412 now" in page
    assert "cleared" not in page


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_class_that_the_cause_declares_is_named_in_its_words(language):
    said = texts(language)
    hung = msgspec.structs.replace(WHOLE, cause="service_hung", alternatives=("service_blocked",))
    assert said.word("class", "service_hung") in case_page(hung, said, NOW, zone=UTC, columns=200)


def test_the_cause_itself_is_no_alternative():
    alone = msgspec.structs.replace(WHOLE, cause="service_hung", alternatives=("service_hung",), decides=None, elsewhere=())
    page = case_page(alone, texts("en"), NOW, zone=UTC)
    assert "can't be told" not in page
    assert "would decide" not in page


def test_thousands_of_symptoms_and_complaints_are_counted_not_listed():
    many = [Complaint(customer=f"customer {at}", taken_at=NOW) for at in range(60)]
    page = case_page(WHOLE, texts("en"), NOW, events=STORY, complaints=many, zone=UTC)
    assert "and 2 more" in page
    assert "customer 49 · taken" in page
    assert "customer 50 · taken" not in page


LOSS = Levels(0.2, 0.6, "ratio", "x")
RTT = Levels(100.0, 300.0, "ms", "x")


def burst(second, rtt, received=5):
    at = NOW + timedelta(seconds=second)
    if rtt is None:
        seen = Observation("here", "core", "icmp", at, 2000.0, Failure(Kind.TIMEOUT))
        return seen, [judge_failure("icmp/loss", seen, Failure(Kind.TIMEOUT))]
    seen = Observation("here", "core", "icmp", at, 80.0, EchoSample("192.0.2.1", 5, received, rtt, rtt, rtt))
    loss = (5 - received) / 5
    return seen, [
        Finding("icmp/loss", seen, LOSS.judge(loss), Message(f"{received} of 5 echoes"), LOSS, value=loss),
        Finding("icmp/latency", seen, RTT.judge(rtt), Message(f"{rtt} ms"), RTT, value=rtt, seasonal=True),
    ]


BURSTS = [burst(n, 20 + n % 7 if n % 10 != 9 else None, 4 if n % 8 == 3 else 5) for n in range(45)]


@languages
def test_live_block_is_the_golden_one(golden, language):
    golden(f"watch.{language}", watch_text("192.0.2.1", "icmp", BURSTS, texts(language), zone=UTC))


@languages
@pytest.mark.parametrize("count", [1, 2, 10, 45, 90])
@pytest.mark.parametrize("columns", [40, 80, 200])
def test_live_block_keeps_its_height_and_fits(language, count, columns):
    readings = [burst(n, None if n < 3 else 20.0 + n) for n in range(count)]
    lines = watch_text("192.0.2.1", "icmp", readings, texts(language), True, columns, UTC).splitlines()
    assert len(lines) == HEIGHT
    assert [line for line in lines if width(line) > columns] == []


def test_live_block_does_not_jump_from_one_reading_to_the_next():
    begins = set()
    for count in range(5, 40):
        readings = [burst(n, 9.5 + n * 40.37) for n in range(count)]
        line = watch_text("c", "icmp", readings, texts("en"), zone=UTC).splitlines()[1]
        begins.add(line.index(" ms"))
    assert max(begins) - min(begins) <= 3  # the number itself grows


def test_missing_reading_is_a_dot_not_a_low_block():
    assert sparkline([0.0, None, 4.0, 8.0]) == "▁·▅█"
    assert sparkline([None]) == "·"
    assert sparkline([5.0, 5.0]) == "██"
    assert sparkline([-10.0, -5.0, 0.0]) == "▁▅█"


def test_since_is_the_first_reading_of_the_present_state():
    shown = watch_text("c", "icmp", [burst(0, 20.0), burst(1, None), burst(2, None), burst(3, None)], texts("en"), zone=UTC)
    assert "critical since 14:24:12 (2 s) · 4 readings" in shown
    assert "25 % good (1 of 4)" in shown


def test_full_window_of_one_state_claims_no_beginning():
    shown = watch_text("c", "icmp", [burst(n, 20.0) for n in range(60)], texts("en"), zone=UTC)
    assert "ok since 14:24:11 or longer" in shown


def test_our_blindness_is_neither_good_nor_bad():
    seen = Observation("here", "core", "icmp", NOW, 1.0, Failure(Kind.UPLINK))
    blind = (seen, [judge_failure("icmp/loss", seen, Failure(Kind.UPLINK))])
    assert "100 % good (1 of 1)" in watch_text("c", "icmp", [burst(0, 20.0), blind], texts("en"), zone=UTC)
    assert "– good (0 of 0)" in watch_text("c", "icmp", [blind], texts("en"), zone=UTC)
