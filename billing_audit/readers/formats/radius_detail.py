"""RADIUS accounting as a FreeRADIUS detail file: a block of `Attribute = value` lines per packet, one Stop per leg.

Start and Interim-Update are no calls. Legs are joined by h323-conf-id; without it a Stop is a call.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, TextIO

from billing_audit.ledger import Note
from billing_audit.readers.formats import cisco_clock, rows, titles
from billing_audit.readers.formats.conference import Conferences, Leg
from billing_audit.readers.layout import Field, Folded, Head, Item, Layout, Record

NAME: Final = "radius-detail"
TITLE: Final = "RADIUS accounting, detail file (Cisco h323 attributes or RFC 2866 alone)"
SOURCE: Final = "RFC 2866; FreeRADIUS documentation, rlm_detail; Cisco, RADIUS VSA Voice Implementation Guide"

MOST_ATTRIBUTES: Final = 500  # of one packet; more are passed over
INTERIM: Final = Note("audit.note.interim")
NAMES: Final[dict[Field, str]] = {
    "id": "Acct-Session-Id", "caller": "Calling-Station-Id", "callee": "Called-Station-Id", "account": "User-Name",
    "gateway": "h323-remote-address", "start": "h323-setup-time", "answer": "h323-connect-time", "end": "h323-disconnect-time",
    "duration": "Acct-Session-Time", "answered": "h323-connect-time",
}  # fmt: skip
STOPS: Final = frozenset(("stop", "2"))
_PAIR = re.compile(r"\s+([A-Za-z0-9_.:-]{1,80})\s*(?:[:+]?=)\s*(.*)")
_INNER = re.compile(r"([A-Za-z0-9-]{1,60})=(.*)", re.DOTALL)

Packet = dict[str, str]


def detect(head: Head) -> Layout | None:
    """Return the layout if the lines are indented attributes and one of them is Acct-Status-Type."""
    attributes = [found for line in head.lines[:200] if (found := _PAIR.fullmatch(line))]
    if len(attributes) < 3 or not any(found[1].lower() == "acct-status-type" for found in attributes):
        return None
    columns, headers = titles.named(NAMES)
    return Layout(format=NAME, columns=columns, headers=headers, answered=rows.ANSWERED)


def packets(stream: TextIO) -> Iterator[tuple[int, Packet, str]]:
    """Yield the line of each block's first attribute, its attributes (names in lower case), and its text, cut."""
    packet: Packet = {}
    shown: list[str] = []
    began = size = 0
    for number, line in rows.lines(stream):
        found = _PAIR.fullmatch(line) if line is not None else None
        if found is None:
            if packet:
                yield began, packet, "\n".join(shown)
            packet, shown, size = {}, [], 0
            continue
        began = began if packet else number
        if len(packet) < MOST_ATTRIBUTES:
            _put(packet, found[1].lower(), found[2].strip().strip('"'))
        if size < rows.SHOWN:
            shown.append(found[0].strip())
            size += len(found[0])
    if packet:
        yield began, packet, "\n".join(shown)


def _put(packet: Packet, name: str, value: str) -> None:
    """Lay an attribute in; `Cisco-AVPair = "h323-x=y"` and `h323-x = "h323-x=y"` both are h323-x = y."""
    inner = _INNER.fullmatch(value)
    if inner and (name == "cisco-avpair" or inner[1].lower() == name):
        name, value = inner[1].lower(), inner[2]
    packet.setdefault(name, value[: rows.LONGEST])


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:  # noqa: ARG001
    """Yield one record a call; Start and Interim-Update packets and second legs folded."""
    joined = Conferences()
    for line, packet, text in packets(stream):
        status = packet.get("acct-status-type", "").lower()
        if status not in STOPS:
            yield Folded(line=line, note=INTERIM)
            continue
        leg = _leg(line, packet, text)
        if leg.setup is None and leg.connect is None and not leg.record.answer and not leg.record.end:
            yield rows.refused(line, text, "time", "start")
            continue
        yield from joined.feed(leg)
    yield from joined.end()


def _leg(line: int, packet: Packet, text: str) -> Leg:
    readings = {name: cisco_clock.read(packet.get(f"h323-{name}-time", "")) for name in ("setup", "connect", "disconnect")}
    caller, user = rows.user_of(packet.get("calling-station-id", "")), packet.get("user-name", "")
    record = Record(
        line=line,
        raw=text,
        id=packet.get("acct-session-id", ""),
        caller=caller,
        callee=rows.user_of(packet.get("called-station-id", "")),
        account=user if user != caller else "",  # many gateways send the caller as user
        gateway=packet.get("h323-remote-address") or packet.get("nas-ip-address", ""),
        duration=packet.get("acct-session-time", ""),
    )
    told = packet.get("timestamp", "")
    epoch_s = int(told) - int(_whole(packet.get("acct-delay-time", ""))) if _whole(told) == told else None
    connect, disconnect = readings["connect"], readings["disconnect"]
    if connect is not None and disconnect is not None and connect.text(None) == disconnect.text(None) and record.duration in ("", "0"):
        connect = None  # never answered: both times are that of the release
    if not any(readings.values()) and epoch_s is not None:  # RFC 2866 alone: the Stop's time less the session's length is its beginning
        began = epoch_s - int(_whole(record.duration))
        record.answer, record.end = _utc(began), _utc(epoch_s)
    return Leg(
        record, packet.get("h323-conf-id", ""), packet.get("h323-call-origin", "").lower(), readings["setup"], connect, disconnect, epoch_s
    )


def _whole(text: str) -> str:
    return text if text.isascii() and text.isdecimal() and len(text) <= 12 else "0"


def _utc(epoch_s: int) -> str:
    reading = cisco_clock.EPOCH + timedelta(seconds=epoch_s)
    return f"{reading:%Y-%m-%d %H:%M:%S}Z"
