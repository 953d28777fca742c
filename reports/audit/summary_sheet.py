"""The first sheet: the summary in the form in which the trade disputes a bill (对账汇总)."""

from collections.abc import Sequence

from billing_audit.audit import Audit
from billing_audit.ledger import Side
from reports.audit.figures import apportioned, digits_of, units
from reports.audit.five import cents_of, five, summed
from reports.audit.screen import headline, next_step, unlooked, verdict_line
from reports.audit.sheets import Cell, Formula, Sheet, amount, cents, heads
from reports.audit.sheets import summed as total_of
from reports.audit.words import UNEXPLAINED, cause_name, note_text, side_name, thresholds
from reports.locale.text import Texts

WIDTHS = (34, 18, 18, 18, 18, 14, 10)
_EMPTY: tuple[Cell, ...] = ((None, "text"),) * 5


def summary(sheet: Sheet, audit: Audit, texts: Texts) -> None:
    """Write the sheet."""
    sheet.wide(texts.text("audit.book.title"), "title")
    sheet.wide(headline(audit, texts), "subtitle")
    sheet.wide(verdict_line(audit, texts), "subtitle")
    sheet.gap()
    _parties(sheet, audit, texts)
    _totals(sheet, audit, texts)
    _causes(sheet, audit, texts)
    _five(sheet, audit, texts)
    for id, said in (
        ("audit.screen.verdict", [note_text(note, texts) for note in audit.verdict.notes]),
        ("audit.screen.settle", [note_text(note, texts) for note in audit.verdict.settle]),
        ("audit.screen.changed", [note_text(note, texts) for note in audit.verdict.changed]),
        ("audit.screen.noticed", [note_text(note, texts) for note in audit.notes]),
        ("audit.screen.not-looked", unlooked(audit, texts)),
        ("audit.screen.next", [next_step(audit, texts)]),
    ):
        listed(sheet, texts.text(id), said)


def listed(sheet: Sheet, title: str, said: Sequence[str]) -> None:
    """Write a section of sentences; nothing where there are none."""
    if not said:
        return
    sheet.wide(title, "ruled")
    for text in said:
        sheet.wide(f"· {text}", "wrapped")
    sheet.gap()


def parties(audit: Audit, texts: Texts) -> list[tuple[str, str]]:
    """Return who, for when, in what: label and value."""
    period = texts.text("audit.book.unknown")
    if audit.period is not None:
        period = texts.text("audit.book.from-to", start=audit.period.start.isoformat(), end=audit.period.end.isoformat())
    elif days := [one.key for one in audit.by_day if one.key]:
        period = texts.text("audit.book.days", first=min(days), last=max(days))
    return [
        (texts.text("audit.book.customer"), audit.customer_name or texts.text("audit.book.unknown")),
        (texts.text("audit.book.period"), period),
        (texts.text("audit.book.zone"), audit.timezone),
        (texts.text("audit.book.currency"), audit.currency or texts.text("audit.book.unknown")),
        (texts.text("audit.book.contract"), texts.text("audit.yes" if audit.contract is not None else "audit.book.no-contract")),
        (texts.text("audit.book.digest"), audit.digest[:16]),
    ]


def _parties(sheet: Sheet, audit: Audit, texts: Texts) -> None:
    told = parties(audit, texts)
    for left, right in zip(told[::2], told[1::2], strict=True):
        sheet.row((left[0], "label"), (left[1], "text"), (None, "text"), (right[0], "label"), (right[1], "text"), *_EMPTY[:2])
    sheet.row((texts.text("audit.book.threshold"), "label"), (thresholds(audit, texts), "text"), *_EMPTY)
    sheet.gap()


def _totals(sheet: Sheet, audit: Audit, texts: Texts) -> None:
    digits = digits_of(audit.currency)
    sheet.wide(texts.text("audit.book.totals"), "section")
    sheet.head(*heads(texts, "item", "local", "customer", "difference", "ratio"))
    ours, theirs = audit.local, audit.customer
    for id, one, other in (
        ("audit.head.rows", ours.rows, theirs.rows),
        ("audit.head.refused", ours.refused, theirs.refused),
        ("audit.head.calls", ours.records, theirs.records),
    ):
        _compared(sheet, texts.text(id), one, other, "count", 1, shared=id != "audit.head.refused")
    for id, name in (("audit.book.talk", "duration_ms"), ("audit.book.billed", "billed_ms")):
        pair = summed(audit.by_day, f"l_{name}"), summed(audit.by_day, f"c_{name}")
        if pair[0] is not None and pair[1] is not None:
            _compared(sheet, texts.text(id), pair[0], pair[1], "minutes", 60_000)
    whole = cents_of(audit, digits)
    if whole is not None:
        _compared(sheet, texts.text("audit.head.total"), whole[0], whole[1], "key_cents", 10**digits, label="key")
    exact: list[Cell] = [amount(ours.total_micro), amount(theirs.total_micro), amount(audit.difference_micro)]
    sheet.row((texts.text("audit.book.exact"), "label"), *exact, (None, "text"))
    if ours.invoice_micro is not None or theirs.invoice_micro is not None:
        sheet.row(
            (texts.text("audit.book.invoice"), "label"),
            amount(ours.invoice_micro),
            amount(theirs.invoice_micro),
            (None, "text"),
            (None, "text"),
        )
    sheet.gap()


def _compared(sheet: Sheet, name: str, ours: int, theirs: int, look: str, unit: int, label: str = "label", shared: bool = True) -> None:
    """Write one row of two values, their difference and its share of ours, both as formulas."""
    row = sheet.at + 1
    apart = Formula(f"=B{row}-C{row}", (ours - theirs) / unit)
    share = Formula(f'=IF(B{row}=0,"",D{row}/B{row})', (ours - theirs) / ours) if ours and shared else None
    sheet.row((name, label), (ours / unit, look), (theirs / unit, look), (apart, look), (share, "share" if share else "text"))


def _causes(sheet: Sheet, audit: Audit, texts: Texts) -> None:
    digits = digits_of(audit.currency)
    sheet.wide(texts.text("audit.book.causes"), "section")
    sheet.head(*heads(texts, "cause", "side", "calls", "money", "exact", "share", "sure"))
    found = [one for one in audit.causes if one.cause != UNEXPLAINED]
    parts = [*(one.amount_micro for one in found), audit.unexplained_micro]
    whole = cents_of(audit, digits)
    target = units(sum(parts), digits) if whole is None else whole[2]
    shown = apportioned(parts, target, digits)
    first, last = sheet.at + 1, sheet.at + len(parts)
    for at, (part, unit) in enumerate(zip(parts, shown, strict=True)):
        one = found[at] if at < len(found) else None
        row = sheet.at + 1
        share = Formula(f'=IF(E{last + 1}=0,"",E{row}/E{last + 1})', part / sum(parts)) if sum(parts) else None
        sheet.row(
            (cause_name(one.cause if one else UNEXPLAINED, texts), "text"),
            (side_name(one.side if one else "undetermined", texts), "text"),
            (one.records if one else audit.unexplained_records, "count"),
            cents(unit, digits),
            amount(part),
            (share, "share"),
            (one.confidence if one else None, "sure"),
        )
    sheet.row(
        (texts.text("audit.head.sum"), "total"),
        (None, "total"),
        (None, "total"),
        total_of([f"D{first}:D{last}"], target / 10**digits, "total_cents"),
        total_of([f"E{first}:E{last}"], sum(parts) / 1_000_000, "total_exact"),
        (None, "total"),
        (None, "total"),
    )
    _sides(sheet, texts, [(found[at].side if at < len(found) else Side.UNDETERMINED, unit) for at, unit in enumerate(shown)], first, digits)
    fits = sum(parts) == audit.difference_micro
    sheet.row((texts.text("audit.adds-up" if fits else "audit.adds-not"), "good" if fits else "bad"))
    sheet.wide(texts.text("audit.book.rounding", digits=digits), "subtitle")
    sheet.gap()


def _sides(sheet: Sheet, texts: Texts, parts: Sequence[tuple[str, int]], first: int, digits: int) -> None:
    """Write the money of each side: what the summary shows above, added by the side's name."""
    last = first + len(parts) - 1
    for side in dict.fromkeys(side for side, _ in parts):
        row = sheet.at + 1
        value = sum(unit for of, unit in parts if of == side) / 10**digits
        formula = Formula(f"=SUMIF(B{first}:B{last},B{row},D{first}:D{last})", value)
        sheet.row((texts.text("audit.book.of-side"), "label"), (side_name(side, texts), "text"), (None, "text"), (formula, "cents"))


def _five(sheet: Sheet, audit: Audit, texts: Texts) -> None:
    sheet.wide(texts.text("audit.book.five"), "section")
    sheet.head(*heads(texts, "item", "local", "customer", "result", "apart"), over=True)
    for one in five(audit, texts):
        word, look = {True: ("agree", "good"), False: ("differ", "bad"), None: ("unknown", "text")}[one.agrees]
        name = texts.text(f"audit.five.{one.what}") + (f" ({one.unit})" if one.unit else "")
        sheet.spread(
            (name, "label"), (one.local, "text"), (one.customer, "text"), (texts.text(f"audit.five.{word}"), look), (one.by, "long")
        )
    sheet.gap()
