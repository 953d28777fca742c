"""Every key of a TOML document is found on its line, however it is written, and nothing makes the scanner fall."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.agent.settings.toml_lines import find_lines, line_of, spell


def paths(data: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    found = {path} if path else set()
    parts = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in parts:
        found |= paths(value, (*path, key))
    return found


DOCUMENT = '''\
# a comment with [brackets] and "quotes"
title = "one"

[agent]   # here
name = "pop-a"
"quoted key" = 1
'literal.key' = 2
"caf\\u00e9" = 3
site.region . "north" = true

[[node]]
name = "a"

  [[node.check]]
  prober = "icmp"
  [[node.check]]
  prober = "tcp"
  ports = [
    22,   # ] not the end
    "]",

    { deep = [1, [2,
      3]] },
  ]

[[node]]
name = """
text with
[[node]]
name = "no"
"""
note = \'\'\'
x = 1 \'\' \'\'\'\'
after = 1979-05-27T07:32:00Z
inline = { a = 1, b.c = "}", "d e" = { f = [ ] } }

[node.extra.far]
x = +1.5e3
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("agent",), 4),
        (("agent", "name"), 5),
        (("agent", "quoted key"), 6),
        (("agent", "literal.key"), 7),
        (("agent", "café"), 8),
        (("agent", "site", "region", "north"), 9),
        (("node", 0), 11),
        (("node", 0, "check", 0), 14),
        (("node", 0, "check", 1, "prober"), 17),
        (("node", 0, "check", 1, "ports"), 18),
        (("node", 0, "check", 1, "ports", 0), 19),
        (("node", 0, "check", 1, "ports", 1), 20),
        (("node", 0, "check", 1, "ports", 2, "deep", 1, 0), 22),
        (("node", 0, "check", 1, "ports", 2, "deep", 1, 1), 23),
        (("node", 1), 26),
        (("node", 1, "name"), 27),
        (("node", 1, "note"), 32),
        (("node", 1, "after"), 34),
        (("node", 1, "inline", "b", "c"), 35),
        (("node", 1, "inline", "d e", "f"), 35),
        (("node", 1, "extra"), 37),
        (("node", 1, "extra", "far", "x"), 38),
    ],
)
def test_each_way_of_writing_a_key_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert find_lines(DOCUMENT)[path] == line


def test_lines_are_known_for_exactly_the_paths_that_tomllib_finds() -> None:
    assert set(find_lines(DOCUMENT)) == paths(tomllib.loads(DOCUMENT))


def test_a_path_that_is_not_there_has_the_line_of_the_nearest_part_that_is() -> None:
    lines = find_lines("\n[agent]\nname = 'x'\n")
    assert line_of(lines, ("agent", "token", "file")) == 2
    assert line_of(lines, ("elsewhere",)) == 1


KEYS = st.text(st.characters(exclude_categories=("Cs",)), max_size=6) | st.sampled_from(["a", "b", "name", "x-1", "1", '"', "a.b", " "])
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), max_size=12) | st.sampled_from(
    ["]", "}", "#", "''", '""', "\\", "\n"]
)
SCALARS = st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12)
TABLES = st.dictionaries(KEYS, VALUES | st.lists(st.dictionaries(KEYS, VALUES, max_size=3), min_size=1, max_size=3), max_size=5)


class Writer:
    """Writes a document in ways that hypothesis chooses, and notes on which line each path begins."""

    def __init__(self, draw: Any) -> None:
        self.draw, self.out, self.line = draw, [], 1
        self.where: dict[tuple[str | int, ...], int] = {}

    def put(self, text: str) -> None:
        self.out.append(text)
        self.line += text.count("\n")

    def note(self, path: tuple[str | int, ...]) -> None:
        self.where.setdefault(path, self.line)

    def choose(self, *ways: Any) -> Any:
        return self.draw(st.sampled_from(ways))

    def key(self, key: str) -> None:
        plain = not any(char in "'\n\r" or not char.isprintable() for char in key)
        self.put(self.choose(spell(key), _basic(key), *([f"'{key}'"] if plain else [])))

    def gap(self) -> None:
        self.put(self.choose("", " ", "\n", '\n  # a ] comment """\n\t'))

    def value(self, value: Any, path: tuple[str | int, ...]) -> None:
        if isinstance(value, list):
            self.put("[")
            for index, element in enumerate(value):
                self.gap()
                self.note((*path, index))
                self.value(element, (*path, index))
                self.gap()
                self.put("," if index < len(value) - 1 else self.choose("", ","))
            self.gap()
            self.put("]")
        elif isinstance(value, dict):
            self.put("{ ")
            for index, (key, element) in enumerate(value.items()):
                self.put(", " if index else "")
                self.note((*path, key))
                self.key(key)
                self.put(" = ")
                self.value(element, (*path, key))
            self.put(" }")
        elif isinstance(value, str):
            self.text(value)
        else:
            self.put(json.dumps(value) if not isinstance(value, float) else _number(value))

    def text(self, value: str) -> None:
        ways = [_basic(value)]
        if not any(not char.isprintable() and char != "\n" for char in value):
            body = value.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
            ways.append('"""\n' + (body[:-1] + '\\"' if body.endswith('"') else body) + '"""')
            if "\n" not in value and "'" not in value:
                ways.append(f"'{value}'")
            if "'''" not in value and not value.endswith("'''"):
                ways.append("'''\n" + value + "'''")
        self.put(self.choose(*ways))

    def table(self, table: dict[str, Any], path: tuple[str | int, ...], header: tuple[str, ...]) -> None:
        later = []
        for key, value in table.items():
            as_tables = isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
            if (as_tables or isinstance(value, dict)) and self.choose(True, False):
                later.append((key, value))
                continue
            self.put(self.choose("", "  ", "\n", "# x = 1\n"))
            self.note((*path, key))
            self.key(key)
            self.put(self.choose(" = ", "=", "\t=  "))
            self.value(value, (*path, key))
            self.put(self.choose("\n", "  # said ] } ''' \n", " \n\n"))
        for key, value in later:
            many = isinstance(value, list)
            for index, one in enumerate(value if many else [value]):
                below = (*path, key, index) if many else (*path, key)
                self.put(self.choose("", " ", "\n"))
                self.note((*path, key))
                self.note(below)
                self.put("[[" if many else "[")
                self.put(".".join(spell(part) for part in (*header, key)))
                self.put("]]\n" if many else "]  # table\n")
                self.table(one, below, (*header, key))


def _basic(text: str) -> str:
    return '"' + "".join(f"\\U{ord(char):08x}" if not char.isprintable() or char in '"\\' else char for char in text) + '"'


def _number(value: float) -> str:
    text = repr(value)
    return text if "." in text or "e" in text else f"{text}.0"


@given(st.data(), TABLES)
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_path_of_a_document_is_on_the_line_where_it_was_written(data: Any, table: dict[str, Any]) -> None:
    writer = Writer(data.draw)
    writer.table(table, (), ())
    text = "".join(writer.out)
    assert paths(tomllib.loads(text)) == set(writer.where), text  # the writer wrote what it says
    assert find_lines(text) == writer.where, text


@given(st.text(st.sampled_from("[]{}=.,\"'#\\\n \tab1"), max_size=80) | st.text(max_size=80))
@settings(max_examples=600, deadline=None)
def test_no_text_makes_the_scanner_fall_or_leave_the_file(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in find_lines(text).values())


@pytest.mark.parametrize("text", ["[" * 50_000, "a=" + "[" * 50_000, "a=" + "{a=" * 20_000, 'a="""' + "x" * 50_000, "a=" + '"\\' * 20_000])
def test_depth_and_open_ends_cost_no_stack_and_little_time(text: str) -> None:
    assert find_lines(text) is not None
