"""VOS3000: answer of its web API (GetCdr), JSON with the calls under `infoCdrs`. Times are epochs in milliseconds: UTC.

`holdTime` is talk, `feeTime` what was charged for, `fee` what the customer pays. An entry without times or numbers is refused.
"""

from collections.abc import Iterator
from typing import Final, TextIO

import msgspec

from billing_audit.readers.formats import json_items, rows, titles
from billing_audit.readers.layout import Field, Head, Item, Layout, Record

NAME: Final = "vos3000-json"
TITLE: Final = "VOS3000 web API (GetCdr)"
SOURCE: Final = "VOS3000 web API: GetCdr, infoCdrs"

KEY: Final = "infoCdrs"
NAMES: Final[dict[Field, str]] = {
    "id": "flowNo", "account": "account", "caller": "callerE164", "callee": "calleeE164", "gateway": "calleeGateway", "answer": "start",
    "end": "stop", "duration": "holdTime", "billed": "feeTime", "charge": "fee",
}  # fmt: skip


class Entry(msgspec.Struct, rename="camel"):
    """The part of an entry that is read. Money is kept as it is written: never a float."""

    flow_no: int | str = ""
    account: str = ""
    caller_e164: str = msgspec.field(default="", name="callerE164")
    caller_access_e164: str = msgspec.field(default="", name="callerAccessE164")
    callee_e164: str = msgspec.field(default="", name="calleeE164")
    callee_access_e164: str = msgspec.field(default="", name="calleeAccessE164")
    callee_gateway: str = ""
    start: int | None = None
    stop: int | None = None
    hold_time: int | str = ""
    fee_time: int | str = ""
    fee: msgspec.Raw = msgspec.Raw(b"")


_DECODER = msgspec.json.Decoder(Entry)


def detect(head: Head) -> Layout | None:
    """Return the layout if the file is JSON with a list under `infoCdrs`."""
    if head.text.lstrip()[:1] not in ("{", "[") or f'"{KEY}"' not in head.text:
        return None
    columns, headers = titles.named(NAMES)
    return Layout(format=NAME, columns=columns, headers=headers, times="epoch_ms", zone="UTC")


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:  # noqa: ARG001
    """Yield one record an entry."""
    for item in json_items.items(stream, within=KEY):
        if not isinstance(item, tuple):
            yield item
            continue
        line, text = item
        try:
            told = _DECODER.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            yield rows.refused(line, text, "not-json")
            continue
        callee = told.callee_e164 or told.callee_access_e164
        if told.start is None or not callee:
            yield rows.refused(line, text, "no-call")
            continue
        yield Record(
            line=line,
            raw=text[: rows.SHOWN * 4],
            id=str(told.flow_no),
            account=told.account,
            caller=told.caller_e164 or told.caller_access_e164,
            callee=callee,
            gateway=told.callee_gateway,
            answer=str(told.start),
            end="" if told.stop is None else str(told.stop),
            duration=str(told.hold_time),
            billed=str(told.fee_time),
            charge=bytes(told.fee).decode().strip().strip('"'),
        )
