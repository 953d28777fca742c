"""The words of `replay`: one line for each thing that became of a diagnosis."""

from datetime import datetime
from typing import Any

from checks.replay import Kind, Told
from checks.verdict import Diagnosis
from reports.locale.text import Texts, printable
from reports.render.columns import clip, join, pad, paint, width

_SHOWN = 3  # symptoms, or customers, of a change
_WORDS = {Kind.BORN: "told.born", Kind.CHANGED: "told.changed", Kind.ENDED: "told.ended"}


def day_line(day: datetime) -> str:
    """Return the line above those of one day, with the reader's zone."""
    return f"{day:%Y-%m-%d} ({day:%z})"


def told_line(told: Told, said: Texts, colour: bool, columns: int, before: Diagnosis | None = None) -> str:
    """Return the line of one thing told: when, what became of it, what it is, whose, how urgent; of a change what has changed."""
    one = told.diagnosis
    words = {kind: said.text(text) for kind, text in _WORDS.items()}
    kind = pad(words[told.kind], max(map(width, words.values())))
    parts = [printable(said.say(one.summary)), said.word("side", one.side), said.word("area", one.area), said.word("urgency", one.urgency)]
    if told.into is not None:
        parts = [parts[0], printable(said.text("told.into", cause=told.into[1], element=told.into[2]))]
    elif told.kind is Kind.ENDED:
        parts = parts[:1]
    elif before is not None:
        parts = [parts[0], *(_changes(before, one, said) or parts[1:])]
    if told.held:
        parts.append(said.text("told.held"))
    line = clip(f"{told.at.astimezone():%H:%M:%S}  {kind}  {join(parts)}", columns)
    return line.replace(kind, paint(kind, one.state, colour and told.kind is not Kind.ENDED), 1)


def _changes(before: Diagnosis, one: Diagnosis, said: Texts) -> list[str]:
    """Return what is other than before, in words."""
    words = [("side", before.side, one.side), ("area", before.area, one.area), ("urgency", before.urgency, one.urgency)]
    changes = [f"{said.word(kind, old)} → {said.word(kind, new)}" for kind, old, new in words if old != new]
    symptoms, were = ({" ".join(filter(None, key[1:])) for key in keys} for keys in (one.keys, before.keys))
    customers, had = set(one.affected), set(before.affected)
    for id, others in (
        ("told.more-symptom", symptoms - were),
        ("told.less-symptom", were - symptoms),
        ("told.more-customer", customers - had),
        ("told.less-customer", had - customers),
    ):
        if others:
            left = len(others) - _SHOWN
            rest = [said.text("check.more", n=left)] if left > 0 else []
            changes.append(said.text(id, what=join([*map(printable, sorted(others)[:_SHOWN]), *rest])))
    return changes


def told_data(told: Told, said: Texts) -> dict[str, Any]:
    """Return the keys of one thing told; the handbook names them."""
    one = told.diagnosis
    return {
        "at": told.at,
        "told": told.kind,
        "held": told.held,
        "kind": one.kind,
        "cause": one.cause,
        "element": one.element,
        "side": one.side,
        "area": one.area,
        "urgency": one.urgency,
        "state": one.state,
        "confidence": one.confidence,
        "since": one.since,
        "affected": one.affected,
        "keys": one.keys,
        "alternatives": one.alternatives,
        "elsewhere": one.elsewhere,
        "summary": said.say(one.summary),
        "into": None if told.into is None else dict(zip(("kind", "cause", "element"), told.into, strict=True)),
    }
