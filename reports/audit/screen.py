"""The screen of `firstline audit`: the answer first, then both bills, the five comparisons, the causes with their money, the next step."""

from collections.abc import Sequence
from typing import Final

from billing_audit.audit import Audit, BillTotal
from billing_audit.ledger import MICRO, Note, Side
from checks.finding import State
from reports.audit.figures import grouped, money, ratio, sign_of
from reports.audit.five import Compared, clock_text, five
from reports.audit.invoice import invoice_text
from reports.audit.words import UNEXPLAINED, cause_name, format_name, note_text, parameter_text, proofs, shares, side_name, sure, thresholds
from reports.locale.text import Texts, printable
from reports.render.columns import clip, join, pad, paint, width, wrap

_MOST_REFUSED: Final = 3
CLOCKS: Final = frozenset({"clock", "dst"})  # they make bills differ even where no call does
_LEAST_COLUMNS: Final = 40
_MOST_PROOFS: Final = 3
_NO_PAIR: Final = ("audit.note.nothing_in_common", "audit.note.same_file", "audit.note.swapped", "audit.note.no_period")


def audit_screen(
    audit: Audit,
    texts: Texts,
    columns: int = 100,
    colour: bool = False,
    written: Sequence[str] = (),
    took: str = "",
    unseen: Sequence[Note] = (),
) -> str:
    """Return the screen of an audit, ending in a newline; no line is wider than `columns` (at least 40).

    `written`: names of the files laid down; `took`: a sentence on how long it ran; `unseen`: what else was not looked at.
    """
    wide = max(_LEAST_COLUMNS, columns)
    parts = [
        _answer(audit, texts, wide, colour),
        _bills(audit, texts, wide),
        _compared(audit, texts, wide, colour),
        _why(audit, texts, wide, colour),
        _told(texts.text("audit.screen.verdict"), [note_text(note, texts) for note in audit.verdict.notes], wide),
        _told(texts.text("audit.screen.settle"), [note_text(note, texts) for note in audit.verdict.settle], wide),
        _told(texts.text("audit.screen.changed"), [note_text(note, texts) for note in audit.verdict.changed], wide),
        _told(texts.text("audit.screen.noticed"), [note_text(note, texts) for note in audit.notes], wide),
        _told(texts.text("audit.screen.not-looked"), [*unlooked(audit, texts), *(note_text(note, texts) for note in unseen)], wide),
        _told(texts.text("audit.screen.written"), ["  ".join(printable(name) for name in written)] if written else [], wide),
        _told(texts.text("audit.screen.next"), [next_step(audit, texts)], wide),
    ]
    if took:
        parts.append(wrap(took, wide))
    return "\n".join(line for part in parts for line in part) + "\n"


def headline(audit: Audit, texts: Texts) -> str:
    """Return the answer in one sentence: by how much the bills differ, whether a slip is why, whose, how sure."""
    if audit.difference_micro is None:
        return texts.text("audit.answer.no-total")
    if not audit.difference_micro and not _rows_differ(audit):
        word = "clocks" if differs(audit) else "same"
        return texts.text(f"audit.answer.{word}", calls=f"{audit.matched:,}")
    if audit.difference_micro == 0:
        rows = audit.differing + audit.missing_in_local + audit.missing_in_customer
        return texts.text("audit.answer.rows", rows=f"{rows:,}", refused=f"{audit.local.refused + audit.customer.refused:,}")
    amount = money(audit.difference_micro, audit.currency)
    share = ratio(audit.difference_micro, audit.local.total_micro or 0)
    return texts.text("audit.answer.differs", amount=amount, share=share)


def _rows_differ(audit: Audit) -> bool:
    rows = audit.differing or audit.missing_in_local or audit.missing_in_customer or audit.local.refused or audit.customer.refused
    alone = (audit.local.total_micro is None) != (audit.customer.total_micro is None)  # one bill may leave a charge, or all, empty
    return bool(rows or audit.difference_micro or alone)


def differs(audit: Audit) -> bool:
    """Tell whether any row was refused, unmatched or differing, the money differs, or the clocks do; another time zone is no difference."""
    return _rows_differ(audit) or any(one.cause in CLOCKS for one in audit.causes)


def verdict_line(audit: Audit, texts: Texts) -> str:
    """Return the verdict in one sentence: technical or not, whose mostly with its share of the money, how sure, and if it is disputable."""
    verdict = audit.verdict
    word = "undetermined" if verdict.technical is None else "yes" if verdict.technical else "no"
    parts = [texts.text(f"audit.technical.{word}")]
    divided = shares(audit)
    if divided:
        most = next(iter(divided)) if verdict.side == Side.UNDETERMINED else verdict.side
        of = ratio(divided.get(most, 0), sum(divided.values()))
        half = 2 * divided.get(most, 0) >= sum(divided.values())
        word = "most" if verdict.side == Side.UNDETERMINED else "side" if half else "part"
        parts.append(texts.text(f"audit.verdict.{word}", side=side_name(most, texts), share=of))
    elif verdict.technical:
        parts.append(side_name(verdict.side, texts))
    if verdict.technical is not None:
        parts.append(texts.text("audit.verdict.sure", sure=sure(verdict.confidence)))
    parts.append(texts.text("audit.verdict.disputable" if verdict.disputable else _not_disputable(audit)))
    return " · ".join(parts)


def _not_disputable(audit: Audit) -> str:
    """Return the id of why there is no dispute: too little money, or too little proof for so much."""
    difference, whole = abs(audit.difference_micro or 0), abs(audit.local.total_micro or 0)
    enough = difference >= audit.dispute.minimum * MICRO and difference >= audit.dispute.tolerance_ratio * whole
    return "audit.verdict.unproved" if enough else "audit.verdict.below"


def unlooked(audit: Audit, texts: Texts) -> list[str]:
    """Return what this audit could not look at, and what each lack costs."""
    found = []
    refused = audit.local.refused + audit.customer.refused
    if refused:
        found.append(texts.text("audit.unlooked.refused", n=refused))
    if audit.contract is None:
        found.append(texts.text("audit.unlooked.contract"))
    for bill in (audit.local, audit.customer):
        whose = texts.text(f"audit.who.{bill.bill}")
        if bill.total_micro is None:
            found.append(texts.text("audit.unlooked.charges", bill=whose))
        if bill.invoice_micro is None:
            found.append(texts.text("audit.unlooked.invoice", bill=whose))
    return found


def wrong_bills(audit: Audit) -> bool:
    """Tell whether the two bills are hardly a pair: the same one twice, the sides exchanged, of two customers or another period."""
    return any(note.id in _NO_PAIR for note in audit.notes)


def next_step(audit: Audit, texts: Texts) -> str:
    """Return what to do now."""
    if wrong_bills(audit):
        return texts.text("audit.next.files")
    if audit.difference_micro == 0 and not differs(audit):
        return texts.text("audit.next.none")
    match audit.verdict.side:
        case Side.CUSTOMER if audit.verdict.disputable:
            return texts.text("audit.next.customer")
        case Side.CUSTOMER:
            return texts.text("audit.next.small")
        case Side.COMPANY:
            return texts.text("audit.next.company")
        case Side.CARRIER:
            return texts.text("audit.next.carrier")
        case Side.NONE:
            return texts.text("audit.next.rule")
    return texts.text("audit.next.undetermined")


def grid(rows: Sequence[Sequence[str]], right: Sequence[int] = (), gap: int = 2) -> list[str]:
    """Return rows with aligned columns, those of `right` to the right; the last column is not filled."""
    widths = [max(width(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [" " * (widths[at] - width(cell)) + cell if at in right else pad(cell, widths[at]) for at, cell in enumerate(row)]
        lines.append((" " * gap).join(cells).rstrip())
    return lines


def _answer(audit: Audit, texts: Texts, wide: int, colour: bool) -> list[str]:
    state = State.OK if audit.difference_micro == 0 and not differs(audit) else State.WARNING
    if audit.verdict.disputable and audit.verdict.technical:
        state = State.CRITICAL
    lines = [paint(line, state, colour) for line in wrap(headline(audit, texts), wide)]
    if state is State.OK:
        return lines
    limit = [] if audit.difference_micro is None else wrap(thresholds(audit, texts), wide - 2)
    return [*lines, *("  " + line for line in (*wrap(verdict_line(audit, texts), wide - 2), *limit))]


def _bills(audit: Audit, texts: Texts, wide: int) -> list[str]:
    rows = [[""] + [texts.text(f"audit.head.{name}") for name in ("rows", "refused", "calls", "total")]]
    for bill in (audit.local, audit.customer):
        rows.append(
            [texts.text(f"audit.who.{bill.bill}"), *(f"{n:,}" for n in (bill.rows, bill.refused, bill.records)), _total(bill, audit)]
        )
    apart = "–" if audit.difference_micro is None else sign_of(audit.currency) + grouped(audit.difference_micro)
    rows.append([texts.text("audit.head.difference"), "", "", f"{audit.matched:,} {texts.text('audit.head.matched')}", apart])
    lines = [clip("  " + line, wide) for line in grid(rows, right=(1, 2, 3, 4))]
    for bill in (audit.local, audit.customer):
        lines += _files(bill, audit, texts, wide)
    said = texts.text("audit.screen.clock", clock=clock_text(audit, texts))
    return ["", *lines, *("  " + line for line in wrap(said, wide - 2))]


def _total(bill: BillTotal, audit: Audit) -> str:
    return "–" if bill.total_micro is None else sign_of(bill.currency or audit.currency) + grouped(bill.total_micro)


def _files(bill: BillTotal, audit: Audit, texts: Texts, wide: int) -> list[str]:
    """Return which files a bill is, the first refused rows of it, and what its invoice says."""
    whose = texts.text(f"audit.who.{bill.bill}")
    named = [printable(f"{one.name} ({format_name(one.format, texts)})") for one in bill.files[:_MOST_REFUSED]]
    if len(bill.files) > len(named):
        named.append(texts.text("check.more", n=len(bill.files) - len(named)))
    said = [texts.text("audit.screen.files", bill=whose, files=join(named))] if named else []
    for one in bill.refused_rows[:_MOST_REFUSED]:
        place = printable(f"{one.file}:{one.line}{' ' + one.field if one.field else ''}")
        said.append(texts.text("audit.screen.refused-row", place=place, why=note_text(one.reason, texts)))
    if bill.invoice_micro is not None:
        said.append(invoice_text(bill, audit, texts))
    return ["  " + line for text in said for line in wrap(text, wide - 2)]


def _compared(audit: Audit, texts: Texts, wide: int, colour: bool) -> list[str]:
    compared = five(audit, texts)
    names = [texts.text(f"audit.five.{one.what}") for one in compared]
    words = [_agrees(one, texts) for one in compared]
    first, second = max(map(width, names)), max(map(width, words))
    lines = ["", texts.text("audit.screen.compared")]
    for one, name, word in zip(compared, names, words, strict=True):
        state = State.UNKNOWN if one.agrees is None else State.OK if one.agrees else State.WARNING
        said = " · ".join(filter(None, (one.pair, one.by)))
        body = wrap(said, wide - first - second - 6)
        lines.append(f"  {pad(name, first)}  {paint(pad(word, second), state, colour)}  {body[0]}".rstrip())
        lines += [" " * (first + second + 6) + line for line in body[1:]]
    return lines


def _agrees(one: Compared, texts: Texts) -> str:
    return texts.text("audit.five.unknown" if one.agrees is None else "audit.five.agree" if one.agrees else "audit.five.differ")


def _why(audit: Audit, texts: Texts, wide: int, colour: bool) -> list[str]:
    if audit.difference_micro is None and not audit.causes:
        return []
    head = [texts.text(f"audit.head.{name}") for name in ("cause", "side", "calls", "money", "sure")]
    rows = [head]
    causes = [found for found in audit.causes if found.cause != UNEXPLAINED]
    for found in causes:
        amount = grouped(found.amount_micro, plus=True)
        rows.append([cause_name(found.cause, texts), side_name(found.side, texts), f"{found.records:,}", amount, sure(found.confidence)])
    rest = grouped(audit.unexplained_micro, plus=True)
    rows.append([cause_name(UNEXPLAINED, texts), side_name(Side.UNDETERMINED, texts), f"{audit.unexplained_records:,}", rest, ""])
    added = sum(found.amount_micro for found in causes) + audit.unexplained_micro
    rows.append([texts.text("audit.head.sum"), "", "", grouped(added, plus=True), ""])
    room = wide - 2 - sum(max(width(row[at]) for row in rows) + 2 for at in range(1, 5))
    rows = [[clip(row[0], max(10, room)), *row[1:]] for row in rows]
    body = ["  " + line for line in grid(rows, right=(2, 3, 4))]
    fits = added == audit.difference_micro
    word = paint(texts.text("audit.adds-up" if fits else "audit.adds-not"), State.OK if fits else State.CRITICAL, colour)
    lines = ["", texts.text("audit.screen.why"), clip(body[0], wide)]
    for found, line in zip(causes, body[1:], strict=False):
        lines.append(clip(line, wide))
        told = _few(proofs(found, texts), texts) or [parameter_text(found, texts)]
        lines += ["      " + part for text in told if text for part in wrap(text, wide - 6)]
    last = [f"{body[-1]}  {word}"] if width(body[-1]) + width(word) + 2 <= wide else [clip(body[-1], wide), "  " + word]
    return [*lines, clip(body[-2], wide), *last]


def _few(told: list[str], texts: Texts) -> list[str]:
    """Return a few of the proofs, the last (what tells the cause from its neighbours) among them, and how many more there are."""
    if len(told) <= _MOST_PROOFS:
        return told
    rest = texts.text("audit.screen.more", count=len(told) - _MOST_PROOFS)
    return [*told[: _MOST_PROOFS - 1], told[-1], rest]


def _told(title: str, said: Sequence[str], wide: int) -> list[str]:
    if not said:
        return []
    lines = ["", title]
    for text in said:
        body = wrap(text, wide - 4)
        lines += ["  · " + body[0], *("    " + line for line in body[1:])]
    return lines
