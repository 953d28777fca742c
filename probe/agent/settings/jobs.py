"""The checks of all nodes: which job each becomes, and by which levels it is judged."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec

from probe.agent.settings.devices import device_options, reference
from probe.agent.settings.document import Document
from probe.agent.settings.duration import show_duration
from probe.agent.settings.forms import CheckForm, CredentialForm, NodeForm
from probe.agent.settings.levels import read_levels, standard_levels
from probe.agent.settings.marks import path_options
from probe.agent.settings.reader import known_fields, read, refuse_key, show
from probe.agent.settings.spelling import did_you_mean
from probe.agent.settings.tables import Entry
from probe.agent.settings.toml_lines import Path
from probe.inventory import Inventory, Node
from probe.job import Job
from probe.probers import catalogue

JobKey = tuple[str, str, str]

LOCAL = catalogue.LOCAL
OWN = known_fields(CheckForm)
TIMEOUT_S = 5.0


def default_timeout_s(options: Any, every_s: float) -> float:
    """Return when to give up if nothing is said: what the options say they take or 5 s, but never as long as the period."""
    return min(float(getattr(options, "longest_s", TIMEOUT_S)), every_s / 2)


@cache
def options_of(prober: str) -> type[msgspec.Struct]:
    """Return the Options of a prober; KeyError when there is none."""
    options: type[msgspec.Struct] = catalogue.load(prober).Options
    return options


def read_jobs(
    agent_name: str, inventory: Inventory, nodes: list[Entry[NodeForm]], credentials: Mapping[str, CredentialForm]
) -> tuple[tuple[Job, ...], dict[JobKey, Any]]:
    """Return the jobs of every [[node.check]] and the levels for each, by the job's key."""
    jobs: list[Job] = []
    limits: dict[JobKey, Any] = {}
    places: dict[JobKey, tuple[Document, Path]] = {}
    for entry in nodes:
        checks = entry.table.get("check", [])
        if not isinstance(checks, list):
            entry.document.refuse((*entry.path, "check"), f"{show(checks)} is not a list of tables; write [[node.check]]")
            continue
        name = entry.form.name if entry.form else None
        # A node that was refused still has its checks read, for their own mistakes.
        node = inventory.nodes.get(name) if name else None
        for index, table in enumerate(checks):
            path = (*entry.path, "check", index)
            at = node or Node(entry.name or "?", "127.0.0.1", snmp=entry.table.get("snmp"))
            whole = _with_inventory(table, at, inventory, credentials, entry.document, path)
            read_one = None if whole is None else _read_check(whole, at, inventory.here, entry.document, path)
            if read_one is None:
                continue
            check, options, levels = read_one
            timeout_s = check.timeout if check.timeout is not None else default_timeout_s(options, check.every)
            job = Job(agent_name, node or Node("?"), check.prober, options, check.every, timeout_s)
            if job.key in places and node:
                document, first = places[job.key]
                entry.document.refuse(path, f"asks {_describe(job)} a second time; the first is at {document.where(first)}")
            elif node:
                jobs.append(job)
                limits[job.key] = levels
                places[job.key] = (entry.document, path)
    return tuple(jobs), limits


def _with_inventory(
    table: Any, node: Node, inventory: Inventory, credentials: Mapping[str, CredentialForm], document: Document, path: Path
) -> Any:
    """Return the table of a check with what the node's credential (`snmp`) and the plan (`snmp`, `path`) say; what stands in it stands
    above them.
    """
    if isinstance(table, dict) and table.get("prober") == "path":
        return {**table, **path_options(node, inventory, table)}
    if not isinstance(table, dict) or table.get("prober") != "snmp":
        return table
    if node.snmp is None and not any(name in table for name in ("community", "user")):
        document.refuse(path, f'snmp needs a credential; write snmp = "NAME" at {show(node.name)} and a [[credential]] of that name')
        return None
    if node.snmp is not None and node.snmp not in credentials:
        return None  # refused where it stands
    return {**device_options(node, inventory, credentials, reference), **table}


def _describe(job: Job) -> str:
    return f"{job.prober} {job.options.item}" if job.options.item else job.prober


def _read_check(table: Any, node: Node, here: str, document: Document, path: Path) -> tuple[CheckForm, Any, Any] | None:
    if not isinstance(table, dict):
        document.refuse(path, f"{show(table)} is not a table; write [[node.check]]")
        return None
    prober = table.get("prober")
    own = {key: value for key, value in table.items() if key in OWN}
    if not isinstance(prober, str) or prober not in catalogue.PROBERS:
        if isinstance(prober, str):
            document.refuse((*path, "prober"), f"no prober named {show(prober)}{did_you_mean(prober, catalogue.PROBERS)}")
        else:
            read(CheckForm, own, document, path)
        return None
    form = options_of(prober)
    allowed = known_fields(form)
    strange = [key for key in table if key not in OWN and key not in allowed]
    for key in strange:
        refuse_key(document, path, key, OWN + allowed)
    check = read(CheckForm, own, document, path)
    options = read(form, {key: value for key, value in table.items() if key in allowed and key not in OWN}, document, path)
    levels = _levels(prober, table, document, path)
    fits = _fits(prober, table, check, node, here, document, path)
    if check is None or options is None or levels is None or strange or not fits:
        return None
    return check, options, levels


def _levels(prober: str, table: dict[str, Any], document: Document, path: Path) -> Any:
    wanted = table.get("levels")
    if wanted is None or not isinstance(wanted, dict):  # what is no table was refused with the check's own fields
        return standard_levels(prober)
    levels, problems = read_levels(prober, wanted)
    for where, text in problems:
        document.refuse((*path, "levels", *where), text)
    return None if problems else levels


def _fits(prober: str, table: dict[str, Any], check: CheckForm | None, node: Node, here: str, document: Document, path: Path) -> bool:
    fits = True
    if check and check.timeout is not None and check.timeout >= check.every:
        document.refuse((*path, "timeout"), f"{show_duration(check.timeout)} is not less than the period ({show_duration(check.every)})")
        fits = False
    for key in sorted(catalogue.TYPED.get(prober, frozenset()) & table.keys()):
        document.refuse((*path, key), f"is for a check by hand: firstline check {prober} {node.name} --{key.replace('_', '-')}")
        fits = False
    if prober in catalogue.BY_HAND:
        document.refuse((*path, "prober"), f"{prober} is asked for by hand: firstline check {prober} FILE")
        fits = False
    elif prober in LOCAL and node.name != here:
        document.refuse((*path, "prober"), f"{prober} looks at the agent's own host, which is {show(here)}, not {show(node.name)}")
        fits = False
    if prober not in LOCAL and node.address is None:
        document.refuse((*path, "prober"), f"{prober} needs an address, and {show(node.name)} has none")
        fits = False
    return fits
