"""The ratio and the connection fee by which a side's charges follow from its minutes: what holds for all calls alike."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from billing_audit.infer.seconds import lines, spread
from billing_audit.infer.view import View, exact_cost, told_fee

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

WELLS = 40  # price groups whose lines are laid
WELL_ROWS = 400
SAME = 0.002  # ratios closer than this are one


@dataclass(frozen=True)
class Amount:
    """charge = ratio · (minutes · rate + fee). `support`, `expected`: shares of rows explained with it, and by the reference."""

    ratio: Fraction
    fee_micro: int
    support: float
    expected: float
    rows: int


def amount_of(view: View) -> Amount:
    """Return the ratio and fee of a side; the reference's where nothing better explains the rows."""
    if "amount" not in view.kept:
        view.kept["amount"] = _amount(view)
    found = view.kept["amount"]
    assert isinstance(found, Amount)
    return found


def _amount(view: View) -> Amount:
    minutes, fees, seconds = exact_cost(view)
    charge = view.calls.charge.astype(np.float64)
    good = np.isfinite(minutes) & (seconds > 0) & (minutes > 0) & (charge != 0)
    minutes, fees, charge, seconds = minutes[good], fees[good], charge[good], seconds[good]
    tax = 1.0 + float(view.reference.terms.tax_ratio or 0)
    fee = float(told_fee(view.reference))
    if charge.size < 20:
        return Amount(Fraction(1), int(fee), 0.0, 0.0, int(charge.size))
    wide = float(view.grain)

    def share(ratio: float, own_fee: float | None) -> float:
        cost = ratio * (minutes + (fees if own_fee is None else own_fee))
        return float(np.mean(np.abs(charge - cost) <= wide + 1e-7 * cost))

    expected = share(1.0, None)
    if expected > 0.9:
        return Amount(Fraction(1), int(fee), expected, expected, int(charge.size))
    group = view.prices().row[good]
    ratios = [1.0, _mode(charge / (minutes + fees), wide / (minutes + fees))]
    ratios += _slopes(group, seconds, minutes, charge, view.unit)
    tries: list[tuple[float, Fraction, float | None]] = [(expected, Fraction(1), None)]
    for raw in ratios:
        if raw <= 0:
            continue
        told = Fraction(1) if view.kept.get("one") else _plain(raw, SAME, minutes, fees, wide)
        ratio = float(told)
        tries.append((share(ratio, None), told, None))
        own = _mode(charge / ratio - minutes, np.full(charge.size, wide / ratio))
        own = max(0.0, _rounded(own / tax, wide / ratio / tax)) * tax
        tries.append((share(ratio, own), told, own))
    best = max(one[0] for one in tries)
    support, chosen, own_fee = next(one for one in tries if one[0] >= best - 0.015)
    if chosen != 1 and not _everywhere(charge, minutes, fees, fee * tax if own_fee is None else own_fee, wide, float(chosen)):
        plain = [one for one in tries if one[1] == 1]
        support, chosen, own_fee = next(one for one in plain if one[0] >= max(other[0] for other in plain) - 0.015)
    if support - expected < 0.05:
        return Amount(Fraction(1), int(fee), expected, expected, int(charge.size))
    return Amount(chosen, int(fee) if own_fee is None else round(own_fee / tax), support, expected, int(charge.size))


def _everywhere(charge: Floats, minutes: Floats, fees: Floats, fee: float, wide: float, ratio: float) -> bool:
    """Tell whether hardly a call is priced by the reference: one ratio on everything, not a wrong price here and there."""
    plain = (np.abs(charge - minutes - fees) <= wide) | (np.abs(charge - minutes - fee) <= wide)
    clear = (charge > 20 * wide) & (np.abs(charge - charge / ratio) > 2.5 * wide)  # the ratio shows beyond what rounding may make
    return clear.sum() < 10 or float(plain[clear].mean()) < 0.02


def _slopes(group: Ints, seconds: Ints, minutes: Floats, charge: Floats, unit: int) -> list[float]:
    """Return the commonest ratio of a price group's own slope to the reference's."""
    values, counts = np.unique(group, return_counts=True)
    found: list[tuple[float, int]] = []
    for value in values[np.lexsort((values, -counts))][:WELLS].tolist():
        rows = np.flatnonzero(group == value)
        if rows.size < 20:
            break
        rows = rows[np.lexsort((charge[rows], seconds[rows]))][spread(rows.size, WELL_ROWS)]
        slope, _ = lines(minutes[rows][None, :], charge[rows], unit)
        found.append((float(slope[0]), int(rows.size)))
    if not found:
        return []
    ratio = np.array([one for one, _ in found])
    weight = np.array([many for _, many in found], np.float64)
    near = (np.abs(ratio[:, None] - ratio[None, :]) <= 0.01 * np.abs(ratio[:, None])) @ weight
    at = int(near.argmax())
    close = np.abs(ratio - ratio[at]) <= 0.01 * abs(ratio[at])
    return [float(np.average(ratio[close], weights=weight[close]))]


def _mode(values: Floats, width: Floats) -> float:
    """Return the point that lies within most of the intervals value ± width, weighted alike; the narrow ones decide where it is."""
    finite = np.isfinite(values) & np.isfinite(width)
    values, width = values[finite], width[finite]
    if not values.size:
        return 0.0
    if values.size > 20_000:
        kept = np.argsort(values, kind="stable")[spread(values.size, 20_000)]
        values, width = values[kept], width[kept]
    width = np.maximum(width, 1e-12)
    edges = np.concatenate([values - width, values + width])
    step = np.concatenate([np.ones(values.size), -np.ones(values.size)])
    order = np.lexsort((-step, edges))
    depth = np.cumsum(step[order])
    at = int(depth.argmax())
    low = edges[order][at]
    high = edges[order][at + 1] if at + 1 < edges.size else low
    return float((low + high) / 2)


def mode_of(values: Floats, width: Floats) -> float:
    """Return the value on which most intervals value ± width agree."""
    return _mode(values, width)


def _rounded(value: float, width: float) -> float:
    """Return the plainest number within width of value: the fewest digits."""
    for digits in range(7):
        unit = 10.0 ** (6 - digits)
        near = round(value / unit) * unit
        if abs(near - value) <= width:
            return near
    return value


def plainest(value: float, width: float) -> float:
    """Return the number with the fewest decimals within width of value, or 1/60, 1/100…, where that fits."""
    for under in (60, 3600, 1000, 100):
        if abs(1 / under - value) <= max(width, 1e-9 * value) and value < 0.2:
            return 1 / under
    for digits in range(-3, 12):
        near = round(value, digits)
        if near > 0 and abs(near - value) <= width:
            return near
    return value


def _plain(value: float, reach: float, minutes: Floats, fees: Floats, wide: float) -> Fraction:
    """Return the ratio as the simplest fraction that the largest charges allow."""
    if value == 1.0:
        return Fraction(1)
    top = np.sort(minutes + fees)[-max(1, minutes.size // 20) :]
    width = min(reach * value, 1.5 * wide / max(float(np.median(top)), 1e-9))
    return simplest(value - width, value + width)


def simplest(low: float, high: float) -> Fraction:
    """Return the fraction with the smallest denominator between low and high (> 0), by continued fractions."""
    over = [0, 1]
    under = [1, 0]
    a, b = Fraction(low), Fraction(high)
    for _ in range(40):
        whole = a.numerator // a.denominator
        if a == whole or whole + 1 <= b:
            whole += a != whole
            break
        a, b = 1 / (b - whole), 1 / (a - whole)
        over, under = [over[1], whole * over[1] + over[0]], [under[1], whole * under[1] + under[0]]
    return Fraction(whole * over[1] + over[0], whole * under[1] + under[0])
