"""Plots of an audit as SVG of our own: no script, no outside file; colours come from the page's style, so light and dark both hold."""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10

from billing_audit.audit import Histogram
from reports.audit.figures import seconds

WIDE, HIGH = 860, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 12, 14, 40
COLOURS = 8  # of the page's palette: classes c0 … c7
_MOST_DAYS = 400
_LEAST_BARS = 9


def day_bars(days: dict[str, tuple[int, ...]], names: Sequence[str], title: str, unit: str) -> str:
    """Return bars of money (micro) by day, the causes of a day stacked: above the line what we charge more, below what we charge less."""
    shown = sorted(day for day in days if day)[-_MOST_DAYS:]
    if not shown or not names:
        return ""
    tops = [sum(value for value in days[day] if value > 0) / 1e6 for day in shown]
    lows = [sum(value for value in days[day] if value < 0) / 1e6 for day in shown]
    top, bottom = max(0.0, *tops), min(0.0, *lows)
    ticks = _ticks(bottom if -bottom > top / 200 else 0.0, top if top > -bottom / 200 else 0.0)  # no axis for a rest of fractions
    low, high = ticks[0], ticks[-1]
    step = (WIDE - _LEFT - _RIGHT) / len(shown)
    parts = [_axis_y(ticks, low, high, unit)]
    for at, day in enumerate(shown):
        up = down = 0.0
        x, wide = _LEFT + at * step + step * 0.12, step * 0.76
        for cause, micro in enumerate(days[day]):
            if not micro:
                continue
            base = up if micro > 0 else down
            end = base + micro / 1e6
            first, last = (max(_TOP, min(HIGH - _BOTTOM, _y(value, low, high))) for value in (max(base, end), min(base, end)))
            said = escape(f"{day} · {names[cause]}: {micro / 1e6:,.2f}")
            bar = f'x="{x:.1f}" y="{first:.1f}" width="{wide:.1f}" height="{max(0.4, last - first):.1f}"'
            parts.append(f'<rect class="c{cause % COLOURS}" {bar}><title>{said}</title></rect>')
            up, down = (end, down) if micro > 0 else (up, end)
    every = max(1, ceil(len(shown) / (16 if step < 60 else len(shown))))
    for at in range(0, len(shown), every):
        parts.append(_label(_LEFT + (at + 0.5) * step, HIGH - _BOTTOM + 16, shown[at][5:], "middle"))
    return _svg("".join(parts), title)


def offset_bars(histogram: Histogram, title: str, unit: str) -> str:
    """Return bars of how many pairs lie at which time offset (customer − local); the count grows by powers of ten when it is steep."""
    counts, edges = histogram.counts, histogram.edges
    if not counts or len(edges) != len(counts) + 1 or not max(counts):
        return ""
    if len(counts) < _LEAST_BARS:  # one bar alone would say nothing of how narrow it is
        more, wide = (_LEAST_BARS - len(counts) + 1) // 2, edges[1] - edges[0]
        counts = (*(0,) * more, *counts, *(0,) * more)
        edges = (*(edges[0] - wide * at for at in range(more, 0, -1)), *edges, *(edges[-1] + wide * at for at in range(1, more + 1)))
    some = sorted(count for count in counts if count)
    steep = some[-1] > 200 * some[len(some) // 2]
    shown = [log10(count + 1) for count in counts] if steep else [float(count) for count in counts]
    ticks = [0.0, *(float(power) for power in range(1, ceil(max(shown)) + 1))] if steep else _ticks(0.0, max(shown))
    names = ["0" if not tick else f"{10 ** int(tick):,}" for tick in ticks] if steep else None
    step = (WIDE - _LEFT - _RIGHT) / len(counts)
    parts = [_axis_y(ticks, 0.0, ticks[-1], unit, names)]
    for at, (count, value) in enumerate(zip(counts, shown, strict=True)):
        if count:
            top = _y(value, 0.0, ticks[-1])
            said = f"{seconds(edges[at])} … {seconds(edges[at + 1])} s: {count:,}"
            bar = f'x="{_LEFT + at * step:.1f}" y="{top:.1f}" width="{max(0.5, step - 0.6):.2f}" height="{HIGH - _BOTTOM - top:.1f}"'
            parts.append(f'<rect class="c0" {bar}><title>{said}</title></rect>')
    for at in range(0, len(edges), max(1, ceil(len(edges) / 9))):
        anchor = "middle" if _LEFT + at * step < WIDE - 40 else "end"
        parts.append(_label(_LEFT + at * step, HIGH - _BOTTOM + 16, f"{seconds(edges[at])} s", anchor))
    return _svg("".join(parts), title)


def duration_points(pairs: Sequence[tuple[int, int]], title: str, ours: str, theirs: str) -> str:
    """Return talk times (ms) of pairs as points: ours to the right, theirs up; on the line both agree."""
    points = [(one, other) for one, other in pairs if one >= 0 and other >= 0]
    if not points:
        return ""
    ordered = sorted(max(pair) for pair in points)
    ticks = _ticks(0.0, max(1.0, ordered[min(len(ordered) - 1, int(len(ordered) * 0.995))] / 1000))
    most = ticks[-1]
    parts = [_axis_y(ticks, 0.0, most, theirs)]

    def x(value: float) -> float:
        return _LEFT + (WIDE - _LEFT - _RIGHT) * value / most

    parts.append(f'<path class="even" d="M{x(0):.1f} {_y(0, 0, most):.1f}L{x(most):.1f} {_y(most, 0, most):.1f}"/>')
    spots = {(round(x(min(one / 1000, most))), round(_y(min(other / 1000, most), 0, most))) for one, other in points}
    parts.append(f'<path class="spots" d="{"".join(f"M{across} {up}h0" for across, up in sorted(spots))}"/>')
    parts += [
        _label(x(tick), HIGH - _BOTTOM + 16, f"{tick:,.0f}" if most >= 10 else f"{tick:g}", "middle" if tick < most else "end")
        for tick in ticks
    ]
    parts.append(_label(WIDE - _RIGHT, HIGH - 6, ours, "end"))
    return _svg("".join(parts), title)


def _svg(body: str, title: str) -> str:
    return f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>{body}</svg>'


def _y(value: float, low: float, high: float) -> float:
    return _TOP + (HIGH - _TOP - _BOTTOM) * (high - value) / (high - low)


def _axis_y(ticks: Sequence[float], low: float, high: float, unit: str, names: Sequence[str] | None = None) -> str:
    digits = 0 if ticks[-1] - ticks[0] >= len(ticks) else 2
    parts = []
    for at, tick in enumerate(ticks):
        y = _y(tick, low, high)
        parts.append(f'<path class="{"zero" if tick == 0 else "grid"}" d="M{_LEFT} {y:.1f}H{WIDE - _RIGHT}"/>')
        parts.append(_label(_LEFT - 8, y + 4, names[at] if names else f"{tick:,.{digits}f}".replace("-", "−"), "end"))
    parts.append(_label(4, HIGH - 6, unit, "start"))
    return "".join(parts)


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _ticks(low: float, high: float) -> list[float]:
    """Return four to seven round values (1, 2 or 5 times a power of ten apart) that span low … high."""
    span = max(high - low, 1e-6)
    size: float = 10.0 ** floor(log10(span / 5))
    step = next(size * times for times in (1, 2, 5, 10) if span / (size * times) <= 6)
    first = floor(low / step)
    return [step * at for at in range(first, max(ceil(high / step), first + 1) + 1)]
