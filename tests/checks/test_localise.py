import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.localise import Probe, localise

# a tree of three levels seen from its root: each leaf is a probe, and no two elements are crossed by the same ones
BRANCHES = 3


def tree(sent: int = 50) -> list[Probe]:
    ways = [(f"a{a}", f"a{a}b{b}", f"a{a}b{b}c{c}") for a in range(BRANCHES) for b in range(BRANCHES) for c in range(BRANCHES)]
    return [Probe(way, sent, 0) for way in ways]


ELEMENTS = sorted({element for probe in tree() for element in probe.crosses})


def failing(probes: list[Probe], loss: dict[str, float]) -> list[Probe]:
    """Return the probes with what elements lose of them, chance left aside."""
    found = []
    for probe in probes:
        passes = 1.0
        for element in probe.crosses:
            passes *= 1 - loss.get(element, 0.0)
        found.append(Probe(probe.crosses, probe.sent, round(probe.sent * (1 - passes))))
    return found


def names(probes: list[Probe]) -> list[str]:
    return [one.element for one in localise(probes)]


def test_nothing_measured_nothing_suspected() -> None:
    assert localise([]) == ()


@given(st.lists(st.integers(0, 500), min_size=27, max_size=27))
def test_no_loss_no_suspect(sent: list[int]) -> None:
    assert localise([Probe(probe.crosses, count, 0) for probe, count in zip(tree(), sent, strict=True)]) == ()


@given(st.sampled_from(ELEMENTS))
def test_one_element_that_loses_all_is_always_found(element: str) -> None:
    probes = failing(tree(), {element: 1.0})
    (found,) = localise(probes)
    assert (found.element, found.loss_ratio) == (element, 1.0)
    assert found.sure > 0.5
    assert set(found.explains) == {number for number, probe in enumerate(probes) if element in probe.crosses}


@given(st.lists(st.sampled_from(ELEMENTS), max_size=3), st.integers(0, 2**32))
@settings(deadline=None)
def test_the_order_of_probes_does_not_matter(elements: list[str], seed: int) -> None:
    draw = random.Random(seed)
    probes = failing(tree(), {element: draw.choice((0.02, 0.2, 1.0)) for element in elements})
    mixed = draw.sample(range(len(probes)), len(probes))
    one, other = localise(probes), localise([probes[number] for number in mixed])
    assert [(it.element, round(it.score, 6), it.rivals) for it in one] == [(it.element, round(it.score, 6), it.rivals) for it in other]
    assert [set(it.explains) for it in one] == [{mixed[number] for number in it.explains} for it in other]


@given(st.sampled_from([0.1, 0.5, 1.0]), st.integers(2, 20))
def test_elements_that_the_same_probes_cross_are_rivals(loss: float, count: int) -> None:
    probes = [Probe(("x", "y", f"own-{number}"), 100, round(100 * loss)) for number in range(count)]
    (found,) = localise([*probes, *tree()])
    assert {found.element, *found.rivals} == {"x", "y"}
    assert found.sure == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "loss",
    [
        {"a0": 1.0, "a1b1": 1.0, "a2b0c2": 1.0},
        {"a0b0": 0.05, "a0b1": 1.0, "a2": 0.3},
        {"a1b0c0": 0.3, "a2b0c1": 0.3},
        {"a0": 0.1, "a0b2": 1.0},
    ],
)
def test_several_faults_at_once_are_each_found(loss: dict[str, float]) -> None:
    assert sorted(names(failing(tree(sent=200), loss))) == sorted(loss)


def test_two_children_that_lose_all_of_three_are_two_faults_for_the_third_clears_the_parent() -> None:
    assert sorted(names(failing(tree(), {"a0b0": 1.0, "a0b1": 1.0}))) == ["a0b0", "a0b1"]


def test_what_loses_certain_flows_alone_is_found_where_good_probes_cross_it_too() -> None:
    ways = [("edge", f"customer-{number}", f"flow-{number}-{flow}") for number in range(8) for flow in range(4)]
    others = [("other", f"customer-{number}") for number in range(8)]
    lost = [25 if number % 3 == 0 else 0 for number in range(len(ways))]
    found = localise([*(Probe(way, 50, gone) for way, gone in zip(ways, lost, strict=True)), *(Probe(way, 50, 0) for way in others)])
    assert [one.element for one in found] == ["edge"]
    assert found[0].loss_ratio == pytest.approx(sum(lost) / (50 * len(ways)))


@pytest.mark.parametrize(("lost", "found"), [(1, []), (2, []), (12, ["a1b1"])])
def test_the_usual_loss_accuses_nobody(lost: int, found: list[str]) -> None:
    """One packet of 10,000 now and then is usual; the same number on the three ways of one element is not, when it is enough."""
    probes = [
        Probe(probe.crosses, 1000, 1 if probe.crosses[2] in ("a0b0c0", "a2b1c1") else lost if "a1b1" in probe.crosses[:2] else 0)
        if lost > 2 or probe.crosses[2] != "a1b1c1"
        else Probe(probe.crosses, 1000, lost)
        for probe in tree()
    ]
    if lost <= 2:
        probes = [Probe(probe.crosses, 1000, lost if probe.crosses[2] == "a1b1c1" else 0) for probe in tree()]
    assert names(probes) == found


def test_a_network_that_always_loses_a_little_has_no_suspect_but_a_worse_part_of_it_is_one() -> None:
    draw = random.Random(1)
    usual = [Probe(probe.crosses, 2000, sum(draw.random() < 0.004 for _ in range(2000))) for probe in tree()]
    assert names(usual) == []
    worse = [Probe(probe.crosses, 2000, probe.lost + (60 if "a1" in probe.crosses else 0)) for probe in usual]
    assert names(worse) == ["a1"]


def test_a_good_probe_clears_what_would_lose_all() -> None:
    probes = [Probe(("core", "left"), 20, 20), Probe(("core", "right"), 20, 0)]
    assert names(probes) == ["left"]


@pytest.mark.parametrize("lost", [12, 30, 48, 57, 60])
def test_of_two_on_one_way_the_far_one_loses_when_the_near_one_s_own_probe_is_good(lost: int) -> None:
    """However much it loses: a line that is likelier to fail is not blamed for what its near end does not feel."""
    probes = [Probe(("line", "router"), 60, 0), Probe(("line", "router", "lan", "gateway"), 60, lost)]
    (found,) = localise(probes, {"line": 0.003, "lan": 0.0003, "gateway": 0.001})
    assert found.element == "gateway"
    assert found.rivals[0] == "lan"
    assert found.sure > 0.5


def test_a_probe_that_sent_nothing_says_nothing() -> None:
    probes = failing(tree(), {"a0b0": 1.0})
    assert names([*probes, Probe(("a2", "a2b2"), 0, 0)]) == names(probes)


def test_what_is_known_to_fail_often_is_believed_sooner() -> None:
    probes = [Probe(("x", "y"), 100, 5) for _ in range(3)]
    (found,) = localise(probes, {"y": 0.1})
    assert (found.element, found.rivals) == ("y", ())
    assert found.sure > 0.9


@pytest.mark.parametrize("missing", [0.1, 0.3])
def test_missing_probes_change_nothing_as_long_as_some_are_left(missing: float) -> None:
    draw = random.Random(7)
    probes = [probe for probe in failing(tree(), {"a1": 1.0}) if draw.random() >= missing]
    assert names(probes) == ["a1"]


def test_a_large_network_is_only_looked_at_near_what_loses() -> None:
    """The work is that near the fault: 20 times the network takes not nearly 20 times as many looks at elements."""
    from checks import localise as module

    probes = [
        Probe((f"p{pod}", f"p{pod}e{edge}", f"p{pod}e{edge}x{far}"), 50, 0) for pod in range(50) for edge in range(20) for far in (1, 2)
    ]
    hit = [Probe(probe.crosses, 50, 50 if "p7e3" in probe.crosses else 0) for probe in probes]
    search = module._Search(hit, [number for number, probe in enumerate(hit) if probe.lost], {}, 1e-4, 1e-4)
    assert set(search.over) == {"p7", "p7e3", "p7e3x1", "p7e3x2"}
    assert names(hit) == ["p7e3"]
