"""Shows what one check found as a monitoring plugin does: one line with performance data, and an exit code.

The form is that of the Monitoring Plugins Development Guidelines, "Performance data" and "Threshold and Ranges".
"""

from collections.abc import Sequence

from checks.finding import Finding, State, worst
from reports.locale.text import Texts, printable
from reports.render.findings import headline

_CODES = {State.OK: 0, State.WARNING: 1, State.CRITICAL: 2, State.UNKNOWN: 3}
MOST_OCTETS = 8192  # Nagios Core cuts a plugin's output there (MAX_PLUGIN_OUTPUT_LENGTH)
_UNITS = {"ms": "ms", "s": "s", "us": "us", "%": "%", "bytes": "B", "B": "B"}


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 0 ok, 1 warning, 2 critical, 3 unknown: critical beats warning beats unknown; nothing found is unknown."""
    return _CODES[worst({finding.state for finding in findings})]


def check_nagios(prober: str, findings: Sequence[Finding], texts: Texts) -> str:
    """Return the plugin's line, ending in a newline. The state's word is always English: programs read it."""
    state = worst({finding.state for finding in findings})
    said = headline(findings, texts, 300).replace("|", "/")
    line = f"{prober.upper()} {state.upper()} - {said}"
    data = _fitting(findings, MOST_OCTETS - len(line.encode()) - 4)
    return f"{line}{f' | {data}' if data else ''}\n"


def _fitting(findings: Sequence[Finding], room: int) -> str:
    """Return as much performance data as fits, of a large device what is bad before what is good, in the order of the findings."""
    told = {at: data for at, finding in enumerate(findings) if (data := _performance(finding))}
    kept = []
    for at in sorted(told, key=lambda at: (findings[at].state is State.OK, at)):
        room -= len(told[at].encode()) + 1
        if room >= 0:
            kept.append(at)
    return " ".join(told[at] for at in sorted(kept))


def _performance(finding: Finding) -> str:
    if finding.value is None:
        return ""
    levels = finding.levels
    unit = levels.unit if levels else ""
    scale = 100.0 if unit == "ratio" else 1.0
    share = unit in ("ratio", "%")
    warning = critical = ""
    if levels:
        negative = finding.value < 0
        warning = _range(levels.warning, scale, levels.low, negative)
        critical = _range(levels.critical, scale, levels.low, negative)
    bounds = ("0", "100") if share else ("0",) if unit in _UNITS and finding.value >= 0 else ()
    value = f"{_plain(finding.value * scale)}{'%' if share else _UNITS.get(unit, '')}"
    return f"{_label(finding)}={';'.join((value, warning, critical, *bounds)).rstrip(';')}"


def _range(limit: float | None, scale: float, low: bool, negative: bool) -> str:
    """Return the range that alerts at this limit.

    A bare `10` alerts below 0 and above 10, so where values may be negative the floor is lifted by `~:10`. Where small values are bad,
    `@~:10` alerts from minus infinity up to and with 10.
    """
    if limit is None:
        return ""
    text = _plain(limit * scale)
    if low:
        return f"@~:{text}"
    return f"~:{text}" if negative or limit < 0 else text


def _label(finding: Finding) -> str:
    """Return the name of a value; quoted where it must be, without the characters that the guidelines forbid."""
    name = finding.check.partition("/")[2] or finding.check
    if finding.item:
        name = f"{name} {finding.item}"
    name = printable(name).replace("=", "_").replace("|", "_").replace("'", "''")
    return f"'{name}'" if " " in name or "'" in name else name


def _plain(value: float) -> str:
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("", "-0") else text
