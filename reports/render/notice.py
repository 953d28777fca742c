"""The words in which a case event reaches a person: a subject that answers, and a body to act by."""

from datetime import UTC, datetime

from checks.finding import Message
from reports.case import EventKind
from reports.feeds.feed import FeedEvent, FeedText
from reports.locale.text import Texts, texts
from reports.render.likeness import alternatives


def notice(event: FeedEvent, language: str) -> tuple[str, str]:
    """Return subject and body of one event in a language; times are UTC and say so, for a message may be read anywhere."""
    said = texts(language)
    summary = _say(event.summary, said)
    state = said.text(f"notice.{event.event}")
    weight = [said.word("urgency", event.urgency), *([said.text("case.major")] if event.major else [])]
    subject = f"[{' · '.join(weight)}] {state} #{event.case} {summary}"
    if event.event is EventKind.MERGED and event.merged_into is not None:
        subject = f"[{' · '.join(weight)}] {said.text('notice.part-of', n=event.case, whole=event.merged_into)} {summary}"
    return subject, "\n".join(_lines(event, said, summary, state)) + "\n"


def _lines(event: FeedEvent, said: Texts, summary: str, state: str) -> list[str]:
    lines = [
        f"{state}: {summary}",
        "",
        *_moved(event, said),
        said.text("notice.side", side=said.word("side", event.side)),
        said.text("notice.since", since=_time(event.since)),
    ]
    if event.cleared_at is not None:
        lines.append(said.text("notice.cleared-at", at=_time(event.cleared_at)))
    if event.affected:
        lines.append(said.text("notice.affected", names=", ".join(event.affected)))
    if alike := alternatives(event.identity.cause, event.alternatives, event.identity.element, said):
        lines.append(alike)
    if event.decides is not None:
        lines.append(said.text("notice.decides", test=_say(event.decides, said)))
    if event.event not in (EventKind.CLEARED, EventKind.MERGED):
        lines += ["", said.text("notice.action", action=_say(event.action, said))]
    lines += ["", said.text("notice.more", command=f"firstline case show {event.case}", agent=event.agent)]
    return lines


def _moved(event: FeedEvent, said: Texts) -> list[str]:
    """Return what moved between cases, and what joined."""
    lines = []
    if event.merged_into is not None:
        lines.append(said.text("notice.merged-into", whole=event.merged_into))
    if event.merged:
        lines.append(said.text("notice.parts", parts=", ".join(f"#{number}" for number in event.merged)))
    if event.event is not EventKind.MERGED:
        lines += [said.text("notice.gone", n=len(one.keys), whole=one.case) for one in event.gone]
    lines += [said.text("notice.came", n=len(one.keys), part=one.case) for one in event.came if one.case not in event.merged]
    if event.complaint is not None:
        symptoms = " · ".join(said.word("symptom", word) for word in event.complaint.symptoms)
        lines.append(said.text("notice.complaint", who=" · ".join(filter(None, (event.complaint.customer, symptoms)))))
    return [*lines, ""] if lines else []


def _say(text: FeedText, said: Texts) -> str:
    return said.say(Message(text.id, text.values))


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
