"""The slice of an inventory leads to the same ways as the whole."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from checks.extent import Extent
from checks.topology import Topology
from probe.inventory import Carrier, Customer, Inventory, Link, Node, Site

KINDS = ("switch", "router", "switch", "router", "server", "gateway", "ups")


@st.composite
def inventories(draw: Any) -> Inventory:
    count = draw(st.integers(1, 12))
    nodes = {f"n{at}": Node(f"n{at}", kind=draw(st.sampled_from(KINDS))) for at in range(count)}
    trees = [(at, draw(st.integers(max(0, at - 4), at - 1))) for at in range(1, count) if draw(st.integers(0, 19))]
    more = draw(st.lists(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=8))
    names = draw(st.permutations(range(len(trees) + len(more))))
    pairs = [(a, b) for a, b in (*trees, *more) if a != b]
    links = {f"l{name}": Link(f"l{name}", f"n{a}", f"n{b}") for name, (a, b) in zip(names, pairs, strict=False)}
    return Inventory("n0", nodes, links=links)


@given(inventories(), st.data())
@settings(deadline=None, max_examples=300)
def test_every_way_crosses_the_same_in_the_slice_as_in_the_whole(inventory: Inventory, data: Any) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(inventory.nodes)), min_size=1, max_size=3))
    whole = Topology(inventory)
    part = Topology(Extent(inventory).part({"n0", *Extent(inventory).ways(names)}))
    assert [part.chain(name) for name in names] == [whole.chain(name) for name in names]


def test_both_ways_are_kept_where_there_are_two_and_what_does_not_matter_is_left_out() -> None:
    nodes = {name: Node(name, kind="switch", site="hall") for name in ("here", "left", "right", "core", "rack", "web")}
    other = {"far": Node("far", site="elsewhere")}
    links = [("here", "left"), ("here", "right"), ("left", "core"), ("right", "core"), ("core", "rack"), ("core", "far"), ("rack", "web")]
    inventory = Inventory(
        "here",
        {**nodes, **other},
        {"hall": Site("hall", customer="Shop"), "elsewhere": Site("elsewhere", customer="Bank")},
        {f"{a}-{b}": Link(f"{a}-{b}", a, b, carrier="tele" if b == "core" else "net") for a, b in links},
        {"tele": Carrier("tele"), "net": Carrier("net"), "gone": Carrier("gone")},
        {"Shop": Customer("Shop"), "Bank": Customer("Bank")},
    )
    part = Extent(inventory).part(Extent(inventory).ways(["rack"]))
    assert list(part.nodes) == ["here", "left", "right", "core", "rack"]
    assert list(part.links) == ["here-left", "here-right", "left-core", "right-core", "core-rack"]
    assert (list(part.sites), list(part.customers), list(part.carriers)) == (["hall"], ["Shop"], ["tele", "net"])


def test_two_cables_between_two_switches_are_both_kept() -> None:
    nodes = {name: Node(name, kind="switch") for name in ("here", "there")}
    cables = {name: Link(name, "here", "there") for name in ("one", "two")}
    part = Extent(whole := Inventory("here", nodes, links=cables)).part(Extent(whole).ways(["there"]))
    assert Topology(part).chain("there") == ("here", "there")


def test_a_node_without_any_way_is_its_own_slice() -> None:
    inventory = Inventory("here", {"here": Node("here"), "island": Node("island")})
    assert Extent(inventory).ways(["island"]) == {"island"}
