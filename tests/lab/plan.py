"""The operator's own configuration of the lab: what there is, whose it is, and every check that its agent makes."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.lab import topology

LIGHT, READ = "5s", "10s"  # how often what is light is measured, and what is read of a device
AGREED = "the customer's Ms Li, on the telephone"

# The machine under the lab is shared: how busy it is, how full, and how good its clock is are no part of the operator.
MACHINE_WIDE = (
    "host/clock-sync",
    "host/boot",
    "host/cpu",
    "host/load",
    "host/iowait",
    "host/steal",
    "host/pressure",
    "host/disk*",
    "host/inodes",
    "host/memory",
    "host/swap",
    "host/oom",
    "host/zombies",
    "host/uninterruptible",
    "host/descriptors",
    "host/units",
    "snmp/cpu",
    "snmp/memory",
    "snmp/storage",
)

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


def sites() -> Iterator[str]:
    """Yield who there is: sites, carrier, customers."""
    yield table("site", {"name": "centre", "kind": "datacentre", "region": "north"})
    yield table("site", {"name": "room", "kind": "pop", "region": "north"})
    yield table("site", {"name": "backbone", "kind": "carrier", "region": "north"})
    yield table("site", {"name": "harbour", "kind": "customer", "region": "north", "customer": "Harbour Logistics"})
    yield table("site", {"name": "clinic", "kind": "customer", "region": "north", "customer": "Hill Clinic"})
    yield table("carrier", {"name": "Northern Fibre", "contacts": ["+86 10 5555 0100"], "promised_repair": "4h"})
    customer = {"name": "Harbour Logistics", "grade": "key", "contacts": ["Ms Chen, +86 21 5555 0111"], "accounts": ["1001"]}
    yield table("customer", customer)
    yield table("customer", {"name": "Hill Clinic", "grade": "normal", "contacts": ["Dr Wu, +86 21 5555 0122"], "accounts": ["1002"]})


def links() -> Iterator[str]:
    """Yield how it hangs together."""
    for number, (a, a_port, b, b_port) in enumerate(
        (
            ("agent", "eth0", "core", "p1"),
            ("soft", "eth0", "core", "p2"),
            ("edge", "lan0", "core", "p3"),
            ("db", "eth0", "core", "p4"),
        )
    ):
        yield table("link", {"name": f"patch-{number + 1}", "a": a, "b": b, "ports": [a_port, b_port]})
    for fibre, circuit in (("fib0", "CT-88213"), ("fib1", "CT-88214")):
        line = {"kind": "fibre", "carrier": "Northern Fibre", "circuit": circuit}
        yield table("link", {"name": fibre, "a": "edge", "b": "pop", "ports": [fibre, fibre], **line})
    yield table("link", {"name": "backhaul", "a": "pop", "b": "carrier", "ports": ["dc0", "eth0"]})
    for letter, port in (("a", "cust0"), ("b", "cust1")):
        yield table("link", {"name": f"line-{letter}", "a": "edge", "b": f"site-{letter}", "ports": [port, "wan0"]})
        yield table("link", {"name": f"lan-{letter}", "a": f"site-{letter}", "b": f"gw-{letter}", "ports": ["lan0", "eth0"]})


def check(prober: str, every: str = LIGHT, **options: Any) -> str:
    """Return one check of the node above it."""
    return table("node.check", {"prober": prober, "every": every, **options})


def nodes(certificate: str) -> Iterator[str]:
    """Yield every node with its checks; `certificate` is the file of the portal's authority as the agent sees it."""
    yield from _ours(certificate)
    yield from _the_carriers()
    for letter in ("a", "b"):
        yield from _a_customers(letter)


def _ours(certificate: str) -> Iterator[str]:
    yield table("node", {"name": "agent", "site": "centre"})
    yield check("interfaces", names=["eth0"])
    yield check("host", READ, processes=False)
    yield check("sockets", READ)
    yield table("node", {"name": "core", "site": "centre", "kind": "switch", "role": "core", "address": topology.CORE, "snmp": "ro"})
    yield from (check("icmp"), check("snmp", READ))
    yield table("node", {"name": "edge", "site": "centre", "kind": "router", "role": "core", "address": topology.EDGE, "snmp": "ro"})
    yield from (check("icmp"), check("snmp", READ), check("arp"))
    yield table("node", {"name": "soft", "site": "centre", "role": "softswitch", "address": topology.SOFT, "snmp": "ro"})
    yield from (check("icmp"), check("snmp", READ), check("arp"), check("sip"), check("tcp", port=80))
    yield check("dns", name="sip.lab", recursion=False)
    yield check("http", host="portal.lab")
    yield check("tls", READ, server_name="portal.lab", ca_file=certificate)
    yield from (check("registration", number="1001"), check("registration", number="1002"))
    yield table("node", {"name": "db", "site": "centre", "role": "database", "address": topology.DB, "snmp": "ro"})
    yield from (check("icmp"), check("snmp", READ), check("arp"))


def _the_carriers() -> Iterator[str]:
    theirs = {"kind": "carrier", "owner": "carrier"}
    yield table("node", {"name": "pop", "site": "room", "address": topology.POP_DC, **theirs})
    yield from (check("icmp"), check("path", READ))
    yield table("node", {"name": "carrier", "site": "backbone", "address": topology.CARRIER, **theirs})
    yield from (check("icmp"), check("path", READ), check("pmtu", READ), check("stamp", READ), check("sip"))
    yield table("node", {"name": "pop-fib0", "site": "room", "address": topology.POP_FIB0, **theirs})
    yield check("icmp")
    yield table("node", {"name": "pop-fib1", "site": "room", "address": topology.POP_FIB1, **theirs})
    yield check("icmp")


def _a_customers(letter: str) -> Iterator[str]:
    ours, number = letter == "a", {"a": "1001", "b": "1002"}[letter]
    site, address = {"a": "harbour", "b": "clinic"}[letter], {"a": topology.SITE_A, "b": topology.SITE_B}[letter]
    yield table("node", {"name": f"site-{letter}", "site": site, "kind": "router", "owner": "customer", "address": address})
    yield from (check("icmp"), check("path", READ))
    supplied = "company" if ours else "customer"
    device = {"kind": "gateway", "owner": "customer", "supplied_by": supplied, "warranty_until": "2027-03-31" if ours else None}
    gateway = {"a": topology.GATEWAY_A, "b": topology.GATEWAY_B}[letter]
    yield table("node", {"name": f"gw-{letter}", "site": site, "address": gateway, **device})
    yield from (check("icmp"), check("sip"))
    standard = {"models": ["LabGate"], "min_firmware": "1.2"} if ours else {}
    registrar = {"registrar": topology.SOFT, "number": number, "codecs": ["PCMA"], **standard}
    yield check("gateway", READ, agreed=AGREED, nat_address=address, **registrar)


def configuration(state: str, certificate: str, machine_wide: bool = False) -> str:
    """Return the whole file of the lab's agent, which keeps everything in `state`.

    With `machine_wide` it alarms also what all machines of the lab have in common, because it is one machine's.
    """
    parts = [
        f'[agent]\nname = "watch"\nnode = "agent"\nstate_dir = "{state}"\nlisten = "127.0.0.1:8470"\nsocket = "{state}/socket"\n',
        f'\n[traps]\nlisten = "{topology.AGENT}:162"\n',
        table("credential", {"name": "ro", "snmp": "v2c", "community": {"file": f"{state}/community"}}),
        table("feed", {"name": "lines", "kind": "jsonl", "path": f"{state}/cases.jsonl"}),
    ]
    if not machine_wide:
        parts.append(table("silence", {"name": "the machine under the lab is no part of the operator", "checks": MACHINE_WIDE}))
    return "".join([*parts, *sites(), *nodes(certificate), *links()])
