"""`python -m tests.lab.complaining [NAME …] [--labs N] [--results FILE] [--page FILE]`: the running agent looks into the 36 complaints.

Each in a lab and by an agent of its own; prints what it says, whether that is right and how long it took. What is in the results file
already is not done again. 0 when at least 35 of 36 are right and none is late. Root.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.lab.accuracy.scoring import percentile
from tests.lab.accuracy.sections import put
from tests.lab.agent import Agent
from tests.lab.apart import each, read
from tests.lab.complaints import COMPLAINTS, WITHIN_S, Complaint, looked_into, show
from tests.lab.lab import Lab

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "complaints.jsonl"
GROUPS = {"company": "our own side", "carrier": "the carrier's", "customer": "the customer's", "none": "no fault, or none of his"}


class Answered(msgspec.Struct, frozen=True):
    """What came of one complaint; `told` are the lines for people."""

    name: str
    group: str
    right: bool
    answer: str
    said: str
    next_test: str
    took_s: float
    load: float
    told: str


def answered(lab: Lab, agent: Agent, name: str) -> Answered:
    """Have one complaint looked into while its fault lasts, and return what came of it."""
    complaint = next(one for one in COMPLAINTS if one.name == name)
    one = looked_into(lab, agent, complaint)
    answer, test = str(one.told["answer"]), str(one.told["next_test"] or "")
    load = round(os.getloadavg()[0], 1)
    return Answered(name, complaint.group, one.right, answer, one.said, test, round(one.took_s, 1), load, show(one))


def line(one: Answered) -> str:
    """Return one in lines for people."""
    return f"{one.told} (load {one.load})"


def section(found: Sequence[Answered]) -> str:
    """Return the figures as a section of docs/accuracy.md."""
    open_ones = [one for one in found if one.answer == "undetermined"]
    loads = [one.load for one in found]
    lines = [
        "## Complaints",
        "",
        f"`python -m tests.lab.complaining`: {len(COMPLAINTS)} complaints in the users' words, each looked into by `firstline diagnose` beside the",
        "running agent in a lab of its own, a moment after the fault began. Right is cause (or its declared class), side and element, or that",
        f"it is no fault of his. The goal: 35 of 36, each within {WITHIN_S:g} s. The machine's load was {percentile(loads, 0.5) or 0:.0f} in the middle,",
        f"{max(loads, default=0):.0f} at most, on {os.cpu_count()} cores. " + ("" if open_ones else "None was undetermined."),
        "",
        "| whose fault | complaints | right | p50, s | slowest, s |",
        "| --- | --: | --: | --: | --: |",
    ]
    for title, some in (*((name, [one for one in found if one.group == group]) for group, name in GROUPS.items()), ("all", found)):
        took = [one.took_s for one in some]
        if took:
            lines.append(f"| {title} | {len(some)} | {sum(one.right for one in some)} | {percentile(took, 0.5):.1f} | {max(took):.1f} |")
    if wrong := [one for one in found if not one.right]:
        lines += ["", "| wrong | what was said |", "| --- | --- |", *(f"| {one.name} | {one.said} |" for one in wrong)]
    if open_ones:
        lines += [
            "",
            "| undetermined | the next test it names |",
            "| --- | --- |",
            *(f"| {one.name} | {one.next_test} |" for one in open_ones),
        ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def chosen(names: Sequence[str]) -> list[Complaint]:
    """Return the complaints whose name holds one of the words; all without any."""
    return [one for one in COMPLAINTS if not names or any(name in one.name for name in names)]


def main() -> int:
    """Do what is not done yet and print the figures, or write them into the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.complaining", description=(__doc__ or "").partition("\n")[2])
    parser.add_argument("names", nargs="*", metavar="NAME", help="a part of the names of those wanted [default: all]")
    parser.add_argument("--labs", type=int, default=1, help="labs beside each other [default: 1]")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"one JSON line each [default: {RESULTS.relative_to(ROOT)}]")
    parser.add_argument("--page", type=Path, help="whose section of these figures is written anew [default: standard output]")
    asked = parser.parse_args()
    wanted = chosen(asked.names)
    done = {one.name for one in read(asked.results, Answered)}
    each(answered, [one.name for one in wanted if one.name not in done], asked.labs, asked.results, line)
    found = [one for one in read(asked.results, Answered) if one.name in {complaint.name for complaint in wanted}]
    if asked.page:
        put(asked.page, section(found))
    else:
        print(section(found))
    right, late = sum(one.right for one in found), any(one.took_s > WITHIN_S for one in found)
    return 0 if right >= len(wanted) - len(wanted) // 36 and not late else 1


if __name__ == "__main__":
    sys.exit(main())
