"""How sure a verdict is: the share in which verdicts of its basis were right in the lab and the simulator (docs/accuracy.md)."""

from collections.abc import Sequence

from checks.correlation.fault import Basis, Fault
from checks.correlation.picture import Symptom

RIGHT = {
    Basis.SAID: 0.97,
    Basis.PORT: 0.97,
    Basis.SILENCE: 0.96,
    Basis.PLACED: 0.9,
    Basis.CLASS: 0.95,
    Basis.WIDE: 0.91,
    Basis.AGAINST: 0.5,
}
SINGLE = 0.03  # less for what one measurement alone says


def confidence(fault: Fault, symptoms: Sequence[Symptom]) -> float:
    """Return how likely the cause, or its declared class, and the element are right."""
    sure = RIGHT[fault.basis]
    if len({one.job for one in symptoms}) == 1 and fault.basis is not Basis.SAID:
        sure -= SINGLE
    return round(sure, 2)
