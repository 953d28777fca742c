"""JeraSoft Billing: export of the list of xDRs, by its titles, and xDR files of its common format where they have titles."""

from typing import Final

from billing_audit.readers.formats import titles
from billing_audit.readers.layout import Field, Head, Layout

NAME: Final = "jerasoft"
TITLE: Final = "JeraSoft Billing xDR export"
SOURCE: Final = "JeraSoft documentation: xDRs List; JeraSoft Billing Common, columns of xDR files"

NEEDS: Final = (
    frozenset(("src party id", "dst party id")),
    frozenset(("src_party_id", "dst_party_id")),
    frozenset(("src_party_id_in", "dst_party_id_in")),
    frozenset(("src_party_id_ext", "dst_party_id_ext")),
)
FIELDS: Final[dict[Field, tuple[str, ...]]] = {
    "id": ("session id", "session_id"),
    "account": ("client", "orig client", "client_name", "account", "account_name"),
    "caller": ("src party id", "src_party_id", "src_party_id_in", "src_party_id_ext"),
    "callee": ("dst party id", "dst_party_id", "dst_party_id_in", "dst_party_id_ext"),
    "start": ("setup time", "setup_time"),
    "answer": ("connect time", "connect_time"),
    "end": ("disconnect time", "disconnect_time", "event time"),
    "duration": ("volume", "duration", "duration, sec", "session_time", "elapsed_time"),
    "billed": ("billed volume", "volume billed", "volume, billed", "billed duration", "volume_billed"),
    "rate": ("rate",),
    "charge": ("cost", "amount", "total cost", "total_cost"),
    "currency": ("currency",),
    "gateway": ("term account", "term_account", "term client"),
}


def detect(head: Head) -> Layout | None:
    """Return where the fields stand, if a line has the titles of both party ids and a time."""
    for needs in NEEDS:
        found = titles.find(head, needs, FIELDS)
        if found is not None and found.columns.keys() & {"start", "answer", "end"} and titles.plain(head, found):
            return Layout(format=NAME, columns=found.columns, delimiter=found.delimiter, skip=found.skip)
    return None
