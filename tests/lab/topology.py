"""What the lab consists of: machines, cables, addresses; values only.

```
                soft  db  ups  stranger                          site-a ── gw-a   (gateway supplied by the company)
                   \\  |   |  /                                  /
          agent ── core ── core-edge ── edge ══ fib0, fib1 ══ pop ── carrier
                     |                   \\
                  branch-sw               site-b ── gw-b   (the customer's own gateway)
                  /   |   \\
          branch-1 branch-2 site-c ── gw-c
```
`stranger` is a machine that is switched off: its cable is in the core switch. Every customer's site translates addresses; the third one
hangs on the switch of our branch, so that power that fails there takes a customer with it. `NODES`, `SITES`, `CABLES`, `FIBRES` and
`HOMES` hold the names of the inventory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

AGENT, CORE, SOFT, DB, STRANGER = "10.0.0.10", "10.0.0.2", "10.0.0.20", "10.0.0.30", "10.0.0.99"
EDGE, EDGE_FIB0, EDGE_FIB1 = "10.0.0.1", "10.255.0.1", "10.255.0.5"
POP_FIB0, POP_FIB1, POP_DC = "10.255.0.2", "10.255.0.6", "203.0.113.1"
CARRIER = "203.0.113.10"
SITE_A, SITE_B = "10.254.0.2", "10.254.0.6"  # the public side of each site, behind which its gateway is translated
GATEWAY_A, GATEWAY_B = "192.168.50.10", "192.168.60.10"  # reached directly by the operator's own route
UPS, BRANCH, BRANCH_1, BRANCH_2 = "10.0.0.50", "10.0.0.40", "10.0.0.41", "10.0.0.42"
SITE_C, GATEWAY_C = "10.0.0.70", "192.168.70.10"


ADDRESS = {  # where the agent finds each node of the inventory
    "agent": AGENT,
    "core": CORE,
    "soft": SOFT,
    "db": DB,
    "edge": EDGE,
    "pop": POP_DC,
    "carrier": CARRIER,
    "site-a": SITE_A,
    "gw-a": GATEWAY_A,
    "site-b": SITE_B,
    "gw-b": GATEWAY_B,
    "ups": UPS,
    "branch-sw": BRANCH,
    "branch-1": BRANCH_1,
    "branch-2": BRANCH_2,
    "site-c": SITE_C,
    "gw-c": GATEWAY_C,
}


@dataclass(frozen=True)
class Home:
    """What stands at a customer's: names of his router, gateway, line and LAN, the gateway's address, number and software."""

    customer: str
    site: str
    router: str
    gateway: str
    line: str
    lan: str
    uplink: str  # our node to which the line leads, and its port
    port: str
    public: str
    gateway_address: str
    number: str
    software: str

    @property
    def way_out(self) -> str:
        """The address to which his router sends everything."""
        return {"cust0": "10.254.0.1", "cust1": "10.254.0.5"}.get(self.port, EDGE)

    @property
    def inside(self) -> str:
        """His router's address in his own network."""
        return self.gateway_address.rpartition(".")[0] + ".1"

    @property
    def network(self) -> str:
        """His own network."""
        return self.gateway_address.rpartition(".")[0] + ".0/24"


HOMES = (
    Home(
        "Harbour Logistics", "harbour", "site-a", "gw-a", "line-a", "lan-a", "edge", "cust0", SITE_A, GATEWAY_A, "1001", "LabGate 4/1.2.0"
    ),
    Home("Hilltop Clinic", "hilltop", "site-b", "gw-b", "line-b", "lan-b", "edge", "cust1", SITE_B, GATEWAY_B, "1002", "OwnBox 2/0.9"),
    Home("Quay Foods", "quay", "site-c", "gw-c", "line-c", "lan-c", "branch-sw", "p4", SITE_C, GATEWAY_C, "1003", "LabGate 4/1.2.0"),
)
HOME_OF = {home.gateway: home for home in HOMES}


@dataclass(frozen=True)
class Machine:
    """One machine: lines for `ip -batch` that configure it, whether it forwards, and for how many days it has been up."""

    name: str
    setup: tuple[str, ...]
    forwards: bool = False
    up_days: int = 10


@dataclass(frozen=True)
class Cable:
    """A veth pair: machine and interface at each end, and the inventory's name of the link; "" is not in it."""

    name: str
    a: str
    a_port: str
    b: str
    b_port: str


@dataclass(frozen=True)
class Fibre:
    """A fibre between two TAP devices of the same name."""

    name: str
    a: str = "edge"
    b: str = "pop"
    carrier: str = "CarrierOne"


def _host(address: str, gateway: str) -> tuple[str, ...]:
    return (f"addr add {address}/24 dev eth0", "link set eth0 up", f"route add default via {gateway}")


def _switch(address: str, ports: tuple[str, ...]) -> tuple[str, ...]:
    return (
        "link add br0 type bridge stp_state 0 forward_delay 0",
        *(f"link set {port} master br0" for port in ports),
        *(f"link set {port} up" for port in ports),
        "link set br0 up",
        f"addr add {address}/24 dev br0",
        f"route add default via {EDGE}",
    )


def _site(wan: str, uplink: str, lan: str) -> tuple[str, ...]:
    return (
        f"addr add {wan} dev wan0",
        f"addr add {lan}/24 dev lan0",
        "ntable change name arp_cache dev lan0 retrans 300",  # a gateway that is off is known after 0.9 s instead of 3
        "link set wan0 up",
        "link set lan0 up",
        f"route add default via {uplink}",
    )


PORTS_OF_CORE = ("p1", "p2", "p3", "p4", "p5", "p6", "p7")
PORTS_OF_BRANCH = ("p1", "p2", "p3", "p4")

MACHINES = (
    Machine("agent", (*_host(AGENT, EDGE), f"route add 192.168.70.0/24 via {SITE_C}")),
    Machine("core", _switch(CORE, PORTS_OF_CORE), up_days=400),
    Machine("soft", _host(SOFT, EDGE), up_days=30),
    Machine("db", _host(DB, EDGE), up_days=31),
    Machine("stranger", ("link set eth0 down",)),
    Machine(
        "edge",
        (
            f"addr add {EDGE}/24 dev lan0",
            f"addr add {EDGE_FIB0}/30 dev fib0",
            f"addr add {EDGE_FIB1}/30 dev fib1",
            "addr add 10.254.0.1/30 dev cust0",
            "addr add 10.254.0.5/30 dev cust1",
            *(f"link set {port} up" for port in ("lan0", "fib0", "fib1", "cust0", "cust1")),
            f"route add 192.168.50.0/24 via {SITE_A}",
            f"route add 192.168.60.0/24 via {SITE_B}",
            f"route add 192.168.70.0/24 via {SITE_C}",
        ),
        forwards=True,
        up_days=200,
    ),
    Machine(
        "pop",
        (
            f"addr add {POP_FIB0}/30 dev fib0",
            f"addr add {POP_FIB1}/30 dev fib1",
            f"addr add {POP_DC}/24 dev dc0",
            *(f"link set {port} up" for port in ("fib0", "fib1", "dc0")),
        ),
        forwards=True,
    ),
    Machine("carrier", _host(CARRIER, POP_DC)),
    Machine("site-a", _site(f"{SITE_A}/30", "10.254.0.1", "192.168.50.1"), forwards=True),
    Machine("gw-a", _host(GATEWAY_A, "192.168.50.1")),
    Machine("site-b", _site(f"{SITE_B}/30", "10.254.0.5", "192.168.60.1"), forwards=True),
    Machine("gw-b", _host(GATEWAY_B, "192.168.60.1")),
    Machine("ups", _host(UPS, EDGE), up_days=500),
    Machine("branch-sw", _switch(BRANCH, PORTS_OF_BRANCH), up_days=90),
    Machine("branch-1", _host(BRANCH_1, EDGE), up_days=80),
    Machine("branch-2", _host(BRANCH_2, EDGE), up_days=81),
    Machine("site-c", _site(f"{SITE_C}/24", EDGE, "192.168.70.1"), forwards=True),
    Machine("gw-c", _host(GATEWAY_C, "192.168.70.1")),
)

CABLES = (
    Cable("agent-core", "agent", "eth0", "core", "p1"),
    Cable("soft-core", "soft", "eth0", "core", "p2"),
    Cable("core-edge", "edge", "lan0", "core", "p3"),
    Cable("db-core", "db", "eth0", "core", "p4"),
    Cable("", "stranger", "eth0", "core", "p5"),
    Cable("pop-carrier", "pop", "dc0", "carrier", "eth0"),
    Cable("line-a", "edge", "cust0", "site-a", "wan0"),
    Cable("line-b", "edge", "cust1", "site-b", "wan0"),
    Cable("lan-a", "site-a", "lan0", "gw-a", "eth0"),
    Cable("lan-b", "site-b", "lan0", "gw-b", "eth0"),
    Cable("core-branch", "core", "p6", "branch-sw", "p1"),
    Cable("ups-core", "ups", "eth0", "core", "p7"),
    Cable("branch-1-sw", "branch-1", "eth0", "branch-sw", "p2"),
    Cable("branch-2-sw", "branch-2", "eth0", "branch-sw", "p3"),
    Cable("line-c", "branch-sw", "p4", "site-c", "wan0"),
    Cable("lan-c", "site-c", "lan0", "gw-c", "eth0"),
)

FIBRES = (Fibre("fib0"), Fibre("fib1"))
FIBRE_KBIT = 10_000  # what is hired of each, and what the ports claim


SITES = {  # the inventory's sites: kind, customer, the nodes there
    "dc": ("datacentre", "", ("agent", "core", "soft", "db", "edge", "ups")),
    "branch": ("datacentre", "", ("branch-sw", "branch-1", "branch-2")),
    "pop": ("pop", "", ("pop",)),
    "carrier-dc": ("carrier", "", ("carrier",)),
    **{home.site: ("customer", home.customer, (home.router, home.gateway)) for home in HOMES},
}
NODES = tuple(name for _, _, names in SITES.values() for name in names)
PORTAL = "portal.lab"  # the name in the web server's certificate
OWN_NAME, OUTSIDE_NAME = "sip.lab", "www.outside.test"  # what the resolver knows itself, and what it must ask the carrier's for


@dataclass(frozen=True)
class Service:
    """A service: where it runs, the program, its port, and the check that sees it."""

    node: str
    daemon: str
    port: int
    prober: str
    options: Mapping[str, Any]


SERVICES = {
    "sip": Service("soft", "kamailio", 5060, "sip", {}),
    "dns": Service("soft", "unbound", 53, "dns", {"name": OWN_NAME}),
    "https": Service("soft", "nginx", 443, "tls", {"server_name": PORTAL}),
    "postgresql": Service("db", "postgresql", 5432, "postgresql", {"user": "postgres", "database": "postgres"}),
    "ntp": Service("soft", "chronyd", 123, "ntp", {}),
}
