"""Shows what one check found, for a person at a terminal."""

from collections.abc import Sequence
from datetime import tzinfo

from checks.finding import Finding, Levels, State, worst
from probe.observation.observation import Observation
from reports.locale.figures import reading, span
from reports.locale.text import Texts, printable
from reports.render.columns import clip, join, pad, paint, width, wrap

_BEATS = (State.CRITICAL, State.WARNING, State.UNKNOWN)
_ASKED = "/mac"  # of a check that answers a question of its own: where is it?
_ALIKE = 4  # items of which the same is said take one row: fewer are read as fast one by one
_OWN = {"the module's own limits": "limit.of-module", "the device's own limits": "limit.of-device"}
_MORE = 10  # cells that the number of the others takes


def check_text(
    target: str,
    prober: str,
    observation: Observation,
    findings: Sequence[Finding],
    texts: Texts,
    colour: bool = False,
    columns: int = 100,
    zone: tzinfo | None = None,
) -> str:
    """Return the screen of one check, ending in a newline: the answer, then a row per finding, then when it was measured.

    `columns` is the terminal's width, `zone` the reader's (None: this machine's).
    """
    state = worst({finding.state for finding in findings})
    lines = [answer(target, prober, findings, texts, colour, columns)]
    if findings and (len(findings) > 1 or state is not State.OK or lines[0].endswith("…")):
        lines += _rows(findings, texts, colour, columns)
    at = observation.at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
    lines.append(clip("  " + texts.text("check.measured", at=at, took=span(observation.took_ms / 1000)), columns))
    return "\n".join(lines) + "\n"


def answer(target: str, prober: str, findings: Sequence[Finding], texts: Texts, colour: bool = False, columns: int = 100) -> str:
    """Return the first line: what was asked, the one state, and the readings that make it."""
    state = worst({finding.state for finding in findings})
    head = f"{printable(target)}  {prober}  "
    word = texts.word("state", state)
    room = max(1, columns - width(head) - width(word) - 2)
    return f"{head}{paint(word, state, colour)}  {headline(findings, texts, room)}"


def headline(findings: Sequence[Finding], texts: Texts, room: int = 100) -> str:
    """Return the texts of the findings in the state that counts, as many as fit and the number of the others."""
    state = worst({finding.state for finding in findings})
    counting = [finding for finding in findings if finding.state is state]
    if not counting:
        return texts.text("check.nothing")
    said = [texts.say(finding.message) for finding in counting]
    if state is State.OK and len(counting) > 4:
        good = texts.text("check.good", n=len(counting))
        asked = [texts.say(finding.message) for finding in counting if finding.check.endswith(_ASKED)]
        if counting[0].check.endswith("/answer"):
            asked.append(said[0])  # which device it is, or what it said
        while asked and width(join([*asked, good])) > room:
            asked.pop()
        return join([*asked, good])
    shown = said[:1]
    for text in said[1:]:
        last = len(shown) + 1 == len(said)
        if width(join([*shown, text])) > (room if last else room - _MORE):
            break
        shown.append(text)
    left = len(said) - len(shown)
    return clip(join([*shown, texts.text("check.more", n=left)] if left and state is not State.OK else shown), room)


def limit_text(levels: Levels, texts: Texts) -> str:
    """Return the limits of a finding in their unit: "limits: warning ≥ 20 %, critical ≥ 60 %"."""
    sign = "≤" if levels.low else "≥"
    warning = None if levels.warning is None else f"{sign} {reading(levels.warning, levels.unit)}"
    critical = None if levels.critical is None else f"{sign} {reading(levels.critical, levels.unit)}"
    if warning and critical:
        return texts.text("limit.both", warning=warning, critical=critical)
    return texts.text("limit.at", limit=warning or critical) if warning or critical else ""


def source_text(levels: Levels, texts: Texts) -> str:
    """Return who says so of a limit; a standard, and our own reasons, stand as they are written."""
    known = _OWN.get(levels.source)
    return texts.text(known) if known else levels.source


def _rows(findings: Sequence[Finding], texts: Texts, colour: bool, columns: int) -> list[str]:
    order = [f for state in _BEATS for f in findings if f.state is state]
    rows = [(_name(f), f.state, _said(f, texts)) for f in order] + _good_rows([f for f in findings if f.state is State.OK], texts)
    first = min(max(width(name) for name, _, _ in rows), max(16, columns // 3))
    second = max(width(texts.word("state", state)) for _, state, _ in rows)
    indent = 2 + first + 2 + second + 2
    if columns - indent < 24:
        indent = 4
    lines = []
    for name, state, parts in rows:
        beside = width(name) <= first or name.partition(" ")[2] in parts[0]
        if not beside:  # only the name says which trunk or call is meant
            lines.append(f"  {clip(name, columns - 2)}")
        head = f"  {pad(clip(name, first) if beside else '', first)}  {paint(pad(texts.word('state', state), second), state, colour)}"
        body = [line for part in parts for line in wrap(part, columns - indent)]
        if indent == 4:
            lines += [head.rstrip(), *(" " * indent + line for line in body if line)]
        else:
            lines += [f"{head}  {body[0]}", *(" " * indent + line for line in body[1:] if line)]
    return lines


def _name(finding: Finding) -> str:
    return printable(" ".join(filter(None, (finding.check, finding.item))))


def _said(finding: Finding, texts: Texts) -> list[str]:
    said = [texts.say(finding.message)]
    if finding.levels and finding.state in (State.WARNING, State.CRITICAL):
        said += [limit_text(finding.levels, texts), texts.text("limit.source", source=source_text(finding.levels, texts))]
    return said


def _good_rows(findings: Sequence[Finding], texts: Texts) -> list[tuple[str, State, list[str]]]:
    """Return a row for each good finding; those of one item (a port, a file system) share a row, which need not repeat its name.

    Items of which the same is said (the unused ports of a switch) share a row, too, if they are _ALIKE or more; their names follow.
    """
    shared: dict[tuple[str, str], list[Finding]] = {}
    for number, finding in enumerate(findings):
        shared.setdefault((finding.check.partition("/")[0], finding.item or str(number)), []).append(finding)
    rows: list[tuple[str, str, str, str]] = []  # place, item, text without the item's name, text
    for (room, item), group in shared.items():
        said = [texts.say(finding.message) for finding in group]
        bare = list(dict.fromkeys(_without(item, text) for text in said))
        whole = " · ".join(text for text in bare if not any(other != text and other.startswith(text) for other in bare))
        named = group[0].item
        rows.append((group[0].check, named, whole if named else said[0], said[0]) if len(group) == 1 else (room, named, whole, whole))
    alike: dict[tuple[str, str], list[str]] = {}
    for place, item, bare_text, _ in rows:
        alike.setdefault((place, bare_text), []).append(item)
    made: dict[tuple[str, str], tuple[str, State, list[str]]] = {}
    for place, item, bare_text, text in rows:
        items = alike[place, bare_text]
        if len(items) < _ALIKE:
            name = printable(f"{place} {item}".strip())
            made[name, text] = (name, State.OK, [text])
        else:
            names = join([printable(one) for one in items])
            made.setdefault((place, bare_text), (f"{place} ×{len(items)}", State.OK, [bare_text, names]))
    return list(made.values())


def _without(item: str, text: str) -> str:
    """Return a text without the name that it begins with."""
    rest = text.removeprefix(printable(item))
    return rest.lstrip(":： ") if rest and rest[0] in ":： " else text
