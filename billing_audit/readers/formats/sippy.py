"""Sippy Softswitch: CDR export of its web pages, by its titles, and the same fields under the names of its API."""

from typing import Final

from billing_audit.readers.formats import titles
from billing_audit.readers.layout import Field, Head, Layout

NAME: Final = "sippy"
TITLE: Final = "Sippy Softswitch CDR export"
SOURCE: Final = "Sippy Softswitch: titles of the CDR export; XML-RPC API, getAccountCDRs"

NEEDS: Final = (frozenset(("cli", "cld", "billed duration, sec")), frozenset(("cli", "cld", "billed_duration")))
FIELDS: Final[dict[Field, tuple[str, ...]]] = {
    "id": ("call-id", "call id", "i_cdr", "call_id", "i_call"),
    "account": ("account id", "caller", "account", "i_account"),
    "caller": ("cli", "cli_in"),
    "callee": ("cld", "cld_in"),
    "start": ("setup time", "setup_time"),
    "answer": ("connect time", "connect_time"),
    "end": ("disconnect time", "disconnect_time"),
    "duration": ("duration, sec", "duration"),
    "billed": ("billed duration, sec", "billed_duration"),
    "charge": ("cost",),
    "currency": ("currency", "payment_currency"),
}


def detect(head: Head) -> Layout | None:
    """Return where the fields stand, if a line has the titles; "Cost, USD" names the currency."""
    for needs in NEEDS:
        if (found := titles.find(head, needs, FIELDS)) is None:
            continue
        currency = ""
        for place, title in enumerate(found.titles):
            if "charge" not in found.columns and title.startswith("cost,"):
                found.columns["charge"] = place
                currency = title.removeprefix("cost,").strip().upper()
        if not titles.plain(head, found):
            return None
        return Layout(
            format=NAME, columns=found.columns, delimiter=found.delimiter, skip=found.skip, currency=currency if len(currency) == 3 else ""
        )
    return None
