"""The operator's own configuration of the lab: what there is, whose it is, and every check that its agent makes."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tests.lab import topology

LIGHT, READ = "5s", "10s"  # how often what is light is measured, and what is read of a device
AGREED = "the customer's Ms Li, on the telephone"
CALLED = "02155556666"
SUPPLIED = "LabGate"  # the gateway that the company supplies

SILENCES = {  # why: nodes, checks
    "only the database has a disk of its own": (("core", "edge", "soft", "ups", "branch-*"), ("host/disk*", "host/inodes")),
    "what is mounted is the business of the machine under the lab": (("*",), ("host/mount", "host/read-only")),
}

Table = Mapping[str, Any]


def table(name: str, rows: Table) -> str:
    """Return a table of an array of tables as TOML; what is None is left out."""
    lines = [f"{key} = {value(given)}" for key, given in rows.items() if given is not None]
    return "\n".join(["", f"[[{name}]]", *lines, ""])


def value(given: Any) -> str:
    """Return a value as TOML."""
    if isinstance(given, Mapping):
        return "{ " + ", ".join(f"{key} = {value(one)}" for key, one in given.items()) + " }"
    if isinstance(given, list | tuple):
        return "[" + ", ".join(value(one) for one in given) + "]"
    return json.dumps(given)


GRADES = {"Harbour Logistics": "key"}


def sites() -> Iterator[str]:
    """Yield who there is: sites, carriers, customers."""
    for name, (kind, customer, _) in topology.SITES.items():
        yield table("site", {"name": name, "kind": kind, "region": "north", "customer": customer or None})
    for carrier in sorted({fibre.carrier for fibre in topology.FIBRES}):
        yield table("carrier", {"name": carrier, "contacts": ["+86 10 5555 0100"], "promised_repair": "4h"})
    for home in topology.HOMES:
        grade = GRADES.get(home.customer, "normal")
        contact = [f"the technician of {home.customer}, +86 21 5555 {home.number}"]
        yield table("customer", {"name": home.customer, "grade": grade, "contacts": contact, "accounts": [home.number]})


def links() -> Iterator[str]:
    """Yield how it hangs together."""
    for cable in topology.CABLES:
        if cable.name:
            yield table("link", {"name": cable.name, "a": cable.a, "b": cable.b, "ports": [cable.a_port, cable.b_port]})
    for number, fibre in enumerate(topology.FIBRES):
        line = {"kind": "fibre", "carrier": fibre.carrier, "circuit": f"CT-8821{number}"}
        yield table("link", {"name": fibre.name, "a": fibre.a, "b": fibre.b, "ports": [fibre.name, fibre.name], **line})


def check(prober: str, every: str = LIGHT, **options: Any) -> str:
    """Return one check of the node above it."""
    return table("node.check", {"prober": prober, "every": every, **options})


def node(name: str, checks: Iterable[str] = (), **more: Any) -> Iterator[str]:
    """Yield a node at its site and address; what has an address is asked for echoes."""
    site = next(site for site, (_, _, names) in topology.SITES.items() if name in names)
    here = name == "agent"
    yield table("node", {"name": name, "site": site, "address": None if here else topology.ADDRESS[name], **more})
    if not here:
        yield check("icmp")
    yield from checks


def nodes(certificate: str, pages: int = 0) -> Iterator[str]:
    """Yield every node with its checks, but no `host` check of the agent: its host is the machine under the lab, whose clock mostly nobody
    sets, and by such a clock no other is judged.

    `certificate` is the file of the portal's authority as the agent sees it, `pages` how many more pages of each branch server are asked
    for.
    """
    yield from node("agent", (check("interfaces", names=["eth0"]), check("sockets", READ)))
    snmp, arp = check("snmp"), check("arp")
    yield from node("core", (snmp,), kind="switch", role="core", snmp="ro")
    yield from node("edge", (snmp, arp), kind="router", role="core", snmp="ro")
    yield from node("soft", (snmp, arp, *_softswitch(certificate)), role="softswitch", snmp="ro")
    yield from node("db", (snmp, arp, *_database()), role="database", snmp="ro")
    yield from node("ups", (snmp,), kind="ups", snmp="ro")
    yield from node("branch-sw", (snmp,), kind="switch", snmp="ro")
    for server in ("branch-1", "branch-2"):
        yield from node(server, (snmp, check("http", host=topology.PORTAL), *_pages(pages)), snmp="ro")
    theirs = {"kind": "carrier", "owner": "carrier"}
    path = check("path", READ, edge=["edge"], pop=["pop", topology.POP_FIB0, topology.POP_FIB1])
    yield from node("pop", (path,), **theirs)
    yield from node("carrier", (path, *_carriers()), **theirs)
    for home in topology.HOMES:
        yield from _home(home)


def _pages(count: int) -> Iterator[str]:
    for number in range(count):
        yield check("http", host=topology.PORTAL, path=f"/{number}")


def _softswitch(certificate: str) -> Iterator[str]:
    yield from (check("sip"), check("dns", name=topology.OWN_NAME), check("dns", name=topology.OUTSIDE_NAME), check("tcp", port=80))
    yield from (check("http", host=topology.PORTAL), check("ntp", READ))
    yield check("tls", server_name=topology.PORTAL, ca_file=certificate)
    for home in topology.HOMES:
        yield check("registration", number=home.number)
    yield check("call", "1m", number=CALLED, allowed=[CALLED], daily_cap=1440, talk_s=0.5, caller=topology.HOMES[0].number, timeout="20s")


def _database() -> Iterator[str]:
    yield check("postgresql", user="postgres", database="postgres", tls="off")


def _carriers() -> Iterator[str]:
    yield from (
        check("pmtu", READ, expected=1500),
        check("stamp", READ),
        check("sip"),
        check("dns", name=topology.OUTSIDE_NAME),
    )


def _home(home: topology.Home) -> Iterator[str]:
    """Yield a customer's router and gateway; what runs our software was supplied by us."""
    ours = home.software.startswith(SUPPLIED)
    yield from node(home.router, (check("path", READ),), kind="router", owner="customer")
    registrar = {"registrar": topology.SOFT, "number": home.number, "codecs": ["PCMA"]}
    standard = {"models": [SUPPLIED], "min_firmware": "1.2"} if ours else {}
    looked_at = check("gateway", READ, agreed=AGREED, nat_address=home.public, **registrar, **standard)
    device = {"kind": "gateway", "owner": "customer", "supplied_by": "company" if ours else "customer"}
    yield from node(home.gateway, (check("sip"), looked_at), **device, warranty_until="2027-03-31" if ours else None)


def silenced(name: str, check: str) -> bool:
    """Tell whether a check of a node is measured and never alarmed."""
    return any(_fits(name, names) and _fits(check, checks) for names, checks in SILENCES.values())


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def configuration(state: str, certificate: str, pages: int = 0) -> str:
    """Return the whole file of the lab's agent, which keeps everything in `state`; `certificate` and `pages` as in `nodes`."""
    parts = [
        f'[agent]\nname = "watch"\nnode = "agent"\nstate_dir = "{state}"\nlisten = "127.0.0.1:8470"\nsocket = "{state}/socket"\n',
        f'\n[traps]\nlisten = "{topology.AGENT}:162"\n',
        table("credential", {"name": "ro", "snmp": "v2c", "community": {"file": f"{state}/community"}}),
        table("feed", {"name": "lines", "kind": "jsonl", "path": f"{state}/cases.jsonl"}),
        *(table("silence", {"name": name, "nodes": nodes, "checks": checks}) for name, (nodes, checks) in SILENCES.items()),
    ]
    return "".join([*parts, *sites(), *nodes(certificate, pages), *links()])
