"""The columns of a sheet of calls: one row a call with both lines, as cells of SpreadsheetML."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from billing_audit.ledger import MISSING
from reports.audit.figures import Ints, decimal, local_ms, masked
from reports.audit.streamed import Rows, letters, xml_text
from reports.audit.tally import Batch, Material, batches
from reports.audit.words import UNEXPLAINED, column_names, place_text
from reports.locale.text import Texts

_DAYS_TO_1970: Final = 25_569  # days from the first day of a spreadsheet's calendar to 1970-01-01
_FIRST_MS, _LAST_MS = -2_203_891_200_000, 253_402_300_799_000  # 1900-03-01, 9999-12-31: what that calendar can hold
_BLOCK: Final = 2_000


@dataclass(frozen=True)
class View:
    """One batch of calls, and what its cells are made with."""

    material: Material
    texts: Texts
    frame: pd.DataFrame
    columns: tuple[str, ...]
    hide: bool
    raw: dict[int, str] = field(default_factory=dict)

    def ints(self, name: str) -> Ints:
        """Return one column."""
        return self.frame[name].to_numpy()

    @cached_property
    def money(self) -> dict[str, Ints]:
        """The money columns."""
        return {name: self.ints(name) for name in self.columns}

    @cached_property
    def named(self) -> list[tuple[str, str]]:
        """Cause and side of each call in words, several joined."""
        words = [column_names(column, self.texts) for column in self.columns]
        bits = np.zeros(len(self.frame), np.int64)
        for at, values in enumerate(self.money.values()):
            bits |= (values != 0).astype(np.int64) << at
        known: dict[int, tuple[str, str]] = {}
        for bit in np.unique(bits).tolist():
            some = [words[at] for at in range(len(words)) if bit >> at & 1]
            known[bit] = ("; ".join(dict.fromkeys(one for one, _ in some)), "; ".join(dict.fromkeys(side for _, side in some)))
        return [known[bit] for bit in bits.tolist()]


@dataclass(frozen=True)
class Column:
    """One column: its head, how wide, its look, what is in it ("" leaves a cell empty), and whether that is text.

    `sums`: which sum of a batch stands above it ("" : none); `raw`: the source of which it shows the raw line;

    `aside`: not in print.
    """

    head: str
    wide: float
    look: str
    cells: Callable[[View], Sequence[str]]
    text: bool = False
    sums: str = ""
    raw: str = ""
    aside: bool = False


def times(name: str) -> Callable[[View], list[str]]:
    """Return the cells of a time column: days of the spreadsheet's calendar, wall clock of the contract's zone."""

    def cells(view: View) -> list[str]:
        here = local_ms(view.ints(name), view.material.audit.timezone)
        fits = (here >= _FIRST_MS) & (here <= _LAST_MS)
        days = np.where(fits, here, 0) / 86_400_000 + _DAYS_TO_1970
        return [f"{day!r}" if fit else "" for day, fit in zip(days.tolist(), fits.tolist(), strict=True)]

    return cells


def thousandths(name: str) -> Callable[[View], list[str]]:
    """Return the cells of a duration column, in seconds."""
    return lambda view: ["" if value == MISSING else repr(value / 1000) for value in view.ints(name).tolist()]


def apart(first: str, second: str, unit: int = 1000) -> Callable[[View], list[str]]:
    """Return the cells of a difference of two columns in units of `unit`, where both are there."""

    def cells(view: View) -> list[str]:
        pairs = zip(view.ints(first).tolist(), view.ints(second).tolist(), strict=True)
        return ["" if MISSING in (one, other) else repr((one - other) / unit) for one, other in pairs]

    return cells


def deviation(view: View) -> list[str]:
    """Return by how many seconds a pair's times are apart beyond the clock offset of the bills."""
    offset = round((view.material.audit.clock_offset_s or 0.0) * 1000)
    pairs = zip(view.ints("l_start_ms").tolist(), view.ints("c_start_ms").tolist(), strict=True)
    return ["" if MISSING in (one, other) else repr((other - one - offset) / 1000) for one, other in pairs]


def amounts(name: str) -> Callable[[View], list[str]]:
    """Return the cells of a charge column."""
    return lambda view: ["" if value == MISSING else decimal(value) for value in view.ints(name).tolist()]


def difference(view: View) -> list[str]:
    """Return the cells of what a call costs more here than there; a missing line costs nothing."""
    sides = [np.where(view.ints(name) == MISSING, 0, view.ints(name)) for name in ("l_charge_micro", "c_charge_micro")]
    return [decimal(value) for value in (sides[0] - sides[1]).tolist()]


def concerned(view: View) -> list[str]:
    """Return the cells of all the money columns of the sheet together."""
    return [decimal(value) for value in sum(view.money.values(), start=np.zeros(len(view.frame), np.int64)).tolist()]


def rates(name: str) -> Callable[[View], list[str]]:
    """Return the cells of a rate column, a minute."""
    return lambda view: ["" if value == MISSING else f"{value // 10**9}.{value % 10**9:09}" for value in view.ints(name).tolist()]


def money(name: str) -> Callable[[View], list[str]]:
    """Return the cells of one cause's money; nothing where it has none."""
    return lambda view: [decimal(value) if value else "" for value in view.money[name].tolist()]


def numbers(name: str) -> Callable[[View], list[str]]:
    """Return the cells of a number column, masked where the view hides."""

    def cells(view: View) -> list[str]:
        codes, at = np.unique(view.ints(name), return_inverse=True)
        shown = ["" if code == MISSING else view.material.number(code) for code in codes.tolist()]
        told = [xml_text(masked(text) if view.hide else text) for text in shown]
        return [told[index] for index in at.tolist()]

    return cells


def places(name: str) -> Callable[[View], list[str]]:
    """Return where each line stands: file:line."""

    def cells(view: View) -> list[str]:
        audit = view.material.audit
        return [xml_text(place_text(source, audit)) if source != MISSING else "" for source in view.ints(name).tolist()]

    return cells


def raws(name: str) -> Callable[[View], list[str]]:
    """Return each line as the bill has it."""
    return lambda view: [xml_text(view.raw.get(source, "")) for source in view.ints(name).tolist()]


def presence(view: View) -> list[str]:
    """Return which bill has the call."""
    words = [xml_text(view.texts.text(f"audit.presence.{name}")) for name in ("both", "local", "customer")]
    ours, theirs = view.ints("l_source") != MISSING, view.ints("c_source") != MISSING
    return [words[at] for at in np.where(ours & theirs, 0, np.where(ours, 1, 2)).tolist()]


def causes(place: int) -> Callable[[View], list[str]]:
    """Return the names of each call's causes (0) or of their sides (1)."""
    return lambda view: [xml_text(pair[place]) for pair in view.named]


def workbook_columns(columns: Sequence[str], texts: Texts) -> list[Column]:
    """Return the columns of the sheet of differing calls, after the running number."""
    ours, theirs = texts.text("audit.who.local"), texts.text("audit.who.customer")

    def head(id: str, whose: str) -> str:
        return f"{texts.text(id)}\n{whose}"

    both = [("l", ours), ("c", theirs)]
    found = [
        Column(texts.text("audit.head.presence"), 11, "text", presence, text=True),
        Column(texts.text("audit.head.caller"), 17, "number", numbers("caller"), text=True),
        Column(texts.text("audit.head.callee"), 17, "number", numbers("callee"), text=True),
        *(Column(head("audit.head.start", whose), 19, "time", times(f"{side}_start_ms")) for side, whose in both),
        Column(texts.text("audit.head.deviation"), 10, "apart", deviation),
        *(Column(head("audit.head.talk", whose), 9, "seconds", thousandths(f"{side}_duration_ms")) for side, whose in both),
        Column(texts.text("audit.head.talk-apart"), 9, "apart", apart("l_duration_ms", "c_duration_ms")),
        *(Column(head("audit.head.billed", whose), 9, "seconds", thousandths(f"{side}_billed_ms")) for side, whose in both),
        Column(texts.text("audit.head.billed-apart"), 9, "apart", apart("l_billed_ms", "c_billed_ms")),
        *(Column(head("audit.head.rate", whose), 11, "rate", rates(f"{side}_rate_nano")) for side, whose in both),
        *(
            Column(head("audit.head.charge", whose), 14, "exact", amounts(f"{side}_charge_micro"), sums=f"{side}_charge_micro")
            for side, whose in both
        ),
        Column(texts.text("audit.head.difference"), 14, "exact", difference, sums="difference"),
        Column(texts.text("audit.head.cause"), 26, "text", causes(0), text=True),
        Column(texts.text("audit.head.side"), 12, "text", causes(1), text=True),
    ]
    for column in columns:
        cause, side = column_names(column, texts)
        found.append(Column(cause if column == UNEXPLAINED else f"{cause}\n{side}", 15, "exact", money(column), sums=column))
    for side, whose in both:
        found.append(Column(head("audit.head.place", whose), 26, "text", places(f"{side}_source"), text=True, aside=True))
        found.append(Column(head("audit.head.raw", whose), 60, "raw", raws(f"{side}_source"), text=True, raw=f"{side}_source", aside=True))
    return found


def rows_of(
    material: Material,
    texts: Texts,
    columns: Sequence[Column],
    money_of: Sequence[str],
    wanted: Sequence[Batch],
    first: int,
    number: int,
    hide: bool = False,
    bills: Sequence[str] = ("l_source", "c_source"),
) -> Rows:
    """Return the rows of some batches as XML, beginning in row `first` (from 1) with the running number `number`.

    `bills`: the sources of which the raw lines are wanted.
    """

    def rows(styles: Sequence[str]) -> Iterator[bytes]:
        at = first
        for frame in batches(material.audit, material.calls, money_of, wanted):
            sources = sorted({int(source) for name in bills for source in frame[name].to_numpy() if source != MISSING})
            raw = material.lines(sources) if sources else {}
            for begin in range(0, len(frame), _BLOCK):
                view = View(material, texts, frame.iloc[begin : begin + _BLOCK], tuple(money_of), hide, raw)
                yield _block(view, columns, styles, at, number + at - first)
                at += len(view.frame)

    return rows


def _block(view: View, columns: Sequence[Column], styles: Sequence[str], at: int, number: int) -> bytes:
    rows = range(at, at + len(view.frame))
    made = [[f'<row r="{row}"><c r="A{row}" s="{styles[0]}"><v>{number + row - at}</v></c>' for row in rows]]
    for index, column in enumerate(columns, 1):
        name, style = letters(index), styles[index]
        values = column.cells(view)
        before, behind = (' t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>") if column.text else ("><v>", "</v></c>")
        made.append(
            [
                f'<c r="{name}{row}" s="{style}"{before}{value}{behind}' if value else f'<c r="{name}{row}" s="{style}"/>'
                for row, value in zip(rows, values, strict=True)
            ]
        )
    made.append(["</row>"] * len(rows))
    return "".join(map("".join, zip(*made, strict=True))).encode()
