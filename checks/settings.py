"""Reads the levels that a configuration sets for a check: strictly, and every problem at once."""

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from math import inf, isfinite
from typing import Any

import msgspec

from checks import catalogue
from checks.finding import Levels

SIGNED = frozenset({"dBm", "dB", "°C"})  # units in which a value below zero means something
SOURCE = "configured"


class Problem(msgspec.Struct, frozen=True):
    """What is wrong in a configuration, and where: the keys from the table's top, and a sentence with the cure."""

    path: tuple[str, ...]
    text: str


def read(prober: str, table: Mapping[str, object]) -> tuple[Any, list[Problem]]:
    """Return the prober's Limits with the levels of `table` in place of the defaults, and all that is wrong with it.

    The table is like `{"latency": {"warning": 100, "critical": 200}}`; `false` switches a limit off. What is wrong keeps its default.
    Raises KeyError for an unknown prober.
    """
    limits = catalogue.load(prober).Limits()
    names = type(limits).__struct_fields__
    problems: list[Problem] = []
    changed: dict[str, object] = {}
    for name, value in table.items():
        if name not in names:
            problems.append(Problem((name,), _unknown(name, names, f"{prober} has no levels {name!r}")))
            continue
        changed[name], wrong = _levels(name, value, getattr(limits, name))
        problems += wrong
    return msgspec.structs.replace(limits, **changed) if changed else limits, problems


def _levels(name: str, value: object, default: Levels) -> tuple[Levels, list[Problem]]:
    if not isinstance(value, Mapping):
        return default, [Problem((name,), f"expected a table like {{warning = …, critical = …}} in {default.unit}, not {_kind(value)}")]
    problems: list[Problem] = []
    new: dict[str, float | None] = {}
    for key, given in value.items():
        if key not in ("warning", "critical", "margin"):
            problems.append(Problem((name, key), _unknown(key, ("warning", "critical", "margin"), f"levels have no {key!r}")))
            continue
        number, wrong = _number(key, given, default)
        if wrong:
            problems.append(Problem((name, key), wrong))
        else:
            new[key] = number
    if problems or not new:
        return default, problems
    changes: dict[str, Any] = {**new, "source": SOURCE}
    levels = msgspec.structs.replace(default, **changes)
    wrong = _disorder(levels, new)
    return (default, [Problem((name,), wrong)]) if wrong else (levels, [])


def _number(key: str, given: object, default: Levels) -> tuple[float | None, str]:
    """Return the number of one limit, or what is wrong with it."""
    if given is False and key != "margin":
        return None, ""
    if isinstance(given, bool) or not isinstance(given, int | float | Decimal):
        return None, f"expected a number in {default.unit}, or false for no limit, not {_kind(given)}"
    try:
        number = float(given)
    except (OverflowError, ValueError):  # beyond float, or a signalling NaN
        number = inf
    if not isfinite(number):
        return None, "expected a finite number"
    if key == "margin":
        return (number, "") if 0 <= number < 1 else (None, "a margin is a share of the limit: 0 or more, below 1")
    if number < 0 and default.unit not in SIGNED:
        return None, f"{number:g} {default.unit} can never be: expected 0 or more"
    if number == 0 and not default.low and default.unit not in SIGNED:
        return None, "0 is always reached: expected more than 0, or false for no limit"
    if number > 1 and default.unit == "ratio":
        return None, f"{number:g} can never be reached: a ratio is 0 … 1 (for {number:g} % write {number / 100:g})"
    return number, ""


def _disorder(levels: Levels, new: Mapping[str, object]) -> str:
    warning, critical = levels.warning, levels.critical
    if warning is None or critical is None or (warning >= critical if levels.low else warning <= critical):
        return ""
    standing = next((key for key in ("warning", "critical") if key not in new), None)
    said = f"warning {warning:g} {levels.unit} would come after critical {critical:g} {levels.unit}"
    if standing is None:
        return f"{said}: {'small' if levels.low else 'large'} values are bad here"
    return (
        f"{said}, which is the default: set {standing} too"
        if standing == "critical"
        else f"{said}: {warning:g} is the default: set warning too"
    )


def _unknown(name: str, names: tuple[str, ...], said: str) -> str:
    close = get_close_matches(name, names, 1)
    return f"{said}; did you mean {close[0]!r}?" if close else f"{said}; there are: {', '.join(names)}"


def _kind(value: object) -> str:
    names = {bool: "true or false", str: "a text", int: "a number", float: "a number", list: "a list", dict: "a table"}
    return names.get(type(value), type(value).__name__)
