"""Shows a traced path: its hops as a table, once or redrawn in place, with since when it is so and what was before."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise

import msgspec

from checks.finding import Finding, State
from probe.observation.observation import Observation
from probe.observation.path import Hop, PathSample, Route, Said
from reports.locale.figures import clock, number, span
from reports.locale.text import Texts, printable
from reports.render.columns import clip, join, pad, paint, width, wrap
from reports.render.findings import answer, check_text

KEPT = 60
_AROUND = 8  # lines of the live view beside the hops
_LEAST_ROWS = 4
_WIDE, _MIDDLE = 76, 58  # columns from which all of last, mean, best, worst are shown; from which the place and the loss' counts are
Readings = Sequence[tuple[Observation, Sequence[Finding]]]


def path_text(
    target: str,
    observation: Observation,
    findings: Sequence[Finding],
    texts: Texts,
    colour: bool = False,
    columns: int = 80,
    zone: tzinfo | None = None,
) -> str:
    """Return the screen of one trace, ending in a newline: the answer, the hops, a row per finding, what was not looked at."""
    rest = check_text(target, "path", observation, findings, texts, colour, columns, zone).splitlines()[1:]
    first = _first(target, findings, texts, colour, columns)
    path = observation.outcome
    if not isinstance(path, PathSample):
        return "\n".join([first, *rest]) + "\n"
    table = _table(path, added_up(path, [path]), texts, colour, columns)
    return "\n".join([first, *table, *rest, *_not_seen(path, texts, columns)]) + "\n"


def path_watch(
    target: str,
    readings: Readings,
    texts: Texts,
    colour: bool = False,
    columns: int = 80,
    rows: int = 24,
    zone: tzinfo | None = None,
) -> str:
    """Return the live block for at most the last KEPT readings (at least one): the answer now, each hop over all of them, since when
    it is so and what was before, what was not looked at. It has at most `rows` lines, or 10: of a longer path the middle is left out.
    """
    readings = readings[-KEPT:]
    seen, findings = readings[-1]
    lines = [_first(target, findings, texts, colour, columns)]
    path = seen.outcome
    if isinstance(path, PathSample):
        hops = added_up(path, [one.outcome for one, _ in readings if isinstance(one.outcome, PathSample)])
        lines += _fitting(_table(path, hops, texts, colour, columns), max(_LEAST_ROWS, rows - _AROUND))
        lines += ["  " + line for line in wrap(_since(seen, path, readings, texts, zone), columns - 2)]
        lines += _not_seen(path, texts, columns)
    return "\n".join(lines) + "\n"


def _first(target: str, findings: Sequence[Finding], texts: Texts, colour: bool, columns: int) -> str:
    """Return the first line; of a good path how far, how fast and how well come first, and that nothing changed stands below."""
    good = all(finding.state is State.OK for finding in findings)
    return answer(target, "path", [one for one in findings if one.check != "path/change"] if good else findings, texts, colour, columns)


def added_up(path: PathSample, samples: Sequence[PathSample]) -> tuple[Hop, ...]:
    """Return the hops of `path` with the probes of all samples in which the same address, or none, stood at the same place.

    A path that does not reach its target ends in one silent place for all, with the echoes to the target itself.
    """
    last = _last_answer(path)
    if last is None and path.reached:
        return tuple(_sum(hop, [_at(one, hop) for one in samples]) for hop in path.hops)
    known = tuple(_sum(hop, [_at(one, hop) for one in samples]) for hop in path.hops if hop.ttl <= (last or 0))
    return (*known, Hop((last or 0) + 1, None, sum(one.sent for one in samples), sum(one.answered for one in samples)))


def _at(path: PathSample, hop: Hop) -> Hop | None:
    found = next((one for one in path.hops if one.ttl == hop.ttl), None)
    return found if found and (found.address is None or hop.address is None or found.address == hop.address) else None


def _sum(hop: Hop, places: Sequence[Hop | None]) -> Hop:
    found = [one for one in places if one is not None]
    times = [(one.mean_ms, one.answered) for one in found if one.mean_ms is not None]
    weight = sum(count for _, count in times)
    known = [one for one in found if one.last_ms is not None]
    return msgspec.structs.replace(
        hop,
        address=hop.address or next((one.address for one in reversed(found) if one.address), None),
        said=hop.said if hop.said is not Said.SILENT else next((one.said for one in reversed(found)), hop.said),
        sent=sum(one.sent for one in found),
        answered=sum(one.answered for one in found),
        last_ms=hop.last_ms,
        min_ms=min((one.min_ms for one in known if one.min_ms is not None), default=None),
        mean_ms=sum(mean * count for mean, count in times) / weight if weight else None,
        max_ms=max((one.max_ms for one in known if one.max_ms is not None), default=None),
    )


def _table(path: PathSample, hops: Sequence[Hop], texts: Texts, colour: bool, columns: int) -> list[str]:
    """Return a heading and a line for each hop, no wider than `columns`."""
    wide, middle = columns >= _WIDE, columns >= _MIDDLE
    names = ["loss", "last", "mean", "best", "worst"] if wide else ["loss", "last", "mean"] if middle else ["loss", "mean"]
    figures = [[texts.text(f"path.column.{name}") for name in names], *(_figures(path, hops, hop, names) for hop in hops)]
    widths = [max(width(row[at]) for row in figures) for at in range(len(names))]
    places = ["", *(_place(path, hop, texts) for hop in hops)]
    where = min(max(map(width, places)), 16) if middle else 0
    taken = 2 + 2 + 2 + sum(widths) + 2 * len(widths) + (where + 2 if where else 0)
    addresses = ["", *(hop.address or "–" for hop in hops)]
    room = min(max(map(width, addresses)), max(7, columns - taken))
    numbers = ["", *(str(hop.ttl) for hop in hops)]
    last = _last_answer(path)
    lines = []
    for at, (number_, address, place, row) in enumerate(zip(numbers, addresses, places, figures, strict=True)):
        cells = [number_.rjust(2), pad(clip(printable(address), room), room), *([pad(clip(place, where), where)] if where else [])]
        cells += [" " * (widths[n] - width(cell)) + cell for n, cell in enumerate(row)]
        line = "  " + "  ".join(cells)
        if at and hops[at - 1].ttl == last and width(line) + 2 < columns:
            line += "  " + paint(clip(texts.text("path.last-answer"), columns - width(line) - 2), State.CRITICAL, colour)
        lines.append(line.rstrip())
    return lines


def _figures(path: PathSample, hops: Sequence[Hop], hop: Hop, names: Sequence[str]) -> list[str]:
    values = {"last": hop.last_ms, "mean": hop.mean_ms, "best": hop.min_ms, "worst": hop.max_ms}
    times = [_ms(values[name]) for name in names if name != "loss"]
    if hop.loss_ratio is None:
        return ["–", *times]
    share = f"{number(round(hop.loss_ratio * 100))} %"
    return [share if not hop.loss_ratio or _persists(path, hops, hop) else f"({share})", *times]


def _persists(path: PathSample, hops: Sequence[Hop], hop: Hop) -> bool:
    """Tell whether a hop's loss goes on to the end of the path: at a middle hop alone it is the router's own limit."""
    return not path.reached or hop is hops[-1] or all(later.loss_ratio != 0 for later in hops if later.ttl > hop.ttl and later.sent)


def _ms(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _place(path: PathSample, hop: Hop, texts: Texts) -> str:
    if hop.address is None:
        return ""
    mark = next((mark.place for mark in path.marks if mark.address == hop.address), None)
    if mark is not None:
        return texts.text(f"path.place.{mark}")
    return texts.text("path.place.target") if hop.address == path.address and hop.said is Said.REPLY else ""


def _last_answer(path: PathSample) -> int | None:
    """Return the place after which nothing answers any more; None on a path that reaches its target."""
    if path.reached:
        return None
    return max((hop.ttl for hop in path.hops if hop.address is not None and not hop.own), default=None)


def _fitting(lines: list[str], rows: int) -> list[str]:
    """Return the table in at most `rows` lines: the heading, the first hops, a gap, the last ones."""
    if len(lines) <= rows:
        return lines
    after = (rows - 1) // 2
    return [*lines[: rows - after - 1], "   …", *lines[len(lines) - after :]]


def _since(seen: Observation, path: PathSample, readings: Readings, texts: Texts, zone: tzinfo | None) -> str:
    """Return since when the path is as it is, by the routes that were seen before."""
    if not path.routes:
        age_s = (seen.at - readings[0][0].at).total_seconds()
        return texts.text("path.since.longer", at=clock(readings[0][0].at, seen.at, zone), age=span(age_s))
    now = path.routes[0]
    arrived = path.reached and now.seen_s == 0
    age_s = now.since_s if arrived else now.seen_s
    back = _came_back(readings) if arrived else None
    if back is not None and (seen.at - back).total_seconds() < age_s:
        age = span((seen.at - back).total_seconds())
        return " · ".join([texts.text("path.since", at=clock(back, seen.at, zone), age=age), texts.text("path.was.broken")])
    if arrived and len(path.routes) == 1:  # how it was before we looked nobody knows
        return texts.text("path.since.longer", at=clock(seen.at - timedelta(seconds=age_s), seen.at, zone), age=span(age_s))
    said = [texts.text("path.since", at=clock(seen.at - timedelta(seconds=age_s), seen.at, zone), age=span(age_s))]
    before: Route | None = now if not arrived else path.routes[1] if len(path.routes) > 1 else None
    if before is not None and before.min_ms is not None:
        said.append(texts.text("path.was", hops=len(before.hops), ms=_ms(before.min_ms)))
    return " · ".join(said)


def _came_back(readings: Readings) -> datetime | None:
    """Return when the target was reached again after the last reading in which it was not; None when it always was."""
    back = None
    for before, after in pairwise(one for one, _ in readings):
        if isinstance(before.outcome, PathSample) and not before.outcome.reached:
            back = after.at
    return back


def _not_seen(path: PathSample, texts: Texts, columns: int) -> list[str]:
    parts = [texts.text("path.not-seen.back")]
    if not any(mark.place == "edge" for mark in path.marks) or not any(mark.place == "pop" for mark in path.marks):
        parts.append(texts.text("path.not-seen.sides"))
    return [f"  {line}" for line in wrap(texts.text("path.not-seen", what=join(parts)), max(2, columns - 2))]
