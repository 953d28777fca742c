"""What a feed is, and what it gets: one event of one case, as JSON.

`FeedEvent` as JSON is the line of the `jsonl` feed and the `data` of a webhook's CloudEvent:

    {"identity": {"kind": "service", "cause": "tcp.silent", "element": "web-1", "episode": 2},
     "case": 17, "number": 1, "event": "opened", "at": "2026-11-21T19:56:00Z",
     "state": "open", "severity": "critical", "side": "company", "area": "server", "urgency": "normal", "confidence": null,
     "summary": {"text": "no answer on port 443", "id": "tcp.silent", "values": {"port": 443}},
     "action": {"text": "…", "id": "…", "values": {}},
     "affected": ["shop"], "changed": [],
     "opened_at": "2026-11-21T19:56:00Z", "since": "2026-11-21T19:53:00Z", "cleared_at": null, "cleared_by_itself": false,
     "agent": "pop-1", "major": false, "alternatives": [], "elsewhere": [], "decides": null,
     "merged_into": null, "merged": [], "gone": [], "came": [], "complaint": null}

Times are UTC (RFC 3339). A number that is not known is null. `event` is opened, updated, cleared, reopened, unwatched, watched, merged or
joined; `changed` names the fields of an update; everything else is the case right after the event. Of what moves between cases:
`merged_into` is the case of which a merged one is a part (its end is no recovery), `merged` those that became a part of this one with
this event, `gone` and `came` the symptoms that went to another case or came from one, each [agent, node, check, item]; `complaint` is what
joined. Events come at least once and in the order of `number` within a case; whoever has seen (agent, case, number) before may drop a
repeat. New fields may be added; none will change its meaning.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

import msgspec

from checks.finding import Key, Message, State, Value
from checks.verdict import Area, CaseKind, Side, Urgency
from reports.case import CaseEvent, CaseState, EventKind, as_it_stood

Text = Callable[[Message], str]


class CaseIdentity(msgspec.Struct, frozen=True):
    """What a case is known by, also in another system."""

    kind: CaseKind
    cause: str
    element: str
    episode: int


class FeedText(msgspec.Struct, frozen=True):
    """A text in English, and what it was made of, for a reader that translates."""

    text: str
    id: str
    values: dict[str, Value]


class Moved(msgspec.Struct, frozen=True):
    """Symptoms that went to a case, or came from it."""

    case: int
    keys: tuple[Key, ...]


class Complained(msgspec.Struct, frozen=True):
    """What is told of a complaint; who to call and which number stay in the store."""

    customer: str
    symptoms: tuple[str, ...] = ()
    since: datetime | None = None


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of one case, as every feed gets it."""

    identity: CaseIdentity
    case: int
    number: int
    event: EventKind
    at: datetime
    state: CaseState
    severity: State
    side: Side
    area: Area
    urgency: Urgency
    confidence: float | None
    summary: FeedText
    action: FeedText
    affected: tuple[str, ...]
    changed: tuple[str, ...] = ()
    opened_at: datetime
    since: datetime
    cleared_at: datetime | None
    cleared_by_itself: bool
    agent: str
    major: bool = False
    alternatives: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    decides: FeedText | None = None
    merged_into: int | None = None
    merged: tuple[int, ...] = ()
    gone: tuple[Moved, ...] = ()
    came: tuple[Moved, ...] = ()
    complaint: Complained | None = None

    @property
    def id(self) -> str:
        """What a repeat of this event is recognised by: agent/case/number."""
        return f"{self.agent}/{self.case}/{self.number}"


class Later(Exception):
    """Not now: try again, not before `retry_after_s` seconds when the other side named a time."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class Refused(Exception):
    """The other side answered and does not want this. It is tried some more times in case that is mended, unless it is `final`."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


class Feed(Protocol):
    """One way out. Returning from `deliver` means that the other side has the event for good; Later and Refused say why not."""

    @property
    def name(self) -> str:
        """The name in the configuration, and in the outbox."""

    async def deliver(self, event: FeedEvent) -> None:
        """Hand over one event; may be called again with an event that arrived before."""


class _Moving(msgspec.Struct, frozen=True):
    """The part of an event's body that is told as it is."""

    merged: tuple[int, ...] = ()
    gone: tuple[Moved, ...] = ()
    came: tuple[Moved, ...] = ()
    complaint: Complained | None = None


def feed_event(event: CaseEvent, text: Text) -> FeedEvent:
    """Return what feeds get of a case event; `text` makes English of a message. msgspec.ValidationError for a body that is none of ours."""
    case = as_it_stood(event)

    def both(message: Message) -> FeedText:
        return FeedText(text(message), message.id, message.values)

    return FeedEvent(
        identity=CaseIdentity(case.kind, case.cause, case.element, case.episode),
        case=event.case,
        number=event.number,
        event=event.kind,
        at=event.at,
        state=case.state,
        severity=case.severity,
        side=case.side,
        area=case.area,
        urgency=case.urgency,
        confidence=case.confidence,
        summary=both(case.summary),
        action=both(case.action),
        affected=case.affected,
        changed=tuple(event.body.get("changed", ())),
        opened_at=case.opened_at,
        since=case.since,
        cleared_at=case.cleared_at,
        cleared_by_itself=case.cleared_by_itself,
        agent=case.agent,
        major=case.major,
        alternatives=case.alternatives,
        elsewhere=case.elsewhere,
        decides=both(case.decides) if case.decides is not None else None,
        merged_into=case.merged_into,
        **msgspec.structs.asdict(msgspec.convert(event.body, _Moving)),
    )


def encode(event: Any) -> bytes:
    """Return JSON of one line, fields in their order."""
    return msgspec.json.encode(event)
