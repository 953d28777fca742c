"""Writes the carrier hand-off sheet as text: what is wrong first, then both ends, the path, what was ruled out, what was not looked at."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

import msgspec

from checks.finding import Finding, Message, State
from probe.observation.path import Hop, PathSample, Said
from reports.handoff import End, Handoff
from reports.locale.figures import number, span
from reports.locale.text import Texts, printable
from reports.render.columns import paint, table, width, wrap
from reports.render.findings import limit_text, source_text

_BAD = (State.CRITICAL, State.WARNING)


class Row(msgspec.Struct, frozen=True):
    """One line of a part: its cells, and the state that colours the first."""

    cells: tuple[str, ...]
    state: State | None = None


class Part(msgspec.Struct, frozen=True):
    """One part of the sheet: a title, and rows of cells under `head` (empty: none)."""

    title: str
    rows: tuple[Row, ...]
    head: tuple[str, ...] = ()


def handoff_parts(sheet: Handoff, texts: Texts, zone: tzinfo | None = None) -> list[Part]:
    """Return the sheet's parts in the order in which a desk reads them."""
    parts = [Part(texts.text("handoff.title"), tuple(_head(sheet, texts, zone))), _wrong(sheet, texts, zone)]
    parts += [_end(end, letter, texts) for letter, end in zip("AB", sheet.ends, strict=True)]
    if sheet.path is not None and isinstance(sheet.path.seen.outcome, PathSample):
        parts.append(_path(sheet.far, sheet.path.seen.outcome, texts))
    faulty = {(found.seen.node, found.item) for found in sheet.findings if found.state in _BAD and found.item}
    good = [found for found in sheet.findings if found.state is State.OK and (found.seen.node, found.item) not in faulty]
    parts.append(Part(texts.text("handoff.ruled-out"), tuple(_ruled_out(good, texts))))
    left = [*sheet.not_measured, *(one for end in sheet.ends for one in end.not_measured)]
    unseen = [Row(("–", said)) for said in dict.fromkeys(texts.say(message) for message in left)]
    unseen += [Row((_name(found), texts.say(found.message))) for found in sheet.findings if found.state is State.UNKNOWN]
    parts.append(Part(texts.text("handoff.not-seen"), tuple(unseen)))
    return [part for part in parts if part.rows]


def handoff_text(sheet: Handoff, texts: Texts, colour: bool = False, columns: int = 100, zone: tzinfo | None = None) -> str:
    """Return the sheet for a terminal, a mail or a telephone, ending in a newline."""
    lines: list[str] = []
    for part in handoff_parts(sheet, texts, zone):
        rows = [*([Row(part.head)] if part.head else []), *part.rows]
        if lines:
            lines.append("")
        lines.append(part.title)
        last = max(len(row.cells) for row in rows) - 1
        heads = table([(*row.cells[:last], "") for row in rows])
        room = max(20, columns - 4 - max(map(width, heads)))
        for row, head in zip(rows, _padded(heads), strict=True):
            body = wrap(row.cells[last] if len(row.cells) > last else "", room)
            start = paint(head, row.state, colour and row.state in _BAD) if row.state is not None else head
            lines.append(f"  {start}{body[0]}".rstrip())
            lines += [f"  {' ' * width(head)}{line}" for line in body[1:]]
    return "\n".join(lines) + "\n"


def _padded(heads: Sequence[str]) -> list[str]:
    cells = max(map(width, heads)) + 2
    return [head + " " * (cells - width(head)) for head in heads]


def _head(sheet: Handoff, texts: Texts, zone: tzinfo | None) -> Iterator[Row]:
    link, carrier = sheet.link, sheet.carrier
    yield _pair(texts, "circuit", link.circuit or "–")
    yield _pair(texts, "link", f"{link.name} ({link.kind})")
    if carrier is not None:
        yield _pair(texts, "carrier", ", ".join([carrier.name, *carrier.contacts]))
        if carrier.promised_repair_h is not None:
            yield _pair(texts, "promised", span(carrier.promised_repair_h * 3600))
    yield _pair(texts, "measured", f"{_time(sheet.at, zone)} · {sheet.agent}")
    for case in sheet.cases:
        yield _pair(texts, "case", f"#{case.id}  {texts.say(case.summary)}  ({_time(case.since, zone)})")


def _pair(texts: Texts, name: str, value: str) -> Row:
    return Row((texts.text(f"handoff.{name}"), printable(value)))


def _time(at: datetime, zone: tzinfo | None) -> str:
    """Return a time with its zone: the reader is somebody else, somewhere else."""
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %z")


def _wrong(sheet: Handoff, texts: Texts, zone: tzinfo | None) -> Part:
    bad = [found for state in _BAD for found in sheet.findings if found.state is state]
    title = texts.text("handoff.wrong")
    if not bad:
        return Part(title, (Row(("", texts.text("handoff.nothing-wrong" if sheet.whole else "handoff.nothing-seen"))),))
    rows = []
    for found in bad:
        since = next((case.since for case in sheet.cases if found.key in case.keys), None)
        when = f" · {texts.text('handoff.since', at=_time(since, zone))}" if since is not None else ""
        rows.append(Row((texts.word("state", found.state), _name(found), _with_limit(found, texts, source=True) + when), found.state))
    return Part(title, tuple(rows))


def _end(end: End, letter: str, texts: Texts) -> Part:
    place = f", {end.site.name}" if end.site is not None else ""
    port = f" {end.port}" if end.port else ""
    owner = texts.word("side", end.node.owner.value)
    rows = list(_judged(end.findings, texts))
    rows += [Row(("–", "", texts.say(message))) for message in end.not_measured]
    rows = rows or [Row(("–", "", texts.text("handoff.nothing-told")))]
    return Part(texts.text("handoff.end", letter=letter, node=f"{end.node.name}{port}{place}", owner=owner), tuple(rows))


def _judged(findings: Sequence[Finding], texts: Texts) -> Iterator[Row]:
    for found in findings:
        yield Row((texts.word("state", found.state), _name(found), _with_limit(found, texts)), found.state)


def _with_limit(found: Finding, texts: Texts, source: bool = False) -> str:
    """Return what a finding says, and the limits it was held against where there are any."""
    said = texts.say(found.message)
    limit = limit_text(found.levels, texts) if found.levels is not None else ""
    if not limit or found.levels is None:
        return said
    if source:
        return texts.text("handoff.said-source", said=said, limit=limit, source=source_text(found.levels, texts).partition(": ")[0])
    return texts.text("handoff.said-limit", said=said, limit=limit)


def _ruled_out(good: Sequence[Finding], texts: Texts) -> Iterator[Row]:
    """Yield a row for each node: all that is good of it, in words; its readings with their limits stand above."""
    for node in dict.fromkeys(found.seen.node for found in good):
        yield Row((node, " · ".join(texts.say(found.message) for found in good if found.seen.node == node)), State.OK)


def _name(found: Finding) -> str:
    return printable(" ".join(filter(None, (found.seen.node, found.check, found.item))))


def _path(far: str, sample: PathSample, texts: Texts) -> Part:
    title = texts.text("handoff.path", source=sample.source or "–", far=far, address=sample.address, protocol=sample.protocol)
    head = tuple(texts.text(f"handoff.hop-{name}") for name in ("ttl", "address", "loss", "rtt", "said"))
    return Part(title, tuple(Row(_hop(hop)) for hop in sample.hops), head)


def _hop(hop: Hop) -> tuple[str, ...]:
    loss = "–" if hop.loss_ratio is None else f"{number(hop.loss_ratio * 100)} % ({hop.sent - hop.answered}/{hop.sent})"
    times = "–" if hop.min_ms is None or hop.mean_ms is None else f"{number(hop.min_ms)} / {number(hop.mean_ms)} ms"
    said = hop.words or ("" if hop.said in (Said.EXCEEDED, Said.SILENT) else hop.said.value)
    return (str(hop.ttl), hop.address or "–", loss, times, printable(said))


def not_measured(name: str, node: str) -> Message:
    """Return why something of a node is not on the sheet."""
    return Message(f"handoff.no-{name}", {"node": node})
