"""Loss and delay: where on the way do they begin?

Every element that a poor measurement crosses may be why, but for those that a good measurement of the same kind crosses too, if that one
would have shown it: five echoes without a loss say nothing about 1 %. What explains most of what is poor is it; where several explain
the same, a line to a carrier or a customer is likelier than a machine, and a machine at the very end likelier than its cable.
"""

from collections.abc import Iterable

from checks.assess import Memory
from checks.causes import Sort
from checks.correlation.fault import Basis, Fault, ask
from checks.correlation.picture import JobKey, Picture, Symptom
from checks.finding import Finding, State, base
from checks.topology import LINK, Element, Topology
from probe.inventory import Owner
from probe.observation.icmp import EchoSample
from probe.observation.path import PathSample
from probe.observation.stamp import StampSample

LOSS = frozenset({"icmp/loss", "path/loss", "stamp/loss-out", "stamp/loss-back"})
DELAY = frozenset({"icmp/latency", "icmp/jitter", "path/delay", "stamp/delay", "stamp/jitter"})
VOICE = frozenset({"path/voice", "stamp/voice"})
SHOWN = 0.05  # a good reading clears when so bad a line would have looked good by chance in fewer cases than this
MOST_BEHIND = 200  # nodes looked at for good readings behind one element


class Quality:
    """All poor readings of a picture, placed: `faults`, and `slow`, the poor answers that are not the network's own measures."""

    def __init__(self, picture: Picture) -> None:
        self.picture, self.topology = picture, picture.topology
        poor = [one for one in picture.symptoms if one.sort is Sort.POOR]
        network = [one for one in poor if base(one.check) in LOSS | DELAY | VOICE]
        self.slow = [one for one in poor if base(one.check) not in LOSS | DELAY | VOICE]
        self.hints = {one.link for one in picture.symptoms if one.link is not None and one.sort is Sort.OWN}
        self.faults: list[Fault] = []
        left = [one for one in network if not one.check.endswith(".usual")]
        while left:
            fault = self._best(left)
            self.faults.append(fault)
            taken = {id(one) for one in fault.symptoms}
            left = [one for one in left if id(one) not in taken]
        for one in network:  # a departure from the usual is part of what it departs with, and nothing by itself
            if one.check.endswith(".usual"):
                with_it = [fault for fault in self.faults if any(one.node == other.node for other in fault.symptoms)]
                if with_it:
                    with_it[0].symptoms.append(one)

    def _best(self, left: list[Symptom]) -> Fault:
        """Return the fault of the element that explains most of what is poor."""
        crossed = {id(one): self._suspects(one) for one in left}
        votes: dict[Element, list[Symptom]] = {}
        for one in left:
            for element in crossed[id(one)]:
                votes.setdefault(element, []).append(one)
        if not votes:  # all that it crosses is cleared: it is the target's own
            alone = [one for one in left if one.node == left[0].node]
            return self._fault(left[0].node, alone, ())
        most = max(len({(one.node, one.job) for one in explained}) for explained in votes.values())
        best = [element for element, explained in votes.items() if len({(one.node, one.job) for one in explained}) == most]
        certain = [element for element in best if all(element in self.topology.chain(one.node) for one in votes[element])]
        chosen = min(best, key=lambda element: (self._rank(element, votes[element]), element not in certain, element))
        rivals = tuple(sorted(one.removeprefix(LINK) for one in best if one != chosen and self._rank(one, votes[one]) <= 2))
        return self._fault(chosen, votes[chosen], rivals)

    def _suspects(self, symptom: Symptom) -> list[Element]:
        """Return the elements that may be why, in order from the agent."""
        topology = self.topology
        chain = topology.chain(symptom.node)
        crossed = [*chain[1:], *(one for one in sorted(topology.shortest(symptom.node)) if one not in chain)]
        stage = symptom.said.rpartition(".")[2] if symptom.said.startswith("path.") else ""
        staged = [one for one in crossed if _at_stage(one, stage, topology)]
        return [one for one in (staged or crossed) if not self._cleared(one, symptom)]

    def _cleared(self, element: Element, symptom: Symptom) -> bool:
        for number, node in enumerate(self.topology.behind(element)):
            if number >= MOST_BEHIND:
                break
            if any(self._shows_good(memory, symptom) for _, memory in self.picture.jobs.get(node, ())):
                return True
        return False

    def _shows_good(self, memory: Memory, symptom: Symptom) -> bool:
        """Tell whether a measurement was good where it would have been bad had this symptom's trouble lain on its way."""
        seen = memory.before
        if seen is None or seen.at < symptom.since:
            return False
        wanted = LOSS if base(symptom.check) in LOSS else DELAY if base(symptom.check) in DELAY else LOSS | DELAY
        good = [one for one in memory.found if base(one.check) in wanted and one.state is State.OK]
        if not good or any(track.bad for key, track in memory.tracks.items() if base(key[0]) in wanted):
            return False
        if wanted is DELAY:
            return True
        worst = symptom.standing.finding.value
        sent = seen.outcome.sent if isinstance(seen.outcome, EchoSample | PathSample | StampSample) else 0
        return worst is None or bool((1 - min(worst, 1.0)) ** sent < SHOWN)

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
        code = "carrier_quality" if ends == {Owner.CARRIER} else "loss" if lost else "delay"
        name = element.removeprefix(LINK)
        fault = Fault(code, name, explained, Basis.WIDE if rivals else Basis.PLACED, None if link else name, element if link else None)
        fault.elsewhere = rivals
        fault.clear(self._good_before(element, explained))
        fault.asks = [ask(job, "quality", name) for job in self._stale(explained)]
        return fault

    def _good_before(self, element: Element, explained: list[Symptom]) -> Iterable[Finding]:
        """Yield the good readings of the same kind nearest in front of an element."""
        for above in reversed(self.topology.chain(explained[0].node)[:-1]):
            if above == element or above.startswith(LINK):
                continue
            for _, memory in self.picture.jobs.get(above, ()):
                if self._shows_good(memory, explained[0]):
                    yield next(one for one in memory.found if base(one.check) in LOSS | DELAY and one.state is State.OK)
                    return

    def _stale(self, explained: list[Symptom]) -> Iterable[JobKey]:
        """Yield the jobs whose fresh reading would clear something that these cross."""
        first = explained[0]
        for above in self.topology.chain(first.node)[1:-1]:
            for job, memory in self.picture.jobs.get(above, ()):
                if job[1] == "icmp" and memory.last_at is not None and memory.last_at < first.since:
                    yield job


def _at_stage(element: Element, stage: str, topology: Topology) -> bool:
    """Tell whether an element lies on the stretch that a path's trace names; every one does where it names none."""
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
    return True
