"""What counts as right, as false and as late: the scoring of the campaign, on outcomes written by hand."""

from pathlib import Path

import pytest

from tests.lab.accuracy import outcome as file
from tests.lab.accuracy.combining import disturb, hides
from tests.lab.accuracy.outcome import Moment, Outcome, Planted, Story
from tests.lab.accuracy.report import page
from tests.lab.accuracy.scoring import calibration, confusion, judge, latency_s, objection, percentile

CUT = Planted("both_fibres_cut", "live", ("fibre_cut",), ("carrier",), ("edge:fib0", "fib0", "fib1"))
GATEWAY = Planted("gateway_off", "live", ("gateway_down",), ("customer",), ("gw-a", "lan-a"), ("Harbour Logistics",))
SILENT = Planted("hung", "live", ("service_blocked", "service_hung"), ("company",), ("soft",))
SESSION = Planted("bgp", "live", ("bgp_down",), ("carrier", "company"), ("edge", "pop"))
NOTHING = Planted("sip_403", "live", (), (), ())


def said(at_s: float, cause: str, element: str, side: str, event: str = "opened", affected: str = "", sure: float | None = None) -> Moment:
    return Moment(at_s, event, cause, element, side, (affected,) if affected else (), sure)


RIGHT = said(6.0, "fibre_cut", "fib0+fib1", "carrier", sure=0.97)


def ran(planted: tuple[Planted, ...], *stories: tuple[Moment, ...], undone_s: float = 30.0) -> Outcome:
    told = tuple(Story(number, moments) for number, moments in enumerate(stories, 1))
    return Outcome(1, planted, told, 0.1, undone_s)


@pytest.mark.parametrize(
    ("planted", "moment", "wrong"),
    [
        (CUT, RIGHT, ""),
        (CUT, said(6, "fibre_cut", "fib0", "carrier"), ""),
        (CUT, said(6, "fibre_cut", "fib0+lan-a", "carrier"), ""),
        (CUT, said(6, "fibre_cut", "lan-b+lan-a", "carrier"), "element"),
        (CUT, said(6, "fibre_cut", "edge:fib0", "carrier"), ""),
        (CUT, said(6, "fibre_cut", "edge", "carrier"), "element"),
        (CUT, said(6, "host_down", "pop", "carrier"), "cause"),
        (CUT, said(6, "fibre_cut", "fib0", "company"), "side"),
        (CUT, said(6, "fibre_cut", "fib0", "undetermined"), "side"),
        (SESSION, said(6, "bgp_down", "edge:10.255.0.2", "undetermined"), ""),
        (GATEWAY, said(6, "gateway_down", "gw-a", "customer", affected="Harbour Logistics"), ""),
        (GATEWAY, said(6, "gateway_down", "gw-a", "customer"), "customers"),
        (NOTHING, said(6, "account", "soft", "company"), "cause"),
    ],
)
def test_cause_side_element_and_customers_have_to_fit(planted: Planted, moment: Moment, wrong: str) -> None:
    assert objection(planted, moment) == wrong


def test_declared_class_of_what_was_said_counts() -> None:
    moment = said(6, "tcp_silent", "soft", "company")
    assert objection(SILENT, moment) == "cause"
    assert objection(SILENT, moment, ("service_hung",)) == ""


def test_one_case_that_fits_is_right() -> None:
    judged = judge(ran((CUT,), (RIGHT,)))
    assert judged.right
    assert (judged.cases, latency_s(judged, 0)) == (1, 6.0)


def test_case_that_comes_right_later_is_as_late_as_that() -> None:
    judged = judge(ran((CUT,), (said(4.0, "fibre_cut", "fib0", "undetermined"), said(9.0, "fibre_cut", "fib0", "carrier", "updated"))))
    assert judged.right
    assert latency_s(judged, 0) == 9.0


@pytest.mark.parametrize(
    ("other", "right"),
    [
        ((said(5.0, "bgp_down", "edge", "company"),), False),  # it stood to the end
        ((said(5.0, "bgp_down", "edge", "company"), said(9.0, "bgp_down", "edge", "company", "merged")), True),
        ((said(5.0, "bgp_down", "edge", "company"), said(20.1, "bgp_down", "edge", "company", "merged")), False),
        ((said(5.0, "bgp_down", "edge", "company"), said(9.0, "bgp_down", "edge", "company", "cleared")), True),
        ((said(5.0, "bgp_down", "edge", "company"), said(20.1, "bgp_down", "edge", "company", "cleared")), False),
        ((RIGHT,), False),  # one fault is one case
        ((said(40.0, "bgp_flapping", "edge", "company"),), False),  # opened when the fault was gone, and left
        ((said(40.0, "bgp_flapping", "edge", "company"), said(48.0, "bgp_flapping", "edge", "company", "cleared")), True),
    ],
)
def test_second_case_is_false_if_it_stands(other: tuple[Moment, ...], right: bool) -> None:
    judged = judge(ran((CUT,), (RIGHT,), other))
    assert judged.right is right, judged.why
    assert judged.found[0] is not None


def test_nothing_said_is_wrong_where_something_is_broken_and_right_where_nothing_is() -> None:
    assert judge(ran((CUT,))).why == "both_fibres_cut: nothing said"
    assert judge(ran((NOTHING,))).right
    assert judge(ran(())).right
    assert not judge(ran((), (RIGHT,))).right


def test_every_fault_of_several_takes_a_case_of_its_own() -> None:
    gateway = said(8.0, "gateway_down", "gw-a", "customer", affected="Harbour Logistics")
    judged = judge(ran((CUT, GATEWAY), (gateway,), (RIGHT,)))
    assert judged.right
    assert (latency_s(judged, 0), latency_s(judged, 1)) == (6.0, 8.0)
    assert judge(ran((CUT, GATEWAY), (RIGHT,))).found[1] is None


def test_percentile_is_a_value_that_was_measured() -> None:
    assert percentile([], 0.95) is None
    assert percentile([5.0, 1.0, 3.0], 0.5) == 3.0
    assert percentile(map(float, range(1, 101)), 0.95) == 95.0


def test_confusion_and_calibration_count_what_was_said() -> None:
    wrong = judge(ran((CUT,), (said(5.0, "bgp_down", "edge", "company", sure=0.92),)))
    right = judge(ran((CUT,), (RIGHT,)))
    assert confusion([wrong, right], "side") == {("carrier", "company"): 1, ("carrier", "carrier"): 1}
    assert confusion([judge(ran((CUT,)))], "cause") == {("fibre_cut", "nothing"): 1}
    (low, high) = calibration([wrong, right])
    assert (low.cases, low.right, high.cases, high.right) == (1, 0.0, 1, 1.0)


def test_page_tells_figures_and_what_was_wrong() -> None:
    text = page([judge(ran((CUT,), (RIGHT,))), judge(ran((CUT,))), judge(ran((CUT, GATEWAY), (RIGHT,))), judge(ran(()))])
    assert "1 faults, 2 runs" in text
    assert "50.0 % (1 of 2)" in text
    assert "| both_fibres_cut | 1 | both_fibres_cut: nothing said |" in text


def test_results_survive_a_run_that_was_killed_while_it_wrote(tmp_path: Path) -> None:
    results = tmp_path / "accuracy.jsonl"
    one = ran((CUT,), (RIGHT,))
    file.append(results, one)
    whole = results.read_bytes()
    results.write_bytes(whole + whole[:40])
    assert list(file.read(results)) == [one]
    file.append(results, one)
    assert list(file.read(results)) == [one, one]


@pytest.mark.parametrize(
    ("near", "far", "hidden"),
    [
        (("fibre_cut",), ("fib0", "fib1"), True),  # and behind them the carrier's switch
        (("fibre_degraded",), ("fib0", "fib1"), False),
        (("fibre_cut",), ("fib0",), False),  # the other one carries on
        (("interface_down",), ("core:p3",), True),
        (("interface_down",), ("core:p4",), False),
        (("site_power",), ("branch",), False),
    ],
)
def test_fault_behind_another_is_not_asked_for(near: tuple[str, ...], far: tuple[str, ...], hidden: bool) -> None:
    carriers = Planted("carrier_error", "live", ("service_error",), ("carrier",), ("carrier",))
    assert hides(Planted("near", "live", near, ("company",), far), carriers) is hidden


def test_faults_at_one_place_or_customer_disturb_each_other() -> None:
    line = Planted("line", "live", ("customer_line",), ("customer",), ("line-a", "site-a"), ("Harbour Logistics",))
    elsewhere = Planted("line", "live", ("customer_line",), ("customer",), ("line-b", "site-b"), ("Hilltop Clinic",))
    assert disturb(line, GATEWAY)
    assert not disturb(elsewhere, GATEWAY)
