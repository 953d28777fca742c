"""What the HTTP side may ask of the service; the service hands it in, so that nothing here knows how it is done."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from checks.finding import Finding
from probe.observation.observation import Observation
from reports.case import Case, CaseEvent
from reports.complaint import Complaint
from reports.diagnosis import Line
from reports.diagnosis import Request as DiagnoseRequest
from reports.render.status import Maintenance, Status


class Refused(Exception):
    """The request is understood and not done; `status` is the HTTP status, the text says why and what to do."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Checked(msgspec.Struct, frozen=True):
    """One measurement made on request, and its findings."""

    seen: Observation
    findings: tuple[Finding, ...]


class CheckRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/check: a name of the inventory or an address, and the prober's options by name."""

    prober: str
    target: str
    options: dict[str, Any] = {}
    timeout_s: float | None = None


class MaintenanceRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/maintenance."""

    node: str
    seconds: float
    why: str = ""
    who: str = ""


class ComplaintRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/complaints: who complains of what. Without a `case` it joins the open one that affects the customer."""

    customer: str
    symptoms: tuple[str, ...] = ()
    contact: str = ""
    number: str = ""
    since: datetime | None = None
    text: str = ""
    by: str = ""
    id: str = ""
    case: int | None = None


class AuditRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of POST /v1/audits: whose bills they are, and the audit's evidence.json."""

    customer: str
    audit: msgspec.Raw


class Actions(Protocol):
    """What the service can be asked. Each may raise Refused; what is slow is awaited, nothing blocks the loop."""

    @property
    def language(self) -> str:
        """The language of those who do not say theirs."""
        ...

    def now(self) -> datetime:
        """Return the time, aware UTC."""
        ...

    def healthy(self) -> str:
        """Return "" while the scheduler makes progress, else what is wrong."""
        ...

    def ready(self) -> str:
        """Return "" once it measures and its store takes what it finds, else what it waits for."""
        ...

    async def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the exposition and its content type (`reports.metrics.render` in a thread)."""
        ...

    async def probe(self, target: str, module: str, timeout_s: float | None) -> Checked:
        """Measure a target of the inventory with a network check now; 404 for others unless configured, 400 for an unknown module."""
        ...

    async def reload(self) -> Sequence[str]:
        """Validate and swap the configuration; return the problems ("file:line: …") for which the old one stays, none when it is taken."""
        ...

    async def status(self) -> Status:
        """Return what `firstline status` shows."""
        ...

    async def cases(self, everything: bool) -> Sequence[Case]:
        """Return the uncleared cases, or all that are kept."""
        ...

    async def open_audit(self, request: AuditRequest) -> Case | None:
        """Open the case of an audit, once however often it is asked; None when the bills agree."""
        ...

    async def case(self, number: int) -> Case | None:
        """Return one case, None when there is none of that number."""
        ...

    async def events(self, number: int) -> Sequence[CaseEvent]:
        """Return what happened to a case, the first first."""
        ...

    async def parts(self, number: int) -> Sequence[Case]:
        """Return the cases that became a part of one."""
        ...

    async def complaints(self, number: int) -> Sequence[Complaint]:
        """Return the complaints that hang on a case."""
        ...

    async def complain(self, request: ComplaintRequest) -> Case:
        """Let a complaint join the case that explains it; the same again when it did before."""
        ...

    async def evidence(self, number: int) -> bytes | None:
        """Return a case's evidence as JSON as it was stored, None when there is none."""
        ...

    async def check(self, request: CheckRequest) -> Checked:
        """Measure anything now, for a person on this machine."""
        ...

    async def diagnose(self, request: DiagnoseRequest) -> AsyncIterator[Line]:
        """Begin to look into a complaint; return its steps as they happen, the conclusion last. 400 when it names what is not there."""
        ...

    async def verify(self, number: int) -> AsyncIterator[Line] | None:
        """Begin to measure a case's symptoms again; return what comes of it, and where they are still there the steps of a diagnosis.

        None when there is no case of that number.
        """
        ...

    async def maintenance(self) -> Sequence[Maintenance]:
        """Return the maintenance that is on."""
        ...

    async def begin_maintenance(self, request: MaintenanceRequest) -> Maintenance:
        """Put a node into maintenance from now on, or change until when; 404 for an unknown node."""
        ...

    async def end_maintenance(self, node: str) -> bool:
        """End a node's maintenance; False when it had none."""
        ...
