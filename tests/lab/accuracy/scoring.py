"""Which of what was said was right: pure functions from outcomes to figures."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from tests.lab.accuracy.outcome import Moment, Outcome, Planted, Story

WRONG_STANDS_S = 15.0  # a wrong case that was merged or cleared within the time in which a fault has to be told
ENDS = frozenset({"merged", "cleared"})
UNDETERMINED = "undetermined"


def place(element: str) -> str:
    """Return the node of a part ("edge:fib0" is of "edge"); a node, link or site is its own."""
    return element.partition(":")[0]


def names(planted: Planted, element: str) -> bool:
    """Tell whether an element is one of the right ones, or has one among several ("fib0+fib1"); a node alone stands for any part of it."""
    return any(one in planted.elements or place(one) in planted.elements for one in element.split("+"))


def objection(planted: Planted, said: Moment, alternatives: Sequence[str] = ()) -> str:
    """Return what is wrong with what was said of a planted fault: cause, side, element or customers; "" when nothing is.

    `undetermined` is right only where the side can't be told, by the truth itself.
    """
    if said.cause not in planted.causes and not set(alternatives) & set(planted.causes):
        return "cause"
    if said.side not in planted.side and not (said.side == UNDETERMINED and len(planted.side) > 1):
        return "side"
    if not names(planted, said.element):
        return "element"
    return "" if set(planted.customers) <= set(said.affected) else "customers"


class Standing(msgspec.Struct, frozen=True):
    """A case as it counts: what it said last while the fault was there, how long it stood, and whether it stood to the end."""

    story: Story
    last: Moment
    opened_s: float
    stood_s: float
    merged: bool


def standing(story: Story, until_s: float) -> Standing | None:
    """Return how a case stood until then; None when it was opened later."""
    moments = [one for one in story.moments if one.at_s <= until_s]
    if not moments:
        return None
    end = moments[-1].at_s if moments[-1].event in ENDS else until_s
    return Standing(story, moments[-1], moments[0].at_s, end - moments[0].at_s, moments[-1].event == "merged")


class Judged(msgspec.Struct, frozen=True):
    """An outcome judged. `found` is for each planted fault the case that told it, or None; `false` are the others that count, `after`
    those that were opened only when the fault was gone, `why` says in words what was wrong, "" when all was right.
    """

    outcome: Outcome
    found: tuple[Standing | None, ...]
    false: tuple[Standing, ...]
    after: tuple[Story, ...]
    why: str

    @property
    def right(self) -> bool:
        """Tell whether every planted fault was told, each in one case, and nothing else was."""
        return not self.why

    @property
    def cases(self) -> int:
        """How many cases count."""
        return sum(one is not None for one in self.found) + len(self.false) + len(self.after)


def judge(outcome: Outcome) -> Judged:
    """Judge one outcome: each planted fault takes the first case that fits it, every other case that stood is false."""
    stood = [one for one in (standing(story, outcome.undone_s) for story in outcome.stories) if one is not None]
    left = [one for one in stood if not one.merged]
    found: list[Standing | None] = []
    for planted in outcome.planted:
        fitting = [one for one in left if not objection(planted, one.last, one.story.alternatives)]
        found.append(fitting[0] if fitting else None)
        left = [one for one in left if one not in fitting[:1]]
    passing = [one for one in stood if one.merged and one.stood_s > WRONG_STANDS_S and not _fits_any(outcome, one)]
    false = [one for one in left if one.stood_s > WRONG_STANDS_S or one.last.event != "cleared"] + passing
    after = tuple(story for story in outcome.stories if standing(story, outcome.undone_s) is None and _stayed(story, outcome))
    return Judged(outcome, tuple(found), tuple(false), after, _why(outcome, found, false, after))


def _fits_any(outcome: Outcome, one: Standing) -> bool:
    return any(not objection(planted, one.last, one.story.alternatives) for planted in outcome.planted)


def _stayed(story: Story, outcome: Outcome) -> bool:
    """Tell whether a case that was opened after the fault was gone stood for long, or still stood when nobody waited any longer."""
    last = story.moments[-1]
    return last.event not in ENDS or (last.event == "cleared" and last.at_s - story.moments[0].at_s > WRONG_STANDS_S)


def _why(outcome: Outcome, found: Sequence[Standing | None], false: Sequence[Standing], after: Sequence[Story]) -> str:
    lines = []
    for planted, one in zip(outcome.planted, found, strict=True):
        if planted.causes and one is None:
            wrong = [objection(planted, other.last, other.story.alternatives) for other in false]
            near = next((word for word in ("customers", "element", "side") if word in wrong), "")
            lines.append(f"{planted.fault}: " + (f"wrong {near}" if near else "nothing said" if not false else "wrong cause"))
    lines += [f"too much: {_said(one.last)}" for one in false]
    lines += [f"after it was gone: {_said(story.moments[0])}" for story in after]
    return "; ".join(lines)


def _said(moment: Moment) -> str:
    return f"{moment.cause} at {moment.element} ({moment.side})"


def sided(judged: Judged, number: int) -> bool:
    """Tell whether some case that stood to the end says cause (or its declared class) and side of the `number`th fault rightly."""
    if judged.found[number] is not None:
        return True
    planted = judged.outcome.planted[number]
    said = [(one.last, one.story.alternatives) for one in judged.false if not one.merged]
    return any(objection(planted, last, alternatives) in {"element", "customers"} for last, alternatives in said)


def latency_s(judged: Judged, number: int) -> float | None:
    """Return the seconds from the planting until the case of the `number`th fault first said what is right; None when none did."""
    one = judged.found[number]
    if one is None:
        return None
    planted = judged.outcome.planted[number]
    return next((at.at_s for at in one.story.moments if not objection(planted, at, one.story.alternatives)), None)


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the value that this share of them does not exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)] if ordered else None


def confusion(judged: Iterable[Judged], what: str) -> Counter[tuple[str, str]]:
    """Count (true, said) of single faults by "side" or "cause"; what was not told is "nothing", different ones at once "several"."""
    counts: Counter[tuple[str, str]] = Counter()
    for one in judged:
        (planted,) = one.outcome.planted
        true = planted.side if what == "side" else planted.causes
        label = " / ".join(sorted(true)) or "nothing"
        counts[label, label if one.right else _told(one, what)] += 1
    return counts


def _told(one: Judged, what: str) -> str:
    said = [getattr(other.last, what) for other in (*one.found, *one.false) if other is not None]
    unlike = sorted(set(said))
    if not unlike:
        return "nothing"
    return str(unlike[0]) if len(unlike) == 1 else "several"


BINS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.01)


class Bin(msgspec.Struct, frozen=True):
    """One step of the calibration curve: how many cases said a confidence from `low` to below `high`, its mean, and how many were right."""

    low: float
    high: float
    cases: int
    mean: float
    right: float


def calibration(judged: Iterable[Judged]) -> list[Bin]:
    """Return the calibration curve of all cases that say how sure they are."""
    said = [(one.last.confidence, True) for each in judged for one in each.found if one is not None]
    said += [(one.last.confidence, False) for each in judged for one in each.false]
    bins = []
    for low, high in pairwise(BINS):
        inside = [(sure, right) for sure, right in said if sure is not None and low <= sure < high]
        if inside:
            right = sum(good for _, good in inside) / len(inside)
            bins.append(Bin(low, min(high, 1.0), len(inside), sum(sure for sure, _ in inside) / len(inside), right))
    return bins
