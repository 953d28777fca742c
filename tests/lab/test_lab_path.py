"""The path to the carrier's switch, with the faults of fibre, PoP and carrier: what `path` says before, during and after each."""

from typing import Any

import pytest

from tests.lab import topology
from tests.lab.lab import NEEDS, Lab, Look

pytestmark = NEEDS

OPTIONS: dict[str, Any] = {
    "count": 40,
    "interval_ms": 10,
    "wait_ms": 300,
    "edge": [topology.EDGE],
    "pop": [topology.POP_FIB0, topology.POP_FIB1],
}


def through(lab: Lab, fault: str, **more: Any) -> Look:
    """Return what is said during a fault; before it and after it everything about the path is good, but that it may be a new one."""
    before, during, after = lab.through(fault, "path", topology.CARRIER, **{**OPTIONS, **more})
    assert not before.bad
    assert after.bad <= {("path/change", "")}, after
    assert after.of("path/reach").message == "path.reached"
    return during


def test_cut_of_one_fibre_is_a_new_path_and_no_outage(lab: Lab) -> None:
    during = through(lab, "fibre_cut")
    assert during.of("path/reach").state == "ok"
    assert during.of("path/loss").state == "ok"
    found = during.of("path/change")
    assert (found.state, found.message) == ("warning", "path.changed")
    assert (found.values["old"], found.values["new"]) == (topology.POP_FIB0, topology.POP_FIB1)


@pytest.mark.parametrize(
    ("fault", "messages"),
    [
        ("both_fibres_cut", {"path.ends.line", "path.unreachable.line"}),
        # Linux says "unreachable" five times at once to one source, then once a second: the echoes may have used that up.
        ("far_end_down", {"path.ends.beyond", "path.unreachable.beyond"}),
        ("carrier_drops", {"path.ends.beyond"}),
    ],
)
def test_path_that_breaks_is_critical_and_says_where(lab: Lab, fault: str, messages: set[str]) -> None:
    during = through(lab, fault)
    found = during.of("path/reach")
    assert (found.state, found.message in messages) == ("critical", True), during
    assert during.of("path/loss").state == "unknown", "loss of a path that does not reach its end is not a number"
    assert during.of("path/delay").state == "unknown"


def test_loop_is_told_by_the_two_that_send_to_each_other(lab: Lab) -> None:
    found = through(lab, "routing_loop").of("path/reach")
    assert (found.state, found.message) == ("critical", "path.loop")
    assert set(found.values["hops"].split(", ")) == {topology.EDGE, topology.POP_FIB0}


def test_loss_of_the_fibres_is_laid_on_the_line(lab: Lab) -> None:
    found = through(lab, "lossy").of("path/loss")
    assert (found.state, found.message) == ("critical", "path.loss.line")


def test_delay_of_the_fibres_is_laid_on_the_line(lab: Lab) -> None:
    found = through(lab, "slow", wait_ms=600).of("path/delay")
    assert (found.state, found.message) == ("warning", "path.delay.line")
    assert 300 <= (found.value or 0) <= 430


def test_silent_router_in_the_middle_is_no_loss(lab: Lab) -> None:
    during = through(lab, "hop_silent")
    assert not during.bad
    assert during.of("path/loss").value == 0
