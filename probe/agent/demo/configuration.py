"""Writes the configuration by which the agent of the demo measures: the same file that an operator would write."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from probe.agent.demo.bills import ACCOUNT, CONTRACT
from probe.agent.demo.plan import NUMBERS, POP_FIB0, POP_FIB1, Where
from probe.agent.demo.snmp import COMMUNITY

FILE, SOCKET, STORE, FEED, SECRET = "firstline.toml", "firstline.sock", "state", "cases.jsonl", "community"
PORT = 8470
_FAST, _SLOW = "5s", "10s"

# name, site, kind, role, owner, further lines
_NODES: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("agent", "pop-a", "server", "", "company", ""),
    ("core", "pop-a", "switch", "core", "company", 'snmp = "read"'),
    ("edge", "pop-a", "router", "", "company", 'snmp = "read"'),
    ("softswitch", "pop-a", "server", "softswitch", "company", 'snmp = "read"'),
    ("database", "pop-a", "server", "database", "company", 'snmp = "read"'),
    ("resolver", "pop-a", "server", "resolver", "company", ""),
    ("pop", "carrier", "carrier", "", "carrier", ""),
    ("carrier", "carrier", "carrier", "", "carrier", ""),
    ("harbour-router", "harbour", "router", "", "customer", ""),
    ("harbour-gateway", "harbour", "gateway", "voice gateway", "customer", 'supplied_by = "company"\nwarranty_until = 2031-03-31'),
    ("pier-router", "pier", "router", "", "customer", ""),
    ("pier-gateway", "pier", "gateway", "voice gateway", "customer", 'supplied_by = "customer"'),
)
# name, a, b, ports, kind, further lines
_LINKS: tuple[tuple[str, str, str, tuple[str, str], str, str], ...] = (
    ("agent-core", "agent", "core", ("eth0", "p1"), "ethernet", ""),
    ("softswitch-core", "softswitch", "core", ("eth0", "p2"), "ethernet", ""),
    ("edge-core", "edge", "core", ("lan0", "p3"), "ethernet", ""),
    ("database-core", "database", "core", ("eth0", "p4"), "ethernet", ""),
    ("resolver-core", "resolver", "core", ("eth0", "p5"), "ethernet", ""),
    ("fibre-1", "edge", "pop", ("fib0", "fib0"), "fibre", 'carrier = "{carrier}"\ncircuit = "CT-88213"'),
    ("fibre-2", "edge", "pop", ("fib1", "fib1"), "fibre", 'carrier = "{carrier}"\ncircuit = "CT-88214"'),
    ("carrier-backbone", "pop", "carrier", ("dc0", "eth0"), "fibre", 'carrier = "{carrier}"'),
    ("harbour-line", "edge", "harbour-router", ("cust0", "wan0"), "ethernet", ""),
    ("harbour-lan", "harbour-router", "harbour-gateway", ("lan0", "eth0"), "ethernet", ""),
    ("pier-line", "edge", "pier-router", ("cust1", "wan0"), "ethernet", ""),
    ("pier-lan", "pier-router", "pier-gateway", ("lan0", "eth0"), "ethernet", ""),
)
# names of the customers and the carrier, whom to call
NAMES = {
    "en": {"harbour": "Harbour Logistics", "pier": "Pier Hotel", "carrier": "Example Telecom", "contact": "Ms Chen"},
    "zh": {"harbour": "海港物流", "pier": "码头酒店", "carrier": "示例电信", "contact": "陈女士"},
}


def write(folder: Path, where: Where, language: str) -> Path:
    """Write the configuration and the secret it names into the folder of the demo; returns the file."""
    secret, file = folder / SECRET, folder / FILE
    secret.touch(0o600)
    secret.write_bytes(COMMUNITY)
    file.write_text("\n".join(_lines(folder, where, language)) + "\n", "utf-8")
    return file


def _lines(folder: Path, where: Where, language: str) -> Iterator[str]:
    names = NAMES[language]
    yield from ("# Written by `firstline demo`; it goes when the demo ends.", "[agent]", 'name = "demo"', 'node = "agent"')
    yield from (
        f'state_dir = "{folder / STORE}"',
        f'socket = "{folder / SOCKET}"',
        f'listen = "{"127.0.0.1" if where.network else where.address["agent"]}:{PORT}"',
    )
    yield from (f'language = "{language}"', "", "[[feed]]", 'kind = "jsonl"', f'path = "{folder / FEED}"')
    yield from ("", "[[credential]]", 'name = "read"', 'snmp = "v2c"', f'community = {{ file = "{folder / SECRET}" }}')
    yield from _table("site", name="pop-a", kind="datacentre")
    yield from _table("site", name="carrier", kind="carrier")
    yield from _table("carrier", name=names["carrier"])
    yield from ('contacts = ["+44 20 7946 0000"]', 'promised_repair = "4h"')
    for site, grade in (("harbour", "key"), ("pier", "normal")):
        yield from _table("customer", name=names[site], grade=grade)
        if site == "harbour":
            yield from (f'contacts = ["{names["contact"]}, +44 20 7946 0001"]', f'accounts = ["{ACCOUNT}"]', f'contract = "{CONTRACT}"')
        yield from _table("site", name=site, kind="customer", customer=names[site])
    for name, site, kind, role, owner, more in _NODES:
        yield from _table("node", name=name, site=site, kind=kind, role=role, owner=owner, address=where.address[name])
        yield from filter(None, (more,))
        yield from _checks(name, where)
    for name, a, b, ports, kind, more in _LINKS:
        yield from _table("link", name=name, a=a, b=b, kind=kind)
        yield f'ports = ["{ports[0]}", "{ports[1]}"]'
        yield from filter(None, (more.format(carrier=names["carrier"]),))


def _table(what: str, **values: str) -> Iterable[str]:
    return ("", f"[[{what}]]", *(f'{key} = "{value}"' for key, value in values.items() if value))


def _checks(name: str, where: Where) -> Iterator[str]:
    """Yield the checks of a node; what needs a network is left out on loopback, where every address answers an echo."""
    if name == "agent":
        if where.network:
            yield from _check("interfaces", _FAST)
        return
    if where.network:
        yield from _check("icmp", _FAST, timeout="2s")
    match name:
        case "core" | "edge" | "softswitch" | "database":
            yield from _check("snmp", _FAST, port=where.port["snmp"])
        case "harbour-gateway" | "pier-gateway":
            yield from (*_check("gateway", _SLOW, timeout="5s", port=where.port["sip"]), 'agreed = "demo"')
            yield from ('models = ["Demo-VoIP-Gateway"]', 'codecs = ["PCMA"]')
            if where.network:  # the registrar is asked at SIP's own port
                yield from (f'registrar = "{where.address["softswitch"]}"', f'number = "{NUMBERS[name]}"')
        case "carrier":
            yield from _check("sip", _SLOW, timeout="3s", port=where.port["sip"])
            yield from _check("stamp", _SLOW, port=where.port["stamp"])
            if where.network:
                yield from (*_check("path", _SLOW), 'edge = ["edge"]', f'pop = ["{POP_FIB0}", "{POP_FIB1}"]')
        case "resolver":
            yield from (*_check("dns", _SLOW, port=where.port["dns"]), 'name = "sip.example.org"')
            yield from _check("http", _SLOW, port=where.port["http"])
    if name == "softswitch":
        yield from _check("sip", _FAST, timeout="2s", port=where.port["sip"])
    if name == "database":
        yield from _check("postgresql", _SLOW, port=where.port["postgresql"])


def _check(prober: str, every: str, timeout: str = "", port: int = 0) -> Iterable[str]:
    lines = ["", "[[node.check]]", f'prober = "{prober}"', f'every = "{every}"']
    return [*lines, *([f'timeout = "{timeout}"'] if timeout else []), *([f"port = {port}"] if port else [])]
