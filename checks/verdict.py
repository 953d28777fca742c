"""What is wrong, whose it is, and by which evidence: the value that a case is opened from."""

from datetime import datetime
from enum import StrEnum

import msgspec

from checks.finding import Finding, Key, Message
from checks.history import Track
from probe.inventory import Node
from probe.observation.observation import Observation


class Side(StrEnum):
    """Whose side a fault is on."""

    COMPANY = "company"
    CARRIER = "carrier"
    CUSTOMER = "customer"
    UNDETERMINED = "undetermined"


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


class Evidence(msgspec.Struct, frozen=True):
    """All that a verdict was derived from, so that it can be derived again, offline, to the same bytes.

    `observations` are in the order measured, `tracks` as they stood before the first of them, `before` the observation before the first
    of each job, `limits` the levels in force by prober (as data), `nodes` the slice of the inventory.
    """

    rules: str
    observations: tuple[Observation, ...]
    before: tuple[Observation, ...]
    tracks: tuple[Track, ...]
    limits: dict[str, dict[str, object]]
    nodes: tuple[Node, ...]


class Diagnosis(msgspec.Struct, frozen=True):
    """One cause behind one or more findings.

    `element` is the culprit ("web-1", "web-1:/var"); `since` the first bad reading; `keys` the tracks that it explains;
    `confidence` is None as long as nothing calibrates it. `summary` answers in one line, `action` what to do next.
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
