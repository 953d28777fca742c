import random

import numpy as np
import pytest

from bench.simulator import detector
from bench.simulator.diagnoses import campaign, figures
from bench.simulator.fat_tree import FatTree, fat_tree
from bench.simulator.losses import window
from bench.simulator.operator_faults import KINDS, Fault, alike, draw_fault, signature, ways, world
from bench.simulator.operator_network import mistaken, network
from bench.simulator.peers import PEERS, pll, score, tomo, vote


@pytest.mark.parametrize("coverage", [1, 2, 3])
def test_probe_matrix_covers_every_link_and_tells_all_apart(coverage: int) -> None:
    tree = fat_tree(8, coverage, 1)
    assert tree.links == 8**3 // 2
    assert min(map(len, tree.over)) >= coverage
    assert len(set(tree.over)) == tree.links
    assert all(len(set(path)) == 4 for path in tree.paths)


def test_every_link_of_the_fat_tree_joins_two_switches() -> None:
    tree = fat_tree(6, 1, 1)
    ends = [sum(link in links for links in tree.switches) for link in range(tree.links)]
    assert set(ends) == {2}
    assert {len(links) for links in tree.switches} == {3, 6}  # an edge switch's other ports lead to servers


SMALL = FatTree(0, ((0, 1), (0, 2), (3, 1), (3, 2), (4, 2)), ((0, 1), (0, 2), (1, 3, 4), (2, 3), (4,)), ())


@pytest.mark.parametrize("method", PEERS.values(), ids=list(PEERS))
def test_a_method_finds_the_link_all_of_whose_paths_are_lossy_and_without_loss_none(method: object) -> None:
    assert callable(method)
    assert method(SMALL, {}) == set()
    assert 0 in method(SMALL, {0: 9, 1: 9})


def test_what_tells_the_methods_apart() -> None:
    two_of_three = {1: 9, 3: 9}  # of link 2; path 4 is good
    assert tomo(SMALL, two_of_three) == set()
    assert score(SMALL, two_of_three) == set()
    assert pll(SMALL, two_of_three) == {2}
    assert vote(SMALL, two_of_three) == {2}


def test_the_same_seed_makes_the_same_windows() -> None:
    tree = fat_tree(8, 2, 1)
    one, other = (window(tree, detector.SETTING, 5, np.random.default_rng(4)) for _ in range(2))
    assert one == other
    assert len(one.failed) == 5


def test_ours_finds_as_many_failed_links_as_pll_or_more_and_names_fewer_false_ones() -> None:
    result = detector.measure(fat_tree(16, 2, 1, 0.08), detector.SETTING, (1, 5), 150, 3)
    for scores in result.values():
        ours, other = scores[detector.OURS], scores["PLL"]
        assert ours.accuracy >= other.accuracy
        assert ours.false < other.false


def test_the_difference_from_what_was_published_is_the_largest_of_all() -> None:
    exact = {count: {name: detector.Score(*by_count[count], 0.0) for name, by_count in detector.PUBLISHED.items()} for count in (1, 50)}
    assert detector.off(exact) == 0
    exact[50]["PLL"] = detector.Score(89.9, 8.0, 0.0)
    assert detector.off(exact) == pytest.approx(4.2)


def test_the_agent_reaches_everything_in_a_sound_operator_and_still_does_when_a_ring_is_cut() -> None:
    net = network(150, 3)
    assert set(ways(net)) == set(net.inventory.nodes)
    ring = "pop-router-0-2=pop-router-0-3"
    cut = world(net, Fault("link", ring))
    assert cut.reached == set(net.inventory.nodes)
    assert {line[0] for line in signature(net, cut, net.jobs)} == {"pop-router-0-2", "pop-router-0-3"}
    assert alike(net, Fault("link", ring), net.jobs) == {ring}


def test_a_customer_s_router_his_line_and_his_site_without_power_look_the_same_from_outside() -> None:
    net = network(150, 3)
    router = next(name for name in net.inventory.nodes if name.startswith("router-"))
    found = alike(net, Fault("node", router), net.jobs)
    assert found == {router, f"{net.beside[router][0][1]}={router}", net.inventory.nodes[router].site}


def test_a_wrong_inventory_has_so_many_links_attached_elsewhere_and_all_else_as_it_is() -> None:
    net = network(300, 1)
    wrong = mistaken(net.inventory, 0.05, random.Random(1))
    moved = [name for name, link in wrong.links.items() if link != net.inventory.links[name]]
    assert len(moved) == pytest.approx(0.05 * len(wrong.links), abs=1)
    assert wrong.nodes == net.inventory.nodes


@pytest.mark.parametrize("kind", KINDS)
def test_every_drawn_fault_can_be_seen(kind: str) -> None:
    net = network(150, 3)
    draw = random.Random(9)
    for _ in range(20):
        assert signature(net, world(net, draw_fault(net, kind, draw)), net.jobs)


def test_correlation_finds_single_faults_of_a_small_operator() -> None:
    found = campaign(1, 30, sizes=(100,))
    assert [one.line for one in found if not one.right or one.left] == []
    assert figures(found).false == 0
