"""What is usual at this hour of the day, and how far a reading is from it."""

from collections.abc import Sequence
from statistics import median

import msgspec

from checks.finding import Finding, Levels, Message, State, Value

MIN_DAYS = 5  # our choice: below it one odd day would be half of what is usual
MIN_READINGS = 60  # our choice: at one reading a minute an hour's worth
K = 3.5  # Iglewicz & Hoaglin, How to Detect and Handle Outliers (1993): a modified z-score above 3.5 is a potential outlier
SIGMA = 1.4826  # 1 / 0.6745: MAD to standard deviation of a normal distribution
SHARE = 0.25  # our choice: a departure of less than a quarter of the median is never worth a word
FLOOR = {"ms": 2.0, "ratio": 0.05, "°C": 10.0, "mA": 2.0}  # our choice: nor is one of less than this in its unit
NO_ORIGIN = frozenset({"°C"})  # units whose zero means nothing: a share of the median does neither
LEVELS = frozenset(
    {"dBm"}
)  # logarithms: what is lost of a level is held against the best known of it (checks.loss), not against the median


class HourSummary(msgspec.Struct, frozen=True):
    """What is kept of one series and one UTC hour: number of readings, their median and median absolute deviation."""

    count: int
    median: float
    mad: float


class Baseline(msgspec.Struct, frozen=True):
    """What is usual in the same UTC hour of the last 14 days: a median and a MAD of `count` readings on `days` days.

    UTC has no summer time: in the fortnight after a change of clocks the people's hour is compared with its neighbour.
    """

    median: float
    mad: float
    count: int
    days: int


def summarise(values: Sequence[float]) -> HourSummary | None:
    """Return the summary of one hour's readings, None of none."""
    if not values:
        return None
    middle = median(values)
    return HourSummary(len(values), middle, median(abs(value - middle) for value in values))


def combine(hours: Sequence[HourSummary]) -> Baseline | None:
    """Return the baseline of the same hour on several days, None while there are too few days or readings.

    The median is the median of the days' medians weighted by their readings. The MAD adds the weighted median of the days' own to that
    of their medians' distances from it: no reading is further from the middle than its day's spread and its day's place together.
    """
    count = sum(hour.count for hour in hours)
    if len(hours) < MIN_DAYS or count < MIN_READINGS:
        return None
    middle = _weighted_median([(hour.median, hour.count) for hour in hours])
    within = _weighted_median([(hour.mad, hour.count) for hour in hours])
    between = _weighted_median([(abs(hour.median - middle), hour.count) for hour in hours])
    return Baseline(middle, within + between, count, len(hours))


def room(baseline: Baseline, unit: str) -> float:
    """Return how far from the median is still usual, in `unit`; 0 when nothing can be said."""
    if unit in LEVELS:
        return 0.0
    share = 0.0 if unit in NO_ORIGIN else SHARE * abs(baseline.median)
    return max(K * SIGMA * baseline.mad, share, FLOOR.get(unit, 0.0))


def is_usual(finding: Finding, baseline: Baseline) -> bool:
    """Tell whether `departure` would find nothing; the cheap question of the common case."""
    if finding.value is None or finding.levels is None:
        return False
    away = room(baseline, finding.levels.unit)
    if finding.levels.low:
        return away <= 0 or finding.value > baseline.median - away
    return away <= 0 or finding.value < baseline.median + away


def departure(finding: Finding, baseline: Baseline) -> Finding | None:
    """Return `<check>.usual`: warning when the value departs from the same hour's median in the direction that is bad, else ok.

    None when there is no value or nothing can be said. Never critical: unusual is a hint, not a fault.
    """
    if finding.value is None or finding.levels is None:
        return None
    levels = finding.levels
    away = room(baseline, levels.unit)
    if away <= 0:
        return None
    limit = baseline.median - away if levels.low else baseline.median + away
    source = f"median of {baseline.count} readings in {baseline.days} days"
    usual = Levels(limit, None, levels.unit, source, low=levels.low)
    state = usual.judge(finding.value)
    values: dict[str, Value] = {"value": finding.value, "median": baseline.median, "unit": levels.unit, "days": baseline.days}
    where = "normal" if state is State.OK else "lower" if levels.low else "higher"
    text = Message(f"usual.{where}-share" if levels.unit == "ratio" else f"usual.{where}", values)
    return Finding(f"{finding.check}.usual", finding.seen, state, text, usual, finding.item, finding.value)


def _weighted_median(pairs: list[tuple[float, int]]) -> float:
    """Return the lower weighted median: the least value with at least half of the weight at or below it."""
    half = sum(weight for _, weight in pairs) / 2
    below = 0
    for value, weight in sorted(pairs):
        below += weight
        if below >= half:
            return value
    raise ValueError("no values")
