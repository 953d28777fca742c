"""An invoice against what it should come to: the calls of its bill, and the lines that the contract puts beside them."""

from billing_audit.audit import Audit, BillTotal
from reports.audit.figures import digits_of, grouped, money, units
from reports.audit.words import trimmed
from reports.locale.text import Texts, printable


def expected(bill: BillTotal, audit: Audit) -> int | None:
    """Return what the invoice of a bill should come to in micro-units: its calls, monthly fees, bundles, credits; None without charges."""
    return None if bill.total_micro is None else bill.total_micro + sum(amount for _, amount in audit.lines)


def gap(bill: BillTotal, audit: Audit) -> int | None:
    """Return invoice − expected in micro-units; None without either."""
    wanted = expected(bill, audit)
    return None if wanted is None or bill.invoice_micro is None else bill.invoice_micro - wanted


def invoice_text(bill: BillTotal, audit: Audit, texts: Texts) -> str:
    """Return one sentence on the invoice of a bill: what it comes to, of what, and how far that is from what was invoiced."""
    assert bill.invoice_micro is not None
    currency = bill.currency or audit.currency
    apart = gap(bill, audit)
    whose, amount = texts.text(f"audit.who.{bill.bill}"), money(bill.invoice_micro, currency)
    if apart is None:
        return texts.text("audit.invoice.alone", bill=whose, amount=amount)
    parts = [texts.text("audit.invoice.calls", amount=grouped(bill.total_micro or 0))]
    parts += [printable(f"{text} {trimmed(grouped(micro, plus=True))}") for text, micro in audit.lines]
    same = units(bill.invoice_micro, digits_of(currency)) == units(bill.invoice_micro - apart, digits_of(currency))
    word = "agrees" if same else "apart"
    return texts.text(f"audit.invoice.{word}", bill=whose, amount=amount, parts=" ".join(parts), apart=grouped(apart, plus=True))
