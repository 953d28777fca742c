"""Many findings → few diagnoses: the one cause behind many symptoms, the side it is on, and what to measure to be sure.

Silence is placed by what it leaves bright (`correlation.reach`), loss and delay by what they leave clean (`correlation.quality`); what an
element says of itself stands (`correlation.own`), unless it follows from something else (`correlation.follows`). Every finding that is
believed bad ends up in exactly one diagnosis, but for what is just recovering, or was left behind by a fault that is over.
"""

from collections.abc import Iterable, Mapping

import msgspec

from checks.ask import Ask, each_once
from checks.assess import Memory
from checks.correlation.absorb import Past, absorb, in_doubt
from checks.correlation.blame import diagnose
from checks.correlation.eyes import blindness, look_out, own_word
from checks.correlation.fault import Fault
from checks.correlation.own import said, silent_services, slow_services
from checks.correlation.picture import JobKey, Picture
from checks.correlation.quality import Quality
from checks.correlation.reach import Reach
from checks.correlation.vantage import Others
from checks.correlation.view import View
from checks.finding import Key
from checks.topology import Topology
from checks.verdict import Diagnosis, Identity

RULES = "2"  # the version of judgement and correlation; a verdict derived by another one may differ


class Correlation(msgspec.Struct, frozen=True):
    """What the memories lead to: `diagnoses`, ordered by cause and element, and what should be measured before some of them are told.

    `waiting` has, by the identity of a diagnosis, the measurements that could still change it; `asks` are all of them. `faults` are the
    diagnoses as they were found, `looks` what to measure without a verdict that waits for it: whether we see, while we are
    blind, and after that what was measured in vain meanwhile.
    """

    diagnoses: tuple[Diagnosis, ...] = ()
    waiting: Mapping[Identity, tuple[Ask, ...]] = {}
    faults: Mapping[Identity, Fault] = {}
    looks: tuple[Ask, ...] = ()

    @property
    def asks(self) -> tuple[Ask, ...]:
        """All that should be measured, each once."""
        return each_once((*(one for asks in self.waiting.values() for one in asks), *self.looks))


def correlate(memories: Mapping[JobKey, Memory], topology: Topology, past: Iterable[Past] = (), views: Iterable[View] = ()) -> Correlation:
    """Return what is wrong; what a fault of the `past` left behind is not. `views` are what other agents see, fresh ones only.

    A warning makes a diagnosis as a critical state does, with normal urgency: passive became active service. Departures from the usual
    alone (`.usual`) make none, for they are hints and show in the status; beside a real finding of the same cause they are part of it.
    """
    picture = Picture(memories, topology)
    if not picture.symptoms:
        return Correlation()
    reach = Reach(picture, Others(views, topology))
    quality = Quality(picture, reach.alive)
    used = {symptom.key for fault in reach.faults for symptom in fault.symptoms}
    own = [fault for fault in said(picture) if _left(fault, used)]
    faults = [*reach.faults, *silent_services(quality.silent, picture), *quality.faults, *slow_services(quality.slow, picture), *own]
    faults = blindness(faults, picture, reach)
    diagnoses, waiting, found = [], {}, {}
    left, looks = absorb(_merged(faults), topology, past)
    for fault in left:
        fault.asks += (*in_doubt(fault, picture), *own_word(fault, picture))
        one = diagnose(fault, topology)
        diagnoses.append(one)
        found[one.identity] = fault
        if fault.asks:
            waiting[one.identity] = each_once(fault.asks)
    return Correlation(
        tuple(sorted(diagnoses, key=lambda one: (one.cause, one.element))), waiting, found, (*looks, *look_out(left, picture))
    )


def _left(fault: Fault, used: set[Key]) -> bool:
    """Tell whether something is left of a fault besides a port's own word that was used where silence was placed."""
    fault.symptoms = [one for one in fault.symptoms if one.key not in used]
    return bool(fault.symptoms)


def _merged(faults: list[Fault]) -> list[Fault]:
    """Return the faults with those of one cause and element as one: both ends of a cable may tell of it."""
    known: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        first = known.setdefault(fault.identity, fault)
        if first is not fault:
            first.take(fault)
    return list(known.values())
