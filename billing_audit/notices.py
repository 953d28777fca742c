"""What an audit says about the two bills as such: the same file twice, sides exchanged, another customer, another period, currencies."""

from collections.abc import Iterator

from billing_audit.attribute import LITTLE
from billing_audit.audit import BillTotal
from billing_audit.compare import Compared
from billing_audit.engine.reading import Intake
from billing_audit.ledger import Bill, Note, Value
from billing_audit.options import Options
from billing_audit.rating import unused_bands

SHOWN = 5  # accounts of a bill that are named


def notices(options: Options, told: dict[Bill, Intake], totals: dict[Bill, BillTotal], compared: Compared, priced: bool) -> Iterator[Note]:
    """Yield what a person should know before reading the figures."""
    ours, theirs = told[Bill.LOCAL], told[Bill.CUSTOMER]
    digests = {file.digest: file.name for file in totals[Bill.LOCAL].files if file.digest}
    for file in totals[Bill.CUSTOMER].files:
        if file.digest in digests:
            yield Note("audit.note.same_file", {"name": file.name})
    matched, few = compared.counts[0], min(ours.records, theirs.records)
    if few and matched * LITTLE < few:
        yield Note("audit.note.nothing_in_common", {"matched": matched, "local": ours.records, "customer": theirs.records})
    yield from _swapped(options, ours, theirs)
    yield from _periods(options, ours, theirs)
    if options.deck is not None and options.contract is not None:
        for band in unused_bands(options.deck, options.contract.terms):
            yield Note("audit.note.unused_band", {"band": band})
    if priced:
        yield Note("audit.note.rated_by_contract")
    for bill in Bill:
        if told[bill].records and totals[bill].total_micro is None:
            yield Note(f"audit.note.no_charges_{bill.value}")
    if ours.currency and theirs.currency and ours.currency != theirs.currency:
        yield Note("audit.note.currencies", {"local": ours.currency, "customer": theirs.currency})


def _swapped(options: Options, ours: Intake, theirs: Intake) -> Iterator[Note]:
    """Yield a note where accounts show the bills exchanged, or a bill to be another customer's.

    Our export holds many accounts, the contract's among them; a customer's bill does not.
    """
    wanted = {*(options.contract.accounts if options.contract else ()), *((options.account,) if options.account else ())}
    seen = {*theirs.account_names}
    mine = {*ours.account_names}
    if wanted & seen and not wanted & mine and len(seen) > len(mine):
        yield Note("audit.note.swapped", {"accounts": len(seen)})
        return
    for bill, accounts in ((Bill.LOCAL, mine), (Bill.CUSTOMER, seen)):
        if options.contract and options.contract.accounts and accounts and not wanted & accounts:
            values: dict[str, Value] = {
                "accounts": ", ".join(sorted(accounts)[:SHOWN]),
                "wanted": ", ".join(options.contract.accounts[:SHOWN]),
            }
            yield Note(f"audit.note.other_customer_{bill.value}", values)


def _periods(options: Options, ours: Intake, theirs: Intake) -> Iterator[Note]:
    period = options.contract.period if options.contract else None
    if period is None:
        return
    values = {"start": period.start.isoformat(), "end": period.end.isoformat()}
    outside, records = ours.outside + theirs.outside, ours.records + theirs.records
    if records and outside == records:
        yield Note("audit.note.no_period", {**values})
    elif outside:
        yield Note("audit.note.outside_period", {"rows": outside, **values})
