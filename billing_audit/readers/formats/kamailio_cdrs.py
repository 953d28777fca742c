"""Kamailio: dump of the table cdrs with titles, which its accounting procedure or `cdr_enable` of acc fills. Local time unless told.

`cost` is left unread: its unit is that of whoever rates the table.
"""

from typing import Final

from billing_audit.readers.formats import titles
from billing_audit.readers.layout import Field, Head, Layout

NAME: Final = "kamailio-cdrs"
TITLE: Final = "Kamailio, table cdrs"
SOURCE: Final = "Kamailio documentation: accounting to a database, table cdrs; module acc, cdr_enable"

NEEDS: Final = (
    frozenset(("src_username", "dst_username", "call_start_time", "duration")),
    frozenset(("start_time", "end_time", "duration", "src_user", "dst_user")),
)
FIELDS: Final[dict[Field, tuple[str, ...]]] = {
    "id": ("sip_call_id", "callid", "call_id"),
    "caller": ("src_username", "src_user"),
    "callee": ("dst_ousername", "dst_ouser", "dst_username", "dst_user"),
    "answer": ("call_start_time", "start_time"),
    "end": ("end_time",),
    "duration": ("duration",),
}


def detect(head: Head) -> Layout | None:
    """Return where the fields stand, if a line has the titles of either table."""
    for needs in NEEDS:
        found = titles.find(head, needs, FIELDS)
        if found is not None and titles.plain(head, found):
            return Layout(format=NAME, columns=found.columns, delimiter=found.delimiter, skip=found.skip)
    return None
