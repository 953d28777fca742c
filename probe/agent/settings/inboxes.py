"""Folders in which pairs of bills are audited as they arrive: [[audit_inbox]]."""

import os
from collections.abc import Mapping

import msgspec

from probe.agent.settings.document import Document
from probe.agent.settings.forms import InboxForm
from probe.agent.settings.reader import beside, show
from probe.agent.settings.tables import read_tables
from probe.inventory import Customer


class Inbox(msgspec.Struct, frozen=True):
    """One customer's folder, with absolute paths; `accounts` are the customer's in our own export."""

    customer: str
    folder: str
    contract: str | None
    rates: tuple[str, ...]
    accounts: tuple[str, ...]
    still_s: float
    open: bool
    language: str | None


def read_inboxes(main: Document, customers: Mapping[str, Customer]) -> tuple[Inbox, ...]:
    """Return the inboxes of the main file; each has a folder of its own and a customer of the inventory."""
    found: dict[str, Inbox] = {}
    for entry in read_tables("audit_inbox", InboxForm, [main]):
        form = entry.form
        if form is None:
            continue
        customer = customers.get(form.customer)
        if customer is None:
            main.refuse((*entry.path, "customer"), f"no customer named {show(form.customer)}{main.near(form.customer, customers)}")
            continue
        folder = os.path.abspath(beside(main, form.folder))
        if folder in found:
            main.refuse((*entry.path, "folder"), f"{show(form.folder)} is the folder of {found[folder].customer} already")
            continue
        contract = form.contract or customer.contract
        found[folder] = Inbox(
            form.customer,
            folder,
            None if contract is None else os.path.abspath(beside(main, contract)),
            tuple(os.path.abspath(beside(main, rate)) for rate in form.rates),
            customer.accounts,
            form.still,
            form.open,
            form.language,
        )
    return tuple(found.values())
