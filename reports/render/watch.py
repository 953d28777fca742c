"""Shows the last readings of a check as one live block of fixed height, to be drawn over itself."""

from collections.abc import Sequence
from datetime import tzinfo
from itertools import groupby
from statistics import median

from checks.finding import Finding, State, worst
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from reports.locale.figures import reading, span
from reports.locale.text import Texts, printable
from reports.render.columns import clip, pad, paint, width
from reports.render.findings import answer

KEPT = 60
SERIES = 3
HEIGHT = SERIES + 3
_BLOCKS = "▁▂▃▄▅▆▇█"
_GAP = "·"
_LEAST = 8  # blocks that a line shows at least
_WORDS = 47  # cells for what is said beside them
Readings = Sequence[tuple[Observation, Sequence[Finding]]]


def watch_text(
    target: str, prober: str, readings: Readings, texts: Texts, colour: bool = False, columns: int = 80, zone: tzinfo | None = None
) -> str:
    """Return the block of HEIGHT lines for at most the last KEPT readings (at least one): the answer now, a line for each of the first
    SERIES values, which readings were good, and since when it is as it is.
    """
    readings = readings[-KEPT:]
    rows = [(name, *_series(readings, check, item, texts)) for name, check, item in _names(readings)]
    share, marks = _good(readings, texts)
    first = min(max(width(name) for name in (*(row[0] for row in rows), texts.text("watch.good"))), max(8, columns // 4))
    room = columns - first - 6
    cells = max(_LEAST, min(KEPT, room - _WORDS))  # the same from one drawing to the next, whatever the readings
    said = [row[1] if width(row[1]) <= room - cells else clip(row[2], max(1, room - cells)) for row in rows]
    lines = [answer(target, prober, readings[-1][1], texts, colour, columns)]
    for (name, _, _, values), text in zip(rows, said, strict=True):
        lines.append(f"  {pad(clip(name, first), first)}  {pad(sparkline(values[-cells:]), cells)}  {text}")
    bar = pad(_bar(marks[-cells:], colour), cells)
    lines.append(f"  {pad(clip(texts.text('watch.good'), first), first)}  {bar}  {clip(share, max(1, room - cells))}")
    lines.append(clip("  " + _since(readings, texts, zone), columns))
    return "\n".join(lines + [""] * (HEIGHT - len(lines))) + "\n"


def sparkline(values: Sequence[float | None]) -> str:
    """Return one block a value, from zero (or the least value below it) to the greatest; a value that is missing is a dot."""
    known = [value for value in values if value is not None]
    if not known:
        return _GAP * len(values)
    floor, top = min(0.0, *known), max(known)
    reach = (top - floor) or 1.0
    last = len(_BLOCKS) - 1
    return "".join(_GAP if value is None else _BLOCKS[min(last, int((value - floor) / reach * last + 0.5))] for value in values)


def _names(readings: Readings) -> list[tuple[str, str, str]]:
    """Return (label, check, item) of the values worth a line: those that vary by nature first, in the order of their first reading."""
    seen: dict[tuple[str, str], bool] = {}
    for _, findings in readings:
        for finding in findings:
            if finding.value is not None:
                key = (finding.check, finding.item)
                seen[key] = seen.get(key, False) or finding.seasonal
    chosen = sorted(seen, key=lambda key: not seen[key])[:SERIES]
    return [(printable(f"{check.partition('/')[2] or check} {item}".strip()), check, item) for check, item in chosen]


def _series(readings: Readings, check: str, item: str, texts: Texts) -> tuple[str, str, list[float | None]]:
    """Return what is said of one value (in full, in short) and its readings."""
    found = [next((f for f in findings if (f.check, f.item) == (check, item)), None) for _, findings in readings]
    values = [finding.value if finding else None for finding in found]
    unit = next((f.levels.unit for f in reversed(found) if f and f.levels), "")
    known = [value for value in values if value is not None]
    least, middle, most = (reading(value, unit) for value in (min(known), median(known), max(known)))
    last = "–" if values[-1] is None else reading(values[-1], unit)
    shared = f" {most.rpartition(' ')[2]}"
    if all(text.endswith(shared) for text in (last, least, middle)):
        least, middle, most = (text.removesuffix(shared) for text in (least, middle, most))
    return texts.text("watch.values", last=last, least=least, median=middle, most=most), f"{last}  {least}…{most}", values


def _good(readings: Readings, texts: Texts) -> tuple[str, list[tuple[State, str]]]:
    """Return the share of good readings and a mark for each, full for a good one; our own blindness counts as neither."""
    states = [worst({finding.state for finding in findings}) for _, findings in readings]
    good = sum(state is State.OK for state in states)
    seen = sum(state is not State.UNKNOWN for state in states)
    share = "–" if not seen else f"{good / seen * 100:.0f} %"
    said = texts.text("watch.share", share=share, good=good, n=seen)
    failed = [isinstance(seen.outcome, Failure) for seen, _ in readings]
    return said, [(state, _mark(state, bad)) for state, bad in zip(states, failed, strict=True)]


def _bar(marks: Sequence[tuple[State, str]], colour: bool) -> str:
    """Return the marks as one bar, coloured in runs."""
    runs = groupby(marks, key=lambda mark: mark[0])
    return "".join(paint("".join(mark for _, mark in run), state, colour) for state, run in runs)


def _mark(state: State, failed: bool) -> str:
    if state is State.UNKNOWN:
        return "?"
    return "█" if state is State.OK else "×" if failed else "▒"


def _since(readings: Readings, texts: Texts, zone: tzinfo | None) -> str:
    now = readings[-1][0].at
    state = worst({finding.state for finding in readings[-1][1]})
    begin, other = now, False
    for seen, findings in reversed(readings):
        if worst({finding.state for finding in findings}) is not state:
            other = True
            break
        begin = seen.at
    at = begin.astimezone(zone).strftime("%H:%M:%S")
    name = "watch.since" if other or len(readings) < KEPT else "watch.longer"
    return texts.text(name, state=texts.word("state", state), at=at, took=span((now - begin).total_seconds()), n=len(readings))
