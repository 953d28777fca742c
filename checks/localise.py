"""Which links or nodes lose packets, told from probes that crossed several of them: tomography.

Every element that a lossy probe crossed may be at fault. A fault is one of three: all is lost, each packet is lost with the same chance, or
certain flows lose much and others nothing (a black hole for a share of the headers). How likely a fault makes all that was seen over its
element, good probes included, against how likely it is without, is weighed by the chance of a fault. The likeliest is taken first, the
others are weighed again beside it, and what is no longer needed, or told better by another, is given back.

Only elements near lossy probes are looked at. The time is that of reading the probes, and some 0.1 ms for each such element.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from math import exp, log, log1p

import msgspec

PRIOR = (1e-5, 1e-3)  # our choice: one fault is expected in the whole network, so the chance of an element is one of all; within these
BASE = 1e-4  # what a sound path loses: the 10⁻⁴ … 10⁻⁵ of usual loss that deTector (USENIX ATC 2017) leaves aside
_BASE_WEIGHT = 10_000  # packets by which the usual loss is believed before what is seen of it counts more
_OWN = 1e-6  # the chance that a probe has a trouble of its own (its far end restarts), which no element explains
_RIVAL = 3.0  # nats: an explanation twenty times less likely is none
_KINDS = (0.4, 0.55, 0.05)  # our choice: how often all is lost, each packet by the same chance, certain flows
_ROUNDS = 4  # of giving back and exchanging, and of learning the usual loss; they end sooner when nothing changes
_MOST = 1000  # suspects; where more would be named, the topology or the measuring is wrong

_RATES = (*(10 ** (-3 + step / 4) for step in range(11)), 0.5, 0.7, 0.85, 0.95)  # of a chance for each packet: 0.1 % … 95 %
_SHARES = (0.003, 0.01, 0.03, 0.1, 0.25, 0.5, 0.75, 0.999)  # of what one flow loses, where certain flows lose
_HIT = (0.3, 0.6, 0.95)  # the share of flows that are hit
_NOTHING = 1e-9  # of a packet's chance to pass what loses all
_ALL, _SOME, _CERTAIN = range(3)  # kinds of fault: all is lost, each packet by a chance, certain flows


class Probe(msgspec.Struct, frozen=True, gc=False):
    """Packets that took one way: the elements they crossed, how many were sent, how many lost."""

    crosses: tuple[str, ...]
    sent: int
    lost: int


class Suspect(msgspec.Struct, frozen=True, gc=False):
    """An element at fault.

    `score` is by how much (nats) its fault explains better what was seen than none would, the chance of a fault already taken off: more
    than 0. `loss_ratio` is what it loses of the packets that cross it. `explains` are the lossy probes, by their place, that it explains.
    `rivals` are elements one of which may be meant instead, for the probes can hardly tell them apart; `sure` is the chance that it is
    this one and none of them.
    """

    element: str
    score: float
    loss_ratio: float
    explains: tuple[int, ...]
    rivals: tuple[str, ...] = ()
    sure: float = 1.0


def localise(probes: Sequence[Probe], prior: Mapping[str, float] | None = None) -> tuple[Suspect, ...]:
    """Return the elements at fault, the surest first; none when nothing was lost beyond the usual.

    `prior` is the chance of a fault by element, where it is not the usual one. The order of the probes changes nothing but `explains`.
    """
    lossy = [number for number, probe in enumerate(probes) if probe.lost > 0]
    if not lossy:
        return ()
    elements = len({element for probe in probes for element in probe.crosses})
    chance = min(PRIOR[1], max(PRIOR[0], 1 / elements))
    base = max(BASE, _lower_half(probes))
    for _ in range(_ROUNDS):
        search = _Search(probes, lossy, prior or {}, chance, base)
        search.run()
        learned = search.left_over()
        if 0.9 < learned / base < 1.1:
            break
        base = learned
    return search.suspects()


def _lower_half(probes: Sequence[Probe]) -> float:
    """Return the loss of the better half of the probes: what is usual where every path loses a little."""
    ratios = sorted((probe.lost / probe.sent, probe.sent, probe.lost) for probe in probes if probe.sent > 0)
    half = ratios[: (len(ratios) + 1) // 2]
    return _blended(sum(lost for _, _, lost in half), sum(sent for _, sent, _ in half))


def _blended(lost: int, sent: int) -> float:
    return min(0.1, (lost + BASE * _BASE_WEIGHT) / (sent + _BASE_WEIGHT))


class _Row(msgspec.Struct, frozen=True, gc=False):
    """How likely one probe's loss is (log) without a fault, with each kind of fault, and what share its own flow lost."""

    none: float
    full: float
    rates: tuple[float, ...]
    own: float
    share: float


class _Fault(msgspec.Struct, frozen=True, gc=False):
    """The gain (nats) of an element's fault beside the others, and the share it takes of its probes, if it is the same of each."""

    gain: float
    rate: float
    kind: int


class _Search:
    """The elements near lossy probes, those taken so far, and what share of packets these let pass on each probe."""

    def __init__(self, probes: Sequence[Probe], lossy: Sequence[int], prior: Mapping[str, float], chance: float, base: float) -> None:
        self.probes, self.lossy, self.prior, self.chance, self.base = probes, lossy, prior, chance, base
        near = {element for number in lossy for element in probes[number].crosses}
        self.over: dict[str, list[int]] = {element: [] for element in near}
        for number, probe in enumerate(probes):
            if probe.sent > 0 and not near.isdisjoint(probe.crosses):
                for element in set(probe.crosses) & near:
                    self.over[element].append(number)
        self.taken: dict[str, dict[int, float]] = {}  # the share of each probe that a taken element lets pass
        self.kinds: dict[str, int] = {}
        self.at: dict[int, list[str]] = defaultdict(list)  # the taken elements on a probe
        self.rows: dict[tuple[int, int, float], _Row] = {}

    def run(self) -> None:
        """Take what explains best until nothing more does, then give back and exchange until nothing changes."""
        self.take(sorted(self.over))
        for _ in range(_ROUNDS):
            changed = self.exchange()
            for element in [name for name, kind in sorted(self.kinds.items()) if kind == _CERTAIN]:
                changed |= self.divide(element)
            if not changed:
                return
            self.take(sorted(self.over.keys() - self.taken.keys()))

    def take(self, candidates: Sequence[str], kinds: int = _CERTAIN) -> dict[str, float]:
        """Take elements greedily, faults of the first kinds alone, and return what each gained.

        After each only those that share a probe with it are weighed again.
        """
        gains = {element: self.weigh(element, kinds).gain for element in candidates}
        gained: dict[str, float] = {}
        while gains and len(self.taken) < _MOST:
            best = min(gains, key=lambda element: (-round(gains[element], 6), element))
            if gains.pop(best) <= 0:
                break
            fault = self.weigh(best, kinds)
            gained[best] = fault.gain
            self.add(best, fault)
            for element in {near for number in self.over[best] for near in self.probes[number].crosses} & gains.keys():
                gains[element] = self.weigh(element, kinds).gain
        return gained

    def divide(self, element: str) -> bool:
        """Try several faults that lose evenly in the place of one that loses certain flows; tell whether they explain more."""
        self.drop(element)
        whole = self.weigh(element)
        parts = self.take([element, *self.beside(element)], _SOME)
        if sum(parts.values()) > whole.gain:
            return True
        for part in parts:
            self.drop(part)
        if whole.gain > 0:
            self.add(element, whole)
        return whole.gain <= 0

    def exchange(self) -> bool:
        """Give back what the others explain, and take what explains better in its place; tell whether anything changed."""
        changed = False
        for element in sorted(self.taken):
            self.drop(element)
            own = self.weigh(element)
            best, fault = element, own
            for other in self.beside(element):
                weighed = self.weigh(other)
                if weighed.gain > fault.gain + 1e-3:
                    best, fault = other, weighed
            changed |= best != element or fault.gain <= 0
            if fault.gain > 0:
                self.add(best, fault)
        return changed

    def beside(self, element: str) -> list[str]:
        """Return the elements, not taken, that some lossy probe of this one crosses too."""
        probes = self.probes
        return sorted(
            {other for number in self.over[element] if probes[number].lost for other in probes[number].crosses}
            - self.taken.keys()
            - {element}
        )

    def add(self, element: str, fault: _Fault) -> None:
        """Take an element: from now on its probes are weighed with what it loses of them."""
        passes = {}
        for number in self.over[element]:
            probe = self.probes[number]
            lost = self.row(probe.sent, probe.lost, self.passing(number)).share if fault.kind == _CERTAIN else fault.rate
            passes[number] = max(_NOTHING, 1 - lost)
        for number in passes:
            self.at[number].append(element)
        self.taken[element] = passes
        self.kinds[element] = fault.kind

    def drop(self, element: str) -> None:
        """Give an element back."""
        del self.kinds[element]
        for number in self.taken.pop(element):
            self.at[number].remove(element)

    def passing(self, number: int) -> float:
        """Return the share of a probe's packets that what is taken lets pass."""
        share = 1.0
        for element in sorted(self.at.get(number, ())):
            share *= self.taken[element][number]
        return share

    def weigh(self, element: str, kinds: int = _CERTAIN) -> _Fault:
        """Return how much better a fault of this element, one of the first kinds, explains its probes than what is taken does alone."""
        seen = Counter((self.probes[number].sent, self.probes[number].lost, self.passing(number)) for number in self.over[element])
        rows = [(self.row(sent, lost, passing), count) for (sent, lost, passing), count in sorted(seen.items())]
        none = sum(row.none * count for row, count in rows)
        each = [sum(row.rates[at] * count for row, count in rows) for at in range(len(_RATES))]
        by_kind = [log(_KINDS[_ALL]) + sum(row.full * count for row, count in rows), log(_KINDS[_SOME]) + _mean(each)]
        if kinds >= _CERTAIN:
            hits = [sum(_either(hit, row.own, row.none) * count for row, count in rows) for hit in _HIT]
            by_kind.append(log(_KINDS[_CERTAIN]) + _mean(hits))
        chance = self.prior.get(element, self.chance)
        gain = _sum(by_kind) - none + log(chance) - log1p(-chance)
        kind = by_kind.index(max(by_kind))
        if kind != _SOME:
            return _Fault(gain, 1.0 if kind == _ALL else 0.0, kind)
        top = max(each)
        weights = [exp(one - top) for one in each]
        return _Fault(gain, sum(rate * weight for rate, weight in zip(_RATES, weights, strict=True)) / sum(weights), kind)

    def row(self, sent: int, lost: int, passing: float) -> _Row:
        """Return how likely a probe's loss is under each explanation, when what is taken lets this share of it pass."""
        key = (sent, lost, passing)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = _row(sent, lost, passing * (1 - self.base))
        return row

    def left_over(self) -> float:
        """Return what the probes lose that cross nothing at fault."""
        sound = [probe for number, probe in enumerate(self.probes) if not self.at.get(number)]
        return _blended(sum(probe.lost for probe in sound), sum(probe.sent for probe in sound))

    def suspects(self) -> tuple[Suspect, ...]:
        """Return what was taken, the surest first."""
        found = []
        for element in sorted(self.taken):
            self.drop(element)
            fault = self.weigh(element)
            others = {other: self.weigh(other).gain for other in self.beside(element)}
            found.append(self._suspect(element, fault, others))
            self.add(element, fault)
        return tuple(sorted(found, key=lambda one: (-round(one.score, 6), one.element)))

    def _suspect(self, element: str, fault: _Fault, others: Mapping[str, float]) -> Suspect:
        explains, sent, lost = [], 0, 0
        for number in self.over[element]:
            probe, passing = self.probes[number], self.passing(number)
            row = self.row(probe.sent, probe.lost, passing)
            if probe.lost and max(row.full, row.own, *row.rates) > row.none:
                explains.append(number)
            if passing > 0.5:
                sent, lost = sent + probe.sent, lost + probe.lost
        rate = fault.rate if fault.kind != _CERTAIN or not sent else lost / sent
        rivals = sorted((-round(gain, 6), other) for other, gain in others.items() if gain > fault.gain - _RIVAL)
        sure = 1 / (1 + sum(exp(min(0.0, gain - fault.gain)) for gain in others.values()))
        return Suspect(element, fault.gain, rate, tuple(explains), tuple(other for _, other in rivals), sure)


def _row(sent: int, lost: int, passing: float) -> _Row:
    def likely(lets_pass: float) -> float:
        gone = min(1 - 1e-12, max(1e-12, 1 - lets_pass))
        return lost * log(gone) + (sent - lost) * log(1 - gone)

    def either_way(lets_pass: float) -> float:
        return _either(_OWN, _mean([likely(lets_pass * (1 - share)) for share in _SHARES]), likely(lets_pass))

    own = [likely(passing * (1 - share)) for share in _SHARES]
    top = max(own)
    weights = [exp(one - top) for one in own]
    share = sum(part * weight for part, weight in zip(_SHARES, weights, strict=True)) / sum(weights)
    return _Row(
        none=either_way(passing),
        full=likely(passing * _NOTHING),
        rates=tuple(either_way(passing * (1 - rate)) for rate in _RATES),
        own=_mean(own),
        share=share if lost else 0.0,
    )


def _either(chance: float, one: float, other: float) -> float:
    """Return log(chance · e^one + (1 - chance) · e^other)."""
    return _sum((log(chance) + one, log1p(-chance) + other))


def _mean(logs: Sequence[float]) -> float:
    return _sum(logs) - log(len(logs))


def _sum(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + log(sum(exp(one - top) for one in logs))
