"""What a verdict stands on, gathered so that anybody can derive it again.

Live, with `memories` and `rules` by Job.key: `checks.proof.prove` gathers as little as leads to the verdict. Later and offline:
`derive(evidence, cause, element)` gives the same bytes (its own evidence apart), and `same_rules(evidence)` tells whether the rules at
work here are those of then.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice

from checks.assess import Memory, Rules
from checks.correlate import RULES, Correlation, correlate
from checks.correlation.fault import Fault
from checks.correlation.view import View
from checks.extent import Extent
from checks.strand import JobKey, played, strand_of
from checks.topology import LINK, Topology
from checks.verdict import Diagnosis, Evidence, Identity, Strand, Width
from probe.inventory import Inventory

MOST_STRANDS = 12_000  # jobs of one evidence
MANY_STRANDS = 50  # from here on they are short
FEW_SIGNS = 8  # nodes behind each element whose readings are taken along, or as many again as are dark

ByNode = Mapping[str, Sequence[JobKey]]


def gather(
    diagnosis: Diagnosis,
    memories: Mapping[JobKey, Memory],
    rules: Mapping[JobKey, Rules],
    inventory: Inventory,
    width: Width = Width.OWN,
    made: dict[tuple[JobKey, bool], Strand] | None = None,
    views: Iterable[View] = (),
    by_node: ByNode | None = None,
) -> Evidence:
    """Return the evidence of a diagnosis: the strands of jobs, and the slice of the inventory that leads to the same ways.

    `own`: every job of which a track or a good reading is named by the diagnosis; `near`: also those of the nodes on the way, next to them
    and at the culprit's site, and of some nodes behind each of them, as many again as are dark, and all that lies behind the culprit;
    `bad`: also every job with something bad, and the whole inventory; `all`: all jobs.
    Both mappings are by (node, prober, item), `by_node` has the keys of the memories (`jobs_by_node`); `made` keeps strands from one
    width to the next; `views` are cut to the nodes of the slice. Raises ValueError when a key of the diagnosis is in no memory, for
    evidence that can't carry the verdict is worse than none, and of more than MOST_STRANDS jobs.
    """
    by_node = jobs_by_node(memories) if by_node is None else by_node
    jobs = jobs_of(diagnosis, memories, by_node)
    nodes = {job[0] for job in jobs} | _culprits(diagnosis, inventory)
    if width is Width.ALL:
        jobs = set(memories)
    elif width is not Width.OWN:
        signs, nodes = _near(diagnosis, nodes, {job[0] for job, memory in memories.items() if memory.quiet}, inventory)
        jobs |= {job for node in signs for job in by_node.get(node, ())}
    if width is Width.BAD:
        jobs |= {job for job, memory in memories.items() if memory.bad}
    if len(jobs) > MOST_STRANDS:
        raise ValueError(f"{len(jobs)} checks, more than {MOST_STRANDS}")
    short = len(jobs) > MANY_STRANDS
    made = made if made is not None else {}
    for job in jobs:
        if job in rules and (job, short) not in made:
            made[job, short] = strand_of(job, memories[job], rules[job], short)
    strands = tuple(made[job, short] for job in sorted(jobs) if job in rules)
    whole = width in (Width.BAD, Width.ALL)
    views = tuple(views)
    needed = inventory if whole else slice_of(inventory, nodes | _ways_of(views, diagnosis, inventory), diagnosis)
    return Evidence(RULES, strands, needed, width, tuple(_cut(view, needed) for view in views))


def jobs_by_node(memories: Mapping[JobKey, Memory]) -> ByNode:
    """Return the jobs of each node, made once where many diagnoses of one moment are proven."""
    found: dict[str, list[JobKey]] = {}
    for job in memories:
        found.setdefault(job[0], []).append(job)
    return found


def jobs_of(diagnosis: Diagnosis, memories: Mapping[JobKey, Memory], by_node: ByNode) -> set[JobKey]:
    """Return the jobs whose readings a diagnosis names, bad or good; ValueError when a bad one is in no memory."""
    missing, good = set(diagnosis.keys), {one.key for one in diagnosis.ruled_out}
    nodes = {key[1] for key in (*missing, *good)}
    jobs = set()
    for job in (job for node in nodes for job in by_node.get(node, ())):
        held = {track.key for track in memories[job].tracks.values()}
        if held & missing or held & good:
            jobs.add(job)
            missing -= held
    if missing:
        raise ValueError(f"no memory of {sorted(missing)}")
    return jobs


def slice_of(inventory: Inventory, names: Collection[str], diagnosis: Diagnosis | None = None) -> Inventory:
    """Return the part of the inventory that a verdict about these nodes needs: they and the ways to them, where a way is double both ways,
    what is at the ports that the diagnosis names, and the sites, carriers and customers of all that."""
    extent = _extent(_Same(inventory))
    wanted = {inventory.here, *names}
    for key in (*diagnosis.keys, *(one.key for one in diagnosis.ruled_out)) if diagnosis is not None else ():
        wanted |= extent.at_port(key[1], key[3])
    return extent.part(extent.ways(sorted(wanted)), diagnosis.affected if diagnosis is not None else ())


def replay(evidence: Evidence) -> dict[JobKey, Memory]:
    """Return the memory of every job as it stood after the last observation of the evidence."""
    return {(strand.node, strand.prober, strand.item): played(strand) for strand in evidence.strands}


def derive(evidence: Evidence, cause: str, element: str) -> Diagnosis | None:
    """Return the diagnosis of `cause` at `element` that the evidence leads to, without its evidence; None when it leads to none."""
    found = (one for one in derive_all(evidence) if (one.cause, one.element) == (cause, element))
    return next(found, None)


def derive_all(evidence: Evidence) -> list[Diagnosis]:
    """Return every diagnosis that the evidence leads to: a changed reading may lead to another cause, or to none."""
    return list(_correlated(evidence).diagnoses)


def derive_fault(evidence: Evidence, identity: Identity) -> Fault | None:
    """Return the fault of which a diagnosis was made, as the evidence leads to it; None when it leads to no such diagnosis."""
    return _correlated(evidence).faults.get(identity)


def _correlated(evidence: Evidence) -> Correlation:
    return correlate(replay(evidence), Topology(evidence.inventory), (), evidence.views)


def same_rules(evidence: Evidence) -> bool:
    """Tell whether the verdict was derived by the rules at work here; by others it may come out differently."""
    return evidence.rules == RULES


def _culprits(diagnosis: Diagnosis, inventory: Inventory) -> set[str]:
    """Return the nodes that the culprit is, or that it joins or holds, and those of what else it may be."""
    found = set()
    for name in (diagnosis.element, *diagnosis.elsewhere):
        found |= _nodes_of(name, inventory)
    return found


def _nodes_of(element: str, inventory: Inventory) -> set[str]:
    if element in inventory.links and element not in inventory.nodes:
        link = inventory.links[element]
        return {link.a, link.b}
    if element in inventory.sites:
        return {name for name, node in inventory.nodes.items() if node.site == element}
    while element not in inventory.nodes and ":" in element:  # a part of a node: "edge:fib0"
        element = element.rpartition(":")[0]
    return {element} if element in inventory.nodes else set()


def _near(diagnosis: Diagnosis, nodes: Collection[str], quiet: Collection[str], inventory: Inventory) -> tuple[set[str], set[str]]:
    """Return the nodes whose readings are taken along, and those that must be in the inventory: also all that lies behind the culprit."""
    extent = _extent(_Same(inventory))
    topology = extent.topology
    culprits = _culprits(diagnosis, inventory)
    dark = {key[1] for key in diagnosis.keys}
    signs = extent.ways(sorted(nodes))
    for name in nodes:
        signs |= extent.around(name)
    for site in {topology.node(name).site for name in culprits} - {None}:
        signs |= set(topology.nodes_at(site or ""))
    on_the_way = {element for name in (*culprits, *dark) for element in topology.chain(name)}
    for element in on_the_way:
        bright = (name for name in topology.behind(element) if name in quiet)
        signs |= set(islice(bright, max(FEW_SIGNS, len(dark))))
    behind = {name for culprit in (diagnosis.element, LINK + diagnosis.element) for name in topology.behind(culprit)}
    return signs, signs | behind


def _ways_of(views: Iterable[View], diagnosis: Diagnosis, inventory: Inventory) -> set[str]:
    """Return the nodes on the ways of other agents to those that a diagnosis finds bad."""
    extent, found = _extent(_Same(inventory)), set[str]()
    for view in views:
        theirs = extent.topology.seen_from(view.here)
        found |= {node for key in diagnosis.keys for node in extent.nodes_of(theirs.chain(key[1]))}
    return found & inventory.nodes.keys()


def _cut(view: View, inventory: Inventory) -> View:
    known = {*inventory.nodes, view.here}
    return View(
        view.agent,
        view.here,
        {node: at for node, at in view.alive.items() if node in known},
        {node: at for node, at in view.dark.items() if node in known},
    )


class _Same:
    """An inventory as the key of a cache: the same object, for comparing two of them costs more than what is kept."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory

    def __hash__(self) -> int:
        return id(self.inventory)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.inventory is other.inventory


@lru_cache(maxsize=2)  # the one in force, and at a reload the one before
def _extent(same: _Same) -> Extent:
    return Extent(same.inventory)
