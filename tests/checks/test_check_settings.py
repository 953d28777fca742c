from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import catalogue, tcp, tls
from checks.finding import Levels
from checks.settings import Problem, read


def said(prober: str, table: dict[str, Any]) -> list[tuple[str, str]]:
    limits, problems = read(prober, table)
    assert limits == type(limits)() or not problems
    return [(".".join(problem.path), problem.text) for problem in problems]


def test_levels_of_a_configuration_replace_the_default_and_say_so() -> None:
    limits, problems = read("tcp", {"connect": {"warning": 100, "critical": Decimal("200.5")}})
    assert problems == []
    assert limits == tcp.Limits(Levels(100.0, 200.5, "ms", "configured"))


def test_one_limit_alone_leaves_the_other_at_its_default() -> None:
    limits, _ = read("tcp", {"connect": {"warning": 500}})
    assert (limits.connect.warning, limits.connect.critical, limits.connect.source) == (500.0, 3000.0, "configured")


def test_a_limit_can_be_switched_off_and_a_margin_set() -> None:
    limits, problems = read("tls", {"days_left": {"critical": False, "margin": 0.2}})
    assert problems == []
    assert (limits.days_left.critical, limits.days_left.margin, limits.days_left.warning) == (None, 0.2, tls.DAYS_LEFT.warning)


def test_nothing_set_changes_nothing() -> None:
    assert read("tcp", {}) == (tcp.Limits(), [])
    assert read("tcp", {"connect": {}}) == (tcp.Limits(), [])


@pytest.mark.parametrize(
    ("prober", "table", "where", "what"),
    [
        ("tcp", {"conect": {}}, "conect", "tcp has no levels 'conect'; did you mean 'connect'?"),
        ("tcp", {"zzz": {}}, "zzz", "tcp has no levels 'zzz'; there are: connect"),
        ("tcp", {"connect": {"warnign": 1}}, "connect.warnign", "levels have no 'warnign'; did you mean 'warning'?"),
        ("tcp", {"connect": 5}, "connect", "expected a table like {warning = …, critical = …} in ms, not a number"),
        ("tcp", {"connect": {"warning": "5"}}, "connect.warning", "expected a number in ms, or false for no limit, not a text"),
        ("tcp", {"connect": {"warning": True}}, "connect.warning", "expected a number in ms, or false for no limit, not true or false"),
        ("tcp", {"connect": {"warning": [1]}}, "connect.warning", "expected a number in ms, or false for no limit, not a list"),
        ("tcp", {"connect": {"warning": float("nan")}}, "connect.warning", "expected a finite number"),
        ("tcp", {"connect": {"critical": float("inf")}}, "connect.critical", "expected a finite number"),
        ("tcp", {"connect": {"critical": 10**400}}, "connect.critical", "expected a finite number"),
        ("tcp", {"connect": {"critical": Decimal("sNaN")}}, "connect.critical", "expected a finite number"),
        ("tcp", {"connect": {"warning": -1}}, "connect.warning", "-1 ms can never be: expected 0 or more"),
        ("icmp", {"loss": {"warning": 0}}, "loss.warning", "0 is always reached: expected more than 0, or false for no limit"),
        ("tcp", {"connect": {"margin": 1}}, "connect.margin", "a margin is a share of the limit: 0 or more, below 1"),
        (
            "host",
            {"disk": {"critical": 90}},
            "disk.critical",
            "90 can never be reached: a ratio is 0 … 1 (for 90 % write 0.9)",
        ),
        (
            "tcp",
            {"connect": {"warning": 300, "critical": 200}},
            "connect",
            "warning 300 ms would come after critical 200 ms: large values are bad here",
        ),
        (
            "tcp",
            {"connect": {"warning": 4000}},
            "connect",
            "warning 4000 ms would come after critical 3000 ms, which is the default: set critical too",
        ),
        (
            "tcp",
            {"connect": {"critical": 500}},
            "connect",
            "warning 1000 ms would come after critical 500 ms: 1000 is the default: set warning too",
        ),
        (
            "tls",
            {"days_left": {"warning": 3, "critical": 10}},
            "days_left",
            "warning 3 d would come after critical 10 d: small values are bad here",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_keeps_the_default(prober: str, table: dict[str, Any], where: str, what: str) -> None:
    what = what.replace(" d ", f" {tls.DAYS_LEFT.unit} ").replace(" d:", f" {tls.DAYS_LEFT.unit}:")
    assert said(prober, table) == [(where, what)]


@pytest.mark.parametrize(("ratio", "fine"), [(0, False), (0.0001, True), (1, True), (1.0001, False)])
def test_both_sides_of_a_possible_ratio(ratio: float, fine: bool) -> None:
    _, problems = read("host", {"inodes": {"warning": False, "critical": ratio}})
    assert (problems == []) is fine


def test_nothing_left_is_a_limit_where_small_values_are_bad() -> None:
    limits, problems = read("tls", {"days_left": {"critical": 0}})
    assert (problems, limits.days_left.critical) == ([], 0.0)


@pytest.mark.parametrize("prober", catalogue.JUDGES)
def test_all_that_can_be_set_are_levels(prober: str) -> None:
    limits = catalogue.load(prober).Limits()
    assert {type(getattr(limits, name)) for name in limits.__struct_fields__} <= {Levels}


def test_warning_and_critical_may_be_equal() -> None:
    assert read("tcp", {"connect": {"warning": 200, "critical": 200}})[1] == []


def test_all_problems_are_told_at_once_and_what_is_right_is_taken() -> None:
    table = {"dsik": {}, "disk": {"warning": "x", "critical": -1}, "swap": {"warning": 0.5}}
    limits, problems = read("host", table)
    assert [problem.path for problem in problems] == [("dsik",), ("disk", "warning"), ("disk", "critical")]
    assert (limits.disk, limits.swap.warning) == (catalogue.load("host").Limits().disk, 0.5)


def test_an_unknown_prober_is_the_callers_error() -> None:
    with pytest.raises(KeyError):
        read("nobody", {})


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["warning", "critical", "margin", "x"]), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(["tcp", "tls", "host"]), st.dictionaries(st.sampled_from(["connect", "days_left", "disk", "x"]), junk, max_size=3))
@settings(deadline=None)
def test_whatever_is_written_is_limits_and_problems_never_an_exception(prober: str, table: dict[str, Any]) -> None:
    limits, problems = read(prober, table)
    assert type(limits) is catalogue.load(prober).Limits
    assert all(isinstance(problem, Problem) and problem.text for problem in problems)
    for name in limits.__struct_fields__:
        levels = getattr(limits, name)
        if levels.warning is not None and levels.critical is not None:
            assert (levels.warning >= levels.critical) if levels.low else (levels.warning <= levels.critical)
