"""Dominators and ways of a network, held against walking it; and inventories that are not what one expects of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.topology import LINK, Topology
from probe.inventory import Inventory, Link, Node

NAMES = tuple("abcdefgh")


def network(pairs: list[tuple[str, str]], kinds: list[str] | None = None, here: str = "a") -> Topology:
    kinds = kinds or ["switch"] * len(NAMES)
    nodes = {name: Node(name, kind=kind) for name, kind in zip(NAMES, kinds, strict=True)}
    links = [Link(f"l{number}", one, other) for number, (one, other) in enumerate(pairs)]
    return Topology(Inventory(here, nodes, {}, {link.name: link for link in links}))


PAIRS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=14)
KINDS = st.lists(st.sampled_from(["switch", "server", "router", "gateway"]), min_size=len(NAMES), max_size=len(NAMES))


@settings(max_examples=200, deadline=None)
@given(PAIRS, KINDS)
def test_the_chain_of_a_node_is_what_cuts_it_off_when_it_fails(pairs: list[tuple[str, str]], kinds: list[str]) -> None:
    topology = network(pairs, kinds)
    every = topology.reached(())
    assert every == set(topology.order)
    for node in NAMES:
        if node not in every:
            assert topology.chain(node) == ("a", node)
            continue
        cuts = {element for element in every if node not in topology.reached({element})}
        assert set(topology.chain(node)) == cuts
        assert topology.chain(node)[0] == "a"
        assert topology.chain(node)[-1] == node


@settings(max_examples=200, deadline=None)
@given(PAIRS, KINDS)
def test_behind_an_element_is_what_it_alone_leads_to(pairs: list[tuple[str, str]], kinds: list[str]) -> None:
    topology = network(pairs, kinds)
    every = set(topology.order)
    for element in every:
        lost = every - topology.reached({element})
        assert set(topology.behind(element)) == {name for name in lost if not name.startswith(LINK)}


@settings(max_examples=100, deadline=None)
@given(PAIRS)
def test_a_shortest_way_is_as_long_as_the_distance_and_what_all_share_lies_on_each(pairs: list[tuple[str, str]]) -> None:
    topology = network(pairs)
    for node in NAMES:
        if node in topology.distance:
            ways, certain = topology.shortest(node), topology.crossed(node)
            assert {topology.distance[one] for one in ways} == set(range(topology.distance[node] + 1))
            assert certain <= ways
            assert {"a", node} <= certain


def test_a_link_and_a_node_may_have_any_name_and_the_same_one() -> None:
    nodes = ("agent", "link:up", "up", "core:1+2|3", "核心")
    links = (Link("up", "agent", "link:up"), Link("link:up", "link:up", "up"), Link("核心", "up", "核心"), Link("x", "核心", "core:1+2|3"))
    topology = Topology(Inventory("agent", {name: Node(name, kind="switch") for name in nodes}, {}, {link.name: link for link in links}))
    assert [one for one in topology.chain("core:1+2|3") if not one.startswith(LINK)] == ["agent", "link:up", "up", "核心", "core:1+2|3"]
    assert [link.name for one in topology.chain("core:1+2|3") if (link := topology.link(one)) is not None] == [link.name for link in links]


def test_a_node_that_is_named_as_links_are_marked_is_refused() -> None:
    name = LINK + "up"
    with pytest.raises(ValueError, match="no node can be named"):
        Topology(Inventory("agent", {"agent": Node("agent"), name: Node(name)}))
    with pytest.raises(ValueError, match="no node can be named"):
        Topology(Inventory("agent", {"agent": Node("agent")}, {}, {"up": Link("up", "agent", name)}))


def test_a_link_to_itself_or_to_nowhere_leads_nowhere() -> None:
    topology = network([("a", "b"), ("b", "b"), ("a", "a"), ("b", "c")])
    assert topology.chain("c") == ("a", LINK + "l0", "b", LINK + "l3", "c")
    assert list(topology.behind(LINK + "l1")) == []
    lost = Topology(Inventory("here", {"x": Node("x")}, {}, {"l": Link("l", "ghost", "x")}))
    assert lost.chain("x") == ("here", "x")
    assert lost.reached(()) == {"here"}
