"""Which of two columns of time is the talk and which is what is billed, where their headers leave it open: proved by the rows."""

from collections.abc import Mapping, Sequence
from math import gcd

from billing_audit.ledger import MISSING
from billing_audit.readers.amounts import duration
from billing_audit.readers.layout import Field

LEAST = 10  # rows with both times
SELDOM = 0.01  # of them may break the rule
COARSE_S = 6  # billed time that is never finer: the smallest usual increment beyond a second


def told_apart(chosen: Mapping[Field, int], others: Sequence[int], data: Sequence[Sequence[str]]) -> dict[Field, int]:
    """Return the columns with talk and billed time put right; `others`: columns that mean a duration too and were not chosen.

    Billed time is never less than the talk. `billsec` is the talk where `duration` counts from the first ring, and what is billed where the
    talk stands beside it: then it is the longer one.
    """
    found = dict(chosen)
    if "duration" not in chosen or "billed" in chosen:
        return found
    rivals = [*others, *([chosen["total"]] if "total" in chosen else [])]
    for rival in rivals:
        pairs = [(one, other) for row in data if (one := _ms(row, chosen["duration"])) > 0 and (other := _ms(row, rival)) > 0]
        if len(pairs) < LEAST:
            continue
        if _longer([(other, one) for one, other in pairs]):
            found["duration"], found["billed"] = rival, chosen["duration"]
            if found.get("total") == rival:
                del found["total"]
            return found
        step = gcd(*(other // 1000 for _, other in pairs))
        if rival in others and _longer(pairs) and step >= COARSE_S:
            found["billed"] = rival
            return found
    return found


def _longer(pairs: Sequence[tuple[int, int]]) -> bool:
    """Tell whether the second time is hardly ever less than the first, and often more."""
    less = sum(other < one for one, other in pairs)
    more = sum(other > one for one, other in pairs)
    return less <= SELDOM * len(pairs) and more >= 0.05 * len(pairs)


def _ms(row: Sequence[str], index: int) -> int:
    if index >= len(row):
        return 0
    value, flag = duration(row[index], ".", "s")
    return value if flag <= 0 and value != MISSING else 0
