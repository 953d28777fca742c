"""The operator of the demo: machines, cables, addresses, customers; values only.

```
          softswitch  database  resolver                          harbour-router ── harbour-gateway
                 \\       |      /                                 /
      agent ────────── core ────────── edge ══ fib0, fib1 ══ pop ── carrier
                                          \\
                                           pier-router ── pier-gateway
```
The fibres and the customers' lines lead through ducts, where they are cut: both ends lose the light, and nobody has switched off a port.
"""

from typing import NamedTuple

import msgspec

AGENT, CORE, SOFTSWITCH, DATABASE, RESOLVER = "10.0.0.10", "10.0.0.2", "10.0.0.20", "10.0.0.30", "10.0.0.53"
EDGE, POP_FIB0, POP_FIB1, CARRIER = "10.0.0.1", "10.255.0.2", "10.255.0.6", "203.0.113.10"
EDGE_FIB0, EDGE_FIB1, POP_INSIDE = "10.255.0.1", "10.255.0.5", "203.0.113.1"
HARBOUR_ROUTER, HARBOUR_GATEWAY = "10.254.0.2", "192.168.50.10"
PIER_ROUTER, PIER_GATEWAY = "10.254.0.6", "192.168.60.10"
OURS, CARRIERS = "10.0.0.0/24", "203.0.113.0/24"
FIBRES = (("fib0", EDGE_FIB0, POP_FIB0), ("fib1", EDGE_FIB1, POP_FIB1))
NUMBERS = {"harbour-gateway": "1001", "pier-gateway": "1002"}  # the telephone numbers that register


class Machine(NamedTuple):
    """A machine: (port, address) pairs, its default gateway, whether it forwards, and further routes (network, neighbour)."""

    name: str
    ports: tuple[tuple[str, str], ...]
    gateway: str = ""
    forwards: bool = False
    routes: tuple[tuple[str, str], ...] = ()


class Switch(NamedTuple):
    """A machine that bridges its ports."""

    name: str
    bridge: str
    ports: tuple[str, ...]
    address: str = ""


def _host(name: str, address: str, gateway: str = EDGE) -> Machine:
    return Machine(name, (("eth0", f"{address}/24"),), gateway)


MACHINES = (
    _host("agent", AGENT),
    _host("softswitch", SOFTSWITCH),
    _host("database", DATABASE),
    _host("resolver", RESOLVER),
    Machine(
        "edge",
        (
            ("lan0", f"{EDGE}/24"),
            ("fib0", f"{EDGE_FIB0}/30"),
            ("fib1", f"{EDGE_FIB1}/30"),
            ("cust0", "10.254.0.1/30"),
            ("cust1", "10.254.0.5/30"),
        ),
        forwards=True,
        routes=(("192.168.50.0/24", HARBOUR_ROUTER), ("192.168.60.0/24", PIER_ROUTER)),
    ),
    Machine("pop", (("fib0", f"{POP_FIB0}/30"), ("fib1", f"{POP_FIB1}/30"), ("dc0", f"{POP_INSIDE}/24")), forwards=True),
    _host("carrier", CARRIER, POP_INSIDE),
    Machine("harbour-router", (("wan0", f"{HARBOUR_ROUTER}/30"), ("lan0", "192.168.50.1/24")), "10.254.0.1", forwards=True),
    _host("harbour-gateway", HARBOUR_GATEWAY, "192.168.50.1"),
    Machine("pier-router", (("wan0", f"{PIER_ROUTER}/30"), ("lan0", "192.168.60.1/24")), "10.254.0.5", forwards=True),
    _host("pier-gateway", PIER_GATEWAY, "192.168.60.1"),
)

SWITCHES = (
    Switch("core", "br0", ("p1", "p2", "p3", "p4", "p5"), f"{CORE}/24"),
    *(Switch(f"duct-{name}", "br0", ("a", "b")) for name in ("fib0", "fib1", "harbour", "pier")),
)

CABLES = (
    ("agent", "eth0", "core", "p1"),
    ("softswitch", "eth0", "core", "p2"),
    ("edge", "lan0", "core", "p3"),
    ("database", "eth0", "core", "p4"),
    ("resolver", "eth0", "core", "p5"),
    ("edge", "fib0", "duct-fib0", "a"),
    ("pop", "fib0", "duct-fib0", "b"),
    ("edge", "fib1", "duct-fib1", "a"),
    ("pop", "fib1", "duct-fib1", "b"),
    ("pop", "dc0", "carrier", "eth0"),
    ("edge", "cust0", "duct-harbour", "a"),
    ("harbour-router", "wan0", "duct-harbour", "b"),
    ("edge", "cust1", "duct-pier", "a"),
    ("pier-router", "wan0", "duct-pier", "b"),
    ("harbour-router", "lan0", "harbour-gateway", "eth0"),
    ("pier-router", "lan0", "pier-gateway", "eth0"),
)


class Where(msgspec.Struct, frozen=True):
    """Where everything answers: addresses by machine, ports by protocol. `network` False: on loopback, and so are all machines."""

    network: bool
    address: dict[str, str]
    port: dict[str, int]


NETWORK = Where(
    True,
    {
        "agent": AGENT,
        "core": CORE,
        "softswitch": SOFTSWITCH,
        "database": DATABASE,
        "resolver": RESOLVER,
        "edge": EDGE,
        "pop": POP_INSIDE,
        "carrier": CARRIER,
        "harbour-router": HARBOUR_ROUTER,
        "harbour-gateway": HARBOUR_GATEWAY,
        "pier-router": PIER_ROUTER,
        "pier-gateway": PIER_GATEWAY,
    },
    {"sip": 5060, "snmp": 161, "dns": 53, "http": 80, "postgresql": 5432, "stamp": 862},
)


def on_loopback(block: int) -> Where:
    """Return the same operator on addresses 127.71.`block`.x, with ports that need no right."""
    addresses = {name: f"127.71.{block}.{number}" for number, name in enumerate(NETWORK.address, 10)}
    return Where(False, addresses, {"sip": 25060, "snmp": 20161, "dns": 20053, "http": 20080, "postgresql": 25432, "stamp": 20862})
