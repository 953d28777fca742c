"""One lab and its agent, fault after fault: plant, watch what is said, undo, wait until all is clear."""

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.lab.accuracy.combining import disturb
from tests.lab.accuracy.outcome import Moment, Outcome, Planted, Story
from tests.lab.accuracy.scoring import ENDS, judge, latency_s, objection
from tests.lab.agent import Agent, Event
from tests.lab.faults import FAULTS, Fault, Truth
from tests.lab.lab import Lab

SETTLE_S = 12.0  # after all is told the other symptoms come in
PATIENCE_S = {"live": 45.0, "cached": 90.0, "statistical": 330.0}  # from when on nothing more is expected
WRONG_FOR_S = 25.0  # from when on what is wrong and does not change is taken for the last word
NOTHING_S = 40.0  # so long nothing may be said, where nothing is wrong
CLEAR_S = 45.0
WARM_S = 10.0  # the longest period of the plan but that of the test call
CALM_S = 2.0
LOOK_S = 0.25
MOST_TRIES = 25  # of drawing faults that can stand beside each other
MOST_STARTS = 5  # with another first one, where none can stand beside it
NOISE = {"loss": 0.001}


class Campaign:
    """A lab with its agent. `wrong` is the folder that gets a file for each outcome that was not right; `settle_s` is how long it waits
    for other symptoms when all is told.
    """

    def __init__(self, wrong: Path | None = None, settle_s: float = SETTLE_S, warm_s: float = WARM_S) -> None:
        self.wrong, self.settle_s, self.warm_s = wrong, settle_s, warm_s
        self._commit = _commit()
        self.up()

    def up(self) -> None:
        """Bring up a lab and its agent, and wait until every check was measured twice (`warm_s`)."""
        self.lab = Lab()
        self.agent = Agent(self.lab)
        try:
            self.agent.start()
        except BaseException:
            self.down()
            raise
        self._fresh = True
        time.sleep(self.warm_s)

    def down(self) -> None:
        """Take everything away."""
        self.agent.down()
        self.lab.down()

    def renew(self) -> None:
        """Begin with another lab and agent: what an earlier fault left in the machines and in memory is no part of the next run."""
        if not self._fresh:
            self.down()
            self.up()

    def calm(self) -> None:
        """Return when no case is open and nothing bad is remembered; where it does not come to that another lab and agent begin.

        The lab, too: a session that an earlier fault took down says for minutes that it has just come back.
        """
        if not self.agent.alive() or not self._clear(CLEAR_S) or self.agent.bad():
            self.down()
            self.up()
        time.sleep(CALM_S)
        self.agent.events()
        self._fresh = False

    def _clear(self, within_s: float) -> bool:
        end = time.monotonic() + within_s
        while self.agent.cases():
            if time.monotonic() > end:
                return False
            time.sleep(LOOK_S)
        return True

    def one(self, name: str, seed: int) -> Outcome:
        """Plant one fault and return what came of it."""
        self.calm()
        began = time.time()
        with ExitStack() as planted:
            truth = self._plant(planted, FAULTS[name], seed)
            return self._watch(planted, [as_planted(FAULTS[name], truth)], seed, began)

    def several(self, count: int, seed: int, among: Sequence[str]) -> Outcome:
        """Plant faults at different places, drawn by the seed, and return what came of them."""
        names = rehearsed(count, seed, among)
        self.calm()
        began = time.time()
        with ExitStack() as planted:
            known = [as_planted(FAULTS[name], self._plant(planted, FAULTS[name], seed)) for name in names]
            return self._watch(planted, known, seed, began)

    def quiet(self, minutes: float, seed: int) -> Outcome:
        """Let the wires lose one frame in a thousand, and nothing else happen; return what was said."""
        self.calm()
        for wire in self.lab.wire.values():
            wire.set(**NOISE)
        began = time.time()
        try:
            watched = _Watched(self.agent, began, [])
            while time.time() - began < minutes * 60:
                time.sleep(1.0)
                watched.look()
            return self._told(watched, seed, 0.0, time.time() - began)
        finally:
            for wire in self.lab.wire.values():
                wire.set()

    def _plant(self, stack: ExitStack, fault: Fault, seed: int) -> Truth:
        return stack.enter_context(fault.plant(self.lab, drawing(fault, seed)))

    def _watch(self, planted: ExitStack, known: list[Planted], seed: int, began: float) -> Outcome:
        planting_s = time.time() - began
        watched = _Watched(self.agent, began, known)
        watched.until_told(self.settle_s)
        undone_s = time.time() - began
        watched.ask_more()
        outcome = self._told(watched, seed, planting_s, undone_s)
        if judge(outcome).why:
            self._remember(outcome)
        planted.close()
        clear = self._clear(CLEAR_S)
        watched.look()
        final = self._told(watched, seed, planting_s, undone_s, time.time() - began if clear else None)
        if judge(final).why and not judge(outcome).why:
            self._remember(final)
        return final

    def _told(self, watched: "_Watched", seed: int, planting_s: float, undone_s: float, clear_s: float | None = None) -> Outcome:
        return Outcome(
            seed=seed,
            planted=tuple(watched.planted),
            stories=watched.stories(),
            planting_s=round(planting_s, 2),
            undone_s=round(undone_s, 2),
            clear_s=None if clear_s is None else round(clear_s, 2),
            verdict_s=watched.verdict_s,
            load=round(os.getloadavg()[0], 1),
            commit=self._commit,
        )

    def _remember(self, outcome: Outcome) -> None:
        """Write down for people what was there when something wrong was said."""
        if self.wrong is None:
            return
        self.wrong.mkdir(parents=True, exist_ok=True)
        name, seed = outcome.key
        file = self.wrong / f"{name}-{seed}.txt"
        with file.open("w") as out:
            out.writelines(f"{line}\n" for line in _account(outcome))
            out.writelines(f"  {line}\n" for line in self.agent.bad())
            for case in self.agent.cases():
                out.write(f"\n{self.agent.run('case', 'explain', str(case['id'])).stdout}\n")
            if "Traceback" in self.agent.journal:
                out.write(f"\n{self.agent.journal[-4000:]}\n")


def _account(outcome: Outcome) -> Iterator[str]:
    """Yield the lines of what happened, and of what was right to say."""
    yield f"{outcome.key[0]} {outcome.key[1]}: {judge(outcome).why}; load {outcome.load}, commit {outcome.commit}"
    for planted in outcome.planted:
        yield f"truth {planted.fault}: {planted.causes} {planted.side} {planted.elements} {planted.customers}"
    moments = [(moment.at_s, story.case, moment) for story in outcome.stories for moment in story.moments]
    for at_s, case, one in sorted(moments, key=lambda each: each[:2]):
        yield f"{at_s:7.1f} s  #{case} {one.event} {one.cause} at {one.element}, {one.side}, {one.confidence}, {one.affected}"
    for story in outcome.stories:
        if story.alternatives or story.elsewhere:
            yield f"#{story.case} or {story.alternatives} or at {story.elsewhere}"
    yield f"planted in {outcome.planting_s} s, undone at {outcome.undone_s} s; believed then:"


class _Watched:
    """What one agent says from `began` on about what is planted."""

    def __init__(self, agent: Agent, began: float, planted: list[Planted]) -> None:
        self._agent, self._began = agent, began
        self.planted = planted
        self._moments: dict[int, list[Moment]] = {}
        self._more: dict[int, dict[str, Any]] = {}
        self.verdict_s: float | None = None
        self._last_s = 0.0

    def _now_s(self) -> float:
        return time.time() - self._began

    def look(self) -> None:
        """Take in what has been said since."""
        for event in self._agent.events():
            moment = as_moment(event, self._began)
            self._moments.setdefault(event["case"], []).append(moment)
            self._last_s = self._now_s()
            if self.verdict_s is None and any(not objection(one, moment) for one in self.planted):
                self.verdict_s = _verdict_s(self._agent, event)

    def until_told(self, settle_s: float) -> None:
        """Return when every fault was told and the rest has come in, or when nothing more is to be expected."""
        wrong = [one for one in self.planted if one.causes]
        patience_s = self._now_s() + max((PATIENCE_S[one.seen] for one in wrong), default=NOTHING_S)
        while self._now_s() < patience_s:
            time.sleep(LOOK_S)
            self.look()
            if wrong and (self._told_all() or self._stands_still()):
                break
        else:
            return
        settled_s = self._now_s() + settle_s
        while self._now_s() < settled_s:
            time.sleep(LOOK_S)
            self.look()

    def _stands_still(self) -> bool:
        """Tell whether something else was said than what is right, and nothing came to it for a while."""
        if any(one.seen == "statistical" for one in self.planted):
            return False  # more readings may still place it
        open_ones = any(moments[-1].event not in ENDS for moments in self._moments.values())
        return open_ones and self._now_s() > max(WRONG_FOR_S, self._last_s + SETTLE_S)

    def _told_all(self) -> bool:
        so_far = Outcome(0, tuple(self.planted), self.stories(), 0.0, self._now_s())
        judged = judge(so_far)
        return all(latency_s(judged, number) is not None for number in range(len(self.planted)))

    def ask_more(self) -> None:
        """Ask the agent for what its feed does not tell of the cases that are open."""
        self._more = {case["id"]: case for case in self._agent.cases()}

    def stories(self) -> tuple[Story, ...]:
        """Return all cases so far, in the order of their numbers."""
        found = []
        for case, moments in sorted(self._moments.items()):
            more = self._more.get(case, {})
            found.append(Story(case, tuple(moments), tuple(more.get("alternatives", ())), tuple(more.get("elsewhere", ()))))
        return tuple(found)


def drawing(fault: Fault, seed: int) -> random.Random:
    """Return what draws a fault's place and severity."""
    return random.Random(f"{fault.name}-{seed}")


def rehearsed(count: int, seed: int, among: Sequence[str]) -> list[str]:
    """Return the names of so many faults that can stand beside each other, drawn by the seed; what each is, is seen in a lab that no agent
    watches.
    """
    names = random.Random(f"several-{seed}").sample(among, min(len(among), MOST_TRIES))
    lab = Lab()
    try:
        found = (_beside(count, seed, names[first:], lab) for first in range(MOST_STARTS))
        return next(some for some in found if len(some) > 1)
    finally:
        lab.down()


def _beside(count: int, seed: int, names: Sequence[str], lab: Lab) -> list[str]:
    """Return the first of these faults with the next ones that it bears."""
    known: list[Planted] = []
    for name in names:
        if len(known) == count:
            break
        with FAULTS[name].plant(lab, drawing(FAULTS[name], seed)) as truth:
            planted = as_planted(FAULTS[name], truth)
        if planted.causes and not any(disturb(planted, other) for other in known):
            known.append(planted)
    return [one.fault for one in known]


def as_planted(fault: Fault, truth: Truth) -> Planted:
    """Return a fault and its truth as facts of an outcome."""
    parts = (truth.causes, truth.side, truth.elements, truth.customers)
    causes, side, elements, customers = (tuple(sorted(part)) for part in parts)
    return Planted(fault.name, fault.seen, causes, side, elements, customers, fault.machine_wide)


def as_moment(event: Event, began: float) -> Moment:
    """Return an event of the feed as a moment of its case."""
    told = event["identity"]
    at_s = round(datetime.fromisoformat(event["at"]).timestamp() - began, 2)
    return Moment(at_s, event["event"], told["cause"], told["element"], event["side"], tuple(event["affected"]), event["confidence"])


def _verdict_s(agent: Agent, event: Event) -> float | None:
    """Return the seconds from the last reading of the case's evidence to the event; None where the evidence is already a newer one."""
    status, body = agent.ask(f"/v1/cases/{event['case']}/evidence")
    if status != 200:
        return None
    strands = json.loads(body)["evidence"]["strands"]
    seen = [step["seen"] for strand in strands for step in strand["steps"]]
    ends = [datetime.fromisoformat(one["at"]).timestamp() + one["took_ms"] / 1000 for one in seen]
    gap_s = datetime.fromisoformat(event["at"]).timestamp() - max(ends, default=0.0)
    return round(gap_s, 2) if ends and gap_s >= 0 else None


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return done.stdout.strip()
