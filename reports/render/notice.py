"""The words in which a case event reaches a person: a subject that answers, and a body to act by."""

from datetime import UTC, datetime

from checks.finding import Message
from reports.case import EventKind
from reports.feeds.feed import FeedEvent, FeedText
from reports.locale.text import Texts, texts


def notice(event: FeedEvent, language: str) -> tuple[str, str]:
    """Return subject and body of one event in a language; times are UTC and say so, for a message may be read anywhere."""
    said = texts(language)
    summary = _say(event.summary, said)
    state = said.text(f"notice.{event.event}")
    subject = f"[{said.word('urgency', event.urgency)}] {state} #{event.case} {summary}"
    return subject, "\n".join(_lines(event, said, summary, state)) + "\n"


def _lines(event: FeedEvent, said: Texts, summary: str, state: str) -> list[str]:
    lines = [
        f"{state}: {summary}",
        "",
        said.text("notice.side", side=said.word("side", event.side)),
        said.text("notice.since", since=_time(event.since)),
    ]
    if event.cleared_at is not None:
        lines.append(said.text("notice.cleared-at", at=_time(event.cleared_at)))
    if event.affected:
        lines.append(said.text("notice.affected", names=", ".join(event.affected)))
    if event.event is not EventKind.CLEARED:
        lines += ["", said.text("notice.action", action=_say(event.action, said))]
    lines += ["", said.text("notice.more", command=f"firstline case show {event.case}", agent=event.agent)]
    return lines


def _say(text: FeedText, said: Texts) -> str:
    return said.say(Message(text.id, text.values))


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
