"""The carrier hand-off sheet (报修): what a carrier's desk asks for when a line is reported, as a value."""

from datetime import datetime

import msgspec

from checks.finding import Finding, Message, State
from probe.inventory import Carrier, Link, Node, Site
from probe.observation.observation import Observation
from reports.case import Case


class Reading(msgspec.Struct, frozen=True):
    """One measurement for the sheet, and what it says."""

    seen: Observation
    findings: tuple[Finding, ...]


class End(msgspec.Struct, frozen=True):
    """One end of the line: `readings` are those of its node, `port` the name of its interface ("" where the plan has none).

    `not_measured` says of each thing that was left out why.
    """

    node: Node
    port: str
    site: Site | None
    readings: tuple[Reading, ...]
    not_measured: tuple[Message, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the readings say of this end of the line: of a device with many ports only what concerns this one, or no port at all."""
        return tuple(found for one in self.readings for found in one.findings if self._concerns(found))

    def _concerns(self, found: Finding) -> bool:
        if found.seen.prober != "snmp" or not self.port:
            return True
        if found.state is not State.OK and not found.item:
            return True
        words = found.item.split()
        return self.port in words or (bool(found.item) and self.port in found.message.values.values())


class Handoff(msgspec.Struct, frozen=True):
    """The sheet. `path` is the trace over the line to `far`; `cases` are our open cases at either end."""

    agent: str
    at: datetime
    link: Link
    carrier: Carrier | None
    ends: tuple[End, End]
    far: str
    path: Reading | None
    cases: tuple[Case, ...] = ()
    not_measured: tuple[Message, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was judged for the sheet."""
        told = [found for end in self.ends for found in end.findings]
        return (*told, *(self.path.findings if self.path is not None else ()))
