"""Faults that follow from others taken in by them: the table of `follows` carried out, and what a fault leaves behind when it is over."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from checks.ask import Ask
from checks.correlation.fault import Fault, ask
from checks.correlation.follows import (
    CAUSES_HERE,
    GONE,
    POOR,
    RULES_OF,
    SERVICE,
    Relation,
    at_its_end,
    beyond,
    dark,
    for_a_moment,
    for_good,
    from_full,
    lasting_at_its_end,
    lost_again,
    nodes_of,
    same_link,
    same_node,
    towards_dark,
    unheard,
)
from checks.correlation.picture import Picture
from checks.finding import Key
from checks.topology import Element, Topology, link_element

ECHOES = frozenset({"path_change", "bgp_flapping", "link_flapping", "prefixes", "mac_changed", "reboot"})  # they tell of what was, for long
LATELY, FLAPS = "stamp/loss-lately", "snmp/bgp-flaps"
ENDING = timedelta(seconds=30)  # how long what a fault explained may take to be believed good again
EMPTY = timedelta(minutes=6)  # … and what was lost in the last minutes to be forgotten
LINGER = timedelta(seconds=90)  # how long a fault that is over still explains its aftermath
LOOKS = 8  # measurements asked for at once when we see again
FLAP = timedelta(seconds=10)
AFTER = timedelta(seconds=20)  # within this time after a fault was last seen its aftermath begins: routing comes back, counters catch up
SIGHT = timedelta(seconds=1)  # after a blindness: the way to some may be back a little later than that to others
SLACK = timedelta(seconds=90)  # net-snmp and its like tell up to a minute late what they read of their own tables before


class Past(msgspec.Struct, frozen=True):
    """A fault that is over, when it was last seen, and how long ago that is: for a while it explains what it leaves behind."""

    fault: Fault
    seen: datetime
    age: timedelta = timedelta(0)


def absorb(faults: Iterable[Fault], topology: Topology, past: Iterable[Past] = ()) -> tuple[list[Fault], list[Ask]]:
    """Return the faults that follow from no other, with all the symptoms that follow from them; what follows from the past is left out.

    Of what is left out for we were blind: what to measure now that we see.
    """
    left = sorted(faults, key=lambda one: (one.since, one.identity))
    present = {one.identity for one in left}
    bad = frozenset(symptom.key for one in left for symptom in one.symptoms)
    over = _Over([one for one in past if one.fault.identity not in present and _is_over(one.fault, bad)], topology)
    causes = _Causes(left, topology)
    above: dict[int, Fault] = {}
    for effect in left:
        cause = _cause_of(effect, causes, above)
        if cause is not None:
            above[id(effect)] = cause
    lost = set[int]()  # sessions that are lost again: their coming back is no mere echo of what is over
    for effect in left:
        root = effect
        while id(root) in above:
            root = above[id(root)]
        if root is not effect:
            if (effect.code, root.code) == ("bgp_down", "bgp_flapping") and not over.left_behind(effect):
                lost.add(id(root))
            root.symptoms.extend(effect.symptoms)
            root.nodes |= effect.nodes
            root.clear(effect.cleared)
    told, unseen = list[Fault](), list[Fault]()
    for root in left:
        if id(root) in above:
            continue
        if id(root) in lost or not over.left_behind(root):
            told.append(root)
        elif over.blind and root.code in GONE | SERVICE:
            unseen.append(root)
    asks = islice((ask(symptom.job, "sight", symptom.node) for one in unseen for symptom in one.symptoms), LOOKS)
    return told, list(asks)


def in_doubt(fault: Fault, picture: Picture) -> Iterator[Ask]:
    """Yield what to measure before a fault is told, for it may follow from something at the same machine that is not believed yet."""
    codes = CAUSES_HERE.get(fault.code)
    if codes and fault.node is not None:
        yield from (ask(job, "cause", fault.element) for job, code in picture.suspected(fault.node) if code in codes)


class _Causes:
    """The faults by code and by place, so that of thousands only those near an effect are looked at."""

    def __init__(self, faults: list[Fault], topology: Topology) -> None:
        self.topology = topology
        self.by_code: dict[str, list[Fault]] = {}
        self.by_place: dict[Element, list[Fault]] = {}
        for fault in faults:
            self.by_code.setdefault(fault.code, []).append(fault)
            links = {one.link for one in fault.symptoms} | {fault.link}
            for place in nodes_of(fault) | {one for one in links if one is not None}:
                self.by_place.setdefault(place, []).append(fault)

    def near(self, effect: Fault, codes: frozenset[str], related: Relation) -> Iterator[Fault]:
        """Yield the faults of some codes that an effect may be related to, oldest first."""
        places = self._places(effect, related)
        if places is None:
            yield from (one for code in sorted(codes & self.by_code.keys()) for one in self.by_code[code])
        elif not codes.isdisjoint(self.by_code):
            found = {id(one): one for place in places for one in self.by_place.get(place, ()) if one.code in codes}
            yield from sorted(found.values(), key=lambda one: (one.since, one.identity))

    def _places(self, effect: Fault, related: Relation) -> set[Element] | None:
        """Return where a related cause must be; None where it may be anywhere."""
        own, topology = nodes_of(effect), self.topology
        if related in (same_node, dark, lost_again, for_good, unheard):
            return own
        if related is same_link:
            return {effect.link} if effect.link is not None else set()
        if related is towards_dark:
            return set(topology.neighbours(effect.link)) if effect.link is not None else set()
        if related in (at_its_end, lasting_at_its_end):
            near = {(link_element(link), other) for name in own for link, other in topology.links.get(name, ())}
            return own | {one for both in near for one in both}
        if related in (beyond, for_a_moment, from_full):
            return {one for name in own or {symptom.node for symptom in effect.symptoms} for one in topology.shortest(name)}
        return None


def _is_over(fault: Fault, bad: frozenset[Key]) -> bool:
    """Tell whether anything that a fault explained is good again; else it only has another name now."""
    return any(symptom.key not in bad for symptom in fault.symptoms)


class _Over:
    """The faults that are over, by node and as causes, so that of thousands only those are looked at that an effect may come from."""

    def __init__(self, past: list[Past], topology: Topology) -> None:
        self._of = {id(one.fault): one for one in past}
        self._causes = _Causes([one.fault for one in past], topology)
        self._by_node: dict[str, list[Past]] = {}
        for one in past:
            for node in {symptom.node for symptom in one.fault.symptoms} | nodes_of(one.fault):
                self._by_node.setdefault(node, []).append(one)
        self._explained: dict[int, frozenset[Key]] = {}
        self.blind = any(one.fault.code == "agent_blind" and one.age <= ENDING for one in past)  # we were, until just now

    def left_behind(self, effect: Fault) -> bool:
        """Tell whether a fault is what another one that is over now left behind."""
        near = self._by_node.get(effect.symptoms[0].node, ()) if effect.symptoms else ()  # what ends or empties shares all nodes
        if any(one.fault.identity != effect.identity and (self._ends(effect, one) or _empties(effect, one)) for one in near):
            return True
        return any(
            cause.identity != effect.identity
            and _may_follow(effect, self._of[id(cause)])
            and rule.related(effect, cause, self._causes.topology)
            for rule in RULES_OF.get(effect.code, ())
            for cause in self._causes.near(effect, rule.causes, rule.related)
        )

    def _ends(self, effect: Fault, past: Past) -> bool:
        """Tell whether a fault is the rest of one that is ending: some of what that explained is good again, the rest is about to be."""
        if past.age > ENDING or effect.since > past.seen or _seen_after(effect, past):
            return False
        then = self._explained_by(past.fault)
        return all(symptom.key in then or symptom.node in past.fault.nodes for symptom in effect.symptoms)

    def _explained_by(self, fault: Fault) -> frozenset[Key]:
        """Return what a fault explained; asked for by every effect near it, of a wide one thousands of times."""
        keys = self._explained.get(id(fault))
        if keys is None:
            keys = self._explained[id(fault)] = frozenset(symptom.key for symptom in fault.symptoms)
        return keys


def _empties(effect: Fault, past: Past) -> bool:
    """Tell whether a fault is what minutes of measuring still hold of a loss that is over."""
    if past.age > EMPTY or effect.code not in POOR:
        return False
    nodes = {symptom.node for symptom in past.fault.symptoms}
    return all(symptom.check == LATELY and symptom.node in nodes for symptom in effect.symptoms)


def _may_follow(effect: Fault, past: Past) -> bool:
    """Tell whether a fault began while another was there, or right after."""
    cause = past.fault
    if past.age > (ENDING if effect.code in GONE else LINGER) and effect.code not in ECHOES:
        return False
    if _seen_after(effect, past):
        return False
    after = timedelta(0) if effect.code in GONE or cause.code == "agent_blind" else AFTER
    if not cause.since - SLACK <= _began(effect) <= past.seen + after:
        return False
    # a session that was gone for a moment has flapped, which is more than that moment
    return not (effect.code == "bgp_flapping" and cause.code == "bgp_down" and past.seen - cause.since < FLAP)


def _began(effect: Fault) -> datetime:
    """Return when a fault began: a session that was lost says itself when it came back, which may be long before we saw it."""
    back = [symptom.standing.finding for symptom in effect.symptoms if symptom.check == FLAPS]
    ages = [one.seen.at - timedelta(seconds=one.value) for one in back if one.value is not None]
    return min([effect.since, *ages])


def _seen_after(effect: Fault, past: Past) -> bool:
    """Tell whether something of a fault was measured, and was still bad, when the agent that had been blind saw again for a moment."""
    if past.fault.code != "agent_blind" or effect.code not in GONE | SERVICE:
        return False
    return any(symptom.standing.finding.seen.at > past.seen + SIGHT for symptom in effect.symptoms)


def _cause_of(effect: Fault, causes: _Causes, above: dict[int, Fault]) -> Fault | None:
    for rule in RULES_OF.get(effect.code, ()):
        for cause in causes.near(effect, rule.causes, rule.related):
            if cause is effect or cause.since > effect.since + SLACK:
                continue
            if rule.related(effect, cause, causes.topology) and not _is_above(effect, cause, above):
                return cause
    return None


def _is_above(effect: Fault, cause: Fault, above: dict[int, Fault]) -> bool:
    """Tell whether the cause itself follows from the effect."""
    while id(cause) in above:
        cause = above[id(cause)]
        if cause is effect:
            return True
    return False
