"""The statement that finance sends to the customer (核对函): their side's matter only, point by point and call by call, and what we ask."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace as changed
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

import pandas as pd

from billing_audit.audit import Audit, Found
from billing_audit.ledger import Side
from reports.audit.call_sheets import parts_of, pouring, prepare
from reports.audit.figures import apportioned, digits_of, units
from reports.audit.five import cents_of
from reports.audit.screen import wrong_bills
from reports.audit.sheets import Cell, Formula, Looks, Sheet, amount, cents, summed
from reports.audit.statement_columns import statement_columns
from reports.audit.streamed import fill
from reports.audit.summary_sheet import parties
from reports.audit.tally import Material, Tally, money_columns, tally
from reports.audit.words import UNEXPLAINED, cause_name, parameter_text, proofs
from reports.audit.workbook import opened
from reports.audit.writing import laid_down
from reports.locale.text import Texts

_WIDTHS: Final = (6, 26, 11, 17, 18, 46, 42)
_ASKS: Final = {
    "method": ("increment", "increment_anchor", "free_seconds", "duration_rounding", "cost_rounding", "connection_fee"),
    "rate": ("rate", "rate_change", "rate_change_zone", "prefix", "code_list", "time_band", "scale"),
    "missing": ("missing_import", "missing_outage", "cut_off"),
    "duplicate": ("duplicate",),
    "records": ("ring_time", "hung_call", "partial_records", "failed_call", "early_answer"),
    "clock": ("clock", "dst", "timezone"),
}


def theirs(audit: Audit) -> tuple[Found, ...]:
    """Return the causes on the customer's side: what a statement is about."""
    return tuple(found for found in audit.causes if found.side == Side.CUSTOMER and found.cause != UNEXPLAINED)


def write_statement(
    path: Path,
    material: Material,
    texts: Texts,
    counted: Tally | None = None,
    *,
    mask: bool = False,
    company: str = "",
    day: date | None = None,
    replace: bool = False,
) -> bool:
    """Write the statement and return True; False, and no file, where nothing lies on the customer's side, or the bills are no pair.

    `mask` hides digits of all numbers and leaves raw lines out; `company` is who writes, `day` the date; what is not given is left open.
    """
    if not theirs(material.audit) or wrong_bills(material.audit):
        return False
    with laid_down(path, replace) as out:
        statement(out, material, texts, counted or tally(material.audit, material.calls), mask=mask, company=company, day=day)
    return True


def statement(out: BinaryIO, material: Material, texts: Texts, whole: Tally, *, mask: bool, company: str, day: date | None) -> None:
    """Write the statement to a stream; see `write_statement`."""
    audit = material.audit
    money_of = tuple(column for column in whole.columns if column.endswith(f"/{Side.CUSTOMER}"))
    own = changed(material, calls=lambda: _concerning(material, money_of))
    counted = tally(audit, own.calls, money_of)
    columns = statement_columns(texts, mask)
    parts = parts_of(texts.text("audit.letter.calls"), counted.batches)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as prepared:
        book = opened(prepared, folder, texts.text("audit.letter.title"))
        looks = Looks(book, texts, audit.currency)
        _letter(Sheet(book, texts.text("audit.letter.sheet"), looks, _WIDTHS), audit, texts, counted, company, day, mask)
        for part in parts:
            title = texts.text("audit.letter.calls-title", rows=f"{counted.rows:,}", zone=audit.timezone)
            if len(parts) > 1:
                title += " · " + texts.text("audit.sheet.split", part=parts.index(part) + 1, parts=len(parts), rows=f"{part.rows:,}")
            prepare(book, looks, part, columns, money_of, title, texts)
        book.close()
        prepared.seek(0)
        fill(prepared, out, {number: pouring(own, texts, part, columns, money_of, mask) for number, part in enumerate(parts, 2)})


def _concerning(material: Material, money_of: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield the calls that carry money of these columns, without the other causes' money."""
    for frame in material.calls():
        some = frame.reindex(columns=[*(name for name in frame.columns if name not in money_columns(frame)), *money_of], fill_value=0)
        kept: pd.DataFrame = some[(some[list(money_of)].to_numpy() != 0).any(axis=1)]
        yield kept


def _letter(sheet: Sheet, audit: Audit, texts: Texts, counted: Tally, company: str, day: date | None, mask: bool) -> None:
    known = dict(parties(audit, texts))
    period = known[texts.text("audit.book.period")]
    sheet.wide(texts.text("audit.letter.title"), "title")
    blank = "＿" * 8 if texts.language == "zh" else "_" * 16
    for id, value in (
        ("audit.letter.to", audit.customer_name or blank),
        ("audit.letter.from", company or blank),
        ("audit.letter.day", blank if day is None else day.isoformat()),
        ("audit.letter.about", texts.text("audit.letter.subject", period=period, number=audit.digest[:16])),
    ):
        sheet.spread((None, "label"), (texts.text(id), "label"), (value, "said"))
    sheet.gap()
    sheet.wide(texts.text("audit.letter.dear"), "wrapped")
    sheet.wide(texts.text("audit.letter.opening", period=period), "wrapped")
    sheet.gap()
    digits = digits_of(audit.currency)
    found = theirs(audit)
    exact = [one.amount_micro for one in found]
    subject = units(sum(exact), digits)
    _totals(sheet, audit, texts, sum(exact), digits)
    sheet.wide(texts.text("audit.letter.points"), "section")
    heads = [texts.text(id) for id in ("audit.letter.no", "audit.letter.point", "audit.head.calls", "audit.head.money", "audit.head.exact")]
    sheet.head(*heads, texts.text("audit.letter.shown"), texts.text("audit.letter.ask"))
    first = sheet.at + 1
    for at, (one, unit) in enumerate(zip(found, apportioned(exact, subject, digits), strict=True), 1):
        shown = "\n".join(proofs(one, texts) or [parameter_text(one, texts)])
        ask = next((name for name, causes in _ASKS.items() if one.cause in causes), "other")
        cells: list[Cell] = [(at, "count"), (cause_name(one.cause, texts), "long"), (one.records, "count"), cents(unit, digits)]
        sheet.row(*cells, amount(one.amount_micro), (shown, "long"), (texts.text(f"audit.ask.{ask}"), "long"))
    last = sheet.at
    cents_sum = summed([f"D{first}:D{last}"], subject / 10**digits, "total_cents")
    exact_sum = summed([f"E{first}:E{last}"], sum(exact) / 1_000_000, "total_exact")
    sheet.row(
        (None, "total"), (texts.text("audit.head.sum"), "total"), (None, "total"), cents_sum, exact_sum, (None, "total"), (None, "total")
    )
    sheet.wide(texts.text("audit.book.rounding", digits=digits), "subtitle")
    sheet.gap()
    sheet.wide(texts.text("audit.letter.calls-follow", rows=f"{counted.rows:,}", zone=audit.timezone), "wrapped")
    if mask:
        sheet.wide(texts.text("audit.letter.masked"), "wrapped")
    sheet.wide(texts.text("audit.letter.closing", days=audit.dispute.days), "wrapped")
    sheet.gap()
    sheet.gap()
    _signatures(sheet, texts, blank)


def _signatures(sheet: Sheet, texts: Texts, blank: str) -> None:
    names = [f"{texts.text(f'audit.letter.{name}')} {blank}" for name in ("prepared", "reviewed", "received")]
    empty: Cell = (None, "plain")
    sheet.row(empty, (names[0], "plain"), empty, (names[1], "plain"), empty, (names[2], "plain"))


def _totals(sheet: Sheet, audit: Audit, texts: Texts, subject: int, digits: int) -> None:
    """Write both totals, their difference, how much of it this letter is about, and the rest; formulas where they are sums."""
    whole = cents_of(audit, digits)
    if whole is None or audit.difference_micro is None:
        return
    sheet.head("", texts.text("audit.head.item"), audit.currency, texts.text("audit.head.money"), texts.text("audit.head.exact"))
    row = sheet.at + 1
    about = units(subject, digits)
    rest = audit.difference_micro - subject
    size = 10**digits
    lines: list[tuple[str, Cell, Cell, str]] = [
        ("audit.letter.our-total", cents(whole[0], digits), amount(audit.local.total_micro), "text"),
        ("audit.letter.your-total", cents(whole[1], digits), amount(audit.customer.total_micro), "text"),
        ("audit.letter.difference", (Formula(f"=D{row}-D{row + 1}", whole[2] / size), "cents"), amount(audit.difference_micro), "text"),
        ("audit.letter.subject-of", cents(about, digits, "key_cents"), amount(subject), "key"),
        ("audit.letter.rest", (Formula(f"=D{row + 2}-D{row + 3}", (whole[2] - about) / size), "cents"), amount(rest), "text"),
    ]
    for id, shown, exact, look in lines:
        sheet.row((None, look), (texts.text(id), look), (None, look), shown, exact)
    sheet.gap()
