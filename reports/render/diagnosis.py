"""Shows a diagnosis to a person: a line for each step as it ends, and the closing block."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from checks.finding import Finding, Message, State
from checks.verdict import Diagnosis
from reports.case import Case
from reports.diagnosis import Begun, Conclusion, Ended, Request, StepState, Verified
from reports.locale.figures import clock, span
from reports.locale.text import Texts, printable
from reports.render.columns import clip, join, pad, paint, width, wrap
from reports.render.findings import limit_text
from reports.render.likeness import could_be

_MARK = {StepState.GOOD: "✓", StepState.BAD: "✗", StepState.UNKNOWN: "?", StepState.SKIPPED: "–"}
_COLOUR = {StepState.GOOD: State.OK, StepState.BAD: State.CRITICAL, StepState.UNKNOWN: State.UNKNOWN}
_QUESTIONS = ("sight", "servers", "resources", "devices", "fibre", "line", "router", "nat", "gateway", "standard")
_NODES = 4  # named in a step's line
_SHOWN = 6  # readings of the evidence
_SECONDS = 8  # cells at the end of a step's line


def title_text(request: Request, texts: Texts, columns: int = 100) -> str:
    """Return the first line: of which flow, whose complaint, in which words."""
    words = [_symptom(word, texts) for word in request.symptoms]
    who = " · ".join(filter(None, (request.customer, request.node, request.number))) or texts.text("diagnose.everybody")
    symptoms = join(words) if words else texts.text("diagnose.no-symptom")
    return clip(texts.text("diagnose.title", kind=texts.word("kind", request.kind), who=who, symptoms=symptoms), columns)


def _symptom(word: str, texts: Texts) -> str:
    name, after, seconds = word.partition("-after-")
    return texts.text(f"symptom.{name}-after", seconds=seconds) if after else texts.word("symptom", word)


def begun_line(step: Begun, texts: Texts) -> str:
    """Return the line of a step that is under way."""
    return f" … {_name(step.question, texts)}  {texts.text('diagnose.asking')}"


def step_line(step: Ended, texts: Texts, colour: bool = False, columns: int = 100) -> str:
    """Return the line of a step that has ended: ✓ ✗ ? or –, what was looked at, what it says, the seconds since the start."""
    mark = _MARK[step.state]
    head = f" {paint(mark, _COLOUR[step.state], colour) if step.state in _COLOUR else mark} {_name(step.question, texts)}  "
    room = max(20, columns - width(head) - _SECONDS)
    body = clip(_said(step, texts), room)
    return f"{head}{pad(body, room)}{f'{step.took_s:.1f} s':>{_SECONDS}}"


def conclusion_text(
    told: Conclusion,
    similar: Sequence[Case],
    texts: Texts,
    colour: bool = False,
    columns: int = 100,
    zone: tzinfo | None = None,
) -> str:
    """Return the closing block, ending in a newline: the verdict in its first line, and at the end what to do next."""
    facts = [(texts.text("diagnose.verdict"), [_verdict(told, texts, colour)]), *_facts(told, similar, texts, zone)]
    first = max(width(name) for name, _ in facts)
    lines: list[str] = [""]
    for name, paragraphs in facts:
        body = [line for text in paragraphs for line in _wrapped(text, max(24, columns - first - 4))]
        lines += [f" {pad(name, first)}  {body[0]}", *(" " * (first + 3) + line for line in body[1:])]
    measured = texts.text("diagnose.measured", n=told.readings, took=span(told.took_s), agent=told.agent)
    lines += ["", *(f" {line}" for line in wrap(measured, columns - 1))]
    lines += [f" {line}" for text in _ending(told, texts) for line in wrap(text, columns - 1)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def verified_text(told: Verified, texts: Texts, colour: bool = False, columns: int = 100) -> str:
    """Return what came of a verification, ending in a newline: gone, still there or not to be seen, and by which readings."""
    state = {"gone": StepState.GOOD, "still": StepState.BAD}.get(told.result, StepState.UNKNOWN)
    said = texts.text(f"verified.{told.result}", case=told.case, good=told.good, bad=told.bad, unknown=told.unknown)
    lines = [f" {paint(_MARK[state], _COLOUR[state], colour)} {said}"]
    lines += [f"   {line}" for one in told.tellings[:_SHOWN] for line in wrap(_told(one.node, one.message, texts), max(20, columns - 3))]
    if told.problem:
        lines += [f"   {line}" for line in wrap(texts.text("verified.not-noted", why=told.problem), max(20, columns - 3))]
    return "\n".join(lines) + "\n"


def _wrapped(text: str, cells: int) -> list[str]:
    return [text] if "\x1b" in text else wrap(text, cells)  # a painted text is the verdict's first line


def _name(question: str, texts: Texts) -> str:
    return pad(texts.word("question", question), max(width(texts.word("question", one)) for one in _QUESTIONS))


def _said(step: Ended, texts: Texts) -> str:
    if step.note is not None:
        said = texts.say(step.note)
        return texts.text("diagnose.pair", name=_nodes(step, texts), text=said) if step.nodes else said
    parts = []
    if step.state is StepState.GOOD:
        parts.append(texts.text("diagnose.good", nodes=_nodes(step, texts), n=step.good))
    named = len(step.nodes) > 1 or step.state is not StepState.GOOD
    parts += [_told(one.node, one.message, texts) if named else texts.say(one.message) for one in step.tellings]
    if step.state is StepState.UNKNOWN and any(one.state in (State.WARNING, State.CRITICAL) for one in step.tellings):
        parts.append(texts.text("diagnose.doubtful"))
    if step.bad > len(step.tellings):
        parts.append(texts.text("diagnose.and-bad", n=step.bad - len(step.tellings)))
    if step.unknown and step.state is not StepState.UNKNOWN:
        parts.append(texts.text("diagnose.unread", n=step.unknown))
    return " · ".join(parts)


def _told(node: str, message: Message, texts: Texts) -> str:
    said = texts.say(message)
    return said if printable(node) in said else texts.text("diagnose.pair", name=node, text=said)


def _nodes(step: Ended, texts: Texts) -> str:
    named = [printable(node) for node in step.nodes[:_NODES]]
    left = len(step.nodes) - len(named)
    return join([*named, texts.text("check.more", n=left)] if left else named)


def _verdict(told: Conclusion, texts: Texts, colour: bool) -> str:
    one = told.diagnosis
    if one is None:
        return texts.text("diagnose.none" if told.answer == "none" else "diagnose.undetermined")
    said = texts.say(one.summary)
    if told.answer == "undetermined":
        said = texts.text("diagnose.undetermined-of", summary=said)
    return paint(said, one.state, colour)


def _facts(told: Conclusion, similar: Sequence[Case], texts: Texts, zone: tzinfo | None) -> Iterator[tuple[str, list[str]]]:
    one = told.diagnosis
    if one is not None:
        yield from _of(one, told, texts, zone)
    if told.ruled_out:
        ruled = [texts.text("diagnose.ruled", question=texts.word("question", name), n=count) for name, count in told.ruled_out]
        yield texts.text("diagnose.ruled-out"), [join(ruled)]
    if one is not None:
        yield texts.text("diagnose.evidence"), [_evidence(found, texts, told.at, zone) for found in one.findings[:_SHOWN]]
    if told.calls:
        yield texts.text("diagnose.calls"), [texts.say(message) for message in told.calls]
    if told.todo:
        yield (
            texts.text("diagnose.todo"),
            [texts.text("diagnose.pair", name=texts.word("who", todo.who), text=texts.say(todo.what)) for todo in told.todo],
        )
    if told.decides is not None:
        yield texts.text("diagnose.next"), [texts.say(told.decides)]
    if one is not None and (for_him := customer_texts(one, told, texts)):
        yield texts.text("diagnose.to-customer"), for_him
    if told.others:
        yield texts.text("diagnose.also"), [texts.text("diagnose.own-case", summary=texts.say(other.summary)) for other in told.others]
    if told.not_looked:
        yield texts.text("diagnose.not-looked"), [texts.say(_named(message, texts)) for message in told.not_looked]
    if similar:
        yield texts.text("diagnose.similar"), [_similar(case, texts, told.at, zone) for case in similar]


def _named(message: Message, texts: Texts) -> Message:
    """Return a message about a question with the question's own words."""
    question = message.values.get("question")
    return (
        message if not isinstance(question, str) else Message(message.id, {**message.values, "question": texts.word("question", question)})
    )


def _of(one: Diagnosis, told: Conclusion, texts: Texts, zone: tzinfo | None) -> Iterator[tuple[str, list[str]]]:
    side = [texts.word("side", one.side), texts.word("area", one.area)]
    side.append(texts.text("case.uncalibrated") if one.confidence is None else texts.text("diagnose.sure", share=one.confidence))
    yield texts.text("diagnose.side"), [" · ".join([*side, texts.word("urgency", one.urgency)])]
    at = clock(one.since, told.at, zone)
    lasting = texts.text("case.lasting", at=at, took=span((told.at - one.since).total_seconds()))
    yield texts.text("diagnose.since"), [lasting if told.watched else texts.text("diagnose.since-unknown", at=at)]
    customer = told.request.customer
    if one.affected == (customer,):
        yield texts.text("diagnose.affected"), [texts.text("diagnose.only-him", customer=customer)]
    elif one.affected:
        yield texts.text("diagnose.affected"), [", ".join(map(printable, one.affected))]
    if one.alternatives:
        yield texts.text("diagnose.alternatives"), [could_be(one.cause, one.alternatives, one.element, texts)]
    if one.elsewhere:
        yield texts.text("diagnose.elsewhere"), [join([printable(element) for element in one.elsewhere])]


def _evidence(found: Finding, texts: Texts, now: datetime, zone: tzinfo | None) -> str:
    name = " ".join(filter(None, (found.seen.node, found.check, found.key[3])))
    said = texts.text("diagnose.pair", name=printable(name), text=texts.say(found.message))
    limit = limit_text(found.levels, texts) if found.levels is not None else ""
    return f"{clock(found.seen.at, now, zone)}  {said}" + (f" ({limit})" if limit else "")


def customer_texts(one: Diagnosis, told: Conclusion, texts: Texts) -> list[str]:
    """Return the text for the customer in plain words, in the reader's language and in the other: the message `customer.<cause>`."""
    values = {**one.summary.values, "element": one.element, "customer": told.request.customer or ""}
    said = []
    for language in (texts.language, "zh" if texts.language == "en" else "en"):
        own = Texts(language)
        known = own.word("customer", one.cause) != one.cause
        said.append(own.say(Message(f"customer.{one.cause}", values)) if known else own.say(one.summary))
    return said


def _similar(case: Case, texts: Texts, now: datetime, zone: tzinfo | None) -> str:
    took = span(((case.cleared_at or case.updated_at) - case.since).total_seconds())
    at = clock(case.since, now, zone, short=True)
    return texts.text("diagnose.similar-case", case=case.id, at=at, summary=texts.say(case.summary), took=took)


def _ending(told: Conclusion, texts: Texts) -> Iterator[str]:
    if told.opened is not None:
        yield texts.text("diagnose.joined" if told.opened.joined else "diagnose.opened", case=told.opened.case)
    elif told.open_problem is not None:
        yield texts.say(told.open_problem)
    elif told.diagnosis is not None and not told.request.open:
        yield texts.text("diagnose.may-open")
