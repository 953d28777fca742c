"""The carrier hand-off sheet (报修): what a carrier's desk asks for when a line is reported, as a value."""

from datetime import datetime

import msgspec

from checks.finding import Finding, Message, State
from probe.inventory import Carrier, Link, Node, Site
from probe.observation.device import DeviceSample
from probe.observation.failure import Failure
from probe.observation.interfaces import InterfacesSample
from probe.observation.observation import Observation
from reports.case import Case

_OF_THE_WHOLE = frozenset({"snmp/answer", "snmp/restart"})  # what says of a device, in one line, that it is there and was


class Reading(msgspec.Struct, frozen=True):
    """One measurement for the sheet, and what it says."""

    seen: Observation
    findings: tuple[Finding, ...]


class End(msgspec.Struct, frozen=True):
    """One end of the line: `readings` are those of its node, `port` the name of its interface ("" where the plan has none).

    `neighbour` is the address of the other end, by which peers are known; `not_measured` says of each thing that was left out why.
    """

    node: Node
    port: str
    site: Site | None
    readings: tuple[Reading, ...]
    neighbour: str = ""
    not_measured: tuple[Message, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the readings say of this end of the line: of a device only what concerns this port, its neighbour, or no part of it.

        Without a port nothing of any port is told: the other lines of a device are no business of this one's carrier.
        """
        return tuple(found for one in self.readings for found in one.findings if self._concerns(found, one.seen))

    def _concerns(self, found: Finding, seen: Observation) -> bool:
        sample = seen.outcome
        if not isinstance(sample, DeviceSample | InterfacesSample):
            return True
        if not found.item:  # its load or memory is told only where that may be why
            return found.state is not State.OK or found.check in _OF_THE_WHOLE
        mine = {self.port} if self.port else set()
        if isinstance(sample, DeviceSample) and self.port:
            mine |= {part.name for part in sample.sensors if part.port == self.port}
            mine |= {part.name for part in sample.states if part.port == self.port}
        return found.item.partition(" #")[0] in mine or (bool(self.neighbour) and self.neighbour in found.item.split())


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
    def whole(self) -> bool:
        """Whether all that belongs on the sheet was seen; if not, nothing wrong is no proof that nothing is."""
        if self.path is None or self.not_measured or any(end.not_measured or not end.findings for end in self.ends):
            return False
        readings = (self.path, *(one for end in self.ends for one in end.readings))
        return not any(isinstance(one.seen.outcome, Failure) for one in readings)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Everything that was judged for the sheet."""
        told = [found for end in self.ends for found in end.findings]
        return (*told, *(self.path.findings if self.path is not None else ()))
