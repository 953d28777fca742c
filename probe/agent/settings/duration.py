"""Times as people write them: "30s", "5m", "1h", "1d"."""

import re

_FORM = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def read_duration(text: str) -> float | None:
    """Return the seconds of a number with its unit (ms, s, m, h, d); None when it is not that."""
    found = _FORM.fullmatch(text.strip())
    if not found:
        return None
    number, unit = float(found[1]), found[2]
    return number / 1000 if unit == "ms" else number * _SECONDS[unit]  # 10450 * 0.001 is not 10.45


def show_duration(seconds: float) -> str:
    """Return the shortest exact form: 90.0 is "90s", 3600.0 is "1h", 0.5 is "500ms"."""
    for unit in ("d", "h", "m", "s"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    return f"{seconds * 1000:.0f}ms"
