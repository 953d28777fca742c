"""The five comparisons of two bills (rate, duration, billing method, number of records, record time), each in one line."""

from collections.abc import Iterable
from typing import Final

import msgspec

from billing_audit.audit import Audit, Slice
from reports.audit.figures import grouped, minutes, ratio, seconds, units
from reports.audit.words import cause_name, method_rows
from reports.locale.figures import span
from reports.locale.text import Texts

_OF: Final = {
    "rate": ("rate", "rate_change", "rate_change_zone", "prefix", "code_list", "scale", "time_band"),
    "duration": ("ring_time", "hung_call", "partial_records", "early_answer"),
    "method": ("increment", "increment_anchor", "free_seconds", "duration_rounding", "cost_rounding", "connection_fee", "failed_call"),
    "records": ("missing_outage", "missing_import", "duplicate", "cut_off", "partial_records"),
    "time": ("timezone", "dst", "clock"),
}
_ROUNDINGS: Final = (
    "duration_rounding",
    "cost_rounding",
)  # inferred ones differ by the digits that happen to occur: only a cause proves it
QUARTER_MS: Final = 900_000
ALIKE_MS: Final = 500  # clocks less apart than half of what most bills can write agree


class Compared(msgspec.Struct, frozen=True):
    """One comparison: what (rate, duration, method, records, time), whether both agree (None: can't be told), both values, by how much."""

    what: str
    agrees: bool | None
    local: str
    customer: str
    unit: str
    by: str

    @property
    def pair(self) -> str:
        """Both values with their unit; one where they are the same, "" where there are none."""
        if self.local == self.customer == "–":
            return ""
        both = self.local if self.local == self.customer else f"{self.local} vs {self.customer}"
        return f"{both} {self.unit}".rstrip()


def five(audit: Audit, texts: Texts) -> tuple[Compared, ...]:
    """Return the five comparisons in the order of the issue."""
    return (_rate(audit, texts), _duration(audit, texts), _method(audit, texts), _records(audit, texts), _time(audit, texts))


def summed(slices: Iterable[Slice], name: str) -> int | None:
    """Return the sum of one field over slices; None where one of them has none."""
    total = 0
    for one in slices:
        value = getattr(one, name)
        if value is None:
            return None
        total += value
    return total


def _found(audit: Audit, what: str, texts: Texts) -> str:
    names = [cause_name(found.cause, texts) for found in audit.causes if found.cause in _OF[what]]
    return " · ".join(dict.fromkeys(names))


def _rate(audit: Audit, texts: Texts) -> Compared:
    found = _found(audit, "rate", texts)
    averages: list[int | None] = []
    for side in "lc":
        charged, billed = summed(audit.by_day, f"{side}_micro"), summed(audit.by_day, f"{side}_billed_ms")
        averages.append(None if charged is None or not billed else (charged * 60_000 * 2 + billed) // (2 * billed))
    ours, theirs = averages
    shown = ["–" if value is None else grouped(value) for value in averages]
    unit = texts.text("audit.five.a-minute")
    if ours is None or theirs is None:
        return Compared("rate", False if found else None, shown[0], shown[1], unit, found or texts.text("audit.five.no-rate"))
    apart = f"{grouped(ours - theirs, plus=True)} ({ratio(ours - theirs, ours)})" if ours != theirs else ""
    why = found or (texts.text("audit.five.mix") if apart else "")
    return Compared("rate", not found, shown[0], shown[1], unit, " · ".join(filter(None, (apart, why))))


def _duration(audit: Audit, texts: Texts) -> Compared:
    found = _found(audit, "duration", texts)
    ours, theirs = summed(audit.by_day, "l_duration_ms") or 0, summed(audit.by_day, "c_duration_ms") or 0
    apart = f"{minutes(ours - theirs)} ({ratio(ours - theirs, ours)})" if ours != theirs else ""
    lost = texts.text("audit.five.with-missing") if apart and (audit.missing_in_local or audit.missing_in_customer) else ""
    unit, said = texts.text("audit.five.minutes"), " · ".join(filter(None, (apart, lost, found)))
    return Compared("duration", ours == theirs and not found, minutes(ours), minutes(theirs), unit, said)


def _method(audit: Audit, texts: Texts) -> Compared:
    shown: list[str] = []
    rows: list[dict[str, tuple[str, str]]] = []
    for bill in ("local", "customer"):
        inferred = audit.methods.get(bill)
        rows.append(
            {} if inferred is None else {key: (name, value) for key, name, value in method_rows(inferred.terms, texts, audit.currency)}
        )
        shown.append(rows[-1].get("increment_s", ("", "–"))[1])
    found = _found(audit, "method", texts)
    if not rows[0] or not rows[1]:
        return Compared("method", False if found else None, shown[0], shown[1], "", found or texts.text("audit.five.no-method"))
    ours, theirs = rows
    causes = {one.cause for one in audit.causes}
    counting = [key for key in ours if key in theirs and (key not in _ROUNDINGS or key in causes)]
    unlike = [key for key in counting if ours[key] != theirs[key]]
    other = [f"{ours[key][0]}: {ours[key][1]} vs {theirs[key][1]}" for key in unlike if key != "increment_s"]
    return Compared("method", not unlike and not found, shown[0], shown[1], "", " · ".join(filter(None, (*other, found))))


def _records(audit: Audit, texts: Texts) -> Compared:
    ours, theirs = audit.local.records, audit.customer.records
    missing = [
        texts.text(id, calls=f"{count:,}")
        for id, count in (("audit.five.missing-there", audit.missing_in_customer), ("audit.five.missing-here", audit.missing_in_local))
        if count
    ]
    found = _found(audit, "records", texts)
    said = " · ".join(filter(None, (*missing, found)))
    return Compared("records", not missing and ours == theirs, f"{ours:,}", f"{theirs:,}", texts.text("audit.five.calls"), said)


def _time(audit: Audit, texts: Texts) -> Compared:
    offset = audit.clock_offset_s
    if offset is None:
        return Compared("time", None, "–", "–", "", clock_text(audit, texts))
    departs = any(found.cause in ("clock", "dst") for found in audit.causes)
    whole = round(offset * 1000)
    return Compared("time", abs(whole - _shift(whole)) < ALIKE_MS and not departs, "–", "–", "", clock_text(audit, texts))


def clock_text(audit: Audit, texts: Texts) -> str:
    """Return by how much the customer's times are ahead of or behind ours, split into a zone's shift and the rest."""
    offset = audit.clock_offset_s
    if offset is None:
        return texts.text("audit.five.no-pair")
    whole = round(offset * 1000)
    shift = _shift(whole)
    rest = whole - shift
    if not whole:
        return texts.text("audit.clock.same")
    parts = [texts.text("audit.clock.ahead" if whole > 0 else "audit.clock.behind", seconds=seconds(abs(whole)))]
    if shift:
        hours = span(abs(shift) / 1000)
        parts.append(
            texts.text("audit.clock.zone", hours=hours) if not rest else texts.text("audit.clock.both", hours=hours, rest=seconds(rest))
        )
    found = _found(audit, "time", texts)
    return " · ".join(filter(None, (*parts, found)))


def cents_of(audit: Audit, digits: int) -> tuple[int, int, int] | None:
    """Return local total, customer total and their difference in units of the invoice, so that the three fit; None without totals."""
    ours, theirs = audit.local.total_micro, audit.customer.total_micro
    if ours is None or theirs is None:
        return None
    return units(ours, digits), units(theirs, digits), units(ours, digits) - units(theirs, digits)


def _shift(offset_ms: int) -> int:
    """Return the part of an offset that a zone makes: zones lie quarters of an hour apart."""
    return (offset_ms + QUARTER_MS // 2) // QUARTER_MS * QUARTER_MS
