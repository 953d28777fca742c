"""Every text that the code may show stands in both catalogues, with the same placeholders; and none stands there for nothing."""

import ast
import re
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from importlib import import_module
from pathlib import Path
from string import Formatter
from typing import NamedTuple

import pytest
from babel.messages.pofile import read_po

from checks.catalogue import JUDGES
from checks.diagnosis.plan import FLOWS
from checks.diagnosis.symptom import Symptom
from checks.finding import State
from checks.verdict import Area, CaseKind, Side, Urgency
from probe.observation.failure import Kind
from reports.case import CaseState, EventKind
from reports.locale.build import compiled

ROOT = Path(__file__).parents[2]
LOCALE = ROOT / "reports" / "locale"
ID = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9]+([_-]+[a-z0-9]+)*)+")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@cache
def members() -> dict[str, list[str]]:
    """What may follow each prefix that the code completes at run time."""
    enums: dict[str, type[StrEnum]] = {
        "failure": Kind,
        "state": State,
        "side": Side,
        "area": Area,
        "urgency": Urgency,
        "kind": CaseKind,
        "case_state": CaseState,
        "event": EventKind,
        "symptom": Symptom,
    }
    causes = import_module("checks.causes")
    alone = [value for value in vars(causes).values() if isinstance(value, causes.Cause)]
    codes = [cause.code for cause in (*causes.CAUSES, *alone)]
    checks = {check.name for name in set(JUDGES.values()) for check in import_module(name).CHECKS}
    found = {prefix: [str(member) for member in enum] for prefix, enum in enums.items()}
    found["question"] = [question.name for question in FLOWS[CaseKind.NETWORK]]
    found["who"] = ["technician", "carrier", "commerce", "vendor"]
    found |= dict.fromkeys(("cause", "action", "customer"), codes)
    found |= {prefix: [cause.code for cause in causes.CAUSES if cause.like] for prefix in ("class", "decides")}
    return {**found, "taker": [str(taker) for taker in causes.Taker], "about": sorted(checks)}


class Use(NamedTuple):
    """One place where the code makes a message: its id (or the pattern of it) and the values it gives, None where they are not literal."""

    place: str
    pattern: str
    exact: bool
    keys: frozenset[str] | None


def catalogue(language: str) -> dict[str, str]:
    with (LOCALE / language / "LC_MESSAGES" / "firstline.po").open("rb") as source:
        return {str(message.id): str(message.string) for message in read_po(source) if message.id}


ENGLISH, CHINESE_TEXTS = catalogue("en"), catalogue("zh")


def placeholders(text: str) -> set[str]:
    return {re.split(r"[.\[]", field)[0] for _, field, _, _ in Formatter().parse(text) if field is not None}


def sources() -> Iterator[tuple[Path, ast.Module]]:
    for room in ("probe", "checks", "billing_audit", "reports"):
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def ids_of(node: ast.expr) -> Iterator[tuple[str, bool]]:
    """Yield (id, True) for what is written out, (pattern, False) for what is completed at run time."""
    match node:
        case ast.Constant(value=str() as text):
            yield text, True
        case ast.IfExp():
            yield from ids_of(node.body)
            yield from ids_of(node.orelse)
        case ast.JoinedStr():
            yield "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values), False


def keys_of(node: ast.expr | None) -> frozenset[str] | None:
    if node is None:
        return frozenset()
    if not isinstance(node, ast.Dict) or not all(isinstance(key, ast.Constant) for key in node.keys):
        return None
    return frozenset(str(key.value) for key in node.keys if isinstance(key, ast.Constant))


def uses(path: Path, tree: ast.Module) -> Iterator[Use]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if name == "Message":
            given = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "values"), None)
            yield from (Use(place, id, exact, keys_of(given)) for id, exact in ids_of(node.args[0]))
        elif name == "text" and isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) != "sa":  # SQL is no text for people
            keys = None if any(k.arg is None for k in node.keywords) else frozenset(str(k.arg) for k in node.keywords)
            yield from (Use(place, id, exact, keys) for id, exact in ids_of(node.args[0]) if not exact or ID.fullmatch(id))


def constants(tree: ast.Module) -> set[str]:
    return {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and ID.fullmatch(n.value)}


def named_elsewhere(path: Path, tree: ast.Module) -> Iterator[Use]:
    """Yield the ids of a file that reach Message by a variable: what looks like the ids that the file writes out."""
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == "Message"]
    if any(isinstance(call.args[0], ast.Name) for call in calls if call.args):
        prefixes = {use.pattern.partition(".")[0] for use in uses(path, tree) if use.exact}
        yield from (Use(str(path.relative_to(ROOT)), id, True, None) for id in constants(tree) if id.partition(".")[0] in prefixes)


FILES = list(sources())
USES = [use for path, tree in FILES for use in (*uses(path, tree), *named_elsewhere(path, tree))]


def known_prefix(pattern: str) -> str | None:
    """The prefix of a pattern that only completes one of `members`."""
    found = re.fullmatch(r"([a-z_]+)\\\.\.\+", pattern)
    return found[1] if found and found[1] in members() else None


def test_the_walk_finds_messages():
    assert len(USES) > 50
    assert any(not use.exact for use in USES)


def test_every_id_of_the_code_has_a_text():
    needed = {(use.place, use.pattern) for use in USES if use.exact}
    needed |= {(f"a member of {prefix}", f"{prefix}.{name}") for prefix, names in members().items() for name in names}
    assert sorted(f"{place}: {id}" for place, id in needed if id not in ENGLISH) == []


def test_every_completed_id_has_a_text_at_all():
    patterns = {(use.place, use.pattern) for use in USES if not use.exact and known_prefix(use.pattern) is None}
    assert sorted(f"{place}: {p}" for place, p in patterns if not any(re.fullmatch(p, id) for id in ENGLISH)) == []


def test_both_languages_have_the_same_ids():
    assert sorted(ENGLISH) == sorted(CHINESE_TEXTS)


def test_both_languages_have_the_same_placeholders():
    different = [id for id, text in ENGLISH.items() if placeholders(text) != placeholders(CHINESE_TEXTS.get(id, text))]
    assert different == []


def test_placeholders_are_what_the_code_gives():
    wrong = [
        f"{use.place}: {use.pattern} gives {sorted(use.keys)}, its text wants {sorted(placeholders(ENGLISH[use.pattern]))}"
        for use in USES
        if use.exact and use.keys is not None and use.pattern in ENGLISH and placeholders(ENGLISH[use.pattern]) != use.keys
    ]
    assert wrong == []


def test_no_text_is_left_over():
    written = set().union(*(constants(tree) for _, tree in FILES))
    complete = {f"{prefix}.{name}" for prefix, names in members().items() for name in names}
    patterns = [re.compile(use.pattern) for use in USES if not use.exact and known_prefix(use.pattern) is None]
    known = written | complete
    left = [id for id in ENGLISH if id.removesuffix(".one") not in known and not any(p.fullmatch(id) for p in patterns)]
    assert left == []


def test_a_singular_has_its_plural_and_no_more_placeholders():
    for id, text in ENGLISH.items():
        if id.endswith(".one"):
            assert placeholders(text) <= placeholders(ENGLISH[id.removesuffix(".one")])
            assert "n" in placeholders(ENGLISH[id.removesuffix(".one")])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_compiled_catalogues_are_up_to_date(language):
    source = LOCALE / language / "LC_MESSAGES" / "firstline.po"
    assert source.with_suffix(".mo").read_bytes() == compiled(source), "python reports/locale/build.py"


def test_compiling_does_not_depend_on_the_time():
    binary = compiled(LOCALE / "en" / "LC_MESSAGES" / "firstline.po")
    assert set(re.findall(rb"-Date: (\S+)", binary)) == {b"2000-01-01"}


def test_chinese_texts_are_chinese():
    """What has no Chinese character may be placeholders, units and names only: no English word of four letters or more."""
    plain = {id: re.sub(r"\{[^}]*\}", "", text) for id, text in CHINESE_TEXTS.items()}
    assert [id for id, text in plain.items() if not CHINESE.search(text) and re.search(r"\b[a-z]{4}", text)] == []


def test_english_texts_have_no_chinese():
    assert [id for id, text in ENGLISH.items() if CHINESE.search(text)] == []


def test_catalogues_are_sorted_by_id():
    assert list(ENGLISH) == sorted(ENGLISH)
    assert list(CHINESE_TEXTS) == sorted(CHINESE_TEXTS)
