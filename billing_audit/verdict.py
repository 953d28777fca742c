"""The verdict: is a technical slip the reason, whose mostly, how sure, is it worth disputing, what would settle it, what changed since."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from billing_audit.audit import Audit, BillTotal, Found, Verdict
from billing_audit.ledger import MICRO, Bill, Note, Side, Value
from billing_audit.money import from_micro
from billing_audit.terms import Contract, Dispute

RATES: Final = frozenset(("rate", "rate_change", "rate_change_zone", "prefix", "code_list"))  # disputes over these have no minimum
RULES: Final = frozenset(("duration_rounding", "cost_rounding", "cut_off", "timezone"))  # nobody's slip
SMALL: Final = 0.02  # of the gross money, or of the records: what is less decides nothing
MOSTLY: Final = 0.5  # of the gross money unexplained: what was found is not the reason
DOUBT: Final = 0.75  # a verdict less sure than this is said to be none
MOST_NOTES: Final = 8

SETTLE: Final[dict[str, str]] = {
    "rate": "audit.settle.notice",
    "rate_change": "audit.settle.notice",
    "rate_change_zone": "audit.settle.zone",
    "prefix": "audit.settle.notice",
    "code_list": "audit.settle.notice",
    "increment": "audit.settle.increment",
    "increment_anchor": "audit.settle.increment",
    "free_seconds": "audit.settle.increment",
    "connection_fee": "audit.settle.fee",
    "time_band": "audit.settle.bands",
    "scale": "audit.settle.currency",
    "clock": "audit.settle.clocks",
    "dst": "audit.settle.zone",
    "cut_off": "audit.settle.period",
    "missing_outage": "audit.settle.switch_records",
    "missing_import": "audit.settle.file_list",
    "duplicate": "audit.settle.switch_records",
    "failed_call": "audit.settle.signalling",
    "ring_time": "audit.settle.signalling",
    "hung_call": "audit.settle.signalling",
    "early_answer": "audit.settle.signalling",
    "partial_records": "audit.settle.switch_records",
}
"""Per cause the one document or measurement that would settle it."""


def judge(
    causes: Sequence[Found],
    unexplained_micro: int,
    difference_micro: int | None,
    totals: Mapping[Bill, BillTotal],
    contract: Contract | None,
    previous: Audit | None = None,
    unexplained_records: int = 0,
) -> Verdict:
    """Return the verdict on what was found. `unexplained_records`: differences that cancel in money are differences all the same.

    `technical` is True where a cause that is somebody's weighs, False where nothing differs or only rules do, None where it can't be told.
    """
    dispute = contract.dispute if contract else Dispute()
    gross = sum(abs(one.amount_micro) for one in causes) + abs(unexplained_micro)
    records = max((totals[bill].records for bill in Bill), default=0)
    heavy = [one for one in causes if _weighs(one, gross, records)]
    slips = [one for one in heavy if one.cause not in RULES and one.side is not Side.NONE]
    side, share = _whose(slips)
    strange = not slips and unexplained_records > MOSTLY * max(1, records)
    technical = None if strange else _technical(slips, heavy, gross, unexplained_micro)
    sure = 0.0 if strange else _sure(slips or heavy, gross, unexplained_micro, share if technical else 1.0)
    return Verdict(
        technical=technical,
        side=side if technical else Side.NONE if technical is False else Side.UNDETERMINED,
        confidence=round(sure, 3),
        disputable=_disputable(causes, difference_micro, totals, dispute),
        notes=() if strange and not gross else tuple(_notes(slips, heavy, gross, unexplained_micro, share)),
        settle=tuple(_settle(heavy, contract, unexplained_micro, gross)),
        changed=tuple(_changed(causes, previous)) if previous is not None else (),
    )


def _weighs(one: Found, gross: int, records: int) -> bool:
    return abs(one.amount_micro) > SMALL * gross or (one.amount_micro == 0 and one.records > SMALL * max(1, records))


def _whose(slips: Sequence[Found]) -> tuple[Side, float]:
    """Return the side with the most money among the slips (of records where none has money), and its share."""
    weight: dict[Side, int] = defaultdict(int)
    money = any(one.amount_micro for one in slips)
    for one in slips:
        weight[one.side] += abs(one.amount_micro) if money else one.records
    if not weight:
        return Side.NONE, 1.0
    side = max(sorted(weight), key=lambda one: weight[one])
    return side, weight[side] / max(1, sum(weight.values()))


def _technical(slips: Sequence[Found], heavy: Sequence[Found], gross: int, unexplained_micro: int) -> bool | None:
    if gross and abs(unexplained_micro) > MOSTLY * gross:
        return None
    if slips:
        return True
    if gross == 0 or abs(unexplained_micro) <= SMALL * gross:
        return False
    return None if not heavy else False


def _sure(chosen: Sequence[Found], gross: int, unexplained_micro: int, share: float) -> float:
    """Return how sure the verdict is: the causes' own confidence by money, less for what stays unexplained and for a divided side."""
    explained = 1 - abs(unexplained_micro) / max(1, gross)
    if not chosen:
        return 0.9 * explained if gross == 0 or explained > 1 - SMALL else 0.3
    weights = [max(1, abs(one.amount_micro)) for one in chosen]
    own = sum(one.confidence * weight for one, weight in zip(chosen, weights, strict=True)) / sum(weights)
    return own * (0.5 + 0.5 * explained) * (0.6 + 0.4 * min(1.0, share / 0.8))


def _disputable(causes: Sequence[Found], difference_micro: int | None, totals: Mapping[Bill, BillTotal], dispute: Dispute) -> bool:
    """Tell whether the trade would dispute: any money of rates; else from tolerance of the bill and minimum on."""
    if any(one.cause in RATES and one.amount_micro for one in causes):
        return True
    if difference_micro is None:
        return False
    bill = max((abs(totals[bill].total_micro or 0) for bill in Bill), default=0)
    size = abs(difference_micro)
    return size > 0 and Decimal(size) >= dispute.tolerance_ratio * bill and Decimal(size) >= dispute.minimum * MICRO


def _notes(slips: Sequence[Found], heavy: Sequence[Found], gross: int, unexplained_micro: int, share: float) -> list[Note]:
    notes = []
    if slips and not (gross and abs(unexplained_micro) > MOSTLY * gross):
        notes.append(Note("audit.note.verdict.side", {"share": round(100 * share, 1), "causes": len(slips)}))
    if gross and abs(unexplained_micro) > SMALL * gross:
        notes.append(Note("audit.note.verdict.unexplained", {"share": round(100 * abs(unexplained_micro) / gross, 1)}))
    if any(one.side is Side.UNDETERMINED and one.cause != "clock" for one in heavy):
        notes.append(Note("audit.note.verdict.undetermined"))
    if not slips and heavy:
        notes.append(Note("audit.note.verdict.rules"))
    if not gross:
        notes.append(Note("audit.note.verdict.equal"))
    return notes


def _settle(heavy: Sequence[Found], contract: Contract | None, unexplained_micro: int, gross: int) -> list[Note]:
    """Return what would settle the heavy causes, each document once, the most money first."""
    found: list[Note] = []
    for one in heavy:
        text = "audit.settle.outage_log" if _unmeasured(one) else SETTLE.get(one.cause)
        if text is None or (one.side not in (Side.UNDETERMINED, Side.CARRIER) and one.confidence > 0.97 and one.cause not in RATES):
            continue
        values: dict[str, Value] = {"what": str(one.parameters.get("prefixes", "")) or "–"} if text == "audit.settle.notice" else {}
        note = Note(text, values)
        if all(note.id != other.id for other in found):
            found.append(note)
        if _unmeasured(one):
            found.append(Note("audit.settle.swapped"))
    if contract is None and any(one.side is Side.UNDETERMINED for one in heavy):
        found.insert(0, Note("audit.settle.contract"))
    if gross and abs(unexplained_micro) > SMALL * gross:
        found.append(Note("audit.settle.raw_records"))
    return found[:MOST_NOTES]


def _unmeasured(one: Found) -> bool:
    """Tell whether calls are missing here, though nothing of ours is known to have been down."""
    return one.cause == "missing_outage" and one.parameters.get("measured") is False


def _changed(causes: Sequence[Found], previous: Audit) -> list[Note]:
    """Return which causes are new, gone, or still there since the last audit."""
    now = {(one.cause, one.side): one for one in causes}
    then = {(one.cause, one.side): one for one in previous.causes}
    notes = []
    for key, one in now.items():
        before = then.get(key)
        values: dict[str, Value] = {"cause": one.cause, "side": str(one.side), "amount": f"{from_micro(one.amount_micro):f}"}
        if before is None:
            notes.append(Note("audit.note.changed.new", values))
        else:
            notes.append(Note("audit.note.changed.still", {**values, "before": f"{from_micro(before.amount_micro):f}"}))
    for key, one in then.items():
        if key not in now:
            values = {"cause": one.cause, "side": str(one.side), "amount": f"{from_micro(one.amount_micro):f}"}
            notes.append(Note("audit.note.changed.gone", values))
    return notes[: 2 * MOST_NOTES]
