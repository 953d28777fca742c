"""The screen of a diagnosis: a line a step, the closing block, in both languages, on wide and narrow terminals."""

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from checks import sip
from checks.causes import BY_CODE
from checks.diagnosis.plan import FLOWS
from checks.finding import Finding, Message, State
from checks.icmp import LOSS
from checks.verdict import Area, CaseKind, Diagnosis, Side, Urgency
from probe.observation.failure import Failure, Kind
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from reports.case import Case, CaseState
from reports.diagnosis import Begun, Conclusion, Ended, Line, Opened, Request, StepState, Telling, Todo, exit_code
from reports.locale.text import texts
from reports.render.columns import width
from reports.render.diagnosis import begun_line, conclusion_text, step_line, title_text
from reports.render.diagnosis_json import diagnosis_json

NOW = datetime(2026, 11, 21, 14, 24, 11, tzinfo=UTC)
ASKED = Request(CaseKind.NETWORK, "Harbour Logistics", symptoms=("no-calls", "drops-after-30"))
ECHO = Observation("pop-a", "gw-a", "icmp", NOW, 1040.0, EchoSample("192.168.50.10", 5, 0))
SILENT = Finding("icmp/loss", ECHO, State.CRITICAL, Message("icmp.no-reply", {"sent": 5}), LOSS, value=1.0)
REFUSED = next(iter(sip.judge(Observation("pop-a", "gw-a", "sip", NOW, 1.0, Failure(Kind.TIMEOUT, "> 4 s")), None, sip.Limits())))
CAUSE = BY_CODE[CaseKind.EQUIPMENT, "gateway_down"]
WORDS = {"element": "gw-a", "node": "gw-a"}
FAULT = Diagnosis(
    CaseKind.EQUIPMENT,
    "gateway_down",
    "gw-a",
    Side.CUSTOMER,
    Area.CUSTOMER_EQUIPMENT,
    Urgency.EMERGENCY,
    0.97,
    NOW - timedelta(minutes=37),
    (SILENT.key, REFUSED.key),
    (SILENT, REFUSED),
    Message("cause.gateway_down", {**WORDS}),
    Message(CAUSE.action, {**WORDS}),
    ("Harbour Logistics",),
    state=State.CRITICAL,
)
SPARE = msgspec.structs.replace(
    FAULT, cause="redundancy_lost", element="fib0", summary=Message("cause.redundancy_lost", {"element": "fib0"})
)


def step(question: str, state: StepState, took_s: float, nodes: tuple[str, ...], good: int, **more: object) -> Ended:
    return msgspec.structs.replace(Ended(question, state, took_s, nodes, good), **more)


def telling(node: str, state: State, id: str, **values: object) -> Telling:
    return Telling(node, state, Message(id, values))  # type: ignore[arg-type]


STEPS = (
    step("sight", StepState.GOOD, 0.2, ("here",), 3),
    step("servers", StepState.GOOD, 0.9, ("soft", "db", "web-1", "web-2", "web-3", "web-4"), 14),
    step("resources", StepState.GOOD, 0.9, ("here", "soft"), 21, unknown=2),
    step("devices", StepState.UNKNOWN, 1.4, ("core",), 0, note=Message("diagnose.late")),
    step("fibre", StepState.GOOD, 1.5, ("edge", "pop"), 9),
    step("line", StepState.GOOD, 2.6, ("site-a",), 1, tellings=(telling("site-a", State.OK, "icmp.answered", sent=5),)),
    step("router", StepState.SKIPPED, 2.6, (), 0, note=Message("skipped.site", {"customer": "Harbour Logistics"})),
    step(
        "nat",
        StepState.UNKNOWN,
        2.6,
        ("gw-a",),
        0,
        unknown=1,
        tellings=(telling("gw-a", State.UNKNOWN, "gateway.both-fail", address="10.254.0.2"),),
    ),
    step(
        "gateway",
        StepState.BAD,
        2.6,
        ("gw-a",),
        0,
        bad=3,
        tellings=(
            telling("gw-a", State.CRITICAL, "icmp.no-reply", sent=5),
            telling("gw-a", State.CRITICAL, "gateway.nat-silent", address="x"),
        ),
    ),
    step("standard", StepState.SKIPPED, 2.7, (), 0, note=Message("skipped.consent")),
)


def ended(answer: str = "fault", diagnosis: Diagnosis | None = FAULT, **more: object) -> Conclusion:
    plain = Conclusion(
        request=ASKED,
        at=NOW,
        agent="pop-a",
        answer=answer,
        diagnosis=diagnosis,
        others=(SPARE,),
        decides=None,
        todo=(
            Todo("technician", FAULT.action),
            Todo("technician", Message("todo.call", {"customer": "Harbour Logistics", "contacts": "Ms Chen, +86 21 5555 0111"})),
            Todo("commerce", Message("todo.commerce-warranty", {"node": "gw-a", "until": "2027-03-31"})),
        ),
        ruled_out=(("sight", 3), ("servers", 14), ("fibre", 9)),
        not_looked=(Message("skipped.consent"), Message("unmeasured.late", {"checks": "path carrier"})),
        readings=51,
        took_s=2.7,
        rules="2",
        watched=True,
    )
    return msgspec.structs.replace(plain, **more)


OLD = Case(
    id=318,
    kind=CaseKind.EQUIPMENT,
    cause="gateway_down",
    element="gw-a",
    state=CaseState.CLOSED,
    severity=State.CRITICAL,
    side=Side.CUSTOMER,
    area=Area.CUSTOMER_EQUIPMENT,
    urgency=Urgency.URGENT,
    confidence=0.9,
    opened_at=NOW - timedelta(days=80),
    since=NOW - timedelta(days=80),
    updated_at=NOW - timedelta(days=79),
    cleared_at=NOW - timedelta(days=80) + timedelta(hours=2),
    summary=FAULT.summary,
    action=FAULT.action,
    agent="pop-a",
    keys=(),
)


def screen(language: str, columns: int, told: Conclusion, similar: tuple[Case, ...] = (), colour: bool = False) -> str:
    said = texts(language)
    steps = [one for one in STEPS if told.diagnosis is not None or one.state in (StepState.GOOD, StepState.SKIPPED)]
    lines = [title_text(ASKED, said, columns), *(step_line(one, said, colour, columns).rstrip() for one in steps)]
    return "\n".join(lines) + "\n" + conclusion_text(told, similar, said, colour, columns, UTC)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("columns", [120, 60])
def test_screen_of_a_dead_gateway(golden, language, columns):
    text = screen(language, columns, ended(opened=Opened(412, False)), (OLD,))
    golden(f"diagnosis-{columns}.{language}", text)
    assert max(width(line) for line in text.splitlines()) <= columns


@pytest.mark.parametrize("language", ["en", "zh"])
def test_screen_of_no_fault(golden, language):
    told = ended("none", None, others=(), todo=(), decides=Message("next.no-calls"), not_looked=())
    golden(f"diagnosis-none.{language}", screen(language, 100, told))


def test_first_line_of_the_block_answers():
    lines = conclusion_text(ended(), (), texts("en"), columns=120).splitlines()
    assert lines[1].split()[0] == "verdict"
    assert "gw-a" in lines[1]


def test_what_can_t_be_decided_says_so_first():
    told = ended("undetermined", decides=Message("next.unseen"))
    text = conclusion_text(told, (), texts("en"), columns=120)
    assert "undetermined: " in text.splitlines()[1]
    assert "next test" in text


def test_without_a_watching_service_nothing_is_said_of_since():
    text = conclusion_text(ended(watched=False), (), texts("en"), columns=120)
    assert "nobody watched before" in text
    assert "37:00" not in text


def test_the_customers_text_is_in_both_languages():
    text = conclusion_text(ended(), (), texts("en"), columns=200)
    assert "We are sorry" in text
    assert "抱歉" in text


def test_what_the_records_say_of_the_number_is_told():
    calls = (Message("calls.none", {"number": "…1001", "since": "11-21 09:30"}),)
    assert "none reached our switch" in conclusion_text(ended(calls=calls), (), texts("en"), columns=200)
    assert json.loads(diagnosis_json(STEPS, ended(calls=calls), (), texts("en")))["calls"][0].startswith("…1001")


def test_colour_is_only_where_it_is_wanted():
    assert "\x1b[32m✓\x1b[0m" in screen("en", 100, ended(), colour=True)
    assert "\x1b" not in screen("en", 100, ended())


def test_names_that_would_steer_the_terminal_do_not():
    line = step_line(msgspec.structs.replace(STEPS[0], nodes=("a\x1b[2Jb",)), texts("en"), False, 100)
    assert "\x1b" not in line


def test_step_under_way_has_the_place_of_the_one_that_ends():
    assert begun_line(Begun("sight"), texts("en"))[:22] == " … agent can see      "


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_question_has_its_words_and_they_line_up(language):
    said = texts(language)
    heads = {width(begun_line(Begun(question.name), said)) for question in FLOWS[CaseKind.NETWORK]}
    assert len(heads) == 1


@pytest.mark.parametrize(("answer", "code"), [("none", 0), ("fault", 1), ("undetermined", 2)])
def test_exit_codes(answer, code):
    assert exit_code(ended(answer)) == code


def test_json_has_the_keys_that_the_handbook_names():
    said = json.loads(diagnosis_json(STEPS, ended(opened=Opened(412, True)), (OLD,), texts("en")))
    assert (said["answer"], said["case"], said["joined"], said["similar"]) == ("fault", 412, True, [318])
    assert said["diagnosis"]["side"] == "customer"
    assert said["steps"][8]["said"][0]["state"] == "critical"
    assert said["ruled_out"] == {"sight": 3, "servers": 14, "fibre": 9}
    assert said["todo"][2]["who"] == "commerce"


@pytest.mark.parametrize("line", [Begun("sight"), *STEPS, ended(), ended("none", None)])
def test_lines_of_the_service_come_back_as_they_were(line):
    assert msgspec.json.decode(msgspec.json.encode(line), type=Line) == line
