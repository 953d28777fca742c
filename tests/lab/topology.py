"""What the lab consists of: machines, cables, addresses; values only.

```
              soft  db  stranger                            site-a ── gw-a   (gateway supplied by the company)
                 \\  |  /                                   /
        agent ── core ── edge ══ fib0, fib1 ══ pop ── carrier
                            \\
                             site-b ── gw-b   (the customer's own gateway)
```
`stranger` is a machine that is switched off: its cable is in the core switch. Both sites hang on the edge router and translate addresses.
"""

from dataclasses import dataclass

AGENT, CORE, SOFT, DB, STRANGER = "10.0.0.10", "10.0.0.2", "10.0.0.20", "10.0.0.30", "10.0.0.99"
EDGE, EDGE_FIB0, EDGE_FIB1 = "10.0.0.1", "10.255.0.1", "10.255.0.5"
POP_FIB0, POP_FIB1, POP_DC = "10.255.0.2", "10.255.0.6", "203.0.113.1"
CARRIER = "203.0.113.10"
SITE_A, SITE_B = "10.254.0.2", "10.254.0.6"  # the public side of each site, behind which its gateway is translated
GATEWAY_A, GATEWAY_B = "192.168.50.10", "192.168.60.10"  # reached directly by the operator's own route


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
}


@dataclass(frozen=True)
class Home:
    """What stands at a customer's: names of his router, gateway, line and LAN, the gateway's address and number, and what it says it is."""

    customer: str
    site: str
    router: str
    gateway: str
    line: str
    lan: str
    port: str  # the edge router's
    public: str
    gateway_address: str
    number: str
    software: str


HOMES = (
    Home("Harbour Logistics", "harbour", "site-a", "gw-a", "line-a", "lan-a", "cust0", SITE_A, GATEWAY_A, "1001", "LabGate 4/1.2.0"),
    Home("Hilltop Clinic", "hilltop", "site-b", "gw-b", "line-b", "lan-b", "cust1", SITE_B, GATEWAY_B, "1002", "OwnBox 2/0.9"),
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
    """A fibre between two TAP devices of the same name; `rate` is what the ports claim, in bit/s."""

    name: str
    a: str = "edge"
    b: str = "pop"
    carrier: str = "CarrierOne"


def _host(address: str, gateway: str) -> tuple[str, ...]:
    return (f"addr add {address}/24 dev eth0", "link set eth0 up", f"route add default via {gateway}")


def _site(wan: str, uplink: str, lan: str) -> tuple[str, ...]:
    return (
        f"addr add {wan}/30 dev wan0",
        f"addr add {lan}/24 dev lan0",
        "ntable change name arp_cache dev lan0 retrans 300",  # a gateway that is off is known after 0.9 s instead of 3
        "link set wan0 up",
        "link set lan0 up",
        f"route add default via {uplink}",
    )


PORTS_OF_CORE = ("p1", "p2", "p3", "p4", "p5")

MACHINES = (
    Machine("agent", _host(AGENT, EDGE)),
    Machine(
        "core",
        (
            "link add br0 type bridge stp_state 0 forward_delay 0",
            *(f"link set {port} master br0" for port in PORTS_OF_CORE),
            *(f"link set {port} up" for port in PORTS_OF_CORE),
            "link set br0 up",
            f"addr add {CORE}/24 dev br0",
            f"route add default via {EDGE}",
        ),
        up_days=400,
    ),
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
    Machine("site-a", _site(SITE_A, "10.254.0.1", "192.168.50.1"), forwards=True),
    Machine("gw-a", _host(GATEWAY_A, "192.168.50.1")),
    Machine("site-b", _site(SITE_B, "10.254.0.5", "192.168.60.1"), forwards=True),
    Machine("gw-b", _host(GATEWAY_B, "192.168.60.1")),
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
)

FIBRES = (Fibre("fib0"), Fibre("fib1"))


SITES = {  # the inventory's sites: kind, customer, the nodes there
    "dc": ("datacentre", "", ("agent", "core", "soft", "db", "edge")),
    "pop": ("pop", "", ("pop",)),
    "carrier-dc": ("carrier", "", ("carrier",)),
    **{home.site: ("customer", home.customer, (home.router, home.gateway)) for home in HOMES},
}
