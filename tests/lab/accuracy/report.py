"""The page of figures: Markdown."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from tests.lab.accuracy.scoring import Judged, calibration, confusion, latency_s, percentile, sided

COMMAND = "make accuracy"
GOALS = {"live": 15.0, "cached": 45.0, "statistical": 300.0}  # p95 from fault to case, s
VERDICT_S = 2.0
SEEN = {"live": "live", "cached": "read from a device's cache", "statistical": "statistical (1 % loss)"}


def page(judged: Sequence[Judged], faults: Iterable[str] = ()) -> str:
    """Return docs/accuracy.md; those of the `faults` that were not planted alone are named."""
    single = [one for one in judged if len(one.outcome.planted) == 1]
    several = [one for one in judged if len(one.outcome.planted) > 1]
    quiet = [one for one in judged if not one.outcome.planted]
    lines = ["# How right the diagnosis is", ""]
    lines += [
        f"`{COMMAND}` makes this page: it plants every fault of the lab around the running agent, place and severity drawn by a seed, waits",
        "for what the agent says by itself, and undoes it. `python -m tests.lab.accuracy --help` tells how to run a part of it.",
        *_surroundings(judged),
        "",
    ]
    missing = sorted(set(faults) - {one.outcome.planted[0].fault for one in single})
    lines += [
        *_singles(single),
        *([f"Not planted: {', '.join(missing)}.", ""] if single and missing else []),
        *_several(several),
        *_quiet(quiet),
    ]
    lines += [*_confusions(single), *_calibrations([*single, *several]), *_wrong([*single, *several, *quiet])]
    return "\n".join(lines) + "\n"


def _surroundings(judged: Sequence[Judged]) -> Iterator[str]:
    """Yield what the figures were measured on: times are later on a machine that is busy with other things."""
    loads = [one.outcome.load for one in judged]
    if loads:
        commits = ", ".join(sorted({one.outcome.commit for one in judged if one.outcome.commit}))
        middle, late = percentile(loads, 0.5), percentile(loads, 0.95)
        yield f"{len(judged)} runs; load average of the machine meanwhile: p50 {middle:.0f}, p95 {late:.0f}; code: {commits}."


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} % ({part} of {whole})" if whole else "nothing measured"


def _row(*cells: object) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield _row(*head)
    yield _row("---", *("--:" for _ in head[1:]))
    yield from (_row(*row) for row in rows)
    yield ""


def _met(value: float | None, limit: float, least: bool = False) -> str:
    if value is None:
        return ""
    return "yes" if (value >= limit if least else value <= limit) else "no"


def _singles(single: Sequence[Judged]) -> Iterator[str]:
    """Yield the figures of single faults."""
    faults = {one.outcome.planted[0].fault for one in single}
    yield f"## One fault at a time: {len(faults)} faults, {len(single)} runs"
    yield ""
    right = sum(one.right for one in single)
    broken = [one for one in single if one.outcome.planted[0].causes]
    side = sum(_side_right(one) for one in broken)
    told = [one for one in broken if sided(one, 0)]
    cases, false = sum(one.cases for one in single), sum(len(one.false) + len(one.after) for one in single)
    rows = [
        ("cause (or its declared class) and side right", _share(len(told), len(broken)), "≥ 98 %", _part_met(len(told), len(broken), 0.98)),
        ("side right in every case", _share(side, len(broken)), "", ""),
        ("element and customers too, in exactly one case, and none after it", _share(right, len(single)), "", ""),
        ("false cases", _share(false, cases), "≤ 1 %", _met(false / cases if cases else None, 0.01)),
    ]
    for seen, goal in GOALS.items():
        took = [at for one in single if one.outcome.planted[0].seen == seen and (at := latency_s(one, 0)) is not None]
        if took:
            middle, late = percentile(took, 0.5), percentile(took, 0.95)
            what = f"fault → right case, {SEEN[seen]}: p50 {middle:.1f} s, p95"
            rows.append((what, f"{late:.1f} s", f"≤ {goal:g} s", _met(late, goal)))
    gaps = [one.outcome.verdict_s for one in single if one.outcome.verdict_s is not None]
    if gaps:
        late = percentile(gaps, 0.95)
        rows.append(("last reading → verdict, p95", f"{late:.1f} s", f"≤ {VERDICT_S:g} s", _met(late, VERDICT_S)))
    yield from _table(("what", "measured", "goal", "met"), rows)


def _part_met(part: int, whole: int, goal: float) -> str:
    return _met(part / whole if whole else None, goal, least=True)


def _side_right(one: Judged) -> bool:
    """Tell whether every case that stood is on a right side, and one stood."""
    said = [other.last.side for other in (*one.found, *one.false) if other is not None]
    return bool(said) and set(said) <= set(one.outcome.planted[0].side)


def _several(several: Sequence[Judged]) -> Iterator[str]:
    if not several:
        return
    yield f"## Two and three faults at once: {len(several)} combinations"
    yield ""
    found = sum(one is not None for each in several for one in each.found)
    planted = sum(len(each.found) for each in several)
    cases, false = sum(one.cases for one in several), sum(len(one.false) + len(one.after) for one in several)
    whole = sum(None not in each.found for each in several)
    rows = [
        ("faults found", _share(found, planted), "≥ 90 %", _part_met(found, planted, 0.9)),
        ("combinations of which every fault was found", _share(whole, len(several)), "≥ 90 %", _part_met(whole, len(several), 0.9)),
        ("false cases", _share(false, cases), "≤ 4 %", _met(false / cases if cases else None, 0.04)),
    ]
    yield from _table(("what", "measured", "goal", "met"), rows)
    yield "Faults of one combination are at different places, none in the way to another; those that need statistics are not among them."
    yield ""


def _quiet(quiet: Sequence[Judged]) -> Iterator[str]:
    if not quiet:
        return
    minutes = sum(one.outcome.undone_s for one in quiet) / 60
    cases = sum(len(one.outcome.stories) for one in quiet)
    yield f"## Nothing wrong: {minutes:.0f} minutes, 0.1 % loss on the fibres"
    yield ""
    yield from _table(("what", "measured", "goal", "met"), [("cases", cases, "0", _met(cases, 0))])


def _confusions(single: Sequence[Judged]) -> Iterator[str]:
    for what in ("side", "cause"):
        counts: Counter[tuple[str, str]] = confusion(single, what)
        yield f"## Confusion by {what}"
        yield ""
        rows = [
            (true, said, count)
            for (true, said), count in sorted(counts.items())
            if what == "side" or said not in (true, *true.split(" / "))
        ]
        if what == "cause":
            agreed = sum(count for (true, said), count in counts.items() if said in (true, *true.split(" / ")))
            yield f"Said what was true: {_share(agreed, counts.total())}. " + ("The others:" if rows else "There are no others.")
            yield ""
        if rows:
            yield from _table(("true", "said", "runs"), rows)


def _calibrations(judged: Sequence[Judged]) -> Iterator[str]:
    bins = calibration(judged)
    if not bins:
        return
    yield "## Calibration: how often those were right who said they were so sure"
    yield ""
    rows = [
        (f"{one.low:g} … {one.high:g}", one.cases, f"{one.mean:.2f}", f"{one.right:.2f}", _met(abs(one.mean - one.right), 0.1))
        for one in bins
    ]
    yield from _table(("said", "cases", "mean", "right", "within 10 points"), rows)


def _wrong(judged: Sequence[Judged]) -> Iterator[str]:
    rows = [(one.outcome.key[0], one.outcome.seed, one.why, one.outcome.load) for one in judged if not one.right]
    yield f"## What was wrong: {len(rows)} of {len(judged)} runs"
    yield ""
    if rows:
        yield from _table(("fault", "seed", "what", "load"), rows)
