"""When will it be full? A fold over (time, value), and a judgement of the time that is left."""

from math import sqrt
from statistics import median

import msgspec

from checks.finding import Finding, Levels, Message, State

LEFT = Levels(24.0, 4.0, "h", "our choice: a day to make room in, or the time to get there before it is full", low=True)

KEPT = 32  # points; Theil–Sen looks at every pair
SPACING_S = 60.0
HORIZON_S = 72 * 3600.0
MIN_POINTS = 12
MIN_SPAN_S = 1800.0
REACH = 12.0  # our choice: nothing is foretold further ahead than twelve times the time seen
FLOOR = 0.5  # our choice: what is not half full is left alone
RESET = 0.02  # of full: so large a drop is somebody making room, and a new beginning
CERTAIN = 4.0  # standard deviations of the Mann–Kendall statistic: chance gives it once in 30,000
CLEAR = 3.0  # the rise seen, in median residuals: less is noise


class Trend(msgspec.Struct, frozen=True):
    """The points (seconds since 1970, value) of one growing series, oldest first, at least `spacing_s` apart: never more than `KEPT`."""

    points: tuple[tuple[float, float], ...] = ()
    spacing_s: float = SPACING_S


class Growth(msgspec.Struct, frozen=True):
    """What the points say: units per second (Theil–Sen slope), the value now by that line, and the seconds seen."""

    per_s: float
    now: float
    span_s: float


EMPTY = Trend()


def grow(trend: Trend, at_s: float, value: float, full_at: float) -> Trend:
    """Return the trend with one more point; a drop or a clock set back restarts it, a point too close to the last one changes nothing."""
    if not trend.points:
        return Trend(((at_s, value),))
    last_at, last = trend.points[-1]
    if last - value > RESET * abs(full_at) or at_s < last_at - trend.spacing_s:
        return Trend(((at_s, value),))
    if at_s - last_at < trend.spacing_s:
        return trend
    points = (*(point for point in trend.points if at_s - point[0] <= HORIZON_S), (at_s, value))
    if len(points) <= KEPT:
        return Trend(points, trend.spacing_s)
    return Trend(points[1::2] if len(points) % 2 == 0 else points[::2], trend.spacing_s * 2)


def growth(trend: Trend) -> Growth | None:
    """Return the growth that the points prove, None while they are too few or it may be chance.

    The slope is the median of the slopes of all pairs (Theil 1950, Sen 1968), which a third of wild points does not move. It must be
    beyond chance by the Mann–Kendall test and larger than the noise about the line.
    """
    points = trend.points
    count = len(points)
    if not _enough(trend):
        return None
    pairs = [(a, b) for i, a in enumerate(points) for b in points[i + 1 :]]
    rising = sum((b[1] > a[1]) - (b[1] < a[1]) for a, b in pairs)
    if (rising - 1) / sqrt(count * (count - 1) * (2 * count + 5) / 18) < CERTAIN:
        return None
    slope = median((b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs)
    base = median(value - slope * at for at, value in points)
    noise = median(abs(value - slope * at - base) for at, value in points)
    start, end = points[0][0], points[-1][0]
    if slope <= 0 or slope * (end - start) < CLEAR * noise:
        return None
    return Growth(slope, base + slope * end, end - start)


def until(trend: Trend, full_at: float) -> float | None:
    """Return the seconds from the last point until `full_at` is reached; None when nothing says that it will be, or only far ahead."""
    seen = growth(trend)
    if seen is None:
        return None
    left = max(0.0, (full_at - max(seen.now, trend.points[-1][1])) / seen.per_s)
    return left if left <= REACH * seen.span_s else None


def judge_trend(finding: Finding, trend: Trend) -> Finding | None:
    """Return `<check>.trend`, the hours until the value is full; None as long as there are too few points to say anything.

    A value that does not grow, or is under half of full, is ok without hours.
    """
    if finding.full_at is None or finding.value is None or not _enough(trend):
        return None
    left = until(trend, finding.full_at) if finding.value >= FLOOR * finding.full_at else None
    check = f"{finding.check}.trend"
    if left is None:
        return Finding(check, finding.seen, State.OK, Message("trend.steady"), LEFT, finding.item)
    hours = left / 3600
    return Finding(check, finding.seen, LEFT.judge(hours), Message("trend.full-in", {"hours": hours}), LEFT, finding.item, hours)


def _enough(trend: Trend) -> bool:
    return len(trend.points) >= MIN_POINTS and trend.points[-1][0] - trend.points[0][0] >= MIN_SPAN_S
