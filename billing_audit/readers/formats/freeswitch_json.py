"""FreeSWITCH mod_json_cdr: one document a file, documents in a row, one a line, or an array of them. Times are epochs: UTC."""

from collections.abc import Iterator
from typing import Final, TextIO

import msgspec

from billing_audit.readers.formats import freeswitch_document, json_items, rows
from billing_audit.readers.formats.legs import Legs
from billing_audit.readers.layout import Head, Item, Layout

NAME: Final = "freeswitch-json"
TITLE: Final = "FreeSWITCH json_cdr"
SOURCE: Final = "FreeSWITCH documentation, mod_json_cdr; channel variables of a call"

MOST_SHOWN: Final = 500  # characters of a document that are shown as its line


class Profile(msgspec.Struct):
    """The part of a caller profile that is read."""

    caller_id_number: str = ""
    destination_number: str = ""


class Flow(msgspec.Struct):
    """One entry of the call flow; the latest comes first."""

    caller_profile: Profile = msgspec.field(default_factory=Profile)


class Document(msgspec.Struct):
    """The part of a document that is read; older versions have one call flow, newer a list."""

    variables: dict[str, object] = {}
    callflow: list[Flow] | Flow | None = None


_DECODER = msgspec.json.Decoder(Document)


def detect(head: Head) -> Layout | None:
    """Return the layout if the file begins with an object or array and has a call's variables in it."""
    if head.text.lstrip()[:1] not in ("{", "["):
        return None
    marks = ('"variables"', '"core-uuid"', '"callflow"', '"channel_data"')
    if sum(mark in head.text for mark in marks) < 2 or '"variables"' not in head.text:
        return None
    return freeswitch_document.layout(NAME)


def records(stream: TextIO, layout: Layout) -> Iterator[Item]:  # noqa: ARG001
    """Yield one record a call; the documents of b-legs folded into the call that they name."""
    legs = Legs(named_later=False)
    for item in json_items.items(stream):
        if not isinstance(item, tuple):
            yield item
            continue
        line, text = item
        try:
            found = _DECODER.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            yield rows.refused(line, text, "not-json")
            continue
        flow = found.callflow[0] if isinstance(found.callflow, list) and found.callflow else found.callflow
        profile = flow.caller_profile if isinstance(flow, Flow) else Profile()
        told = {name: str(value) for name, value in found.variables.items() if name in freeswitch_document.WANTED and value is not None}
        numbers = {"caller_id_number": profile.caller_id_number, "destination_number": profile.destination_number}
        yield from freeswitch_document.call(line, text[:MOST_SHOWN], told, numbers, legs)
    yield from legs.end()
