"""Whoever names causes names those of the catalogue: correlation, the flow, the audit, and what the lab holds to be right."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.causes import CAUSES, OTHER

ROOT = Path(__file__).parents[2]
CODES = {cause.code for cause in (*CAUSES, OTHER)}
READERS = sorted(
    path
    for pattern in ("checks/correlation/*.py", "checks/diagnosis/*.py", "probe/agent/actions/*.py", "probe/agent/demo/*.py", "reports/*.py")
    for path in ROOT.glob(pattern)
)
LAB = sorted((ROOT / "tests" / "lab").glob("*.py"))


def groups(tree: ast.AST) -> Iterator[list[str]]:
    """Yield the texts that stand together: in a set, tuple, list, as arguments, or as words of one text that is split."""
    for node in ast.walk(tree):
        parts = node.elts if isinstance(node, ast.Set | ast.Tuple | ast.List) else node.args if isinstance(node, ast.Call) else []
        texts = [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        if len(texts) == len(parts) and texts:
            yield texts
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            said = node.func.value
            if isinstance(said, ast.Constant) and isinstance(said.value, str):
                yield said.value.split()


def strangers(source: str) -> set[str]:
    """Return the words that stand among codes, at least as many, and are none."""
    found = set()
    for texts in groups(ast.parse(source)):
        known = [text for text in texts if text in CODES]
        if len(known) >= 2 and 2 * len(known) >= len(texts):
            found |= set(texts) - CODES
    return found


@pytest.mark.parametrize("path", READERS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_codes_that_are_named_together_are_all_in_the_catalogue(path: Path) -> None:
    assert strangers(path.read_text(encoding="utf-8")) == set()


def truths(source: str) -> set[str]:
    """Return the codes of the lab's truths: the first argument of `truth(…)`."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    firsts = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "truth" and call.args]
    return {word for first in firsts if isinstance(first, ast.Constant) for word in str(first.value).split()}


def test_what_the_lab_holds_to_be_right_is_in_the_catalogue() -> None:
    assert set().union(*(truths(path.read_text(encoding="utf-8")) for path in LAB)) - CODES == set()


def test_a_code_that_does_not_exist_is_seen() -> None:
    assert strangers('X = frozenset({"host_down", "loss", "sip_error"})') == {"sip_error"}
    assert strangers('X = ("cpu memory dmz".split())') == {"dmz"}
    assert strangers('X = ("cpu", "ram")') == set()
    assert truths('truth("fibre_cut optics_rx", "carrier", "fib0")') == {"fibre_cut", "optics_rx"}
