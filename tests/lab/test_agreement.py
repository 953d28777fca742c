"""Whether two verdicts are the same: values only, no lab."""

import pytest

from tests.lab.accuracy.outcome import Planted
from tests.lab.agreement import Agreement, Case, Look, Run, same

GONE = Case("gateway_down", "gw-a", "customer")
HUNG = Case("service_hung", "soft:sip", "company", ("service_blocked",))
FAN = Case("fan", "edge:fan 1", "company")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (GONE, GONE, True),
        (HUNG, Case("service_blocked", "soft:5060", "company"), True),  # a declared class, and a part of the same node
        (HUNG, Case("service_error", "soft:sip", "company"), False),
        (GONE, Case("gateway_down", "gw-b", "customer"), False),
        (GONE, Case("gateway_down", "gw-a", "undetermined"), False),
        (Case("fibre_cut", "fib0+fib1", "carrier"), Case("fibre_cut", "fib1", "carrier"), True),
        (Case("fibre_cut", "fib0", "carrier"), Case("fibre_cut", "fib1", "carrier"), False),
    ],
)
def test_same_is_cause_or_class_side_and_element(one: Case, other: Case, alike: bool) -> None:
    assert same(one, other) is alike
    assert same(other, one) is alike


def look(chosen: Case | None = None, *others: Case) -> Look:
    return Look("fault" if chosen else "none", chosen, others, "", 3.0)


def found(fault: str, cases: tuple[Case, ...], beside: Look, alone: Look) -> Agreement:
    planted = Planted(fault, "live", ("gateway_down",), ("customer",), ("gw-a",))
    return Agreement(Run(planted, 1, "", cases, cases, beside, alone, 9.0, 0.0, ""))


def test_both_looks_must_say_what_the_case_of_the_fault_says() -> None:
    assert found("gateway_off", (FAN, GONE), look(GONE), look(GONE, FAN)).agrees
    beside = found("gateway_off", (GONE,), look(HUNG), look(GONE))
    assert not beside.agrees
    assert "it says fault service_hung at soft:sip" in beside.why_beside
    assert not found("gateway_off", (GONE,), look(GONE), look()).agrees


def test_what_nobody_would_complain_of_is_said_besides() -> None:
    assert found("gateway_off", (GONE,), look(None, GONE), look(None, GONE)).agrees


def test_what_takes_longer_than_a_look_may_go_unseen_without_a_past_and_may_not_be_another_thing() -> None:
    assert found("flap", (GONE,), look(GONE), look()).agrees
    assert not found("flap", (GONE,), look(GONE), look(HUNG)).agrees
    assert not found("flap", (GONE,), look(), look(GONE)).agrees


def test_where_no_case_is_nothing_may_be_said() -> None:
    assert found("hop_silent", (), look(), look()).agrees
    assert not found("hop_silent", (), look(GONE), look()).agrees


def test_what_only_the_look_says_is_named() -> None:
    one = found("gateway_off", (GONE,), look(GONE, FAN), look(GONE))
    assert one.agrees
    assert one.extra == [FAN]
    assert "no case: fan at edge:fan 1 (company)" in one.line
