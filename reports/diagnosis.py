"""What `firstline diagnose` tells, as values: each step as it begins and ends, and the conclusion; the service sends them as lines."""

from datetime import datetime
from enum import StrEnum

import msgspec

from checks.finding import Message, State
from checks.verdict import CaseKind, Diagnosis


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is complained of: the body of POST /v1/diagnose.

    `symptoms` are the users' words ("one-way-audio"), `since` when it began as the customer says. `open`: open its case, or let the
    complaint join the one that is open.
    """

    kind: CaseKind
    customer: str | None = None
    node: str | None = None
    number: str | None = None
    symptoms: tuple[str, ...] = ()
    since: datetime | None = None
    open: bool = False


class StepState(StrEnum):
    """How a step ended."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"  # what was measured says nothing, or is not yet believed
    SKIPPED = "skipped"  # nothing could be asked


class Telling(msgspec.Struct, frozen=True):
    """One reading that is worth a word: of which node, in which state, what it says."""

    node: str
    state: State
    message: Message


class Begun(msgspec.Struct, frozen=True, tag="begun"):
    """A step of the flow has begun; `question` is its name."""

    question: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """A step of the flow has ended, `took_s` seconds after the start of all.

    `good`, `bad` and `unknown` count its readings, `tellings` are those worth a word, the worst first; `note` says why nothing was asked.
    """

    question: str
    state: StepState
    took_s: float
    nodes: tuple[str, ...] = ()
    good: int = 0
    bad: int = 0
    unknown: int = 0
    tellings: tuple[Telling, ...] = ()
    note: Message | None = None


class Todo(msgspec.Struct, frozen=True):
    """One thing to do: by whom (technician, carrier, commerce, vendor), and what."""

    who: str
    what: Message


class Opened(msgspec.Struct, frozen=True):
    """The case that the complaint is on now: opened for it, or joined."""

    case: int
    joined: bool


class Conclusion(msgspec.Struct, frozen=True, tag="conclusion"):
    """The end of a diagnosis. `answer` is "fault", "none" or "undetermined"; `diagnosis` is what explains the complaint.

    `others` are faults that do not; `decides` is the next test. `ruled_out` counts the good readings of each question that had no bad one;
    `not_looked` says what was not looked at. `opened` is the case that the complaint is on now, `open_problem` why it is on none.
    `calls` is what the switch's records say of the number's calls. `watched`: a service measures here all the time, so that "since" is
    known.
    """

    request: Request
    at: datetime
    agent: str
    answer: str
    diagnosis: Diagnosis | None
    others: tuple[Diagnosis, ...]
    decides: Message | None
    todo: tuple[Todo, ...]
    ruled_out: tuple[tuple[str, int], ...]
    not_looked: tuple[Message, ...]
    readings: int
    took_s: float
    rules: str
    watched: bool
    calls: tuple[Message, ...] = ()
    opened: Opened | None = None
    open_problem: Message | None = None


class Verified(msgspec.Struct, frozen=True, tag="verified"):
    """Whether the symptoms of a case are gone, by measurements made for it: `result` is "gone", "still" or "unknown".

    `good`, `bad` and `unknown` count them, `tellings` are the bad ones, or the good ones when none is.
    """

    case: int
    result: str
    good: int
    bad: int
    unknown: int
    tellings: tuple[Telling, ...] = ()
    took_s: float = 0.0
    problem: str = ""


class Problem(msgspec.Struct, frozen=True, tag="problem"):
    """The diagnosis ended early: why."""

    text: str


Line = Begun | Ended | Conclusion | Verified | Problem


def verified_code(told: Verified) -> int:
    """Return 0 for gone, 1 for still there, 2 when it could not be seen."""
    return {"gone": 0, "still": 1}.get(told.result, 2)


def exit_code(conclusion: Conclusion) -> int:
    """Return 0 for no fault, 1 for a verdict, 2 for undetermined."""
    return {"none": 0, "fault": 1}.get(conclusion.answer, 2)
