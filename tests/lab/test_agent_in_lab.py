"""The running agent in the lab where many symptoms are one thing: a site without power, a fibre of two, its own cable."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.lab.agent import Agent, Event
from tests.lab.daemons import wait_until
from tests.lab.faults import FAULTS, Plain
from tests.lab.lab import NEEDS, Lab

pytestmark = NEEDS
PAGES = 14  # of each branch server: with them 41 checks lie behind the branch's one cable
SETTLE_S = 8.0
TRUTH_S = 15.0


@pytest.fixture
def calm(own_lab: Lab) -> Iterator[Agent]:
    """Give an agent with no case open."""
    agent = Agent(own_lab, pages=PAGES)
    try:
        agent.start()
        assert agent.cases() == []
        yield agent
    finally:
        agent.down()


def causes(agent: Agent) -> set[str]:
    return {case["cause"] for case in agent.cases()}


def only_case(agent: Agent, cause: str, within_s: float = 30.0) -> tuple[dict[str, Any], list[Event]]:
    """Return the one case of this cause and all events, when nothing else has come to it for some seconds."""
    wait_until(lambda: cause in causes(agent), f"{cause}: {agent.cases()}", within_s)
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        time.sleep(0.2)
    cases = agent.cases()
    assert [case["cause"] for case in cases] == [cause], cases
    return cases[0], agent.events()


def test_site_without_power_is_one_case_that_names_who_is_affected(calm: Agent) -> None:
    with FAULTS["branch_power"].plant(calm.lab, Plain()) as truth:
        case, _ = only_case(calm, "site_power")
    assert case["element"] in truth.elements
    assert set(case["affected"]) == truth.customers


def test_cut_fibre_of_two_is_lost_redundancy_and_affects_nobody(calm: Agent) -> None:
    with FAULTS["fibre_cut"].plant(calm.lab, Plain()):
        case, _ = only_case(calm, "redundancy_lost")
    assert (case["element"], case["affected"]) == ("fib0", [])


def test_agent_that_cannot_see_says_so_and_nothing_else_and_knows_the_truth_soon_after(calm: Agent) -> None:
    with ExitStack() as meanwhile:
        with FAULTS["agent_cable"].plant(calm.lab, random.Random(1)):
            case, events = only_case(calm, "agent_blind")
            assert {event["identity"]["cause"] for event in events} == {"agent_blind"}
            meanwhile.enter_context(FAULTS["gateway_off"].plant(calm.lab, Plain()))
        back = time.monotonic()
        while causes(calm) != {"gateway_down"}:
            time.sleep(0.2)
            assert time.monotonic() - back <= TRUTH_S, "\n".join([*map(str, calm.events()), *calm.bad()])
    assert case["affected"] == []
