"""One field of a block → integers with flags: by arithmetic where the texts allow, else by its plain function, text by text."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from billing_audit.ledger import MISSING, Names
from billing_audit.numbers import PLAIN
from billing_audit.readers import amounts, callers, moments
from billing_audit.readers.amounts import Mark
from billing_audit.readers.digits import COMMA, POINT, POWERS, Bools, Ints, Texts, decimals, texts, ungrouped
from billing_audit.readers.grid import Cells, Grid
from billing_audit.readers.layout import Field, Layout, Unit
from billing_audit.readers.moments import Calendar
from billing_audit.readers.stamps import stamps
from billing_audit.readers.texts import Flags, Once, each, rest
from billing_audit.readers.unreadable import FLAG

RATE_POWER = 9
CHARGE_POWER = 6
FEW = 64  # under so many rows the plain function is as fast
_MS_POWER: Mapping[Unit, int] = {"s": 3, "ms": 0, "clock": 3}
_EPOCH_POWER = {"epoch_s": 3, "epoch_ms": 0}
_NO = (
    "no answer", "noanswer", "no_answer", "busy", "failed", "failure", "cancel", "cancelled", "canceled", "rejected", "congestion",
    "chanunavail", "unanswered", "n", "no", "0", "false", "missed", "abandoned", "fail", "unallocated", "not answered",
    "未接通", "未接", "未应答", "失败", "否", "忙", "拒接", "取消", "呼叫失败",
)  # fmt: skip
_YES = (
    "answered", "answer", "ok", "200", "200 ok", "success", "successful", "completed", "complete", "connected", "y", "yes", "1", "true",
    "normal_clearing", "接通", "已接通", "应答", "已应答", "成功", "是", "正常", "呼叫成功",
)  # fmt: skip
_MARKS = {code: tuple(mark.encode() for mark, of in amounts.CURRENCIES.items() if of == code) for code in set(amounts.CURRENCIES.values())}
_SAID = dict.fromkeys(_NO, 0) | dict.fromkeys(_YES, 1)


@dataclass
class Notation:
    """How this file writes what it says, decided before the first row is read, and counts of what was noticed while reading."""

    layout: Layout
    zone: tzinfo
    calendar: Calendar
    mark: Mark
    currency: str
    account: str | None  # the only one to read; others are folded
    names: Names
    remarks: Counter[str] = field(default_factory=Counter)
    naive: int = 0
    aware: int = 0
    totals: list[str] = field(default_factory=list)  # what the rows of sums say
    parsers: dict[str, Once] = field(default_factory=dict)

    def once(self, name: str, parse: Callable[[str], tuple[int, int]]) -> Once:
        """Return the remembering parser of a field."""
        if name not in self.parsers:
            self.parsers[name] = Once(parse)
        return self.parsers[name]


def _time(_: str, array: pa.Array, notation: Notation) -> tuple[Ints, Flags]:
    kind = notation.layout.times
    column = texts(array)
    if kind == "text":
        values, ok = moments.iso(column)
        if notation.calendar.turned:
            ok = np.zeros(len(column), np.bool_)
        early = np.zeros(len(column), np.int16)
        if not ok.any() and len(column) >= FEW:
            half = notation.once("half", lambda text: moments.half(text, notation.calendar))
            values, early, ok = moments.day_and_clock(column, half)
        values, flags = rest(array, values, ok, notation.once("time", lambda text: moments.moment(text, notation.calendar)))
        return values, np.where(ok, early, flags)
    values, ok = decimals(column, _EPOCH_POWER.get(kind, 0))
    if kind == "epoch_us":
        values = values // 1000
    ok &= values < amounts.LAST_MS
    values = np.where(ok & (values == 0), MISSING, values)
    return rest(array, values, ok, notation.once("epoch", lambda text: amounts.epoch(text, kind)))


def _length(name: Field, array: pa.Array, notation: Notation) -> tuple[Ints, Flags]:
    unit = notation.layout.units.get(name, notation.layout.durations)
    values, ok = _decimals(array, _MS_POWER[unit], notation.mark) if unit in _MS_POWER else _none(array)
    ok &= values < amounts.MOST_MS
    return rest(array, values, ok, notation.once(f"{unit}", lambda text: amounts.duration(text, notation.mark, unit)))


_SWAPPED = np.arange(256, dtype=np.uint8)
_SWAPPED[[44, 46]] = 46, 44


def _decimals(array: pa.Array, power: int, mark: Mark) -> tuple[Ints, Bools]:
    """Return the plain numbers of a column whose decimal mark is known; where it is not, those with a mark are left over."""
    column = texts(array)
    if mark == ",":
        column = Texts(_SWAPPED[column.data], column.offsets)
    if mark in (".", ",") and COMMA in column.data:
        bare, grouped = ungrouped(column)
        values, ok = decimals(bare, power)
        plain, sure = decimals(column, power) if not (grouped | ok).all() else (values, ok)
        return np.where(grouped, values, plain), np.where(grouped, ok, sure)
    values, ok = decimals(column, power)
    if mark == "both":
        marked = np.flatnonzero(column.data == POINT)
        ok[np.searchsorted(column.offsets[1:], marked, side="right")] = False
    return values, ok


def _none(array: Sized) -> tuple[Ints, Bools]:
    return np.zeros(len(array), np.int64), np.zeros(len(array), np.bool_)


def _money(name: str, array: pa.Array, notation: Notation) -> tuple[Ints, Flags]:
    power = RATE_POWER if name == "rate" else CHARGE_POWER
    per = notation.layout.rate_per_s if name == "rate" else 60
    values, ok = _decimals(_unmarked(array, notation), power, notation.mark)
    ok &= values < amounts.MOST_MONEY * 10**power
    values, flags = rest(array, values, ok, notation.once(name, lambda text: amounts.money(text, notation.mark, power, notation.currency)))
    if per != 60:
        values = np.where(values == MISSING, MISSING, _per_minute(values, per))
    return values, flags


def _unmarked(array: pa.Array, notation: Notation) -> pa.Array:
    """Return amounts without this currency's mark in front, where the first has one: "¥1.20" → "1.20"."""
    first = array[0].as_py() if len(array) else b""
    mark = next((mark for mark in _MARKS.get(notation.currency, ()) if first.startswith(mark)), None)
    if mark is None:
        return array
    return pc.replace_substring_regex(array, pattern=f"^{re.escape(mark.decode())} ?", replacement="", max_replacements=1)


def _per_minute(values: Ints, per: int) -> Ints:
    """Return rates a minute of rates per so many seconds, half up in the last nano-unit; those too large for that are MISSING."""
    large = values > (1 << 62) // 60
    minute: Ints = (np.where(large, 0, values) * 120 + per) // (2 * per)
    return np.where(large, MISSING, minute)


def _number(_: str, array: pa.Array, notation: Notation) -> tuple[Ints, Flags]:
    return callers.codes(array, notation.once("number", lambda text: callers.number(text, notation.names)))


def _name(_: str, array: pa.Array, notation: Notation) -> tuple[Ints, Flags]:
    def index(text: str) -> tuple[int, int]:
        told = text.strip()
        return (notation.names.index(told[:200]), 0) if told else (MISSING, 0)

    return each(array, notation.once("name", index))


def _answered(_: str, array: pa.Array, notation: Notation) -> tuple[Ints, Flags]:
    words = notation.layout.answered

    def said(text: str) -> tuple[int, int]:
        told = text.strip().lower()
        if words:
            return int(told in words), 0
        return _SAID.get(told, MISSING), 0

    return each(array, notation.once("answered", said))


def _currency(_: str, array: pa.Array, notation: Notation) -> tuple[Ints, Flags]:
    def other(text: str) -> tuple[int, int]:
        told = amounts.currency_of(text)
        return MISSING, FLAG["currency"] if told and notation.currency and told != notation.currency else 0

    return each(array, notation.once("currency", other))


READ: dict[str, Callable[..., tuple[Ints, Flags]]] = {
    "start": _time, "answer": _time, "end": _time, "caller": _number, "callee": _number, "duration": _length, "total": _length,
    "billed": _length, "rate": _money, "charge": _money, "currency": _currency, "gateway": _name, "account": _name, "answered": _answered,
}  # fmt: skip


def read(name: str, columns: Mapping[str, pa.Array], notation: Notation) -> tuple[Ints, Flags]:
    """Return value and flag of every text of a field."""
    if isinstance(columns, Grid) and columns:
        values = _plain(name, columns.cells(name), notation)
        if values is not None:
            return values, np.zeros(len(values), np.int16)
    return READ[name](name, columns[name], notation)


def _plain(name: str, cells: Cells, notation: Notation) -> Ints | None:
    """Return the values of a column whose texts are all written plainly and alike, from the bytes of the block; None when not all are."""
    kind = READ[name]
    if kind is _number:
        told = cells.whole()
        return None if told is None else told[0] + POWERS[told[1]] + PLAIN
    if kind is _time:
        if notation.layout.times != "text" or notation.calendar.turned:
            return None
        if (found := stamps(cells)) is not None:
            return found
        times = cells.alike(moments.ISO_LENGTHS)
        values, ok = moments.iso(times) if times is not None else _none(())
        return values if ok.size and ok.all() else None
    if kind is _length:
        power, limit = _MS_POWER.get(notation.layout.units.get(cast(Field, name), notation.layout.durations)), amounts.MOST_MS
    elif kind is _money and (name != "rate" or notation.layout.rate_per_s == 60):
        power = RATE_POWER if name == "rate" else CHARGE_POWER
        limit = amounts.MOST_MONEY * 10**power
    else:
        return None
    numbers = None if power is None else cells.decimals(power, notation.mark in (".", "unknown"))
    return None if numbers is None or int(numbers.max()) >= limit else numbers
