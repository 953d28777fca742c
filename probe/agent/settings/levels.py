"""The levels of one check; checks.settings knows what can be set and what is possible."""

from functools import cache
from typing import Any

from checks import catalogue, settings
from probe.agent.settings.toml_lines import Path


@cache
def standard_levels(prober: str) -> Any:
    """Return the levels that hold when nothing is configured."""
    return catalogue.load(prober).Limits()


def read_levels(prober: str, table: dict[str, Any]) -> tuple[Any, list[tuple[Path, str]]]:
    """Return the levels of a check with what `table` sets, and what is wrong in it as (path, text)."""
    limits, problems = settings.read(prober, table)
    return limits, [(problem.path, problem.text) for problem in problems]
