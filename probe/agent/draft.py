"""Proposes an inventory: this host, what it is set up to use, who answered in its network, and the nodes of a CSV file."""

import csv
import io
import socket
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from probe.agent import netlink
from probe.agent.discovery import look_around
from probe.agent.hostfiles import Neighbour, read_arp
from probe.agent.route import zoned
from probe.agent.settings.document import Document
from probe.agent.settings.duration import show_duration
from probe.agent.settings.forms import NodeForm
from probe.agent.settings.inventory import is_address
from probe.agent.settings.problem import Problem, SettingsError
from probe.agent.settings.reader import read, show
from probe.agent.settings.regular import UnreadableError, read_regular
from probe.agent.settings.settings import Settings
from probe.agent.settings.spelling import did_you_mean
from probe.agent.settings.toml_lines import Path as Place
from probe.agent.settings.toml_text import write_table
from probe.inventory import Node
from probe.job import Job

COLUMNS = ("name", "address", "site", "kind", "role", "owner", "supplied_by", "warranty_until")
MOST_ROWS = 100_000
MOST_BYTES = 16 * 1024 * 1024
MOST_NEIGHBOURS = 500
ABOUT = """\
# A draft, made from what this host knows; nobody was asked. Strike out what does not matter, say whose each node is
# (owner = "company" | "carrier" | "customer"), add links, carriers and customers, then: firstline config check
"""


def draft(base: Settings, root: Path = Path("/"), nodes: Iterable[NodeForm] = (), live: bool = True) -> str:
    """Return a configuration as TOML text that `config check` accepts. `live`: the kernel's neighbour table is asked too."""
    found = look_around(base, root).settings
    given = list(nodes)
    taken = {node.name for node in given} | set(found.inventory.nodes)
    addresses = {node.address for node in given} | {node.address for node in found.inventory.nodes.values()}
    checks: dict[str, list[Job]] = {}
    for job in found.jobs:
        asked_already = job.prober == "dns" and any(one.prober == "dns" for one in checks.get(job.node.name, []))
        if not asked_already:  # the second question to a resolver is for the trial at the start alone
            checks.setdefault(job.node.name, []).append(job)
    parts = [ABOUT, write_table({"name": base.agent.name, "node": base.inventory.here}, "[agent]")]
    parts += [write_table({"name": site}, "[[site]]") for site in sorted({node.site for node in given if node.site})]
    parts += [_node(node, checks.get(node.name, [])) for node in found.inventory.nodes.values()]
    parts += [write_table({"name": link.name, "a": link.a, "b": link.b}, "[[link]]") for link in found.inventory.links.values()]
    parts += [_listed(node) for node in given]
    heard = [one for one in neighbours(root, live) if one.address not in addresses and f"host-{one.address}" not in taken]
    for one in heard[:MOST_NEIGHBOURS]:
        comment = f"# answered on {one.interface}, {one.mac}\n"
        parts.append(comment + _checked({"name": f"host-{one.address}", "address": one.address}))
    if len(heard) > MOST_NEIGHBOURS:
        parts.append(f"# {len(heard) - MOST_NEIGHBOURS} more neighbours are left out\n")
    return "\n".join(parts)


def neighbours(root: Path = Path("/"), live: bool = True) -> list[Neighbour]:
    """Return who answered in the own networks: /proc/net/arp and, with `live`, the kernel's table of IPv6 neighbours."""
    try:
        found = read_arp((root / "proc/net/arp").read_text(errors="replace"))
    except OSError:
        found = []
    return found + (_neighbours6() if live else [])


def _neighbours6() -> list[Neighbour]:
    try:
        named = [(one, socket.if_indextoname(one.interface)) for one in netlink.neighbours(socket.AF_INET6)]
    except OSError:
        return []
    return [Neighbour(zoned(one.address, interface) or one.address, one.mac, interface) for one, interface in named]


def _node(node: Node, jobs: list[Job]) -> str:
    table = {"name": node.name, "address": node.address, "kind": node.kind, "role": node.role}
    return write_table({**table, "check": [_check(job) for job in jobs] or None}, "[[node]]")


def _check(job: Job) -> dict[str, Any]:
    options = {name: getattr(job.options, name) for name in ("name", "rrtype") if job.prober == "dns"}
    return {"prober": job.prober, **options, "every": show_duration(job.every_s)}


def _listed(node: NodeForm) -> str:
    table = {column: getattr(node, column) for column in COLUMNS}
    return _checked(table) if node.address else write_table(table, "[[node]]")


def _checked(table: dict[str, Any]) -> str:
    return write_table({**table, "check": [{"prober": "icmp", "every": "60s"}]}, "[[node]]")


def read_nodes(file: str) -> list[NodeForm]:
    """Return the nodes of a CSV file with a header (`COLUMNS`; only name is needed). SettingsError lists what is wrong by its line."""
    document = _Rows(file)
    rows = list(_rows(document))
    nodes = [node for index, row in rows if (node := _read_row(row, document, index)) is not None]
    first: dict[str, int] = {}
    for index, row in rows:
        if first.setdefault(row.get("name", ""), index) != index:
            document.refuse((index, "name"), f"{show(row.get('name', ''))} stands on line {first[row['name']]} already")
    if document.problems:
        raise SettingsError(document.problems)
    return nodes


class _Rows(Document):
    """A CSV file; the first part of a path is the line."""

    @property
    def problems(self) -> list[Problem]:
        return self._whole + [Problem(self.file, int(path[0]), ".".join(map(str, path[1:])), text) for path, text in self._found]


def _rows(document: _Rows) -> Iterable[tuple[int, dict[str, str]]]:
    content = b""
    try:
        content = read_regular(document.file, MOST_BYTES).content
        text = content.decode("utf-8-sig")
    except UnreadableError as why:
        document.refuse_file(str(why))
        return
    except UnicodeDecodeError as why:
        document.refuse_file("not UTF-8 text; save it as UTF-8", content.count(b"\n", 0, why.start) + 1)
        return
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        yield from _named(reader, document)
    except csv.Error as why:
        document.refuse_file(f"not CSV: {why}", reader.line_num)


def _named(reader: Any, document: _Rows) -> Iterable[tuple[int, dict[str, str]]]:
    header = [name.strip().lower() for name in next(reader, [])]
    for name in header:
        if name not in COLUMNS:
            document.refuse((1, name), f"unknown column{did_you_mean(name, COLUMNS) or '; there are: ' + ', '.join(COLUMNS)}")
    if "name" not in header:
        document.refuse_file(f"has no column name; the first line names the columns: {', '.join(COLUMNS)}", 1)
    if document.problems:
        return
    for row in reader:
        line = reader.line_num
        if line > MOST_ROWS:
            document.refuse_file(f"has more than {MOST_ROWS:,} lines", line)
            return
        if not any(field.strip() for field in row):
            continue
        if len(row) != len(header):
            document.refuse((line,), f"has {len(row)} fields, the header has {len(header)}")
            continue
        yield line, {name: field.strip() for name, field in zip(header, row, strict=True) if field.strip()}


def _read_row(row: dict[str, str], document: _Rows, line: int) -> NodeForm | None:
    path: Place = (line,)
    table: dict[str, Any] = dict(row)
    if "warranty_until" in table:
        try:
            table["warranty_until"] = date.fromisoformat(table["warranty_until"])
        except ValueError:
            pass  # refused below, as what is no date
    if "address" in table and not is_address(table["address"]):
        document.refuse((line, "address"), f"{show(table['address'])} is not an address")
    return read(NodeForm, table, document, path)
