"""Shows cases to a person: the list, and the page of one with its readings."""

from collections.abc import Sequence
from datetime import datetime, tzinfo

from checks.finding import Finding, State
from checks.verdict import Urgency
from probe.observation.observation import Observation
from reports.case import Case, CaseEvent
from reports.complaint import Complaint
from reports.locale.figures import clock, span
from reports.locale.text import Texts, printable
from reports.render.columns import clip, pad, paint, table, width, wrap
from reports.render.findings import limit_text
from reports.render.likeness import could_be
from reports.render.outcome import outcome_text
from reports.render.story import complaint_lines, story_lines

_MOST_URGENT = (Urgency.EMERGENCY, Urgency.URGENT, Urgency.NORMAL)
_SHOWN_READINGS = 20
_LINES = 3  # of a summary in the list


def by_urgency(cases: Sequence[Case]) -> list[Case]:
    """Return the cases as they are to be worked: open ones first, the most urgent first, then the oldest."""
    return sorted(cases, key=lambda case: (case.cleared_at is not None, _MOST_URGENT.index(case.urgency), case.since, case.id))


def case_table(
    cases: Sequence[Case], texts: Texts, now: datetime, colour: bool = False, columns: int = 100, zone: tzinfo | None = None
) -> str:
    """Return the list of cases: urgency, number, what, whose, since when, who is affected, how far; ending in a newline."""
    if not cases:
        return texts.text("cases.none") + "\n"
    return "\n".join(case_lines(cases, texts, now, colour, columns, zone)) + "\n"


def case_lines(
    cases: Sequence[Case], texts: Texts, now: datetime, colour: bool = False, columns: int = 100, zone: tzinfo | None = None
) -> list[str]:
    """Return the cases in the order in which they are to be worked, a line each; what happened goes on below where it has no room."""
    ordered = by_urgency(cases)
    rows, said = _fitted([_row(case, texts, now, zone) for case in ordered], columns)
    urgency, number = (max((width(row[at]) for row in rows), default=0) for at in (0, 1))
    lines = []
    for case, row, line, more in zip(ordered, rows, table(rows), said, strict=True):
        word, rest = pad(row[0], urgency), clip(line, columns)
        bad = colour and case.cleared_at is None and rest.startswith(word)
        lines.append(paint(word, case.severity, bad) + rest[len(word) :] if bad else rest)
        lines += [clip(" " * (urgency + number + 4) + part, columns) for part in more]
    return lines


def _fitted(rows: list[list[str]], columns: int) -> tuple[list[list[str]], list[list[str]]]:
    """Return the rows with the beginning of their summary, and its further lines, two at most.

    Where it would have less than 30 cells, state, affected and side are left out.
    """
    left = list(range(len(rows[0]))) if rows else []
    room = columns
    for dropped in (None, 6, 5, 3):
        left = [at for at in left if at != dropped]
        room = columns - sum(max(width(row[at]) for row in rows) + 2 for at in left if at != 2)
        if room >= min(30, max((width(row[2]) for row in rows), default=0)):
            break
    room = max(16, room)
    said = [wrap(row[2], room) for row in rows]
    said = [lines if len(lines) <= _LINES else [*lines[: _LINES - 1], clip(" ".join(lines[_LINES - 1 :]), room)] for lines in said]
    return [[lines[0] if at == 2 else row[at] for at in left] for row, lines in zip(rows, said, strict=True)], [one[1:] for one in said]


def case_page(
    case: Case,
    texts: Texts,
    now: datetime,
    findings: Sequence[Finding] = (),
    ruled_out: Sequence[Finding] = (),
    observations: Sequence[Observation] = (),
    events: Sequence[CaseEvent] = (),
    complaints: Sequence[Complaint] = (),
    colour: bool = False,
    columns: int = 100,
    zone: tzinfo | None = None,
) -> str:
    """Return the page of one case: what is wrong and whose it is, since when, who is affected, what to do, the readings, what happened.

    `findings` and `ruled_out` are what the evidence gives when it is judged again, `observations` its raw readings, shown without them.
    `events` may hold those of the cases that became a part of it.
    """
    word = texts.word("state", case.severity)
    weight = [paint(word, case.severity, colour), *([texts.text("case.major")] if case.major else [])]
    head = f"#{case.id}  {' · '.join(weight)}  "
    said = wrap(texts.say(case.summary), max(20, columns - width(head)))
    lines = [head + said[0], *(" " * width(head) + line for line in said[1:])]
    facts = _facts(case, texts, now, zone)
    facts += _unsure(case, texts)
    facts.append((texts.text("case.todo"), texts.say(case.action)))
    first = max(width(name) for name, _ in facts)
    for name, value in facts:
        body = wrap(value, max(20, columns - first - 4))
        lines += [f"  {pad(name, first)}  {body[0]}", *(" " * (first + 4) + line for line in body[1:])]
    lines += _readings(texts.text("case.evidence"), findings, texts, now, colour, columns, zone)
    lines += _readings(texts.text("case.ruled_out"), ruled_out, texts, now, colour, columns, zone)
    if observations and not findings:
        lines += _observations(observations, texts, now, columns, zone)
    if complaints:
        lines += ["", texts.text("case.complaints"), *complaint_lines(complaints, texts, now, columns, zone)]
    if events:
        lines += ["", texts.text("case.events"), *story_lines(events, case.id, texts, now, columns, zone)]
    return "\n".join(lines) + "\n"


def _row(case: Case, texts: Texts, now: datetime, zone: tzinfo | None) -> list[str]:
    affected = texts.text("cases.affected", n=len(case.affected)) if case.affected else "–"
    return [
        _standing(case, texts),
        f"#{case.id}",
        texts.say(case.summary),
        texts.word("side", case.side),
        clock(case.since, now, zone, short=True),
        affected,
        texts.word("case_state", case.state),
    ]


def _standing(case: Case, texts: Texts) -> str:
    """Return how urgent it is, or how it ended."""
    if case.merged_into is not None:
        return texts.text("cases.part_of", whole=case.merged_into)
    if case.cleared_at is not None:
        return texts.text("cases.cleared")
    word = texts.word("urgency", case.urgency)
    return texts.text("cases.major", urgency=word) if case.major else word


def _unsure(case: Case, texts: Texts) -> list[tuple[str, str]]:
    """Return what it can't be told from, where else it may be, and the test that would decide."""
    facts = []
    if alike := could_be(case.cause, case.alternatives, case.element, texts):
        facts.append((texts.text("case.alternatives"), alike))
    if case.elsewhere:
        facts.append((texts.text("case.elsewhere"), ", ".join(map(printable, case.elsewhere))))
    if case.decides is not None:
        facts.append((texts.text("case.decides"), texts.say(case.decides)))
    return facts


def _facts(case: Case, texts: Texts, now: datetime, zone: tzinfo | None) -> list[tuple[str, str]]:
    end = case.cleared_at or now
    side = f"{texts.word('side', case.side)} · {texts.word('area', case.area)}"
    sure = texts.text("case.uncalibrated") if case.confidence is None else texts.text("case.sure", share=case.confidence)
    since = texts.text("case.lasting", at=clock(case.since, now, zone), took=span((end - case.since).total_seconds()))
    facts = [
        (texts.text("case.side"), f"{side} · {sure}"),
        (texts.text("case.urgency"), f"{texts.word('urgency', case.urgency)} · {texts.word('case_state', case.state)}"),
        (texts.text("case.since"), since),
    ]
    if case.merged_into is not None:
        at = clock(case.cleared_at, now, zone) if case.cleared_at is not None else "–"
        facts.append((texts.text("case.part_of"), texts.text("case.merged", whole=case.merged_into, at=at)))
    elif case.cleared_at is not None:
        name = "case.cleared_itself" if case.cleared_by_itself else "case.cleared_at"
        facts.append((texts.text("case.cleared"), texts.text(name, at=clock(case.cleared_at, now, zone))))
    facts.append((texts.text("case.affected"), ", ".join(map(printable, case.affected)) or texts.text("case.nobody")))
    facts.append((texts.text("case.element"), printable(f"{case.element} · {case.kind}/{case.cause} · {case.agent}")))
    if case.unwatched:
        gone = ", ".join(printable(" ".join(filter(None, key[1:]))) for key in case.unwatched)
        facts.append((texts.text("case.unwatched"), gone))
    return facts


def _readings(
    title: str, findings: Sequence[Finding], texts: Texts, now: datetime, colour: bool, columns: int, zone: tzinfo | None
) -> list[str]:
    if not findings:
        return []
    shown = findings[:_SHOWN_READINGS]
    heads = table(
        [[clock(f.seen.at, now, zone), *map(printable, (f.seen.node, " ".join(filter(None, (f.check, f.key[3])))))] for f in shown]
    )
    first = max(map(width, heads))
    second = max(width(texts.word("state", finding.state)) for finding in shown)
    lines = ["", title]
    for finding, head in zip(shown, heads, strict=True):
        word = paint(pad(texts.word("state", finding.state), second), finding.state, colour)
        said = texts.say(finding.message)
        if finding.levels and finding.state in (State.WARNING, State.CRITICAL):
            said = f"{said}  ({limit_text(finding.levels, texts)})"
        indent = first + second + 6
        body = wrap(said, max(20, columns - indent))
        lines += [f"  {pad(head, first)}  {word}  {body[0]}", *(" " * indent + line for line in body[1:])]
    left = len(findings) - len(shown)
    return [*lines, "  " + texts.text("check.more", n=left)] if left else lines


def _observations(observations: Sequence[Observation], texts: Texts, now: datetime, columns: int, zone: tzinfo | None) -> list[str]:
    shown = observations[-_SHOWN_READINGS:]
    rows = [
        [
            clock(seen.at, now, zone),
            printable(seen.node),
            printable(f"{seen.prober} {seen.item}".strip()),
            outcome_text(seen.outcome, texts),
        ]
        for seen in shown
    ]
    return ["", texts.text("case.evidence"), *(clip("  " + line, columns) for line in table(rows))]
