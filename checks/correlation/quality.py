"""Loss and delay: where on the way do they begin?

Loss is placed by tomography (`checks.localise`): lossy measurements together with those that crossed the same elements and lost nothing.
Delay has no such count: every element that a slow measurement crosses may be why, but for those that one in time crosses too, and what
explains most is it. Where several explain the same, a line to a carrier or a customer is likelier than a machine.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from checks.assess import Memory
from checks.causes import Sort
from checks.correlation.fault import Basis, Fault, ask
from checks.correlation.picture import JobKey, Picture, Symptom
from checks.finding import Finding, State, base
from checks.localise import Probe, localise
from checks.topology import LINK, Element, Topology
from probe.inventory import Owner
from probe.observation.icmp import EchoSample
from probe.observation.path import PathSample
from probe.observation.stamp import StampSample

LATELY = "stamp/loss-lately"
LOSS = frozenset({"icmp/loss", "path/loss", "stamp/loss-out", "stamp/loss-back", LATELY})
LATENCY = frozenset({"icmp/latency", "path/delay", "stamp/delay"})
JITTER = frozenset({"icmp/jitter", "stamp/jitter"})
DELAY = LATENCY | JITTER
VOICE = frozenset({"path/voice", "stamp/voice"})
NETWORK = LOSS | DELAY | VOICE
MOST_NEAR = 30  # nodes whose good readings are taken in, for each element that may be at fault
NAMED = 3.0  # a fault is so much likelier where a trace says that the loss begins
CHANCES = (0.01, 0.003, 0.001, 0.0003, 0.0001)  # of a fault, by `_rank`: our choice


class Quality:
    """All poor readings of a picture, placed: `faults`, `slow`, the poor answers that are not the network's own measures, and `silent`,
    those silent symptoms of nodes that answer otherwise (`alive`) which are no loss.
    """

    def __init__(self, picture: Picture, alive: list[Symptom]) -> None:
        self.picture, self.topology = picture, picture.topology
        poor = [one for one in picture.symptoms if one.sort is Sort.POOR]
        network = [one for one in poor if base(one.check) in NETWORK]
        self.slow = [one for one in poor if base(one.check) not in NETWORK]
        self.hints = {one.link for one in picture.symptoms if one.link is not None and one.sort is Sort.OWN}
        self.faults: list[Fault] = []
        certain = [one for one in network if not one.check.endswith(".usual")]
        lossy = [one for one in certain if base(one.check) in LOSS]
        lost = [one for one in alive if base(one.check) == "icmp/loss"] if lossy else []  # whole bursts, among others that lost some
        left = self._place_loss([*lossy, *lost], [*certain, *lost])
        self.silent = _without(alive, [one for fault in self.faults for one in fault.symptoms])
        left = _without(left, alive)
        while left:
            fault = self._place_delay(left)
            self.faults.append(fault)
            left = _without(left, fault.symptoms)
        for one in _without(network, certain):  # a departure from the usual is part of what it departs with, and nothing by itself
            with_it = [fault for fault in self.faults if any(one.node == other.node for other in fault.symptoms)]
            if with_it:
                with_it[0].symptoms.append(one)

    def _place_loss(self, lossy: list[Symptom], network: list[Symptom]) -> list[Symptom]:
        """Make the faults that explain the loss, with all else that is poor at what they explain, and return what is left."""
        if not lossy:
            return network
        probes, whose = [], []
        acute = [one for one in lossy if base(one.check) != LATELY]
        told = {one.job for one in acute}
        for one in lossy:
            if one.check == LATELY and one.job in told:
                continue  # its last session alone says more of now than the minutes before it
            sent, lost = _counted(self.picture, one)
            probes.append(Probe(tuple(self._suspects(one)), sent, lost))
            whose.append(one)
        near = {element for probe in probes for element in probe.crosses}
        since = min(one.since for one in lossy)
        bad = {one.job for one in lossy}
        for node in sorted(self._near(near)):
            for job, memory in self.picture.jobs.get(node, ()):
                seen = memory.before
                if (
                    job not in bad
                    and seen is not None
                    and seen.at >= since
                    and isinstance(seen.outcome, EchoSample | PathSample | StampSample)
                ):
                    sent, lost = (not acute and _lately(seen.outcome)) or _packets(memory)
                    if sent and lost < sent:  # what lost some may have lost them on any of its ways
                        ways = self.topology.shortest(node) if lost else self.topology.crossed(node)
                        probes.append(Probe(tuple(sorted(ways)), sent, lost))
        over = {element: [one for one in lossy if element in self._suspects(one)] for element in near}
        chances = {
            element: CHANCES[self._rank(element, crossing)] * (NAMED if self._named(element, crossing) else 1)
            for element, crossing in over.items()
        }
        left = network
        for suspect in localise(probes, chances):
            explained = {whose[number].node for number in suspect.explains if number < len(whose)}
            symptoms = [one for one in left if one.node in explained and suspect.element in self._suspects(one)]
            if not symptoms:
                continue
            rivals = tuple(one.removeprefix(LINK) for one in suspect.rivals)
            self.faults.append(self._fault(suspect.element, symptoms, rivals))
            left = _without(left, symptoms)
        return left

    def _near(self, elements: Iterable[Element]) -> set[str]:
        """Return the nodes nearest to some elements: their own readings, good ones too, say most about them."""
        found: set[str] = set()
        for element in elements:
            link = self.topology.link(element)
            for start in (link.a, link.b) if link is not None else (element,):
                if start != self.topology.here:
                    found.update(islice(self.topology.behind(start), MOST_NEAR))
        return found

    def _place_delay(self, left: list[Symptom]) -> Fault:
        """Return the fault of the element that explains most of what is late."""
        votes: dict[Element, list[Symptom]] = {}
        for one in left:
            for element in self._suspects(one):
                if not self._cleared(element, one):
                    votes.setdefault(element, []).append(one)
        if not votes:  # all that it crosses is cleared: it is the target's own
            return self._fault(left[0].node, [one for one in left if one.node == left[0].node], ())
        most = max(len({one.job for one in explained}) for explained in votes.values())
        best = [element for element, explained in votes.items() if len({one.job for one in explained}) == most]
        chosen = min(best, key=lambda element: (self._rank(element, votes[element]), element))
        rivals = tuple(sorted(one.removeprefix(LINK) for one in best if one != chosen and self._rank(one, votes[one]) <= 2))
        return self._fault(chosen, votes[chosen], rivals)

    def _suspects(self, symptom: Symptom) -> list[Element]:
        """Return the elements that may be why: what its packets may have crossed."""
        topology = self.topology
        return sorted(topology.shortest(symptom.node) - {topology.here})

    def _named(self, element: Element, symptoms: Iterable[Symptom]) -> bool:
        """Tell whether a trace names the stretch on which an element lies; it is a hint, for a trace sends few packets to each hop."""
        stages = {one.said.rpartition(".")[2] for one in symptoms if one.said.startswith("path.")}
        return any(_at_stage(element, stage, self.topology) for stage in stages)

    def _cleared(self, element: Element, symptom: Symptom) -> bool:
        return any(
            element in self.topology.crossed(node) and any(_in_time(memory, symptom) for _, memory in self.picture.jobs.get(node, ()))
            for node in self._near([element])
        )

    def _rank(self, element: Element, explained: list[Symptom]) -> int:
        """Return how likely an element is among those that explain the same: 0 most."""
        link = self.topology.link(element)
        if element in self.hints:
            return 0
        if link is not None:
            owners = {self.topology.node(link.a).owner, self.topology.node(link.b).owner}
            last = all(one.node in (link.a, link.b) for one in explained)
            leaf = last and any(len(self.topology.links.get(one.node, ())) == 1 for one in explained)
            return 3 if leaf else 1 if owners != {Owner.COMPANY} else 2
        return 2 if all(one.node == element for one in explained) and len(self.topology.links.get(element, ())) <= 1 else 4

    def _fault(self, element: Element, explained: list[Symptom], rivals: tuple[str, ...]) -> Fault:
        topology = self.topology
        link = topology.link(element)
        lost = any(base(one.check) in LOSS for one in explained)
        ends = {topology.node(name).owner for name in ((link.a, link.b) if link is not None else (element,))}
        late = any(base(one.check) in DELAY for one in explained)
        code = "carrier_quality" if ends == {Owner.CARRIER} else "loss" if lost else "delay" if late else "path_voice"
        name = element.removeprefix(LINK)
        fault = Fault(code, name, explained, Basis.WIDE if rivals else Basis.PLACED, None if link else name, element if link else None)
        fault.elsewhere = rivals
        fault.clear(self._good_before(element, explained))
        fault.asks = [ask(job, "quality", name) for job in self._stale(explained)]
        return fault

    def _good_before(self, element: Element, explained: list[Symptom]) -> Iterator[Finding]:
        """Yield the good reading of the same kind nearest in front of an element."""
        first = explained[0]
        for above in reversed(self.topology.chain(first.node)[:-1]):
            for _, memory in self.picture.jobs.get(above, ()):
                good = [one for one in memory.found if base(one.check) in LOSS | DELAY and one.state is State.OK]
                if above != element and good and memory.before is not None and memory.before.at >= first.since and not memory.bad:
                    yield good[0]
                    return

    def _stale(self, explained: list[Symptom]) -> Iterator[JobKey]:
        """Yield the jobs whose fresh reading would clear something that these cross."""
        since = max(one.since for one in explained)
        for above in self.topology.chain(explained[0].node)[1:-1]:
            for job, memory in self.picture.jobs.get(above, ()):
                if job[1] in {"icmp", "path"} and memory.last_at is not None and memory.last_at < since:
                    yield job


def _without(some: list[Symptom], others: list[Symptom]) -> list[Symptom]:
    taken = {one.key for one in others}
    return [one for one in some if one.key not in taken]


def _in_time(memory: Memory, symptom: Symptom) -> bool:
    """Tell whether a measurement was in time that would have been late had this symptom's trouble lain on its way."""
    seen = memory.before
    if seen is None or seen.at < symptom.since:
        return False
    checks = {base(one.check) for one in memory.found if _well(one)}
    match base(symptom.check):
        case check if check in JITTER:  # what varies may well be short
            good = not checks.isdisjoint(JITTER)
        case check if check in LATENCY:
            good = not checks.isdisjoint(LATENCY)
        case _:
            good = not (checks.isdisjoint(JITTER) or checks.isdisjoint(LATENCY))
    return good and not any(track.bad for key, track in memory.tracks.items() if base(key[0]) in DELAY)


def _well(found: Finding) -> bool:
    """Tell whether a reading is good beyond chance: of a burst of five echoes the jitter may by luck be just within its limit."""
    limit = found.levels.warning if found.levels is not None else None
    return found.state is State.OK and (found.value is None or limit is None or found.value <= limit / 2)


def _counted(picture: Picture, one: Symptom) -> tuple[int, int]:
    """Return the packets sent and lost by which a loss is believed: those of its last readings together."""
    if one.check == LATELY and (sums := _lately(one.standing.finding.seen.outcome)) is not None:
        return sums
    memory = next(memory for job, memory in picture.jobs[one.node] if job == one.job)
    sent = lost = 0
    for moment in memory.recent:
        of_one = _of(moment.seen.outcome)
        sent, lost = sent + of_one[0], lost + of_one[1]
    if lost:
        return sent, lost
    sent, lost = _packets(memory)
    return (sent, lost) if lost else (100, max(1, round(100 * (one.standing.finding.value or 0.0))))


def _packets(memory: Memory) -> tuple[int, int]:
    return _of(memory.before.outcome) if memory.before is not None else (0, 0)


def _lately(outcome: object) -> tuple[int, int] | None:
    """Return the packets sent and lost of the last minutes' sessions together."""
    both = outcome.lately_both if isinstance(outcome, StampSample) else None
    return (both.sent, both.lost) if both is not None else None


def _of(outcome: object) -> tuple[int, int]:
    match outcome:
        case EchoSample():
            return outcome.sent, outcome.sent - outcome.received
        case StampSample() | PathSample():
            return outcome.sent, outcome.sent - outcome.answered
    return 0, 0


def _at_stage(element: Element, stage: str, topology: Topology) -> bool:
    """Tell whether an element lies on the stretch that a path's trace names."""
    link = topology.link(element)
    owners = {topology.node(name).owner for name in ((link.a, link.b) if link is not None else (element,))}
    match stage:
        case "line" | "before-pop":
            return link is not None and owners == {Owner.COMPANY, Owner.CARRIER}
        case "beyond":
            return owners == {Owner.CARRIER}
        case "outside":
            return owners != {Owner.COMPANY}
        case "our-side":
            return owners == {Owner.COMPANY}
    return False
