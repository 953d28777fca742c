"""The tables of the file, field by field: what may stand in it, in which form, and what it is when it is left out.

`config schema` and the reader are both made from these; a field that is not here can't be written.
"""

from datetime import date, datetime, time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from probe.agent.settings.secret import Secret
from probe.inventory import Owner

DAY_S = 86_400.0
LISTEN = "127.0.0.1:8470"

Name = Annotated[str, Meta(pattern=r"^\S(.{0,118}\S)?$", extra={"is": "a name (1 … 120 characters, none of them a blank at an end)"})]


def _duration(what: str, low_s: float, high_s: float, description: str) -> Meta:
    as_text = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?(ms|s|m|h|d)$"}
    return Meta(description=description, extra={"duration": (what, low_s, high_s)}, extra_json_schema=as_text)


Period = Annotated[float, _duration("a period", 5.0, DAY_S, "a period with its unit: 30s, 5m, 1h, 1d")]
Timeout = Annotated[float, _duration("a time-out", 0.05, 300.0, "a time with its unit: 500ms, 2s")]
_STILL = _duration("a time", 1.0, DAY_S, "how long bills must not have changed before they are audited")
RepairTime = Annotated[float, _duration("a repair time", 60.0, 90 * DAY_S, "the repair time that the contract promises: 4h")]

SiteKind = Literal["datacentre", "pop", "carrier", "customer"]
NodeKind = Literal["server", "switch", "router", "firewall", "gateway", "ups", "carrier"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
LinkKind = Literal["fibre", "ethernet", "radio", "tunnel"]


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table."""


class AgentForm(Form, frozen=True, kw_only=True):
    """[agent]: the service itself."""

    name: Annotated[Name | None, Meta(description="what this agent calls itself; this host's name when left out")] = None
    node: Annotated[Name | None, Meta(description="the node on which it stands; the node called like the agent when left out")] = None
    state_dir: Annotated[str | None, Meta(description="folder of the store; $STATE_DIRECTORY of systemd or a folder of the user")] = None
    listen: Annotated[str, Meta(description="address and port of page and metrics; off loopback it needs `token`")] = LISTEN
    socket: Annotated[str | None, Meta(description="path of the unix socket for commands; beside the store when left out")] = None
    language: Annotated[Literal["en", "zh"] | None, Meta(description="language of page and reports; the reader's when left out")] = None
    per_target_metrics: Annotated[bool, Meta(description="one metric series per target besides the sums")] = False
    token: Annotated[Secret | None, Meta(description="who shows it may read page and metrics")] = None
    recording: Annotated[str | None, Meta(description="file for all observations, as `firstline replay` reads it; none when left out")] = (
        None
    )
    recording_mb: Annotated[int, Meta(ge=2, le=100_000, description="the most that it and its .1 may take; then the oldest go")] = 64


class StoreForm(Form, frozen=True, kw_only=True):
    """[store]: where cases and tracks are kept."""

    url: Annotated[str | None, Meta(description="postgresql://user@host/database; the embedded store when left out")] = None
    password: Annotated[Secret | None, Meta(description="the password that belongs to `url`")] = None


class TrapsForm(Form, frozen=True, kw_only=True):
    """[traps]: SNMP notifications from devices of the inventory; each makes the agent look at its sender at once."""

    listen: Annotated[str | None, Meta(description='"0.0.0.0:162", or "systemd" for the socket of firstline-traps.socket')] = None


class StampForm(Form, frozen=True, kw_only=True):
    """[stamp]: answers the test packets of another agent's `stamp` check (RFC 8762)."""

    listen: Annotated[str | None, Meta(description="address and port; none is answered when left out")] = None
    allow: Annotated[tuple[str, ...], Meta(description="networks whose packets are answered")] = ()


class InboxForm(Form, frozen=True, kw_only=True):
    """[[audit_inbox]]: a folder of one customer, in which pairs of bills are audited as they arrive."""

    customer: Annotated[Name, Meta(description="name of a [[customer]]: whose bills these are")]
    folder: Annotated[str, Meta(description="a folder; in it one folder a period with local.*, customer.* and then .done")]
    contract: Annotated[str | None, Meta(description="contract file; that of the customer when left out")] = None
    rates: Annotated[tuple[str, ...], Meta(description="rate decks of the contract")] = ()
    still: Annotated[float, _STILL] = 60.0
    open: Annotated[bool, Meta(description="whether a difference becomes a case")] = True
    language: Annotated[Literal["en", "zh"] | None, Meta(description="of workbook, report and statement; the agent's when left out")] = None


class CredentialForm(Form, frozen=True, kw_only=True):
    """[[credential]]: how to log in somewhere; nodes name it."""

    name: Name
    snmp: Annotated[Literal["v1", "v2c", "v3"], Meta(description="the version of SNMP")]
    community: Annotated[Secret | None, Meta(description="v1 and v2c")] = None
    user: Annotated[str | None, Meta(description="v3: the user (RFC 3414)")] = None
    auth: Annotated[Literal["md5", "sha1", "sha224", "sha256", "sha384", "sha512"] | None, Meta(description="v3: protocol")] = None
    auth_password: Annotated[Secret | None, Meta(description="v3: that belongs to `auth`")] = None
    privacy: Annotated[Literal["des", "aes128", "aes192", "aes256"] | None, Meta(description="v3: protocol")] = None
    privacy_password: Annotated[Secret | None, Meta(description="v3: that belongs to `privacy`")] = None


class SiteForm(Form, frozen=True, kw_only=True):
    """[[site]]: a place."""

    name: Name
    kind: Annotated[SiteKind, Meta(description="what kind of place")] = "datacentre"
    region: Annotated[str | None, Meta(description="by which work is handed out")] = None
    customer: Annotated[Name | None, Meta(description="whose premises these are")] = None


class LimitForm(Form, frozen=True, kw_only=True):
    """Where one value becomes a warning and critical."""

    warning: float | None = None
    critical: float | None = None


class CheckForm(Form, frozen=True, kw_only=True):
    """[[node.check]]: one question to the node above; the prober's own options stand beside these."""

    prober: Annotated[str, Meta(description="what to measure with; `firstline checks` lists them")]
    every: Period = 60.0
    timeout: Annotated[Timeout | None, Meta(description="5s, or half of `every` when that is less")] = None
    levels: Annotated[dict[str, Any], Meta(description="own levels instead of the standard ones")] = {}


class NodeForm(Form, frozen=True, kw_only=True):
    """[[node]]: a thing that can be measured or blamed."""

    name: Name
    address: Annotated[str | None, Meta(description="an IP address or a name; without one it is not measured itself")] = None
    site: Annotated[Name | None, Meta(description="where it stands")] = None
    kind: Annotated[NodeKind, Meta(description="what it is; says what a fault of it is called")] = "server"
    role: Annotated[str | None, Meta(description="softswitch, sbc, database, …")] = None
    owner: Annotated[Owner, Meta(description="whose it is: who has to act")] = Owner.COMPANY
    supplied_by: Annotated[Owner | None, Meta(description="who supplied the device")] = None
    warranty_until: Annotated[date | None, Meta(description="last day of its warranty: 2027-03-31")] = None
    snmp: Annotated[Name | None, Meta(description="name of a [[credential]]")] = None
    check: tuple[dict[str, Any], ...] = ()


class LinkForm(Form, frozen=True, kw_only=True):
    """[[link]]: a connection of two nodes."""

    name: Name
    a: Name
    b: Name
    ports: Annotated[tuple[str, str] | None, Meta(description="the interface at a and at b")] = None
    kind: Annotated[LinkKind, Meta(description="what it runs over")] = "ethernet"
    carrier: Annotated[Name | None, Meta(description="name of a [[carrier]]")] = None
    circuit: Annotated[str | None, Meta(description="the carrier's number of the circuit")] = None


class CarrierForm(Form, frozen=True, kw_only=True):
    """[[carrier]]: a network carrier."""

    name: Name
    contacts: Annotated[tuple[str, ...], Meta(description="whom to call")] = ()
    promised_repair: RepairTime | None = None


class CustomerForm(Form, frozen=True, kw_only=True):
    """[[customer]]: a customer."""

    name: Name
    grade: Annotated[str, Meta(description="normal, key or vip: a fault of a key customer is more urgent")] = "normal"
    contacts: Annotated[tuple[str, ...], Meta(description="whom to call")] = ()
    accounts: Annotated[tuple[str, ...], Meta(description="billing accounts")] = ()
    contract: Annotated[str | None, Meta(description="contract file")] = None


class ScopeForm(Form, frozen=True, kw_only=True):
    """What [[maintenance]] and [[silence]] have: a name, and whom they concern; all of them when a list is left out."""

    name: Name
    nodes: Annotated[tuple[str, ...], Meta(description='names of nodes, or patterns like "web-*"')] = ()
    checks: Annotated[tuple[str, ...], Meta(description='checks, like "host/*"')] = ()
    sites: Annotated[tuple[str, ...], Meta(description="names of sites, or patterns")] = ()


class OnceForm(ScopeForm, frozen=True, kw_only=True):
    """[[maintenance]] from one time to another."""

    starts: Annotated[datetime, Meta(tz=True, description="2026-11-22T01:00:00+01:00; a time of day and `zone` make it weekly")]
    ends: Annotated[datetime, Meta(tz=True, description="2026-11-22T05:00:00+01:00")]


class WeeklyForm(ScopeForm, frozen=True, kw_only=True):
    """[[maintenance]] every week, or every day, by the wall clock of a zone."""

    starts: Annotated[time, Meta(description="01:00:00; an end before the start is the next day's")]
    ends: Annotated[time, Meta(description="05:00:00")]
    zone: Annotated[str, Meta(description="Asia/Shanghai, Europe/Berlin, UTC")]
    days: Annotated[tuple[Weekday, ...], Meta(description="every day when left out")] = ()


class SilenceForm(ScopeForm, frozen=True, kw_only=True):
    """[[silence]]: what is measured and shown but never alarmed; the name says why."""


class FeedForm(Form, frozen=True, kw_only=True):
    """[[feed]]: where case events go; the options of its kind stand beside these."""

    kind: Annotated[str, Meta(description="the kind of system")]
    name: Annotated[Name | None, Meta(description="a name of its own when there are two of a kind")] = None


class InventoryForm(Form, frozen=True, kw_only=True):
    """A file named by `inventory`."""

    site: tuple[SiteForm, ...] = ()
    node: tuple[NodeForm, ...] = ()
    link: tuple[LinkForm, ...] = ()
    carrier: tuple[CarrierForm, ...] = ()
    customer: tuple[CustomerForm, ...] = ()
    maintenance: tuple[dict[str, Any], ...] = ()
    silence: tuple[SilenceForm, ...] = ()


class MainForm(InventoryForm, frozen=True, kw_only=True):
    """The main file."""

    agent: AgentForm = AgentForm()
    store: StoreForm = StoreForm()
    traps: TrapsForm = TrapsForm()
    stamp: StampForm = StampForm()
    inventory: Annotated[tuple[str, ...], Meta(description="files with more of the inventory, maintenance, silence")] = ()
    credential: tuple[CredentialForm, ...] = ()
    feed: tuple[dict[str, Any], ...] = ()
    audit_inbox: tuple[InboxForm, ...] = ()
    rules: dict[str, Any] = {}
