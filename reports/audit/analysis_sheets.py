"""The sheets between summary and calls, and behind them: by cause, by day, by prefix, refused rows, methods and files."""

from collections.abc import Sequence
from typing import Any

from billing_audit.audit import Audit, Slice
from reports.audit.call_columns import Column
from reports.audit.call_sheets import Part
from reports.audit.figures import apportioned
from reports.audit.five import cents_of
from reports.audit.sheets import Cell, Formula, Looks, Sheet, amount, cents, heads, summed
from reports.audit.streamed import letters
from reports.audit.tally import Tally
from reports.audit.words import UNEXPLAINED, cause_name, column_names, method_rows, note_text, parameter_text, place_text, proofs, side_name
from reports.locale.text import Texts

_COLOURS = ("#1F5FA8", "#D97706", "#2E8B57", "#8E44AD", "#C0392B", "#16A2B8", "#7A6A00", "#5A6573")


def by_cause(book: Any, looks: Looks, audit: Audit, texts: Texts, parts: Sequence[Part], columns: Sequence[Column], counted: Tally) -> None:
    """Write what was found, its evidence and samples; the money of each cause is summed from the sheets of calls by formula."""
    sheet = Sheet(book, texts.text("audit.sheet.causes"), looks, (26, 12, 10, 17, 17, 8, 28, 56, 44))
    sheet.wide(texts.text("audit.book.causes-title"), "title")
    sheet.wide(texts.text("audit.book.causes-how"), "subtitle")
    names = ("cause", "side", "calls", "audited", "from-calls", "sure", "parameters", "evidence", "samples")
    head = sheet.head(*heads(texts, *names))
    place = {column.sums: at for at, column in enumerate(columns, 1) if column.sums}
    sums = dict(zip(counted.columns, counted.sums, strict=True))
    first = sheet.at + 1
    found = [one for one in audit.causes if one.cause != UNEXPLAINED]
    for one in found:
        key = f"{one.cause}/{one.side}"
        samples = [" · ".join(filter(None, (place_text(at.l_source, audit), place_text(at.c_source, audit)))) for at in one.samples[:5]]
        sheet.row(
            (cause_name(one.cause, texts), "long"),
            (side_name(one.side, texts), "long"),
            (one.records, "count"),
            amount(one.amount_micro),
            _of_calls(parts, place.get(key), sums.get(key, 0)),
            (one.confidence, "sure"),
            (parameter_text(one, texts), "long"),
            ("\n".join(proofs(one, texts)), "long"),
            ("\n".join(samples), "long"),
        )
    rest = _of_calls(parts, place.get(UNEXPLAINED), sums.get(UNEXPLAINED, 0))
    name, side = column_names(UNEXPLAINED, texts)
    sheet.row((name, "text"), (side, "text"), (audit.unexplained_records, "count"), amount(audit.unexplained_micro), rest)
    last = sheet.at
    whole = sum(one.amount_micro for one in found) + audit.unexplained_micro
    counted_whole = sum(sums.get(f"{one.cause}/{one.side}", 0) for one in found) + sums.get(UNEXPLAINED, 0)
    sheet.row(
        (texts.text("audit.head.sum"), "total"),
        (None, "total"),
        (None, "total"),
        summed([f"D{first}:D{last}"], whole / 1_000_000, "total_exact"),
        summed([f"E{first}:E{last}"], counted_whole / 1_000_000, "total_exact"),
    )
    fits = whole == counted_whole == audit.difference_micro
    sheet.row((texts.text("audit.adds-up" if fits else "audit.adds-not"), "good" if fits else "bad"))
    sheet.raw.freeze_panes(head, 1)


def _of_calls(parts: Sequence[Part], column: int | None, micro: int) -> Cell:
    if column is None:
        return None, "exact"
    return summed([part.range(column) for part in parts], micro / 1_000_000, "exact")


def by_slice(book: Any, looks: Looks, audit: Audit, texts: Texts, kind: str, counted: Tally) -> None:
    """Write the comparison by "day" or by "prefix": records, minutes, money in the invoice's unit and exactly, sums as formulas."""
    slices = audit.by_day if kind == "day" else audit.by_prefix
    money_of = counted.columns if kind == "day" and counted.rows else ()
    widths = (14, 24, 10, 10, 10, 13, 13, 13, 13, 15, 15, 14, 9, 16, *(16 for _ in money_of))
    sheet = Sheet(book, texts.text("audit.sheet.days" if kind == "day" else "audit.sheet.prefixes"), looks, widths)
    ours, theirs = texts.text("audit.who.local"), texts.text("audit.who.customer")
    titles = [texts.text(f"audit.head.{kind}"), texts.text("audit.head.destination"), *(_of(texts, "calls", who) for who in (ours, theirs))]
    titles += [texts.text("audit.head.matched")]
    titles += [_of(texts, name, who) for name in ("talk-min", "billed-min", "money") for who in (ours, theirs)]
    titles += heads(texts, "difference", "ratio", "exact")
    titles += ["\n".join(column_names(column, texts)) for column in money_of]
    sheet.row(*((head, "head") for head in titles), height=32)
    money = _money(audit, slices, looks.digits)
    for at, one in enumerate(slices):
        sheet.row(
            *_slice(one, sheet.at + 1, money[at] if money else None, looks.digits),
            *(_of_day(one.key, at, counted) for at in range(len(money_of))),
        )
    if not slices:
        return
    last = sheet.at
    sheet.row(*_sums(slices, last, money, looks.digits), *(_column_sum(14 + at, last, counted.sums[at]) for at in range(len(money_of))))
    sheet.raw.autofilter(0, 0, last - 1, len(titles) - 1)
    sheet.raw.freeze_panes(1, 1)
    sheet.raw.repeat_rows(0)
    sheet.raw.conditional_format(
        1, 11, last - 1, 11, {"type": "data_bar", "bar_color": "#9DB7D6", "bar_negative_color": "#E3A3A3", "bar_solid": True}
    )
    if kind == "day":
        sheet.raw.set_column(1, 1, None, None, {"hidden": True})  # a day has no destination; the columns stay those of the other sheet
        _chart(book, sheet, texts, titles, last, 14, len(money_of))


def _of(texts: Texts, name: str, whose: str) -> str:
    return f"{texts.text(f'audit.head.{name}')}\n{whose}"


def _money(audit: Audit, slices: Sequence[Slice], digits: int) -> list[tuple[int, int]] | None:
    """Return both sides' money of each slice in units of the invoice, adding up to the totals of the summary; None without money."""
    ours, theirs = ([one.l_micro for one in slices], [one.c_micro for one in slices])
    whole = cents_of(audit, digits)
    known = [value for value in ours if value is not None], [value for value in theirs if value is not None]
    if whole is None or len(known[0]) != len(slices) or len(known[1]) != len(slices):
        return None
    return list(zip(apportioned(known[0], whole[0], digits), apportioned(known[1], whole[1], digits), strict=True))


def _slice(one: Slice, row: int, money: tuple[int, int] | None, digits: int) -> list[Cell]:
    cells: list[Cell] = [(one.key, "number"), (one.label if one.label != one.key else "", "text")]
    cells += [(one.l_records, "count"), (one.c_records, "count"), (one.matched, "count")]
    for value in (one.l_duration_ms, one.c_duration_ms, one.l_billed_ms, one.c_billed_ms):
        cells.append((None if value is None else value / 60_000, "minutes"))
    if money is None or one.l_micro is None or one.c_micro is None:
        return [*cells, *((None, "cents") for _ in range(5))]
    apart = Formula(f"=J{row}-K{row}", (money[0] - money[1]) / 10**digits)
    share = Formula(f'=IF(J{row}=0,"",L{row}/J{row})', (money[0] - money[1]) / money[0]) if money[0] else None
    return [*cells, cents(money[0], digits), cents(money[1], digits), (apart, "cents"), (share, "share"), amount(one.l_micro - one.c_micro)]


def _of_day(day: str, at: int, counted: Tally) -> Cell:
    value = counted.days[day][at] if day in counted.days else 0
    return amount(value) if value else (None, "exact")


def _column_sum(column: int, last: int, micro: int) -> Cell:
    return summed([f"{letters(column)}2:{letters(column)}{last}"], micro / 1_000_000, "total_exact")


def _sums(slices: Sequence[Slice], last: int, money: list[tuple[int, int]] | None, digits: int) -> list[Cell]:
    cells: list[Cell] = [("Σ", "total"), (None, "total")]
    columns: list[tuple[Sequence[int | None], str, int]] = [
        ([one.l_records for one in slices], "total_count", 1),
        ([one.c_records for one in slices], "total_count", 1),
        ([one.matched for one in slices], "total_count", 1),
        ([one.l_duration_ms for one in slices], "total_minutes", 60_000),
        ([one.c_duration_ms for one in slices], "total_minutes", 60_000),
        ([one.l_billed_ms for one in slices], "total_minutes", 60_000),
        ([one.c_billed_ms for one in slices], "total_minutes", 60_000),
    ]
    if money:
        columns += [([pair[0] for pair in money], "total_cents", 10**digits), ([pair[1] for pair in money], "total_cents", 10**digits)]
        columns += [([pair[0] - pair[1] for pair in money], "total_cents", 10**digits)]
    for at, (values, look, unit) in enumerate(columns, 2):
        name = letters(at)
        cells.append(summed([f"{name}2:{name}{last}"], sum(value or 0 for value in values) / unit, look))
    if money:
        apart = sum((one.l_micro or 0) - (one.c_micro or 0) for one in slices)
        cells += [(None, "total"), _column_sum(13, last, apart)]
    else:
        cells += [(None, "total")] * 5
    return cells


def _chart(book: Any, sheet: Sheet, texts: Texts, titles: Sequence[str], last: int, first: int, count: int) -> None:
    """Add the difference by day, a stacked bar per cause, below the table."""
    if not count:
        return
    chart = book.add_chart({"type": "column", "subtype": "stacked"})
    for at in range(count):
        column = first + at
        fill = {"color": _COLOURS[at % len(_COLOURS)]}
        chart.add_series({
            "name": titles[column].replace("\n", " · "),
            "categories": [sheet.name, 1, 0, last - 1, 0],
            "values": [sheet.name, 1, column, last - 1, column],
            "fill": fill,
            "gap": 40,
        })  # fmt: skip
    chart.set_title({"name": texts.text("audit.plot.days"), "name_font": {"size": 12}, "overlay": False})
    chart.set_legend({"position": "bottom"})
    chart.set_size({"width": 1100, "height": 380})
    sheet.raw.insert_chart(last + 2, 0, chart)


def refused(book: Any, looks: Looks, audit: Audit, texts: Texts) -> None:
    """Write the refused rows that the audit holds; all are in refused.csv."""
    sheet = Sheet(book, texts.text("audit.sheet.refused"), looks, (10, 30, 10, 16, 60, 60))
    rows = [(bill.bill, row) for bill in (audit.local, audit.customer) for row in bill.refused_rows]
    whole = audit.local.refused + audit.customer.refused
    sheet.wide(texts.text("audit.book.refused", rows=f"{whole:,}", shown=f"{len(rows):,}"), "plain")
    head = sheet.head(*heads(texts, "bill", "file", "line", "field", "why", "raw"))
    for bill, row in rows:
        why = note_text(row.reason, texts)
        sheet.row(
            (texts.text(f"audit.who.{bill}"), "text"),
            (row.file, "number"),
            (row.line, "count"),
            (row.field, "number"),
            (why, "long"),
            (row.text, "raw"),
        )
    if rows:
        sheet.raw.autofilter(head - 1, 0, sheet.at - 1, 5)
    sheet.raw.freeze_panes(head, 0)
    sheet.raw.repeat_rows(head - 1)


def methods(book: Any, looks: Looks, audit: Audit, texts: Texts) -> None:
    """Write how each side bills beside the contract, the rewriting of numbers, and the files as they were read."""
    sheet = Sheet(book, texts.text("audit.sheet.methods"), looks, (30, 26, 26, 12, 26, 12, 14, 66))
    sheet.wide(texts.text("audit.book.methods"), "section")
    sheet.head(*heads(texts, "item", "contract", "local", "support", "customer", "support"))
    told: dict[str, tuple[str, dict[str, str]]] = {}
    for which, terms in (("contract", audit.contract), *((bill, found.terms) for bill, found in audit.methods.items())):
        for key, name, value in method_rows(terms, texts, audit.currency) if terms is not None else ():
            told.setdefault(key, (name, {}))[1][which] = value
    for key, (name, values) in told.items():
        cells: list[Cell] = [(name, "label"), (values.get("contract", "–"), "text")]
        for bill in ("local", "customer"):
            support = audit.methods[bill].support.get(key) if bill in audit.methods else None
            cells += [(values.get(bill, "–"), "text"), (support, "share")]
        sheet.row(*cells)
    sheet.gap()
    sheet.wide(texts.text("audit.book.rewriting"), "section")
    sheet.head(*heads(texts, "bill", "field", "strip", "rows", "add"))
    for rule in audit.rewriting:
        field = texts.text(f"audit.head.{rule.field}")
        sheet.row(
            (texts.text(f"audit.who.{rule.bill}"), "text"),
            (field, "text"),
            (rule.strip, "number"),
            (rule.rows, "count"),
            (rule.add, "number"),
        )
    sheet.gap()
    sheet.wide(texts.text("audit.book.files"), "section")
    sheet.head(
        *(texts.text(f"audit.head.{name}") for name in ("file", "format", "encoding", "rows", "zone", "refused", "currency", "digest"))
    )
    for file in (*audit.local.files, *audit.customer.files):
        cells = [(file.name, "number"), (file.format, "text"), (file.encoding, "text"), (file.rows, "count"), (file.zone or "–", "text")]
        sheet.row(*cells, (file.refused, "count"), (file.currency or "–", "text"), (file.digest, "raw"))
        for note in file.notes:
            sheet.wide(f"· {note_text(note, texts)}", "wrapped")
