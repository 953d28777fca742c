"""The flow and the agent: does `firstline diagnose` say of a fault what the running agent's case says, beside the service and without one?

`python -m tests.lab.agreeing [--labs N] [--results FILE] [--page FILE] [--faults a,b] [--report]` plants every fault of the lab (seed 1) in a lab and
around an agent of its own, and prints the figures. What is in the results file already is not done again. Root.
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.lab.accuracy.outcome import Planted
from tests.lab.accuracy.scoring import objection, percentile
from tests.lab.accuracy.sections import put
from tests.lab.agent import FIRSTLINE, Agent
from tests.lab.agreement import Agreement, Case, Look, Run, told_of
from tests.lab.apart import each, read
from tests.lab.complaints import HARBOUR, WITHIN_S
from tests.lab.eye import ISOLATED
from tests.lab.faults import FAULTS, Fault, Truth
from tests.lab.lab import Lab

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "agreeing.jsonl"
WARM_S = 10.0  # until every check was measured twice
PATIENCE_S = {"live": 45.0, "cached": 90.0, "statistical": 330.0}  # from when on no case is expected any more
NOTHING_S = 25.0  # so long nothing may be said, where nothing is wrong
STILL_S = 6.0  # the cases have not changed for so long: they are what the agent makes of it
LONGEST_S = 60.0  # of waiting for that

WORDS = {  # what a customer says of a fault; of all others: "no-calls"
    "bad-quality": (
        *("lossy", "lossy_outwards", "loss_beyond", "loss_inside", "loss_line", "loss_small", "jittery", "saturation", "crc"),
        *("degraded_optics", "cpu", "memory", "gateway_not_standard"),
    ),
    "one-way-audio": ("lossy_inwards", "dmz_wrong", "no_audio"),
    "echo": ("slow",),
    "drops": ("flap", "flap_short", "rebooted", "snmp_restarted"),
    "drops-after-30": ("mtu_black_hole", "mtu_honest", "sip_alg"),
    "some-calls": ("duplicate_address", "conntrack", "dns_upstream"),
    "slow": ("too_many_clients", "descriptors", "web_error", "process_hung", "disk_full", "inodes", "certificate"),
    "cant-register": ("sip_silent", "sip_403", "gateway_hung", "gateway_unregistered"),
}
WORD = {fault: word for word, faults in WORDS.items() for fault in faults}
EQUIPMENT = frozenset({"gateway_hung", "gateway_unregistered", "gateway_not_standard", "sip_alg"})


class Task(NamedTuple):
    """A fault by its name, and what draws its place and severity."""

    fault: str
    seed: int


def run(lab: Lab, agent: Agent, task: Task) -> Run:
    """Plant one fault, wait for the agent's case, and look into the complaint beside the service and without it."""
    time.sleep(WARM_S)
    fault = FAULTS[task.fault]
    with fault.plant(lab, random.Random(f"{task.fault}-{task.seed}")) as truth:
        return looked_at(agent, fault, truth, task.seed)


def looked_at(agent: Agent, fault: Fault, truth: Truth, seed: int) -> Run:
    """Return what is said of a fault that is planted: by the agent's cases before and after the looks, and by both looks."""
    planted = Planted(
        fault.name, fault.seen, *(tuple(sorted(part)) for part in (truth.causes, truth.side, truth.elements, truth.customers))
    )
    waited_s = _wait(agent, planted)
    kind, word = "equipment" if fault.name in EQUIPMENT else "network", WORD.get(fault.name, "no-calls")
    customer = HARBOUR if HARBOUR in truth.customers or not truth.customers else sorted(truth.customers)[0]
    words = ("diagnose", kind, "--customer", customer, "--symptom", word, "--format", "json")
    before = _cases(agent)
    with ThreadPoolExecutor(2) as both:  # at the same time: a fault that comes and goes is the same for both
        beside, alone = both.submit(_look, agent, words, True), both.submit(_look, agent, words, False)
        looks = beside.result(), alone.result()
    return Run(
        planted=planted,
        seed=seed,
        complaint=f"{kind} {customer}: {word}",
        before=before,
        after=_cases(agent),
        beside=looks[0],
        alone=looks[1],
        waited_s=round(waited_s, 1),
        load=round(os.getloadavg()[0], 1),
        commit=_commit(),
        bad=tuple(agent.bad()),
    )


def _wait(agent: Agent, planted: Planted) -> float:
    """Return after how many seconds the agent has said what it makes of the fault, or nothing more is to be expected."""
    began = last = time.monotonic()
    said: object = ()
    patience_s = PATIENCE_S[planted.seen] if planted.causes else NOTHING_S
    while (waited_s := time.monotonic() - began) < patience_s:
        cases = _cases(agent)
        now = sorted((one.cause, one.element, one.side) for one in cases)
        if now != said:
            said, last = now, time.monotonic()
        told = any(not objection(planted, one.moment, one.alternatives) for one in cases)
        if cases and time.monotonic() - last > STILL_S and (told or (waited_s > LONGEST_S / 2 and planted.seen != "statistical")):
            break
        if told and waited_s > LONGEST_S and planted.seen != "statistical":
            break
        time.sleep(0.3)
    return time.monotonic() - began


def _cases(agent: Agent) -> tuple[Case, ...]:
    return tuple(told_of(case) for case in agent.cases() if case["kind"] != "billing")


def _look(agent: Agent, words: Sequence[str], beside: bool) -> Look:
    """Have the complaint looked into beside the service, or from the configuration alone."""
    inside = "/" + str(agent.state.relative_to(agent.lab.node["agent"].root))
    surroundings = {**os.environ, **ISOLATED, "PYTHONPATH": str(ROOT), "FIRSTLINE_CONFIG": f"{inside}/firstline.toml"}
    surroundings["FIRSTLINE_SOCKET"] = f"{inside}/socket" if beside else "/nowhere/socket"
    started = time.monotonic()
    command = agent.lab.node["agent"].inside([FIRSTLINE, *words])
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * WITHIN_S, check=False, env=surroundings)
    took_s = round(time.monotonic() - started, 1)
    assert done.returncode in (0, 1, 2), f"{words}: {done.returncode}\n{done.stderr[-2000:]}\n{agent.journal[-2000:]}"
    told: dict[str, Any] = json.loads(done.stdout)
    one = told["diagnosis"]
    said = tuple(
        f"{step['state']} {step['question']}: "
        + ("; ".join(f"{part['node']}: {part['message']}" for part in step["said"]) or str(step["note"]))
        for step in told["steps"]
        if step["state"] != "good"
    )
    others = tuple(map(told_of, told["others"]))
    return Look(told["answer"], told_of(one) if one else None, others, told["next_test"] or "", took_s, said)


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.strip()


def section(runs: Sequence[Run]) -> str:
    """Return the figures as a section of docs/accuracy.md."""
    found, loads = [Agreement(one) for one in runs], [one.load for one in runs]
    lines = ["## The flow and the agent agree", ""]
    lines += [
        "`python -m tests.lab.agreeing` plants every fault once and looks into a complaint beside the running agent and without one.",
        "",
    ]
    lines += ["| what | measured |", "| --- | --: |"]
    for name, count in (
        ("faults", len(found)),
        ("of which the agent opened a case, or rightly none", sum(one.case is not None or not one.run.planted.causes for one in found)),
        ("beside the service: the same verdict as the case", sum(one.beside for one in found)),
        ("without a service: the same verdict", sum(one.alone for one in found)),
        ("without a service: nothing said, for it takes longer than a look", sum(one.unseen and not one.alone for one in found)),
    ):
        lines.append(f"| {name} | {count} |")
    for name, took in (
        ("beside the service", [one.run.beside.took_s for one in found]),
        ("without", [one.run.alone.took_s for one in found]),
    ):
        with contextlib.suppress(TypeError):
            lines.append(f"| {name}: p50, p95, slowest | {percentile(took, 0.5):.1f}, {percentile(took, 0.95):.1f}, {max(took):.1f} s |")
    lines.append(f"| the machine's load: median, most | {percentile(loads, 0.5) or 0:.0f}, {max(loads, default=0):.0f} |")
    if left := sorted(FAULTS.keys() - {one.run.planted.fault for one in found}):
        lines += ["", f"Not measured: {', '.join(left)}."]
    apart = [one for one in found if not one.agrees]
    if apart:
        lines += ["", "| fault | beside | without |", "| --- | --- | --- |"]
        lines += [f"| {one.run.planted.fault} | {one.why_beside or 'agrees'} | {one.why_alone or 'agrees'} |" for one in apart]
    return "\n".join(lines) + "\n"


def line(one: Run) -> str:
    """Return a run in one line for people."""
    return Agreement(one).line


def main() -> int:
    """Do what is not done yet and print the figures; 0 when both looks agree with the case wherever they can."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.agreeing", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--faults", type=lambda text: text.split(","), default=list(FAULTS), help="names between commas [default: all]")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--labs", type=int, default=1, help="labs beside each other [default: 1]")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"one JSON line a run [default: {RESULTS.relative_to(ROOT)}]")
    parser.add_argument("--page", type=Path, help="whose section of these figures is written anew [default: standard output]")
    parser.add_argument("--report", action="store_true", help="run nothing")
    asked = parser.parse_args()
    unknown = sorted(set(asked.faults) - FAULTS.keys())
    if unknown:
        raise SystemExit(f"no fault named {', '.join(unknown)}; there are: {', '.join(FAULTS)}")
    if not asked.report:
        done = {(one.planted.fault, one.seed) for one in read(asked.results, Run)}
        tasks = [Task(name, asked.seed) for name in asked.faults if (name, asked.seed) not in done]
        each(run, [task for task in tasks if not FAULTS[task.fault].machine_wide], asked.labs, asked.results, line)
        each(run, [task for task in tasks if FAULTS[task.fault].machine_wide], 1, asked.results, line)
    runs = read(asked.results, Run)
    if asked.page:
        put(asked.page, section(runs))
    else:
        print(section(runs))
    return 0 if all(Agreement(one).agrees for one in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
