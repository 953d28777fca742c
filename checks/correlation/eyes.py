"""The agent's own eyes: when its uplink is down, or nothing at all answers any more, the first suspect is the agent itself."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from heapq import nsmallest

from checks.ask import Ask
from checks.causes import Sort
from checks.correlation.fault import Basis, Fault, ask
from checks.correlation.picture import OPER, Picture
from checks.correlation.reach import Reach
from checks.topology import Element

CONNTRACK = frozenset({"sockets/conntrack", "sockets/conntrack-drops"})
SIGHT = frozenset({"interfaces", "icmp"})  # what tells it soonest
LEAST = 3  # nodes that must all be dark before we suspect ourselves without a port that says so
BURST = timedelta(seconds=1)  # what began after the reading of our port may still have been answered before the port went down
LOOKED_FOR = 3  # nodes that are measured again and again while we are blind
WITNESSES = 8  # nodes that are measured anew before a port of ours that is down is told as our blindness


def blindness(faults: list[Fault], picture: Picture, reach: Reach) -> list[Fault]:
    """Return the faults, those that come of our own blindness replaced by it.

    An interface of the agent's own host that is down is its blindness when it is the one towards everything else, and nothing of that
    has answered since.
    """
    here = picture.topology.here
    for fault in faults:
        mine = [one for one in fault.symptoms if one.node == here and one.check == OPER]
        if not mine:
            continue
        since = max(one.since for one in mine)
        others = [name for name in picture.jobs if not picture.topology.local(name)]
        if others and not any((alive := picture.alive_at(name)) is not None and alive > since + BURST for name in others):
            blind = Fault("agent_blind", here, fault.symptoms, Basis.SAID, here, fault.link)
            blind.asks = [*fault.asks, *_witnesses(others, picture, fault.link)]
            return [blind, *(one for one in faults if one is not fault)]
    if (reach.lit or reach.shared) and _everything_is_dark(picture, reach):
        return _as_others_see(faults, here, reach)
    if len(reach.dark) >= LEAST and _everything_is_dark(picture, reach):
        first = [one for one in faults if one.nodes]
        symptoms = [symptom for one in first for symptom in one.symptoms]
        blind = Fault("agent_blind", here, symptoms, Basis.CLASS, here, nodes=frozenset(reach.dark))
        blind.alternatives = tuple(dict.fromkeys(one.code for one in first))
        blind.elsewhere = tuple(dict.fromkeys(one.element for one in first))
        blind.asks = [one for fault in first for one in fault.asks]
        return [blind, *(one for one in faults if not one.nodes)]
    return faults


def own_word(fault: Fault, picture: Picture) -> Iterator[Ask]:
    """Yield what our own machine has not said, or not for sure, since something fell silent: our own connections may be why."""
    here = picture.topology.here
    silent = [one.since for one in fault.symptoms if one.sort is Sort.SILENT and one.node != here]
    if not silent:
        return
    for job, memory in picture.jobs.get(here, ()):
        tracks = [track for (check, _), track in memory.tracks.items() if check in CONNTRACK]
        old = memory.last_at is None or memory.last_at < max(silent)
        if tracks and (old or any(track.doubtful and not track.blind for track in tracks)):
            yield ask(job, "connections", here)


def look_out(faults: Iterable[Fault], picture: Picture) -> Iterator[Ask]:
    """Yield what to measure again and again while we are blind, our own ports and the nearest nodes, so that we know when we see."""
    topology = picture.topology
    if not any((one.code, one.element) == ("agent_blind", topology.here) for one in faults):
        return
    far = len(topology.distance)
    others = (name for name in picture.jobs if not topology.local(name))
    near = nsmallest(LOOKED_FOR, others, key=lambda name: (topology.distance.get(name, far), name))
    for name in (topology.here, *near):
        jobs = [job for job, _ in picture.jobs.get(name, ()) if job[1] in SIGHT]
        yield from (ask(job, "sight", name) for job in jobs[:LOOKED_FOR])


def _witnesses(names: list[str], picture: Picture, link: Element | None) -> Iterator[Ask]:
    """Yield what to measure of nodes that answered when they were last asked, before our port went down: do they still?

    Those that are reached without the link come first, then the nearest.
    """
    topology = picture.topology
    behind = frozenset(topology.behind(link)) if link is not None else frozenset[str]()
    known = [(name, alive[1]) for name in names if (alive := picture.life_of(name)) is not None]
    far = len(topology.distance)
    for name, job in nsmallest(WITNESSES, known, key=lambda one: (one[0] in behind, topology.distance.get(one[0], far), one[0])):
        yield ask(job, "sight", name)


def _as_others_see(faults: list[Fault], here: str, reach: Reach) -> list[Fault]:
    """Return the faults when nothing answers us, but another agent knows what there is: what it sees as well is not gone, we are blind;
    what it can't see either is the far thing.
    """
    own = [one for one in faults if (one.nodes or one.element == here) and one not in reach.shared]
    seen = frozenset(name for name in reach.lit if reach.others.see_over_the_network(name, reach.dark[name].since))
    if not any(one.nodes & seen or (one.code, one.element) == ("agent_blind", here) for one in own):
        return faults
    blind = Fault("agent_blind", here, [symptom for one in own for symptom in one.symptoms], Basis.SILENCE, here)
    return [blind, *(one for one in faults if one not in own)]


def _everything_is_dark(picture: Picture, reach: Reach) -> bool:
    since = min(one.since for one in reach.dark.values())
    return all(
        node in reach.dark or (alive := picture.alive_at(node)) is None or alive < since
        for node in picture.jobs
        if not picture.topology.local(node) and picture.measured(node)
    )
