"""What a whole table proves before its first row is read: order of dates, decimal mark, currencies, accounts. One pass, only if needed."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from billing_audit.readers import amounts
from billing_audit.readers.amounts import Mark, currency_of, proof
from billing_audit.readers.feed import TIMES, batches
from billing_audit.readers.headers import is_total
from billing_audit.readers.moments import Calendar, Order
from billing_audit.readers.plan import Plan
from billing_audit.readers.split import Shape

MONEY = ("rate", "charge")
NUMBERS = ("charge", "rate", "duration", "total", "billed")
NAMED = ("account", "currency")
MOST_DATES = 20_000
MOST_NAMES = 100_000
IN_PERIOD = 0.9  # of the dates, in one reading; a few calls before and after it are no rarity
_SLASHED = re.compile(r"\s*(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})(?!\d)")
_ISO = re.compile(r"\s*(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})")
_MARKED = re.compile("|".join(re.escape(mark) for mark in sorted(amounts.CURRENCIES, key=len, reverse=True)), re.IGNORECASE)


@dataclass
class Seen:
    """What was counted. `slashed`: d/m/y texts as (first, second, year); `iso`: month and day of year-first dates."""

    slashed: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    iso: set[tuple[int, int]] = field(default_factory=set)
    marks: set[Mark] = field(default_factory=set)
    currencies: Counter[str] = field(default_factory=Counter)
    accounts: Counter[str] = field(default_factory=Counter)
    other_times: int = 0
    period: tuple[date, date] | None = None

    def look(self, name: str, text: str, rows: int) -> None:
        """Count what one text of a field, seen in so many rows, proves."""
        if name in TIMES or name == "date":
            self._date(text, rows)
        elif name == "account" and text.strip() and len(self.accounts) < MOST_NAMES:
            self.accounts[text.strip()] += rows
        elif name == "currency" and text.strip() and len(self.currencies) < MOST_NAMES:
            self.currencies[currency_of(text)] += rows
        elif name in NUMBERS:
            if name in MONEY and (found := _MARKED.search(text)):
                self.currencies[amounts.CURRENCIES[found[0].upper()]] += rows
            self.number(text)

    def number(self, text: str) -> None:
        """Note the decimal mark that a text proves."""
        told = proof(re.sub(r"[^\d.,]", "", text))
        if told in (".", ","):
            self.marks.add(told)

    def _date(self, text: str, rows: int) -> None:
        if len(self.slashed) + len(self.iso) > MOST_DATES:
            return
        if found := _SLASHED.match(text):
            if found[2] != ".":
                self.slashed[int(found[1]), int(found[3]), int(found[4])] += rows
        elif found := _ISO.match(text):
            self.iso.add((int(found[2]), int(found[3])))
        elif text.strip():
            self.other_times += rows

    @property
    def mark(self) -> Mark:
        """The decimal mark that the texts prove."""
        return "both" if len(self.marks) > 1 else next(iter(self.marks), "unknown")

    @property
    def calendar(self) -> Calendar:
        """The order of d/m/y that the texts prove, and whether Excel turned dates round."""
        order = _order(self.slashed)
        if order == "unknown" and self.period is not None:
            order = _in_period(self.slashed, self.period)
        firsts = [first for first, second, _ in self.slashed if first != second]
        months = {second for _, second, _ in self.slashed}
        turned = order == "dmy" and bool(firsts) and min(firsts) > 12 and len(self.iso) >= 3
        turned = turned and all(
            month <= 12 and day in months for month, day in self.iso
        )  # what they would have been: day/month of these months
        return Calendar(order, turned)

    @property
    def hopeless(self) -> bool:
        """Whether every time is a d/m/y that nothing in the table decides."""
        if self.calendar.order != "unknown" or not self.slashed or self.iso or self.other_times:
            return False
        return all(first != second for first, second, _ in self.slashed)


def _order(dates: Iterable[tuple[int, int, int]]) -> Order:
    """Return the order that the dates prove: by a number above 12, else by one reading lying in one month and the other in many."""
    found = set(dates)
    dmy = any(first > 12 >= second for first, second, _ in found)
    mdy = any(second > 12 >= first for first, second, _ in found)
    if dmy or mdy:
        return "both" if dmy and mdy else "dmy" if dmy else "mdy"
    if len(found) >= 3:
        firsts, seconds = {first for first, _, _ in found}, {second for _, second, _ in found}
        if len(seconds) == 1 and len(firsts) >= 3:
            return "dmy"
        if len(firsts) == 1 and len(seconds) >= 3:
            return "mdy"
    return "unknown"


def _in_period(dates: Counter[tuple[int, int, int]], period: tuple[date, date]) -> Order:
    """Return the order in which nearly all dates lie in a period (or on the day beside it, in another zone), if only one does."""
    first, last = period[0] - timedelta(days=1), period[1] + timedelta(days=1)
    open_ = {one: rows for one, rows in dates.items() if one[0] != one[1]}
    share = {}
    for order in ("dmy", "mdy"):
        inside = 0
        for (one, other, year), rows in open_.items():
            day, month = (one, other) if order == "dmy" else (other, one)
            full = year + 2000 if year < 100 else year
            inside += rows * (1 <= full <= 9999 and 1 <= month <= 12 and 1 <= day <= 28 and first <= date(full, month, day) <= last)
        share[order] = inside / max(1, sum(open_.values()))
    if share["dmy"] >= IN_PERIOD and share["mdy"] <= 1 - IN_PERIOD:
        return "dmy"
    return "mdy" if share["mdy"] >= IN_PERIOD and share["dmy"] <= 1 - IN_PERIOD else "unknown"


def _suspects(plan: Plan, *, accounts: bool) -> set[str]:
    """Return the fields that the first rows leave in doubt, so that the whole table must be asked."""
    columns = plan.shape.wanted
    found = {name for name in ("currency",) if name in columns}
    if accounts and "account" in columns:
        found.add("account")
    if plan.module is not None:
        return found
    for name, index in columns.items():
        texts = [row[index] for row in plan.rows if index < len(row)]
        if name in (*TIMES, "date") and plan.layout.times == "text" and any(_SLASHED.match(text) for text in texts):
            found.add(name)
        if name in NUMBERS and plan.layout.decimal == "" and any("," in text for text in texts):
            found |= {other for other in NUMBERS if other in columns}
        if name in MONEY and any(_MARKED.search(text) for text in texts):
            found.add(name)
    return found


def survey(plan: Plan, *, accounts: bool) -> Seen:
    """Return what the table proves about the fields in doubt; with `accounts`, which accounts it holds."""
    seen = Seen()
    fields = _suspects(plan, accounts=accounts)
    if not fields:
        _look_at_head(plan, seen)
        return seen
    wanted = {name: index for name, index in plan.shape.wanted.items() if name in fields} or dict.fromkeys(fields, 0)
    shape = Shape(plan.shape.width, plan.shape.delimiter, plan.shape.quote, wanted)
    for batch in batches(plan, shape):
        for name, array in batch.rows.columns.items():
            index = wanted[name]
            header = plan.header[index].strip() if index < len(plan.header) else ""
            if name in NUMBERS:
                _numbers(seen, name, array)
                continue
            for value in array.value_counts().to_pylist():
                text = value["values"].decode("utf-8", "replace")
                if not (
                    text.strip() == header != "" or (name in NAMED and is_total(text))
                ):  # a header in the middle or a row of sums proves nothing
                    seen.look(name, text, value["counts"])
    return seen


def _numbers(seen: Seen, name: str, array: pa.Array) -> None:
    """Count the currency marks of a column of amounts, and look at the texts that may prove a decimal mark."""
    if name in MONEY:
        marks = pc.replace_substring_regex(array, pattern=r"[0-9.,\s+\-()]+", replacement="")
        for value in marks.value_counts().to_pylist():
            if found := _MARKED.search(value["values"].decode("utf-8", "replace")):
                seen.currencies[amounts.CURRENCIES[found[0].upper()]] += value["counts"]
    for sign, enough in ((",", {".", ","}), (".", {"."})):
        if not enough <= seen.marks:
            for text in array.filter(pc.match_substring(array, sign)).unique().to_pylist():
                seen.number(text.decode("utf-8", "replace"))
                if enough <= seen.marks:
                    break


def _look_at_head(plan: Plan, seen: Seen) -> None:
    for name, index in plan.shape.wanted.items():
        if name in NUMBERS:
            for row in plan.rows:
                if index < len(row):
                    seen.look(name, row[index], 1)
