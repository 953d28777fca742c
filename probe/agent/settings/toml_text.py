"""Values as TOML text; None is left out, for TOML has none."""

from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any

from probe.agent.settings.toml_lines import spell


def write_table(table: Mapping[str, Any], header: str = "") -> str:
    """Return `key = value` lines, with a header line before them when one is given; lists of tables follow as [[header.key]]."""
    lines = [header] if header else []
    later = []
    for key, value in table.items():
        if isinstance(value, list | tuple) and value and all(isinstance(one, Mapping) for one in value):
            later.append((key, value))
        elif value is not None:
            lines.append(f"{spell(key)} = {write_value(value)}")
    text = "\n".join(lines) + "\n"
    inner = header.strip("[]") + "." if header else ""
    return text + "".join(write_table(one, f"[[{inner}{spell(key)}]]") for key, value in later for one in value)


def write_value(value: Any) -> str:
    """Return one value; ValueError for what TOML can't say."""
    match value:
        case Enum():
            return write_value(value.value)
        case bool():
            return "true" if value else "false"
        case str():
            return quote(value)
        case int():
            return str(value)
        case float() | Decimal():
            return _number(value)
        case datetime() | date() | time():
            return value.isoformat()
        case Mapping():
            fields = ", ".join(f"{spell(key)} = {write_value(one)}" for key, one in value.items() if one is not None)
            return f"{{ {fields} }}" if fields else "{}"
        case list() | tuple():
            return f"[{', '.join(write_value(one) for one in value)}]"
        case _:
            raise ValueError(f"{type(value).__name__} has no form in TOML")


def _number(value: float | Decimal) -> str:
    if not isfinite(value):
        raise ValueError("a number without end")
    return str(int(value)) if value == int(value) and abs(float(value)) < 1e15 else str(value)


def quote(text: str) -> str:
    """Return a text as a basic string on one line."""
    return '"' + "".join(_escape(char) for char in text) + '"'


def _escape(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    return char if char >= " " and char != "\x7f" else f"\\u{ord(char):04x}"
