"""What a `path` check takes from the inventory: the marks, by the names of nodes and by the lines to a carrier."""

from pathlib import Path

import pytest

from probe.agent.actions.check import known_job
from probe.agent.settings.load import read_settings
from probe.agent.settings.settings import Settings

NODES = {
    "edge": ("192.0.2.1", "company"),
    "edge-2": ("192.0.2.2", "company"),
    "far-office": ("192.0.2.3", "company"),
    "unmeasured": (None, "company"),
    "pop": ("198.51.100.1", "carrier"),
    "pop-2": ("198.51.100.2", "carrier"),
    "centre": ("203.0.113.10", "carrier"),
    "elsewhere": ("203.0.113.99", "carrier"),
    "shop": ("203.0.113.20", "customer"),
}
ONE = (("edge", "pop"), ("centre", "pop"), ("centre", "shop"))
TWO = (*ONE, ("pop-2", "edge-2"), ("pop-2", "centre"))
BEYOND = (*ONE, ("centre", "far-office"), ("far-office", "elsewhere"))  # the far office has a line of its own


def read(folder: Path, links: tuple[tuple[str, str], ...], of: str = "", check: str = "") -> tuple[Settings, list[str]]:
    lines = []
    for name, (address, owner) in NODES.items():
        lines += ["[[node]]", f'name = "{name}"', f'owner = "{owner}"', f'address = "{address}"' if address else ""]
        lines += ["[[node.check]]", 'prober = "path"', check] if name == of else []
    for number, (a, b) in enumerate(links):
        lines += ["[[link]]", f'name = "line-{number}"', f'a = "{a}"', f'b = "{b}"']
    file = folder / "firstline.toml"
    file.write_text("\n".join(lines))
    found, problems = read_settings(file)
    return found, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("links", "node", "edge", "pop"),
    [
        (ONE, "pop", ("192.0.2.1",), ("198.51.100.1",)),
        (ONE, "centre", ("192.0.2.1",), ("198.51.100.1",)),
        (ONE, "shop", ("192.0.2.1",), ("198.51.100.1",)),
        (ONE, "edge", (), ()),
        (ONE, "elsewhere", (), ()),
        ((("pop", "centre"),), "centre", (), ()),
        ((("unmeasured", "pop"),), "pop", (), ("198.51.100.1",)),
        (TWO, "centre", ("192.0.2.1", "192.0.2.2"), ("198.51.100.1", "198.51.100.2")),
        ((*ONE, ("edge", "pop")), "pop", ("192.0.2.1",), ("198.51.100.1",)),
        (BEYOND, "elsewhere", ("192.0.2.3",), ("203.0.113.99",)),
        (BEYOND, "far-office", (), ()),
    ],
)
def test_a_node_behind_a_line_to_a_carrier_has_its_ends_for_marks(
    tmp_path: Path, links: tuple[tuple[str, str], ...], node: str, edge: tuple[str, ...], pop: tuple[str, ...]
) -> None:
    found, problems = read(tmp_path, links, node)
    job = known_job(read(tmp_path, links)[0], "path", node, {})
    assert problems == []
    assert job is not None
    assert {(one.options.edge, one.options.pop) for one in (found.jobs[0], job)} == {(edge, pop)}


def test_names_of_nodes_become_their_addresses_and_what_is_said_stands_above_the_lines(tmp_path: Path) -> None:
    found, problems = read(tmp_path, ONE, "pop", 'edge = ["edge-2", "10.0.0.1"]\npop = ["pop.example.net"]')
    assert problems == []
    assert (found.jobs[0].options.edge, found.jobs[0].options.pop) == (("192.0.2.2", "10.0.0.1"), ("pop.example.net",))
    job = known_job(found, "path", "pop", {"edge": ("edge",)})
    assert job is not None
    assert (job.options.edge, job.options.pop) == (("192.0.2.1",), ("pop.example.net",))


def test_a_node_behind_six_lines_has_the_marks_of_four(tmp_path: Path) -> None:
    nodes = {f"edge-{number}": (f"192.0.2.{number}", "company") for number in range(1, 7)}
    links = tuple((name, "pop") for name in nodes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.NODES", {**nodes, "pop": NODES["pop"]})
        found, problems = read(tmp_path, links, "pop")
    assert problems == []
    assert len(found.jobs[0].options.edge) == 4


@pytest.mark.parametrize("wrong", ['edge = "edge"', "edge = [7]", 'edge = ["a", "b", "c", "d", "e"]'])
def test_marks_that_are_none_are_refused_as_they_stand(tmp_path: Path, wrong: str) -> None:
    _, problems = read(tmp_path, ONE, "pop", wrong)
    assert len(problems) == 1
    assert "edge" in problems[0]


def test_a_line_of_which_an_end_is_missing_is_refused_and_nothing_else(tmp_path: Path) -> None:
    _, problems = read(tmp_path, (("edge", "nowhere"), *ONE), "pop")
    assert len(problems) == 1
    assert "nowhere" in problems[0]
