"""What the lab's faults have in common: what is right to say of one, and how it is planted; values only."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tests.lab.lab import Lab

T = TypeVar("T")


@dataclass(frozen=True)
class Truth:
    """What is right to say of a planted fault. No cause: it is none, and nothing may be said.

    causes: the cause's code, or the codes of its declared class (what can't be told apart from outside). side: company, carrier or customer;
    more than one only where it can't be told. elements: the inventory's names that may be named: node, link, site, or node:part; a node
    alone stands for any part of it. customers: who must be among the affected.
    """

    causes: frozenset[str]
    side: frozenset[str]
    elements: frozenset[str]
    customers: frozenset[str] = frozenset()


def truth(causes: str, side: str, elements: str, *customers: str) -> Truth:
    """Return a truth whose causes, sides and elements are given as words between spaces."""
    return Truth(frozenset(causes.split()), frozenset(side.split()), frozenset(elements.split()), frozenset(customers))


NO_FAULT = truth("", "", "")

Plant = Callable[["Lab", random.Random], AbstractContextManager[Truth]]


@dataclass(frozen=True)
class Fault:
    """A fault of the lab: `plant` makes it when its context is entered and undoes it when that is left; both wait until they hold.

    seen: "live" within 15 s; "cached" within 45 s, by readings that the device itself caches; "statistical" within 300 s. machine_wide: it
    touches the whole machine, so it never runs beside another lab.
    """

    name: str
    seen: str
    machine_wide: bool
    plant: Plant


def fault(plant: Plant, seen: str = "live", machine_wide: bool = False) -> Fault:
    """Return the fault that this function plants, by the function's name; the last one that is undone waits until the lab is healthy."""

    @contextmanager
    def planted(lab: "Lab", draw: random.Random) -> Iterator[Truth]:
        lab.standing += 1
        try:
            with plant(lab, _spread(draw, plant.__name__)) as told:
                yield told
        finally:
            lab.standing -= 1
        if not lab.standing:
            lab.recover(plant.__name__)

    return Fault(plant.__name__, seen, machine_wide, planted)


def _spread(draw: random.Random, name: str) -> random.Random:
    """Return a Random that depends on the fault too: the first choices of small seeds are all alike."""
    return draw if isinstance(draw, Plain) else random.Random(f"{name} {draw.getrandbits(64)}")


class Plain(random.Random):
    """Draws the first of what there is and the lower end of a range: the place and severity of a fault that nobody drew."""

    def choice(self, seq: Any) -> Any:
        return seq[0]

    def sample(self, population: Sequence[T], k: int, *, counts: Any = None) -> list[T]:
        return list(population[:k])

    def uniform(self, a: float, b: float) -> float:
        return a

    def randint(self, a: int, b: int) -> int:
        return a

    def random(self) -> float:
        return 0.0
