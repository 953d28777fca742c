"""Complaints while a fault of the lab lasts: the command beside the running agent names cause, side and element within 20 seconds."""

from collections.abc import Iterator

import pytest

from tests.lab.agent import Agent
from tests.lab.complaints import COMPLAINTS, WITHIN_S, Outcome, looked_into, quiet, show
from tests.lab.lab import NEEDS, Lab

pytestmark = NEEDS
SHORT = ("company/sip_503/no-calls", "customer/gateway_off/no-calls", "none/nothing/no-calls")


def test_there_are_36_complaints_as_the_users_have_them() -> None:
    groups = [one.group for one in COMPLAINTS]
    assert [groups.count(group) for group in ("company", "carrier", "customer", "none")] == [10, 10, 10, 6]
    assert len({one.name for one in COMPLAINTS}) == 36


@pytest.fixture
def agent(own_lab: Lab) -> Iterator[Agent]:
    made = Agent(own_lab)
    made.start()
    yield made
    made.down()


def test_a_few_complaints_are_answered_rightly_within_seconds(own_lab: Lab, agent: Agent) -> None:
    outcomes: dict[str, Outcome] = {}
    for complaint in (one for one in COMPLAINTS if one.name in SHORT):
        if outcomes:
            quiet(agent)
        outcomes[complaint.group] = looked_into(own_lab, agent, complaint)
    told = "\n".join(map(show, outcomes.values()))
    assert all(one.right for one in outcomes.values()), told
    assert max(one.took_s for one in outcomes.values()) <= WITHIN_S, told
    gone = outcomes["customer"].told
    assert [step["state"] for step in gone["steps"][:5]] == ["good"] * 5, told
    assert gone["diagnosis"]["affected"] == [outcomes["customer"].customer]
    assert {todo["who"] for todo in gone["todo"]} == {"technician", "commerce"}
    assert outcomes["none"].told["next_test"] is not None


@pytest.mark.long
def test_all_complaints(own_lab: Lab, agent: Agent) -> None:
    outcomes = []
    for complaint in COMPLAINTS:
        outcomes.append(looked_into(own_lab, agent, complaint))
        quiet(agent)
    told = "\n".join(map(show, outcomes))
    assert sum(one.right for one in outcomes) >= 35, told
    assert max(one.took_s for one in outcomes) <= WITHIN_S, told
