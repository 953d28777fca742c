"""Why a row was refused, in words: rows of sums, headers in the middle and comments are named before the field that could not be read."""

from collections.abc import Sequence

from billing_audit.ledger import Note, Refused
from billing_audit.readers import headers
from billing_audit.readers.convert import Converted
from billing_audit.readers.feed import Batch
from billing_audit.readers.fields import Notation
from billing_audit.readers.plan import Plan
from billing_audit.readers.split import MOST_TEXT, logical
from billing_audit.readers.unreadable import REASONS, refusal, unreadable

_COMMENTS = ("#", "//", "--", ";;")


def refused_rows(plan: Plan, batch: Batch, converted: Converted, notation: Notation) -> list[Refused]:
    """Return the refused rows of a batch, in the order of their lines; Unreadable where headers begin a table of other columns."""
    found = list(batch.refused)
    for line, text, why in batch.rows.torn:
        cells = _cells(text, plan)
        _refuse_other_table(cells, plan, line)
        found.append(Refused(plan.name, line, "", text[:MOST_TEXT], _special(cells, plan, notation) or why))
    wrong = (converted.why > 0).nonzero()[0]
    for at, name in zip(wrong.tolist(), converted.fields, strict=True):
        line = int(batch.rows.lines[at])
        text = batch.text_of(line)
        cells = _cells(text, plan) if plan.module is None else ()
        _refuse_other_table(cells, plan, line)
        special = _special(cells, plan, notation) if plan.module is None else None
        if special is not None:
            found.append(Refused(plan.name, line, "", text[:MOST_TEXT], special))
            continue
        column = batch.rows.columns.get(name)
        told = text if column is None else column[at].as_py().decode("utf-8", "replace")
        found.append(Refused(plan.name, line, name, told[:MOST_TEXT], _reason(REASONS[converted.why[at]], name, notation)))
    return sorted(found, key=lambda row: row.line)


def _reason(why: str, name: str, notation: Notation) -> Note:
    if why == "audit.refused.currency":
        return refusal(why, wanted=notation.currency)
    if why in ("audit.refused.amount", "audit.refused.decimal_doubt", "audit.refused.amount_large"):
        return refusal(why, field=name)
    return refusal(why)


def _cells(text: str, plan: Plan) -> Sequence[str]:
    if plan.sheet is not None:
        return text.split("\t")
    cells, count = logical(text.split("\n"), 0, plan.layout.delimiter, plan.layout.quote)
    return cells if cells is not None and count else [text]


def _refuse_other_table(cells: Sequence[str], plan: Plan, line: int) -> None:
    """Raise Unreadable for a row of headers that stand elsewhere than the table's: what follows would be read from the wrong columns."""
    callee = plan.layout.columns.get("callee", 0)
    if not plan.header or callee >= len(cells) or any(map(str.isdecimal, cells[callee])) or not cells[callee].strip():
        return
    again = headers.find([cells])
    first = headers.find([plan.header])
    if again is None or first is None:
        return
    moved = [field for field, at in again.columns.items() if first.columns.get(field, at) != at]
    if moved:
        raise unreadable(
            plan.name, "audit.unreadable.other_table", "audit.cure.one_table", line, column=cells[again.columns[moved[0]]][:60]
        )


def _special(cells: Sequence[str], plan: Plan, notation: Notation) -> Note | None:
    """Return what kind of row it is when it is no call at all."""
    told = [cell.strip() for cell in cells]
    if not any(told):
        return refusal("audit.refused.empty_row")
    if told[0].startswith(_COMMENTS) and not told[0][-1:].isdecimal():
        return refusal("audit.refused.comment")
    if plan.header and sum(a == b.strip() != "" for a, b in zip(told, plan.header, strict=False)) * 2 > len(
        [cell for cell in told if cell]
    ):
        return refusal("audit.refused.header_again")
    if any(headers.is_total(cell) for cell in told):
        charge = plan.layout.columns.get("charge", len(told))
        amount = told[charge] if charge < len(told) else next((cell for cell in reversed(told) if any(map(str.isdecimal, cell))), "")
        notation.totals.append(amount[:60])
        return refusal("audit.refused.totals", amount=amount[:60])
    return None
