"""What the running agent and the flow said of one fault, and whether that is the same verdict: facts and pure functions."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tests.lab.accuracy.outcome import Moment, Planted
from tests.lab.accuracy.scoring import objection, place

# Takes longer than a look: what comes and goes, what is counted over minutes, what a test call told. A look without a service, which has no
# past, may say nothing of it; it may not say another thing.
OVER_TIME = frozenset({"flap", "flap_short", "loss_small", "no_audio", "rebooted", "snmp_restarted", "crc", "cpu"})


class Case(msgspec.Struct, frozen=True):
    """What a case, or a diagnosis of the flow, says."""

    cause: str
    element: str
    side: str
    alternatives: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    affected: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        return f"{self.cause} at {self.element} ({self.side})"

    @property
    def moment(self) -> Moment:
        """As the accuracy campaign has it."""
        return Moment(0.0, "opened", self.cause, self.element, self.side, self.affected)


def told_of(told: Mapping[str, Any]) -> Case:
    """Return a case or diagnosis from its JSON."""
    lists = (tuple(told.get(name) or ()) for name in ("alternatives", "elsewhere", "affected"))
    return Case(told["cause"], told["element"], told["side"], *lists)


class Look(msgspec.Struct, frozen=True):
    """What `firstline diagnose` answered; `steps` are those that were not good."""

    answer: str
    chosen: Case | None
    others: tuple[Case, ...]
    next_test: str
    took_s: float
    steps: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[Case, ...]:
        return (*([self.chosen] if self.chosen else []), *self.others)

    @property
    def words(self) -> str:
        also = f", also {', '.join(one.words for one in self.others)}" if self.others else ""
        return f"{self.answer} {self.chosen.words if self.chosen else ''}".strip() + also


class Run(msgspec.Struct, frozen=True):
    """One fault: its truth, the agent's open cases before and after the looks, and the looks beside the service and without it."""

    planted: Planted
    seed: int
    complaint: str
    before: tuple[Case, ...]
    after: tuple[Case, ...]
    beside: Look
    alone: Look
    waited_s: float
    load: float
    commit: str
    bad: tuple[str, ...] = ()


def same(one: Case, other: Case) -> bool:
    """Tell whether two say the same: cause (or one of a declared class), side, and element; a node stands for any part of it."""
    causes = {one.cause, *one.alternatives} & {other.cause, *other.alternatives}
    return bool(causes) and one.side == other.side and bool(_places(one) & _places(other))


def _places(one: Case) -> set[str]:
    return {place(part) for part in one.element.split("+")}


def missing(said: Iterable[Case], among: Iterable[Case]) -> list[Case]:
    """Return what is said of the one and not of the other."""
    among = list(among)
    return [one for one in said if not any(same(one, other) for other in among)]


class Agreement:
    """Whether both looks say of the fault what its case says. `why_beside`, `why_alone` tell in words what is apart, "" when nothing is."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.case = self._case()
        self.why_beside, self.why_alone = self._apart(run.beside), self._apart(run.alone)

    def _case(self) -> Case | None:
        """Return the case of the planted fault: one that is right of it, else the first that stands."""
        cases = [*self.run.after, *self.run.before]
        fitting = [one for one in cases if not objection(self.run.planted, one.moment, one.alternatives)]
        return next(iter(fitting or cases), None)

    def _apart(self, look: Look) -> str:
        if self.case is None:
            return "" if look.chosen is None else f"no case, and it says {look.words}"
        cases = [self.case, *(one for one in self.run.before if same(one, self.case))]
        if any(same(one, said) for one in cases for said in look.all):
            return ""
        return f"the case says {self.case.words}; it says {look.words}"

    @property
    def beside(self) -> bool:
        return not self.why_beside

    @property
    def alone(self) -> bool:
        return not self.why_alone

    @property
    def unseen(self) -> bool:
        """Whether a look without a service said nothing of what takes longer than a look."""
        return self.run.planted.fault in OVER_TIME and self.run.alone.chosen is None

    @property
    def agrees(self) -> bool:
        return self.beside and (self.alone or self.unseen)

    @property
    def extra(self) -> list[Case]:
        """What the look beside the service says and no case does."""
        return missing(self.run.beside.all, (*self.run.before, *self.run.after))

    @property
    def line(self) -> str:
        """All of it in one line for people."""
        run = self.run
        told = self.case.words if self.case else "no case"
        head = f"{run.planted.fault} {run.seed}: {'agree' if self.agrees else 'APART'}; {told} after {run.waited_s:.0f} s"
        looks = f"beside {run.beside.took_s:.1f} s {run.beside.words}; alone {run.alone.took_s:.1f} s {run.alone.words}"
        extra = f"; no case: {', '.join(one.words for one in self.extra)}" if self.extra else ""
        return f"{head}; {looks}{extra} (load {run.load})"
