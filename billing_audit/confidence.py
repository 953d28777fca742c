"""How sure a finding is: one small table, so that it can be calibrated against disputes whose truth is known."""

from typing import Final

from billing_audit.ledger import Side

BASE: Final[dict[str, float]] = {
    "dst": 0.96,
    "code_list": 0.95,
    "time_band": 0.95,
    "missing_import": 0.97,
    "early_answer": 0.95,
}
USUAL: Final = 0.985
FEW: Final = ((5, 0.7), (20, 0.94), (50, 0.97))  # below so many records: × this
WEAK: Final = ((0.5, 0.7), (0.8, 0.93), (0.93, 0.97))  # below this support: × this
UNDETERMINED: Final = 0.93  # the cause stands, the side is not known: how sure of the cause


def confidence(cause: str, side: Side, support: float, records: int, explained: float, fixed: bool) -> float:
    """Return how sure a cause and its side are, 0 … 0.99."""
    sure = BASE.get(cause, USUAL)
    sure *= next((ratio for limit, ratio in FEW if records < limit), 1.0)
    sure *= next((ratio for limit, ratio in WEAK if support < limit), 1.0)
    sure *= next((ratio for limit, ratio in WEAK if explained < limit), 1.0)
    if side is Side.UNDETERMINED or not fixed:
        sure *= UNDETERMINED
    return round(min(sure, 0.99), 3)
