"""What one FreeSWITCH call document, JSON or XML, says about its call: the same variables and caller profile in both."""

from collections.abc import Iterator, Mapping
from typing import Final

from billing_audit.readers.formats import rows, titles
from billing_audit.readers.formats.legs import Legs
from billing_audit.readers.layout import Field, Item, Layout, Record

WANTED: Final = frozenset(
    (
        "uuid", "direction", "originating_leg_uuid", "originator", "accountcode", "sip_gateway_name",
        "caller_id_number", "destination_number", "sip_from_user", "sip_to_user",
        "start_epoch", "start_uepoch", "answer_epoch", "answer_uepoch", "end_epoch", "end_uepoch",
        "duration", "mduration", "uduration", "billsec", "billmsec", "billusec",
    )
)  # fmt: skip
"""The variables that are read; epochs are UTC, the `u` ones microseconds."""


NAMES: Final[dict[Field, str]] = {
    "id": "uuid", "caller": "caller_id_number", "callee": "destination_number", "start": "start_uepoch", "answer": "answer_uepoch",
    "end": "end_uepoch", "duration": "billusec", "total": "uduration", "account": "accountcode", "gateway": "sip_gateway_name",
    "answered": "answer_uepoch",
}  # fmt: skip


def layout(name: str) -> Layout:
    """Return the notation of the records made here: milliseconds, since 1970 UTC."""
    columns, headers = titles.named(NAMES)
    return Layout(format=name, columns=columns, headers=headers, times="epoch_ms", durations="ms", zone="UTC", answered=rows.ANSWERED)


def call(line: int, raw: str, variables: Mapping[str, str], profile: Mapping[str, str], legs: Legs) -> Iterator[Item]:
    """Yield what is settled by a document: `profile` is the latest caller profile of its call flow."""
    times = {field: _ms(variables, f"{field}_uepoch", f"{field}_epoch") for field in ("start", "answer", "end")}
    record = Record(
        line=line,
        raw=raw,
        id=variables.get("uuid", ""),
        caller=profile.get("caller_id_number") or variables.get("caller_id_number") or variables.get("sip_from_user", ""),
        callee=profile.get("destination_number") or variables.get("destination_number") or variables.get("sip_to_user", ""),
        start=times["start"],
        answer=times["answer"],
        end=times["end"],
        # What FreeSWITCH bills by, billsec, is the difference of truncated seconds and can be one off: the finer figure where there is one.
        duration=_seconds(variables, "billusec", "billmsec", "billsec"),
        total=_seconds(variables, "uduration", "mduration", "duration"),
        account=variables.get("accountcode", ""),
        gateway=variables.get("sip_gateway_name", ""),
        answered=rows.YES if times["answer"] else rows.NO,
    )
    if not record.start and not record.answer:
        yield rows.refused(line, raw, "no-call")
        return
    outbound = variables.get("direction", "outbound") == "outbound"
    of = (variables.get("originating_leg_uuid") or variables.get("originator", "")) if outbound else ""
    yield from legs.feed(record, of="" if of == record.id else of)


def _ms(variables: Mapping[str, str], fine: str, coarse: str) -> str:
    told = variables.get(fine, "")
    if len(told) > 3:
        return told[:-3]
    seconds = variables.get(coarse, "")
    return f"{seconds}000" if seconds and seconds != "0" else ""


def _seconds(variables: Mapping[str, str], micro: str, milli: str, whole: str) -> str:
    """Return milliseconds: of the finer figure where there is one; a unit of 500 µs or more counts as one."""
    if (told := variables.get(micro, "")).isdecimal() and len(told) <= 18:
        return str((int(told) + 500) // 1000)
    if told := variables.get(milli, ""):
        return told
    told = variables.get(whole, "")
    return "0" if told == "0" else told and told + "000"
