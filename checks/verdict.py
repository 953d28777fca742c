"""What is wrong, whose it is, and by which evidence: the value that a case is opened from."""

from datetime import datetime
from enum import StrEnum

import msgspec

from checks.baseline import Baseline
from checks.correlation.view import View
from checks.finding import Finding, Key, Levels, Message, State
from checks.history import RULE, Rule, Track
from checks.sight import Route, Sight
from checks.trend import Trend
from probe.inventory import Inventory
from probe.observation.observation import Observation


class Side(StrEnum):
    """Whose side a fault is on; `none` is for audits alone: a rule difference, nobody's error."""

    COMPANY = "company"
    CARRIER = "carrier"
    CUSTOMER = "customer"
    UNDETERMINED = "undetermined"
    NONE = "none"


class Area(StrEnum):
    """What kind of thing is broken."""

    SERVER = "server"
    RESOURCE = "resource"
    DEVICE = "device"
    FIBRE = "fibre"
    CARRIER_NETWORK = "carrier_network"
    CUSTOMER_NETWORK = "customer_network"
    CUSTOMER_EQUIPMENT = "customer_equipment"
    AGENT = "agent"
    BILLING = "billing"


class Urgency(StrEnum):
    """紧迫程度: work not impeded, seriously slowed, service can't be used."""

    NORMAL = "normal"
    URGENT = "urgent"
    EMERGENCY = "emergency"


class CaseKind(StrEnum):
    """The four kinds of case of the written process."""

    BILLING = "billing"
    NETWORK = "network"
    EQUIPMENT = "equipment"
    SERVICE = "service"


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One observation of a job and what else its judgement stood on: the agent's own sight, and what was usual at that hour."""

    seen: Observation
    sight: Sight | None = None
    usual: tuple[tuple[Key, Baseline], ...] = ()


class Start(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job's memory before its first step: the observation before, tracks, trends, last bad findings, how long what was absent."""

    before: Observation | None = None
    tracks: tuple[Track, ...] = ()
    trends: tuple[tuple[Key, Trend], ...] = ()
    bad: tuple[Finding, ...] = ()
    absent: tuple[tuple[Key, int], ...] = ()


class Said(msgspec.Struct, frozen=True, omit_defaults=True):
    """A finding without its observation, which is the last one of its strand."""

    check: str
    state: State
    message: Message
    levels: Levels | None = None
    item: str = ""
    value: float | None = None
    seasonal: bool = False
    full_at: float | None = None
    gated: bool = False
    loss: Levels | None = None


class Strand(msgspec.Struct, frozen=True, omit_defaults=True):
    """One job's part of the evidence: how it was judged, where it stood, and every step since, in the order measured.

    `limits` is empty where they are the standard ones and the evidence holds many jobs. `found` is what it said last as far as that does
    not follow from the steps: a rate needs the look before, no data came for long.
    """

    node: str
    prober: str
    item: str
    limits: dict[str, object]
    rule: Rule = RULE
    route: Route | None = None
    start: Start = Start()
    steps: tuple[Step, ...] = ()
    found: tuple[Said, ...] = ()


class Width(StrEnum):
    """How much had to be gathered until it led to the verdict: what it names, what lies near it, all that is bad, everything; or nothing
    that was gathered did, and the verdict stands alone."""

    OWN = "own"
    NEAR = "near"
    BAD = "bad"
    ALL = "all"
    NONE = "none"


class Evidence(msgspec.Struct, frozen=True):
    """All that a verdict was derived from, so that it can be derived again, offline, to the same bytes.

    `rules` is the version of the judgement, `inventory` the slice of it that the verdict needs, `width` how much that was. `views` are what
    other agents saw of its nodes.
    """

    rules: str
    strands: tuple[Strand, ...]
    inventory: Inventory
    width: Width = Width.OWN
    views: tuple[View, ...] = ()

    @property
    def observations(self) -> tuple[Observation, ...]:
        """Every observation of the evidence, oldest first."""
        seen = [step.seen for strand in self.strands for step in strand.steps]
        return tuple(sorted(seen, key=lambda one: (one.at, one.node, one.prober, one.item)))


Identity = tuple[CaseKind, str, str]  # kind, cause, element


class Diagnosis(msgspec.Struct, frozen=True):
    """One cause behind one or more findings.

    `element` is the culprit: a node ("web-1"), a part of it ("web-1:/var"), a link or a site by its name; `since` the first bad reading;
    `keys` the tracks that it explains; `confidence` is None as long as nothing calibrates it. `summary` answers in one line, `action`
    what to do next. `state` is the worst believed state of the tracks; `findings` are the last bad reading of each, in the order of `keys`.

    `ruled_out` are the good readings that cleared what else could have been it. `alternatives` are the codes of causes that can't be told
    from this one from where we stand; `decides` is the one next test that would. `elsewhere` are other elements of which one may be
    meant, when it can't be told which.
    """

    kind: CaseKind
    cause: str
    element: str
    side: Side
    area: Area
    urgency: Urgency
    confidence: float | None
    since: datetime
    keys: tuple[Key, ...]
    findings: tuple[Finding, ...]
    summary: Message
    action: Message
    affected: tuple[str, ...] = ()
    ruled_out: tuple[Finding, ...] = ()
    evidence: Evidence | None = None
    state: State = State.UNKNOWN
    alternatives: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    decides: Message | None = None

    @property
    def identity(self) -> Identity:
        """What it is known by from one moment to the next."""
        return (self.kind, self.cause, self.element)
