"""The lab's faults around the running agent: one case each, with the right cause, side, element and customers. Eight of `make accuracy`."""

from collections.abc import Iterator

import pytest

from tests.lab.accuracy.campaign import Campaign
from tests.lab.accuracy.scoring import judge, latency_s
from tests.lab.lab import NEEDS

pytestmark = NEEDS
SETTLE_S = 4.0
LATE_S = 30.0  # twice what is promised of a machine that has nothing else to do


@pytest.fixture(scope="module")
def campaign() -> Iterator[Campaign]:
    one = Campaign(settle_s=SETTLE_S, warm_s=1.0)
    yield one
    one.down()


@pytest.mark.parametrize(
    ("fault", "seed"),
    [
        ("host_down", 1),
        ("sip_silent", 1),
        ("fan_stopped", 1),
        ("admin_down", 1),
        ("both_fibres_cut", 1),
        ("carrier_drops", 1),
        ("customer_power", 1),
        ("gateway_off", 1),
    ],
)
def test_fault_is_one_case_that_says_what_was_planted(campaign: Campaign, fault: str, seed: int) -> None:
    outcome = campaign.one(fault, seed)
    judged = judge(outcome)
    assert judged.right, f"{judged.why}\n{outcome}\n" + "\n".join(campaign.agent.bad())
    assert (latency_s(judged, 0) or 0.0) <= LATE_S
