"""A customer's complaint: what of the customer problem record (客户问题记录) is known at intake; as a value and as a row of the store."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec


class Complaint(msgspec.Struct, frozen=True, kw_only=True):
    """What one customer complains of. It hangs on one case, `case` (0 until the store has it), and moves with it.

    `symptoms` are the users' words ("no-calls"), `number` the one concerned, `since` when it began as the customer says, `taken_at` the
    time of intake (受理), `by` who took it. Without an `id` of its own it is known by a digest of customer, symptoms and since
    (without since: the day of intake), so that the same complaint told twice is one.
    """

    customer: str
    taken_at: datetime
    contact: str = ""
    symptoms: tuple[str, ...] = ()
    number: str = ""
    since: datetime | None = None
    text: str = ""
    by: str = ""
    id: str = ""
    case: int = 0


def known(complaint: Complaint) -> Complaint:
    """Return the complaint with its id: the one it has, else the digest."""
    if complaint.id:
        return complaint
    begun = complaint.since.astimezone(UTC).isoformat() if complaint.since is not None else f"{complaint.taken_at.astimezone(UTC):%Y-%m-%d}"
    parts = [complaint.customer or complaint.number, begun, *sorted(set(complaint.symptoms))]
    return msgspec.structs.replace(complaint, id=hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32])


def texts_of(complaint: Complaint) -> tuple[str, ...]:
    """Return every text of it, for what a database does not take."""
    return (
        complaint.id,
        complaint.customer,
        complaint.contact,
        complaint.number,
        complaint.text,
        complaint.by,
        *complaint.symptoms,
    )


def complaint_row(complaint: Complaint) -> dict[str, Any]:
    """Return the row of a complaint: the symptoms as JSON text, `case` as `case_id`."""
    row = msgspec.structs.asdict(complaint)
    row["case_id"] = row.pop("case")
    row["symptoms"] = msgspec.json.encode(complaint.symptoms).decode()
    return row


def complaint_from_row(row: Mapping[Any, Any]) -> Complaint:
    """Return the complaint of a row; msgspec.ValidationError when the row is not one of ours."""
    values = {name: row[name] for name in Complaint.__struct_fields__ if name != "case"}
    values["symptoms"] = msgspec.json.decode(values["symptoms"], type=tuple[str, ...])
    return Complaint(case=row["case_id"], **values)
