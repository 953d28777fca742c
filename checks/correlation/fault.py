"""A fault as it is being found: what is broken, what it explains, what spoke against everything else."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from checks.ask import Ask
from checks.correlation.picture import Symptom
from checks.finding import Finding, Message
from checks.topology import Element


class Basis(StrEnum):
    """What a verdict rests on; each is as sure as it was right in the lab and the simulator (`confidence.py`)."""

    SAID = "said"  # the element itself said it
    PORT = "port"  # a port that is down, and silence behind it
    SILENCE = "silence"  # silence behind it, and good readings before it
    PLACED = "placed"  # loss or delay that begins there
    CLASS = "class"  # it can't be told from its alternatives
    WIDE = "wide"  # more than one element may be it
    AGAINST = "against"  # something good speaks against it: the inventory may be wrong


@dataclass(eq=False)
class Fault:
    """One hypothesis. `nodes` are dark because of it; `link` and `node` say where it sits.

    `awaits_agent`: an agent that stands at a dark node will soon tell whether it is the one that is blind.
    """

    code: str
    element: str
    symptoms: list[Symptom]
    basis: Basis
    node: str | None = None
    link: Element | None = None
    nodes: frozenset[str] = frozenset()
    cleared: list[Finding] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    alternatives: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    site: str | None = None
    awaits_agent: bool = False

    @property
    def since(self) -> datetime:
        """The first bad reading that it explains."""
        return min(symptom.since for symptom in self.symptoms)

    @property
    def identity(self) -> tuple[str, str]:
        """Cause and element."""
        return (self.code, self.element)

    def take(self, other: "Fault") -> None:
        """Take in what another fault explains, all that is known of it, and what it waits for."""
        self.symptoms.extend(other.symptoms)
        self.nodes |= other.nodes
        self.clear(other.cleared)
        self.asks += other.asks
        self.awaits_agent |= other.awaits_agent

    def clear(self, found: Iterable[Finding | None]) -> None:
        """Note good findings that ruled something else out, each once."""
        known = {id(one) for one in self.cleared}
        self.cleared.extend(one for one in found if one is not None and id(one) not in known)


def ask(job: tuple[str, str, str], why: str, element: str) -> Ask:
    """Return the request to make a check now, to decide about an element."""
    return Ask(*job, Message(f"ask.{why}", {"element": element}))
