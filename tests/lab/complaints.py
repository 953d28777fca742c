"""Complaints in the lab: who says what while which fault lasts. `python -m tests.lab.complaining` has the running agent look into each."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from tests.lab.agent import Agent
from tests.lab.faults import FAULTS, NO_FAULT, Truth
from tests.lab.lab import Lab

HARBOUR, HILLTOP, QUAY = "Harbour Logistics", "Hilltop Clinic", "Quay Foods"
WITHIN_S = 20.0
QUIET_S = 20.0  # how long what a fault leaves behind may take to go before the agent begins anew


@dataclass(frozen=True)
class Complaint:
    """One complaint: its group (whose fault it is), the fault (none: all is well), the words, and who complains where the fault does not say."""

    group: str
    fault: str | None
    symptom: str
    customer: str = HARBOUR
    kind: str = "network"
    seed: int = 1

    @property
    def name(self) -> str:
        return f"{self.group}/{self.fault or 'nothing'}/{self.symptom}"


COMPLAINTS = (
    Complaint("company", "sip_503", "no-calls"),
    Complaint("company", "sip_refused", "no-calls", HILLTOP),
    Complaint("company", "sip_silent", "cant-register"),
    Complaint("company", "sip_prohibited", "no-calls", QUAY),
    Complaint("company", "too_many_clients", "slow"),
    Complaint("company", "uplink_cut", "no-calls", HILLTOP),
    Complaint("company", "loss_inside", "bad-quality"),
    Complaint("company", "branch_cut", "no-calls", QUAY),
    Complaint("company", "branch_power", "no-calls", QUAY),
    Complaint("company", "duplicate_address", "some-calls"),
    Complaint("carrier", "both_fibres_cut", "no-calls"),
    Complaint("carrier", "far_end_down", "no-calls", HILLTOP),
    Complaint("carrier", "carrier_drops", "no-calls", QUAY),
    Complaint("carrier", "lossy", "bad-quality"),
    Complaint("carrier", "lossy_inwards", "one-way-audio", HILLTOP),
    Complaint("carrier", "slow", "echo"),
    Complaint("carrier", "jittery", "bad-quality", QUAY),
    Complaint("carrier", "mtu_black_hole", "drops-after-30"),
    Complaint("carrier", "routing_loop", "no-calls", HILLTOP),
    Complaint("carrier", "loss_beyond", "bad-quality"),
    Complaint("customer", "line_cut", "no-calls"),
    Complaint("customer", "customer_power", "no-calls", seed=2),
    Complaint("customer", "router_hung", "cant-register", seed=3),
    Complaint("customer", "gateway_off", "no-calls"),
    Complaint("customer", "gateway_hung", "cant-register", kind="equipment", seed=2),
    Complaint("customer", "gateway_refuses", "no-calls", seed=3),
    Complaint("customer", "gateway_unregistered", "cant-register", kind="equipment"),
    Complaint("customer", "gateway_not_standard", "bad-quality", kind="equipment"),
    Complaint("customer", "dmz_wrong", "one-way-audio"),
    Complaint("customer", "sip_alg", "drops-after-30", kind="equipment"),
    Complaint("none", None, "no-calls"),
    Complaint("none", None, "wrong-number", HILLTOP),
    Complaint("none", "fibre_cut", "no-calls"),  # the second fibre carries on: a fault, and not his
    Complaint("none", "fan_stopped", "echo", HILLTOP),
    Complaint("none", "snmp_dead", "slow", QUAY),
    Complaint("none", "power_supply", "bad-quality"),
)


@dataclass(frozen=True)
class Outcome:
    """What the agent said of one complaint, and what would have been right."""

    complaint: Complaint
    customer: str
    truth: Truth
    told: dict[str, Any]
    took_s: float

    @property
    def said(self) -> str:
        one = self.told["diagnosis"]
        return str(self.told["answer"]) + (f" {one['cause']} at {one['element']}, {one['side']}" if one else "")

    @property
    def right(self) -> bool:
        """Cause (or its declared class), side and element; nothing where nothing of his is wrong."""
        one = self.told["diagnosis"]
        if self.complaint.group == "none":
            return bool(self.told["answer"] == "none")
        if one is None or self.told["answer"] != "fault":
            return False
        return _same_cause(one, self.truth) and one["side"] in self.truth.side and _same_element(one["element"], self.truth)


def _same_cause(one: dict[str, Any], truth: Truth) -> bool:
    return one["cause"] in truth.causes


def _same_element(element: str, truth: Truth) -> bool:
    named = {part for whole in element.split("+") for part in (whole, whole.partition(":")[0])}
    return bool(named & (truth.elements | {one.partition(":")[0] for one in truth.elements}))


@contextmanager
def made(lab: Lab, complaint: Complaint) -> Iterator[tuple[str, Truth]]:
    """Plant the complaint's fault while it is looked into; give who complains, one whom the fault hits if it hits anybody, and the truth."""
    planted = FAULTS[complaint.fault].plant(lab, random.Random(complaint.seed)) if complaint.fault else nullcontext(NO_FAULT)
    with planted as truth:
        hit = sorted(truth.customers)
        yield (complaint.customer if complaint.customer in hit or not hit or complaint.group == "none" else hit[0]), truth


def looked_into(lab: Lab, agent: Agent, complaint: Complaint) -> Outcome:
    """Have the agent look into a complaint while its fault lasts."""
    with made(lab, complaint) as (customer, truth):
        started = time.monotonic()
        done = agent.run(
            "diagnose", complaint.kind, "--customer", customer, "--symptom", complaint.symptom, "--format", "json", timeout_s=3 * WITHIN_S
        )
        took_s = time.monotonic() - started
    assert done.returncode in (0, 1, 2), f"{complaint.name}: {done.returncode}\n{done.stderr}\n{agent.journal[-2000:]}"
    return Outcome(complaint, customer, truth, json.loads(done.stdout), took_s)


def quiet(agent: Agent) -> None:
    """Wait until nothing is wrong any more, then have the agent begin anew: no complaint is to learn from the one before."""
    end = time.monotonic() + QUIET_S
    while agent.cases() and time.monotonic() < end:
        time.sleep(0.3)
    agent.restart()


def show(one: Outcome) -> str:
    """Return the lines of an outcome: right or wrong, what was said, and if wrong what it should have been and the bad steps."""
    head = f"{'right' if one.right else 'WRONG'}  {one.took_s:5.1f} s  {one.complaint.name:44}  {one.said}"
    if one.right:
        return head
    lines = [head, f"       of {one.customer}; right: {sorted(one.truth.causes)} {sorted(one.truth.side)} {sorted(one.truth.elements)}"]
    for step in one.told["steps"]:
        if step["state"] != "good":
            said = "; ".join(f"{part['node']}: {part['message']}" for part in step["said"])
            lines.append(f"       {step['state']:8} {step['question']:10} {said or step['note'] or ''}")
    lines += [f"       also {other['cause']} at {other['element']}, {other['side']}" for other in one.told["others"]]
    return "\n".join(lines)
