"""The inventory from the tables of all files: names resolved, duplicates and dead ends refused."""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from probe.agent.settings.document import Document
from probe.agent.settings.forms import AgentForm, CarrierForm, CredentialForm, CustomerForm, LinkForm, NodeForm, SiteForm
from probe.agent.settings.reader import show
from probe.agent.settings.tables import Entry, by_name, read_tables, refer
from probe.inventory import Carrier, Customer, Inventory, Link, Node, Site

_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")


class Tables(NamedTuple):
    """What was read: the inventory, the node tables (for their checks), and the credentials by name."""

    inventory: Inventory
    nodes: list[Entry[NodeForm]]
    credentials: Mapping[str, CredentialForm]


def read_inventory(agent: AgentForm, agent_name: str, main: Document, documents: list[Document]) -> Tables:
    """Return the inventory of all documents; what can't be used is left out and refused in its document."""
    sites = read_tables("site", SiteForm, documents)
    nodes = read_tables("node", NodeForm, documents, apart=frozenset({"check"}))
    links = read_tables("link", LinkForm, documents)
    carriers = read_tables("carrier", CarrierForm, documents)
    customers = read_tables("customer", CustomerForm, documents)
    credentials = read_tables("credential", CredentialForm, [main])
    node_names: dict[str, Any] = dict(by_name("node", nodes))
    site_names, carrier_names = by_name("site", sites), by_name("carrier", carriers)
    customer_names, credential_names = by_name("customer", customers), by_name("credential", credentials)
    by_name("link", links)
    here = _find_here(agent, agent_name, main, node_names)
    for site in sites:
        refer("customer", site, "customer", customer_names)
    for node in nodes:
        refer("site", node, "site", site_names)
        refer("credential", node, "snmp", credential_names)
        _check_address(node)
    for link in links:
        _check_link(link, node_names)
        refer("carrier", link, "carrier", carrier_names)
    for credential in credentials:
        _check_credential(credential)
    found = {entry.form.name: _node(entry.form) for entry in nodes if entry.form}
    found.setdefault(here, Node(here))
    inventory = Inventory(
        here,
        found,
        {entry.form.name: Site(**_fields(entry.form)) for entry in sites if entry.form},
        {entry.form.name: Link(**_fields(entry.form)) for entry in links if entry.form},
        {entry.form.name: _carrier(entry.form) for entry in carriers if entry.form},
        {entry.form.name: Customer(**_fields(entry.form)) for entry in customers if entry.form},
    )
    return Tables(inventory, nodes, {entry.form.name: entry.form for entry in credentials if entry.form})


def _find_here(agent: AgentForm, agent_name: str, main: Document, nodes: dict[str, Any]) -> str:
    """Return the node of the agent; one that is not written down is added under the agent's name, so that links may name it."""
    here = agent.node or agent_name
    if agent.node and nodes and here not in nodes:
        main.refuse(("agent", "node"), f"no node named {show(here)}{main.near(here, nodes)}")
    nodes.setdefault(here, None)
    return here


def _check_address(entry: Entry[NodeForm]) -> None:
    address = entry.table.get("address")
    if isinstance(address, str) and not is_address(address):
        cure = "an IP address or a host name alone; port and path belong to the check"
        entry.document.refuse((*entry.path, "address"), f"{show(address)} is not an address; write {cure}")


def is_address(text: str) -> bool:
    """Tell whether a text is an IP address (with a zone, if any) or can be a host name (RFC 1123)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # A name of digits and dots alone is a mistyped IPv4 address: no top-level domain is a number.
        return bool(_HOST_NAME.fullmatch(text)) and not re.fullmatch(r"[0-9.]+", text)
    return True


def _check_link(entry: Entry[LinkForm], nodes: Mapping[str, object]) -> None:
    refer("node", entry, "a", nodes)
    refer("node", entry, "b", nodes)
    ends = entry.table.get("a"), entry.table.get("b")
    if ends[0] == ends[1] and isinstance(ends[0], str):
        entry.document.refuse((*entry.path, "b"), f"the link leads from {show(ends[0])} to itself")


def _check_credential(entry: Entry[CredentialForm]) -> None:
    form = entry.form
    if form is None:
        return
    if form.snmp == "v3":
        needed = ("user",) + (("auth_password",) if form.auth else ()) + (("privacy_password",) if form.privacy else ())
        foreign: tuple[str, ...] = ("community",)
        if form.privacy and not form.auth:
            entry.document.refuse((*entry.path, "privacy"), "SNMP v3 has no privacy without authentication (RFC 3411); set auth")
    else:
        needed, foreign = ("community",), ("user", "auth", "auth_password", "privacy", "privacy_password")
    for field in needed:
        if getattr(form, field) is None:
            entry.document.refuse(entry.path, f"{field} is missing; SNMP {form.snmp} needs it here")
    for field in foreign:
        if getattr(form, field) is not None:
            entry.document.refuse((*entry.path, field), f"SNMP {form.snmp} has no {field.replace('_', ' ')}")


def _fields(form: msgspec.Struct) -> dict[str, Any]:
    return msgspec.structs.asdict(form)


def _node(form: NodeForm) -> Node:
    return Node(form.name, form.address, form.site, form.kind, form.role, form.owner, form.supplied_by, form.warranty_until, form.snmp)


def _carrier(form: CarrierForm) -> Carrier:
    hours = None if form.promised_repair is None else form.promised_repair / 3600.0
    return Carrier(form.name, form.contacts, hours)
