"""PortaSwitch: xDR files of a customer or vendor, by their titles. The time is that of the connect, the seconds are the charged ones.

An account of PortaSwitch is a line of the customer whose file this is, so it is not read as the account that the bill is for.
"""

from typing import Final

from billing_audit.readers.formats import titles
from billing_audit.readers.layout import Field, Head, Layout, Unit

NAME: Final = "portaswitch"
TITLE: Final = "PortaSwitch xDR export"
SOURCE: Final = "PortaOne documentation: xDR summary, customer and vendor xDRs; Description of xDR record fields"

FIELDS: Final[dict[Field, tuple[str, ...]]] = {
    "id": ("call id", "h323_conf_id", "call_id", "id"),
    "caller": ("from", "from (cli or ani)", "from (cli)", "cli"),
    "callee": ("to", "to (cld or dnis)", "to (cld)", "cld"),
    "answer": ("connect time", "date/time", "connect_time"),
    "end": ("disconnect time", "disconnect_time"),
    "duration": ("used quantity", "used_quantity"),
    "billed": ("charged time, hour:min:sec", "charged time", "charged time, min:sec", "charged quantity", "charged_quantity"),
    "charge": ("amount", "charged amount", "charged_amount"),
}
CHARGED: Final = frozenset(FIELDS["billed"])


def detect(head: Head) -> Layout | None:
    """Return where the fields stand, if a line has PortaSwitch's titles: account, both numbers, charged time and amount."""
    for account in ("account id", "account_id"):
        found = titles.find(head, frozenset((account,)), FIELDS)
        if found is None or not CHARGED & set(found.titles):
            continue
        currency = ""
        for place, title in enumerate(found.titles):  # "Amount, USD" and "Amount (USD)" name the currency
            if title.startswith(("amount", "charged amount")) and "charge" not in found.columns:
                found.columns["charge"] = place
                currency = title.replace("charged amount", "").replace("amount", "").strip(" ,()").upper()
        if not {"caller", "callee", "answer", "charge"} <= found.columns.keys():
            continue
        clock = "time" in found.titles[found.columns["billed"]]
        units: dict[Field, Unit] = {"billed": "clock"} if clock else {}
        if not titles.plain(head, found, frozenset(units)):
            return None
        return Layout(
            format=NAME,
            columns=found.columns,
            delimiter=found.delimiter,
            skip=found.skip,
            units=units,
            currency=currency if len(currency) == 3 else "",
        )
    return None
