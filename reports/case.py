"""A case: what is broken, whose it is, since when, and what happened to it since; as values and as rows of the store."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from checks.causes import MANY
from checks.finding import Key, Message, State
from checks.verdict import Area, CaseKind, Identity, Side, Urgency
from reports.complaint import Complaint


class CaseState(StrEnum):
    """How far a case has come (工单): the words of the written process; the agent itself reaches `open` and `resolved` only."""

    OPEN = "open"
    ASSIGNED = "assigned"  # 派单
    ACCEPTED = "accepted"  # 确认接单
    IN_PROGRESS = "in_progress"
    WAITING_CARRIER = "waiting_carrier"
    WAITING_CUSTOMER = "waiting_customer"
    WAITING_VENDOR = "waiting_vendor"
    RESOLVED = "resolved"
    VERIFIED = "verified"  # 效果验证
    CLOSED = "closed"  # 归档


DONE = frozenset({CaseState.RESOLVED, CaseState.VERIFIED, CaseState.CLOSED})


class EventKind(StrEnum):
    """What happened to a case."""

    OPENED = "opened"
    UPDATED = "updated"
    CLEARED = "cleared"  # every symptom gone, by good measurements
    REOPENED = "reopened"
    UNWATCHED = "unwatched"  # something it stands on is no longer measured: it cannot clear by itself
    WATCHED = "watched"  # all of it is measured again
    MERGED = "merged"  # another case explains all of it that is still bad: it is part of that one now
    JOINED = "joined"  # a complaint that it explains was added
    VERIFIED = "verified"  # its symptoms were measured again: gone, still there, or not to be seen (`result`)


class Case(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One case as it stands. It is known by (kind, cause, element, episode); at most one episode of these is uncleared.

    `id`, `episode` and `events` (the number of its last event) are 0 until the store has given them; in a plan an `id` below 0 stands for
    the number to come. `severity` is the worst believed state of its findings, `since` the first bad reading, `cleared_at` the time when
    every key was good again, `keys` the tracks that must be good for that. `unwatched` are the keys that nothing measures any more. The
    evidence is loaded on demand: `Store.evidence`.

    `alternatives`, `elsewhere` and `decides` say what it can't be told from and which test would decide, as in checks.verdict.Diagnosis.
    `merged_into` is the number of the case of which this one turned out to be a part: its symptoms, complaints and story go on there.
    `complainants` are the customers whose complaints hang on it; they are among `affected`.
    """

    id: int = 0
    kind: CaseKind
    cause: str
    element: str
    episode: int = 0
    state: CaseState = CaseState.OPEN
    severity: State
    side: Side
    area: Area
    urgency: Urgency
    confidence: float | None
    opened_at: datetime
    since: datetime
    updated_at: datetime
    cleared_at: datetime | None = None
    cleared_by_itself: bool = False
    affected: tuple[str, ...] = ()
    summary: Message
    action: Message
    agent: str
    keys: tuple[Key, ...]
    unwatched: tuple[Key, ...] = ()
    rules: str = ""
    events: int = 0
    alternatives: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    decides: Message | None = None
    merged_into: int | None = None
    complainants: tuple[str, ...] = ()

    @property
    def major(self) -> bool:
        """True for a major case (重大问题): many customers can't work by one cause, or say so; or an emergency of more than one."""
        many = len(self.affected) >= MANY and self.severity is State.CRITICAL
        return many or len(self.complainants) >= MANY or (self.urgency is Urgency.EMERGENCY and len(self.affected) != 1)

    @property
    def identity(self) -> Identity:
        """What at most one uncleared episode may have."""
        return (self.kind, self.cause, self.element)


class CaseEvent(msgspec.Struct, frozen=True):
    """Something that happened to case `case`, the `number`th (from 1) in its life.

    `body` is JSON-able: `case` is the whole case as it stood right after the event (`as_it_stood`); `changed` names the fields that an
    update changed; `keys` those that are unwatched. Of what moved between cases: `into` is the case that this one became part of, `merged`
    those that became part of this one; `gone` and `came` are lists of {"case", "keys"}: which symptoms went to which case, or came from
    it. `complaint` is the one that joined.
    """

    case: int
    number: int
    at: datetime
    kind: EventKind
    body: dict[str, Any]


class Step(msgspec.Struct, frozen=True):
    """What should happen to a case: an event that the store has not accepted yet.

    `case` is the case as it will stand, still with the number of the last event that the planner knew: a step that was planned on
    anything older than what the store holds is left out by the store and planned again. Steps with the same `together` (not 0) are taken
    all or none: a symptom that moves is in one case before and after. A `complaint` is written with its step, and the step not without it.
    """

    kind: EventKind
    case: Case
    body: dict[str, Any] = {}
    evidence: bytes | None = None
    together: int = 0
    complaint: Complaint | None = None


def as_it_stood(event: CaseEvent) -> Case:
    """Return the case right after the event."""
    return msgspec.convert(event.body["case"], Case)


_JSON_FIELDS: dict[str, Any] = {
    "affected": tuple[str, ...],
    "summary": Message,
    "action": Message,
    "keys": tuple[Key, ...],
    "unwatched": tuple[Key, ...],
    "alternatives": tuple[str, ...],
    "elsewhere": tuple[str, ...],
    "decides": Message | None,
    "complainants": tuple[str, ...],
}
_WORDS: dict[str, Any] = {"kind": CaseKind, "state": CaseState, "severity": State, "side": Side, "area": Area, "urgency": Urgency}


def case_row(case: Case) -> dict[str, Any]:
    """Return the row of a case: plain values, times as datetime, structured fields as JSON text."""
    row = msgspec.structs.asdict(case)
    for name in _JSON_FIELDS:
        row[name] = msgspec.json.encode(row[name], order="deterministic").decode()
    for name in _WORDS:
        row[name] = str(row[name])
    return row


def case_from_row(row: Mapping[Any, Any]) -> Case:
    """Return the case of a row; msgspec.ValidationError or ValueError when the row is not one of ours."""
    values = {name: row[name] for name in Case.__struct_fields__}
    for name, shape in _JSON_FIELDS.items():
        values[name] = msgspec.json.decode(values[name], type=shape)
    for name, word in _WORDS.items():
        values[name] = word(values[name])
    return Case(**values)


def event_row(event: CaseEvent) -> dict[str, Any]:
    """Return the row of an event; the body as JSON text."""
    body = msgspec.json.encode(event.body, order="deterministic").decode()
    return {"case_id": event.case, "number": event.number, "at": event.at, "kind": str(event.kind), "body": body}


def event_from_row(row: Mapping[Any, Any]) -> CaseEvent:
    """Return the event of a row."""
    return CaseEvent(row["case_id"], row["number"], row["at"], EventKind(row["kind"]), msgspec.json.decode(row["body"]))
