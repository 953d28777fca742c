"""Shows what one measurement saw as it was measured, without judging it."""

from typing import Any

import msgspec

from checks.finding import Message
from probe.observation.failure import Failure
from probe.observation.observation import Outcome
from probe.observation.stamp import Lost
from reports.locale.figures import number, rate, size
from reports.locale.text import Texts, printable

_SHOWN = 5
_LAST = ("address", "source", "protocol", "agreed", "nat_address")  # the same in every reading of a check


def outcome_text(outcome: Outcome, texts: Texts) -> str:
    """Return a failure in words, or the first plain fields of a sample by their names, with units: "sent 5, received 0"."""
    if isinstance(outcome, Failure):
        return texts.say(Message(f"failure.{outcome.kind}", {"detail": outcome.detail}))
    said = []
    fields = [(name, getattr(outcome, name)) for name in outcome.__struct_fields__]
    for name, value in sorted(fields, key=lambda field: (not isinstance(field[1], Lost), field[0] in _LAST)):
        text = _field(name, value, texts)
        if text:
            said.append(text)
    return ", ".join(said[:_SHOWN])


def _field(name: str, value: Any, texts: Texts) -> str:
    if isinstance(value, Failure):
        return f"{name}: {outcome_text(value, texts)}"
    if isinstance(value, Lost):
        return f"{name.replace('_', ' ')} lost {number(value.lost)} of {number(value.sent)}" if value.lost else ""
    if isinstance(value, msgspec.Struct) and getattr(value, "code", None) is not None:
        return f"{name}: {value.code}"  # type: ignore[attr-defined]
    if isinstance(value, bool) and name == "reached":
        return name if value else f"not {name}"
    if value is None or isinstance(value, bool | bytes | msgspec.Struct | dict):
        return ""
    if isinstance(value, tuple):
        return f"{len(value)} {name}" if value else ""
    if isinstance(value, str):
        return printable(f"{name} {value}") if value and len(value) < 40 else ""
    if not isinstance(value, int | float):
        return ""
    stem, _, unit = name.rpartition("_")
    match unit:
        case "ms":
            return f"{stem} {number(value)} ms"
        case "ratio":
            return f"{stem} {number(value * 100)} %"
        case "bytes":
            return f"{stem} {size(value)}"
        case "bps":
            return f"{stem} {rate(value)}"
        case _:
            return f"{name.replace('_', ' ')} {number(value)}"
