"""The screen of `firstline status`: what is wrong now, what is not seen, what does not get out."""

from datetime import datetime, tzinfo

import msgspec

from checks.finding import Message
from reports.case import Case
from reports.locale.figures import clock, span
from reports.locale.text import Texts, printable
from reports.render.cases import case_lines
from reports.render.columns import clip, join, table, wrap
from reports.render.json import case_data, pretty

_SHOWN_STALE = 10


class NotFresh(msgspec.Struct, frozen=True):
    """A check whose last reading is too old; `age_s` is None when there was never one."""

    node: str
    prober: str
    item: str
    age_s: float | None
    every_s: float


class FeedTrouble(msgspec.Struct, frozen=True):
    """A feed that does not get rid of its events: how many wait, how old the oldest is, and what the other side said."""

    name: str
    waiting: int
    oldest_s: float
    problem: str = ""


class Maintenance(msgspec.Struct, frozen=True):
    """A node whose faults open no case until `until`."""

    node: str
    until: datetime
    why: str = ""
    who: str = ""


class Status(msgspec.Struct, frozen=True):
    """What the service knows of itself and of the network at `at`; `oldest_s` is the age of the oldest reading, None without any.

    `problems` are texts of its own troubles ("store away since …", "the new configuration was not taken"), `left_out` of what it found
    and does not measure.
    """

    agent: str
    version: str
    at: datetime
    started_at: datetime
    checks: int
    oldest_s: float | None
    cases: tuple[Case, ...] = ()
    stale: tuple[NotFresh, ...] = ()
    feeds: tuple[FeedTrouble, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    problems: tuple[Message, ...] = ()
    left_out: tuple[Message, ...] = ()


def status_text(status: Status, texts: Texts, colour: bool = False, columns: int = 100, zone: tzinfo | None = None) -> str:
    """Return the screen, ending in a newline; its first line answers."""
    lines = [clip(_first(status, texts), columns)]
    lines += [clip(" ! " + texts.say(problem), columns) for problem in status.problems]
    if status.cases:
        lines += [" " + line for line in case_lines(status.cases, texts, status.at, colour, columns - 1, zone)]
    if status.stale:
        lines.append(" " + texts.text("status.stale_title"))
        lines += [clip("   " + line, columns) for line in table([_stale(entry, texts) for entry in status.stale[:_SHOWN_STALE]])]
        if len(status.stale) > _SHOWN_STALE:
            lines.append("   " + texts.text("check.more", n=len(status.stale) - _SHOWN_STALE))
    for feed in status.feeds:
        said = texts.text("status.feed", name=feed.name, n=feed.waiting, age=span(feed.oldest_s), problem=feed.problem)
        lines += [(" " if at == 0 else "   ") + line for at, line in enumerate(wrap(said, columns - 3))]
    for one in status.maintenance:
        until = clock(one.until, status.at, zone)
        lines.append(clip(" " + texts.text("status.maintenance", node=one.node, until=until, why=one.why), columns))
    if status.left_out:
        lines.append(" " + texts.text("status.left_out_title"))
        lines += [clip("   " + texts.say(one), columns) for one in status.left_out]
    return "\n".join(lines) + "\n"


def status_json(status: Status, texts: Texts) -> str:
    """Return the status as one JSON object, ending in a newline; a case has the keys of `case list --format json`, a message its text."""
    said = {name: [texts.say(one) for one in getattr(status, name)] for name in ("problems", "left_out")}
    return pretty({**msgspec.structs.asdict(status), **said, "cases": [case_data(case, texts) for case in status.cases]})


def _first(status: Status, texts: Texts) -> str:
    parts = [printable(status.agent), texts.text("status.checks", n=status.checks)]
    if status.stale:
        parts[1] = join([parts[1], texts.text("status.stale", n=len(status.stale))])
    elif status.oldest_s is not None:
        parts[1] = join([parts[1], texts.text("status.fresh", age=span(status.oldest_s))])
    elif status.checks:
        parts[1] = join([parts[1], texts.text("status.none_yet")])
    uncleared = sum(case.cleared_at is None for case in status.cases)
    parts.append(texts.text("status.cases", n=uncleared) if uncleared else texts.text("cases.none"))
    return " " + " · ".join(parts)


def _stale(entry: NotFresh, texts: Texts) -> list[str]:
    every = span(entry.every_s)
    age = texts.text("status.never", every=every) if entry.age_s is None else texts.text("status.age", age=span(entry.age_s), every=every)
    return [printable(entry.node), printable(f"{entry.prober} {entry.item}".strip()), age]
