"""Writes the tables of docs/handbook.md and the facts of docs/causes.md from the code: `python docs/generate.py`; --check says what is old.

A table stands between `<!-- table: NAME -->` and `<!-- end -->`; everything else in the handbook is written by hand.
"""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import Enum
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any, get_args

import click
import msgspec
from msgspec import inspect
from prometheus_client.parser import text_string_to_metric_families

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script, this folder would be searched instead

from checks import catalogue as judges
from checks.causes import OTHER, cause_of
from checks.finding import Finding, Levels, Message, State
from checks.history import Rule
from checks.verdict import Side, Urgency
from docs import audit_tables, cause_tables, flow_tables
from probe.agent.cli import COMMANDS, SHORT_HELP, firstline
from probe.agent.settings import forms
from probe.agent.settings.duration import show_duration
from probe.agent.settings.jobs import options_of
from probe.agent.settings.reader import SECRET_FIELDS
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.snmp.vendor import FILES, read_file
from reports.case import CaseState
from reports.feeds import catalogue as feeds
from reports.locale.text import texts
from reports.metrics import Lag, Series, Snapshot, render, render_probe

HANDBOOK = Path(__file__).parent / "handbook.md"
BLOCK = re.compile(r"<!-- table: (?P<name>\S+) -->\n.*?<!-- end -->", re.DOTALL)
ENGLISH = texts("en")
BY_REFERENCE = "secret by reference"
WORDS = {
    "StrType": "text",
    "BoolType": "`true`, `false`",
    "DateType": "date",
    "DateTimeType": "date and time",
    "TimeType": "time of day",
}
MEANINGS = {  # of what has no description beside it
    "name": "by which it is referred to; unique among its kind",
    "a": "name of the [[node]] at one end",
    "b": "name of the [[node]] at the other end",
    "hard_after": "so many bad readings in a row are believed, 1 … 20",
    "recover_after": "so many good readings in a row end it, 1 … 20",
    "flap_start": "from this weighted share of changes among the last 20 readings a series flaps",
    "flap_stop": "down to this share it does",
    "maintenance": "announced work, once or weekly",
    "feed": "where case events go",
    "rules": "how often a reading must repeat before it is believed",
}
# What each bound is, where it stands, and how it is written.
BOUNDS = (
    ("jobs measured at once, of those that are not bursts", "probe.run:IN_FLIGHT", "{:,}"),
    ("ICMP packets sent in a second", "probe.probers.icmp_channel:MOST_PER_S", "{:,}"),
    ("names kept by the agent's own look-ups", "probe.resolve:MOST_NAMES", "{:,}"),
    ("octets of an HTTP body that are read", "probe.probers.http:MOST_BODY", "size"),
    ("octets of an HTTP answer's head", "probe.http1:MOST_HEAD", "size"),
    ("octets of one exchange with a database", "probe.wire.connection:MOST_BYTES", "size"),
    ("octets of one SIP message", "probe.sip.message:MOST_BYTES", "size"),
    ("SIP conversations over UDP at once", "probe.sip.datagram:MOST_CONVERSATIONS", "{:,}"),
    ("RTP packets of one test call that are sent, and kept of each source", "probe.sip.rtp:MOST_PACKETS", "{:,}"),
    ("numbers whose test calls are counted", "probe.probers.call:MOST_NUMBERS", "{:,}"),
    ("times that one SNMP question is asked", "probe.snmp.session:ATTEMPTS", "{}"),
    ("time in which an SNMP poll must end", "probe.probers.snmp:LONGEST_S", "span"),
    ("rows of one SNMP table; more are cut off and named", "probe.snmp.walk:MOST_ROWS", "{:,}"),
    ("values of one SNMP poll", "probe.snmp.poll:MOST_VALUES", "{:,}"),
    ("rows that one GETBULK asks for at most", "probe.snmp.session:MOST_REPETITIONS", "{}"),
    ("values of a device that are kept between polls", "probe.snmp.session:MOST_KEPT", "{:,}"),
    ("how long they are kept at most", "probe.snmp.session:KEPT_S", "span"),
    ("SNMP sessions that are kept", "probe.snmp.session:MOST_SESSIONS", "{:,}"),
    ("devices whose SNMP poll before is kept, for rates", "probe.probers.snmp:MOST_LOOKS", "{:,}"),
    ("octets of an SNMP answer", "probe.snmp.line:MOST_OCTETS", "{:,}"),
    ("observations without data until a check is `unknown`, in periods", "checks.assess:STALE_AFTER", "{}"),
    ("observations kept with a verdict as its evidence, for each check", "checks.assess:KEPT", "{}"),
    ("checks of one verdict's evidence", "checks.evidence:MOST_STRANDS", "{:,}"),
    ("octets of one verdict's evidence", "checks.proof:MOST_BYTES", "size"),
    ("octets of one line of a recording that is replayed", "probe.agent.actions.replay:MOST_LINE", "size"),
    ("things told in one JSON answer of `replay`; more are counted", "probe.agent.cli.replay:MOST_TOLD", "{:,}"),
    ("octets of an evidence that is replayed", "probe.agent.actions.replay:MOST_EVIDENCE", "size"),
    ("pause after a recording that could not be written", "probe.agent.recording:RETRY_S", "span"),
    ("days of a baseline", "reports.store.baselines:DAYS_KEPT", "{}"),
    ("days that a baseline needs before it judges", "checks.baseline:MIN_DAYS", "{}"),
    ("series with a baseline", "reports.store.baselines:MAX_SERIES", "{:,}"),
    ("per-target series in `/metrics`; the rest is counted in `firstline_series_dropped`", "reports.metrics:MAX_SERIES", "{:,}"),
    ("how far ahead a trend looks", "checks.trend:HORIZON_S", "span"),
    ("a window of maintenance", "checks.maintenance:LONGEST", "span"),
    ("cases in one answer of `case list --all`", "probe.agent.answers:MOST_CASES", "{:,}"),
    ("parts and complaints of one case that are given", "reports.store.parts:MOST", "{:,}"),
    ("parts of a case whose story is told with it", "probe.agent.actions.desk:MOST_PARTS", "{}"),
    ("delivered events are kept", "reports.store.store:DELIVERED_KEPT", "span"),
    ("first pause after a delivery in vain", "reports.feeds.outbox:FIRST_WAIT_S", "span"),
    ("longest pause after a delivery in vain", "reports.feeds.outbox:LONGEST_WAIT_S", "span"),
    ("longest pause that a receiver may ask for (`Retry-After`)", "reports.feeds.outbox:LONGEST_RETRY_AFTER_S", "span"),
    ("tries before an event is given up as `dead`", "reports.feeds.outbox:TRIES", "{}"),
    ("time for which an event that can't be delivered is tried at least", "reports.feeds.outbox:KEPT_TRYING", "span"),
    ("octets of SNMP notifications that the kernel holds for us, where it is allowed", "probe.agent.traps:BUFFER", "size"),
    ("notifications read and not yet looked at; more are dropped and counted", "probe.agent.traps:WAITING", "{:,}"),
    ("rows of one exchange of what agents see (nodes × agents)", "reports.store.sight:MOST_ROWS", "{:,}"),
    ("nodes measured at once because another agent lost sight of them; others follow", "probe.agent.vantage:MOST_HASTENED", "{:,}"),
    ("different notifications counted by name", "probe.agent.traps:MOST_NAMES", "{:,}"),
    ("senders of v3 traps whose keys are kept", "probe.snmp.v3_receiver:MOST_ENGINES", "{:,}"),
    ("one delivery", "reports.feeds.outbox:DEADLINE_S", "span"),
    ("connections to page and metrics", "reports.web.serve:MOST_CONNECTIONS", "{}"),
    ("time in which a request's head must arrive", "reports.web.serve:HEAD_S", "span"),
    ("octets of a request's body", "reports.web.app:MOST_BODY", "size"),
    ("octets of a request's query", "reports.web.guard:MOST_QUERY", "size"),
    ("measurements on request at once (`/probe`, `/v1/check`)", "reports.web.app:MOST_PROBES", "{}"),
    ("characters that a token has at least", "reports.web.guard:LEAST_TOKEN", "{}"),
    ("one file of the configuration", "probe.agent.settings.document:MOST_BYTES", "size"),
    ("one secret's file", "probe.agent.settings.secret:MOST_BYTES", "size"),
    ("rows of `config draft --from`", "probe.agent.draft:MOST_ROWS", "{:,}"),
    ("gateways, resolvers and time sources that discovery takes, of each", "probe.agent.discovery:MOST_OF_A_KIND", "{}"),
    ("time in which a stopping service still accepts what it believes", "probe.agent.service:DRAIN_S", "span"),
    *audit_tables.BOUNDS,
)


def grid(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a Markdown table."""
    names = list(head)
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    for row in rows:
        cells = (str(cell).replace("|", "\\|").replace("\n", " ") for cell in row)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def code(words: Iterable[object], between: str = ", ") -> str:
    """Return words as code."""
    return between.join(f"`{word}`" for word in words)


def describe(kind: inspect.Type) -> tuple[str, str]:
    """Return the type with its bounds in words, and the description that its field has."""
    said = ""
    duration: tuple[str, float, float] | None = None
    while isinstance(kind, inspect.Metadata):
        said = said or (kind.extra_json_schema or {}).get("description", "")
        duration = duration or (kind.extra or {}).get("duration")
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        first, *others = [describe(one) for one in kind.types if not isinstance(one, inspect.NoneType)]
        return " or ".join([first[0], *(other[0] for other in others)]), said or first[1]
    if duration:
        return f"duration, {show_duration(duration[1])} … {show_duration(duration[2])}", said
    return _plain(kind), said


def _plain(kind: inspect.Type) -> str:
    match kind:
        case inspect.IntType(ge=low, le=high) | inspect.FloatType(ge=low, le=high):
            name = "integer" if isinstance(kind, inspect.IntType) else "number"
            least = f"{low:,}" if low is not None else f"more than {kind.gt:,}" if kind.gt is not None else None
            return f"{name}, {least} … {high:,}" if least is not None and high is not None else name
        case inspect.LiteralType(values=values):
            return code(dict.fromkeys(values))
        case inspect.EnumType(cls=words):
            return code(word.value for word in words)
        case inspect.VarTupleType(item_type=item):
            return f"list of {describe(item)[0]}"
        case inspect.TupleType(item_types=items):
            return f"list of {len(items)}"
        case inspect.DictType() | inspect.AnyType():
            return "table"
        case inspect.StructType(cls=cls):
            return BY_REFERENCE if cls.__name__ == "Secret" else "table"
    return WORDS[type(kind).__name__]


def fields(form: type[msgspec.Struct], leave_out: str = "", secrets: bool = False) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, type, default and meaning of each field; `secrets`: a text field of a secret's name takes a reference."""
    info = inspect.type_info(form)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        if field.name == leave_out:
            continue
        name = field.name
        kind, said = describe(field.type)
        if secrets and name.removesuffix("_file") in SECRET_FIELDS:
            name, kind = name.removesuffix("_file"), BY_REFERENCE
            said = said.replace("file with ", "").replace(", by reference", "")
        yield f"`{name}`", kind, _default(field), said or _table_of(field.type) or MEANINGS.get(name, "")


def _table_of(kind: inspect.Type) -> str:
    """Return what the first line of a nested table's form says of it."""
    inner = kind.item_type if isinstance(kind, inspect.VarTupleType) else kind
    if not isinstance(inner, inspect.StructType):
        return ""
    return (inner.cls.__doc__ or "").partition("\n")[0].partition(": ")[2].rstrip(".")


def _default(field: inspect.Field) -> str:
    if field.required:
        return "required"
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    value = value.value if isinstance(value, Enum) else value
    if value is None or value in ("", (), {}) or isinstance(value, msgspec.Struct):
        return "–"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    duration = isinstance(field.type, inspect.Metadata) and (field.type.extra or {}).get("duration")
    return f"`{show_duration(value) if duration else value}`"


def options(prober: str) -> str:
    """Return the options of a prober."""
    return grid(("option", "type", "default", "meaning"), fields(options_of(prober), secrets=True))


def checks(prober: str) -> str:
    """Return the questions that judge a prober's observations, and which cause each points to."""
    module = judges.load(prober)
    standard = module.Limits()
    names = {id(getattr(standard, name)): name for name in standard.__struct_fields__}
    rows = []
    for check in module.CHECKS:
        cause = cause_of(check.name, "")
        key = f"`{names[id(check.levels)]}`" if check.levels is not None and id(check.levels) in names else "–"
        rows.append((f"`{check.name}`", ENGLISH.text(f"about.{check.name}"), key, f"`{cause.code}`" if cause else f"`{OTHER.code}`"))
    return grid(("check", "question", "levels", "cause"), rows)


def levels(prober: str) -> str:
    """Return the levels of a prober's checks: unit, limits, source."""
    standard = judges.load(prober).Limits()
    rows = []
    for name in standard.__struct_fields__:
        value = getattr(standard, name)
        if isinstance(value, Levels):
            sign = "≤" if value.low else "≥"
            limits = [f"{sign} {limit:,.12g}" if limit is not None else "–" for limit in (value.warning, value.critical)]
            rows.append((f"`{name}`", value.unit, *limits, value.source))
        else:
            rows.append((f"`{name}`", "–", value, "–", "–"))
    return grid(("levels", "unit", "warning", "critical", "source"), rows) if rows else "Nothing is judged by a number here."


def causes() -> str:
    """Return the catalogue of causes."""
    return grid(("cause", "says", "area", "at worst", "sort", "from", "to do"), cause_tables.rows())


def keys(form: str) -> str:
    """Return the keys of one table of the configuration."""
    shape = Rule if form == "Rule" else getattr(forms, form)
    return grid(("key", "type", "default", "meaning"), fields(shape, "check" if form == "NodeForm" else ""))


def feed(kind: str) -> str:
    """Return the options of a feed."""
    return grid(("option", "type", "default", "meaning"), fields(feeds.load(kind).Options, secrets=True))


def metrics(path: str) -> str:
    """Return the metrics at one path."""
    rows = []
    for family in text_string_to_metric_families(_exposition(path)):
        if family.name.startswith("process_"):
            continue
        names = sorted({label for sample in family.samples for label in sample.labels if label != "le"})
        suffix = "_total" if family.type == "counter" else ""
        rows.append((f"`{family.name}{suffix}`", family.type, code(names) or "–", family.documentation))
    return grid(("metric", "type", "labels", "meaning"), rows)


def _exposition(path: str) -> str:
    if path == "probe":
        return render_probe(True, 0.1, [_finding()])[0].decode()
    now = datetime(2026, 1, 1, tzinfo=UTC)
    shown = Snapshot(
        version="0",
        agent="a",
        checks={("icmp", State.OK): 1},
        oldest_s=1.0,
        observations={("icmp", "ok"): 1},
        probe_seconds={"icmp": 1.0},
        cases={(CaseState.OPEN, Urgency.NORMAL, Side.COMPANY): 1},
        overruns=0,
        lag=Lag().read(),
        reload_ok=True,
        reloaded_at=now,
        store_up=True,
        tracks=1,
        outbox={("jsonl", "waiting"): 0},
        notifications={("accepted", "linkDown"): 1},
        audits={"agree": 1},
        series=[Series("n", "icmp/loss", "", "ratio", 0.0, State.OK)],
    )
    return render(shown)[0].decode()


def _finding() -> Finding:
    seen = Observation("a", "n", "icmp", datetime(2026, 1, 1, tzinfo=UTC), 1.0, Failure(Kind.TIMEOUT))
    return Finding("icmp/loss", seen, State.OK, Message("icmp.all"), Levels(0.2, 0.4, "ratio", ""), value=0.0)


def outcomes() -> str:
    """Return what an outcome holds, by its type."""
    rows = []
    for sample in get_args(Outcome):
        config = sample.__struct_config__
        rows.append((f"`{config.tag}`", code(sample.__struct_encode_fields__)))
    return grid(("type", "keys"), rows)


def bounds() -> str:
    """Return the stated bounds."""
    rows = []
    for what, place, form in BOUNDS:
        module, _, name = place.partition(":")
        value = attrgetter(name)(import_module(module))
        rows.append((what, _bound(value, form), f"`{module}.{name}`"))
    return grid(("bound", "value", "where"), rows)


def _bound(value: Any, form: str) -> str:
    if form == "size":
        for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
            if value % unit == 0:
                return f"{value // unit} {name}"
        return f"{value:,} bytes"
    if form == "span":
        return show_duration(value.total_seconds() if isinstance(value, timedelta) else value)
    return form.format(value)


def commands() -> str:
    """Return every command with what it takes and what it does."""
    return grid(("command", "takes", "does"), _commands(firstline, "firstline"))


def _commands(group: click.Group, path: str) -> Iterator[tuple[str, str, str]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        one = group.get_command(context, name)
        assert one is not None
        if isinstance(one, click.Group) and name != "check":
            yield from _commands(one, f"{path} {name}")
            continue
        takes = [param.make_metavar(click.Context(one)) if param.param_type_name == "argument" else param.opts[0] for param in one.params]
        said = SHORT_HELP[name] if path == "firstline" and name in COMMANDS else one.get_short_help_str(200)
        takes = ["PROBER", "TARGET", *takes] if name == "check" and path == "firstline" else takes
        yield f"`{path} {name}`", code(takes) or "–", said


def vendors() -> str:
    """Return what is read of whose devices beyond the standard MIBs, by file."""
    rows = []
    for file in sorted({*FILES.values(), "huawei_access", "standard"}):
        vendor = read_file(file)
        rules = (*vendor.sensor, *vendor.state)
        read = {rule.kind for rule in rules} | ({"load"} if vendor.processor else set()) | {pool.kind for pool in vendor.pool}
        mibs = {word for rule in (*rules, *vendor.processor, *vendor.pool) for word in re.findall(r"[\w-]+-MIB[\w-]*", rule.mib)}
        rows.append(
            (vendor.vendor, f"`{file}.toml`", code(vendor.enterprise) or "–", code(sorted(read)) or "–", ", ".join(sorted(mibs)) or "–")
        )
    return grid(("vendor", "file", "enterprise", "read", "MIBs"), rows)


def audit(which: str) -> str:
    """Return a table of the chapter Audit."""
    return grid(*getattr(audit_tables, which)())


def flow(which: str) -> str:
    """Return a table of the chapter Diagnosis."""
    return grid(*flow_tables.TABLES[which]())


TABLES: dict[str, Callable[..., str]] = {
    "audit": audit,
    "vendors": vendors,
    "options": options,
    "checks": checks,
    "levels": levels,
    "causes": causes,
    "keys": keys,
    "feed": feed,
    "metrics": metrics,
    "outcomes": outcomes,
    "bounds": bounds,
    "commands": commands,
    "flow": flow,
}


def table(name: str) -> str:
    """Return the table NAME, `kind` or `kind:which`; KeyError when there is none."""
    kind, _, which = name.partition(":")
    return TABLES[kind](*([which] if which else []))


def filled(text: str) -> str:
    """Return the handbook with every table as the code has it."""
    return BLOCK.sub(lambda found: f"<!-- table: {found['name']} -->\n{table(found['name'])}\n<!-- end -->", text)


def old(text: str) -> list[str]:
    """Return the names of the tables that the code has changed since."""
    return [found["name"] for found in BLOCK.finditer(text) if found[0] != filled(found[0])]


if __name__ == "__main__":
    before = HANDBOOK.read_text(encoding="utf-8")
    if "--check" in sys.argv:
        behind = [f"{HANDBOOK.name}: the table {name}" for name in old(before)] + [f"causes.md: {name}" for name in cause_tables.old()]
        sys.exit("\n".join(f"{name} is old; run: python docs/generate.py" for name in behind))
    HANDBOOK.write_text(filled(before), encoding="utf-8")
    cause_tables.write()
