"""The words of an audit: notes, causes, sides and methods of billing in the reader's language."""

from collections.abc import Mapping
from typing import Any

import msgspec

from billing_audit.audit import Audit, Found
from billing_audit.ledger import Note, Side, place_of
from checks.finding import Message
from reports.audit.figures import money
from reports.locale.text import Texts, printable

UNEXPLAINED = "unexplained"


def note_text(note: Note, texts: Texts) -> str:
    """Return a note in the reader's language."""
    values = dict(note.values)
    for key, group in (("mode", "audit.mode"), ("cause", "audit.cause"), ("side", "audit.side")):
        if key in values:
            values[key] = texts.word(group, str(values[key]))
    return texts.say(Message(note.id, values))


def cause_name(cause: str, texts: Texts) -> str:
    """Return the name of a cause; a code without name is shown as it is."""
    said = texts.text(f"audit.cause.{cause}")
    return printable(cause) if said == f"audit.cause.{cause}" else said


def side_name(side: str, texts: Texts) -> str:
    """Return whose a cause is: ours, the customer's, the carrier's, nobody's, undetermined."""
    return texts.text(f"audit.side.{side}")


def format_name(name: str, texts: Texts) -> str:
    """Return what a file's format is called; named formats are called by their name in every language."""
    return texts.word("audit.format", name)


def column_names(column: str, texts: Texts) -> tuple[str, str]:
    """Return cause and side of a column "cause/side" of the calls, both in words."""
    cause, _, side = column.partition("/")
    return cause_name(cause, texts), side_name(side or Side.UNDETERMINED, texts)


def columns_of(audit: Audit) -> tuple[str, ...]:
    """Return the columns in which the calls carry the money of the causes, in the audit's order, `unexplained` last."""
    named = dict.fromkeys(f"{found.cause}/{found.side}" for found in audit.causes if found.cause != UNEXPLAINED)
    return (*named, UNEXPLAINED)


def parameter_text(found: Found, texts: Texts) -> str:
    """Return what was found as "minimum 60 · increment 60"; "" where nothing was."""
    return " · ".join(f"{_parameter(key, texts)} {_plain(value, texts)}" for key, value in found.parameters.items() if value is not None)


def proofs(found: Found, texts: Texts) -> list[str]:
    """Return the evidence of a cause, and last the test that tells it from its neighbours."""
    notes = [*found.evidence, *([found.separates] if found.separates is not None else [])]
    return list(dict.fromkeys(note_text(note, texts) for note in notes))


def sure(confidence: float) -> str:
    """Return a confidence in per cent; never 100 % of what is not certain."""
    whole = round(confidence * 100)
    return f"{min(whole, 99) if confidence < 1 else 100} %"


def method_rows(terms: msgspec.Struct, texts: Texts, currency: str) -> list[tuple[str, str, str]]:
    """Return what is known of a method of billing (Terms): parameter (as in the Terms), its name, its value in words."""
    told: Mapping[str, Any] = msgspec.structs.asdict(terms)
    rows: list[tuple[str, str, str]] = []
    first, step = told["minimum_s"], told["increment_s"]
    if first is not None or step is not None:
        shown = "/".join("?" if value is None else str(value) for value in (step if first == 0 else first, step))  # 0/6 bills as 6/6
        rows.append(("increment_s", texts.text("audit.term.increment"), shown))
    if told["anchor"] is not None:
        rows.append(("anchor", texts.text("audit.term.anchor"), texts.text(f"audit.anchor.{told['anchor']}")))
    for name in ("connection_fee", "max_cost"):
        if told[name] is not None:
            rows.append((name, texts.text(f"audit.term.{name}"), f"{told[name]} {currency}".rstrip()))
    for name in ("free_s", "grace_s"):
        if told[name] is not None:
            rows.append((name, texts.text(f"audit.term.{name}"), f"{told[name]} s"))
    rounding = told["duration_rounding"]
    if rounding is not None:
        mode = texts.text(f"audit.mode.{rounding.mode}")
        shown = mode if rounding.hold_ms is None else texts.text("audit.rounding.hold", mode=mode, ms=rounding.hold_ms)
        rows.append(("duration_rounding", texts.text("audit.term.duration_rounding"), shown))
    cost = told["cost_rounding"]
    if cost is not None:
        shown = texts.text(f"audit.rounding.{cost.per}", mode=texts.text(f"audit.mode.{cost.mode}"), digits=cost.digits)
        rows.append(("cost_rounding", texts.text("audit.term.cost_rounding"), shown))
    if told["tax_ratio"] is not None:
        rows.append(("tax_ratio", texts.text("audit.term.tax_ratio"), f"{told['tax_ratio'] * 100:f}".rstrip("0").rstrip(".") + " %"))
    if told["steps"]:
        rows.append(("steps", texts.text("audit.term.steps"), ", ".join(f"{at.from_s} s" for at in told["steps"])))
    if told["bands"]:
        named = ", ".join(printable(f"{band.name} {band.start:%H:%M}–{band.end:%H:%M}") for band in told["bands"])
        rows.append(("bands", texts.text("audit.term.bands"), named))
    return rows


def place_text(source: int, audit: Audit) -> str:
    """Return where a record stands, "file:line" as its bill was named; "" for none."""
    if source < 0:
        return ""
    files = (*audit.local.files, *audit.customer.files)
    at, line = place_of(source)
    return f"{files[at].name if at < len(files) else f'#{at}'}:{line}"


def shares(audit: Audit) -> dict[str, int]:
    """Return the money of each side regardless of sign (micro), unexplained as undetermined; the greatest first."""
    sums: dict[str, int] = {}
    for found in audit.causes:
        if found.cause != UNEXPLAINED:
            sums[found.side] = sums.get(found.side, 0) + abs(found.amount_micro)
    sums[Side.UNDETERMINED] = sums.get(Side.UNDETERMINED, 0) + abs(audit.unexplained_micro)
    return {side: amount for side, amount in sorted(sums.items(), key=lambda at: (-at[1], at[0])) if amount}


def thresholds(audit: Audit, texts: Texts) -> str:
    """Return from which share and amount on a difference is disputed, and for how many days."""
    percent = f"{audit.dispute.tolerance_ratio * 100:f}".rstrip("0").rstrip(".") if audit.dispute.tolerance_ratio else "0"
    least = money(int(audit.dispute.minimum * 1_000_000), audit.currency)
    return texts.text("audit.threshold", percent=percent, least=trimmed(least), days=audit.dispute.days)


def trimmed(amount: str) -> str:
    """Return an amount without decimals that are all 0."""
    return amount.removesuffix(".000000")


def _parameter(key: str, texts: Texts) -> str:
    said = texts.text(f"audit.parameter.{key}")
    return printable(key.replace("_", " ")) if said == f"audit.parameter.{key}" else said


def _plain(value: object, texts: Texts) -> str:
    if isinstance(value, bool):
        return texts.text("audit.yes" if value else "audit.no")
    return printable(f"{value:,.6g}" if isinstance(value, float) else str(value))
