"""What the demo's devices show over SNMP. Ports and disks are given as they are; BGP, light, memory and load are made up to fit them."""

from collections.abc import Callable, Iterable, Mapping

from probe.agent.demo.links import Port
from probe.agent.demo.snmp import Oid, Rows, name, number, oid, text
from probe.snmp.ber import COUNTER32, COUNTER64, GAUGE32, TIME_TICKS

DAY_TICKS = 8_640_000
SPEED_MBPS = 1000
ESTABLISHED, ACTIVE = 6, 3  # bgpPeerState (BGP4-MIB, RFC 4273)
CARRIER_AS, OWN_AS = 65010, 65001
LIGHT, DARK = -712, -4000  # received light in 0.01 dBm
WARM_C = 41
DISK_UNIT = 4096
MEMORY = (4 << 20, 1 << 20)  # size and used in units of 1 KiB

_SYSTEM, _IF, _IFX = "1.3.6.1.2.1.1", "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
_BGP, _PEER = "1.3.6.1.2.1.15", "1.3.6.1.2.1.15.3.1"
_LIGHT = "1.3.6.1.4.1.25506.2.70.1.1.1"  # HH3C-TRANSCEIVER-INFO-MIB: .9 sent and .12 received light, .15 temperature
_LIMITS = {18: 70_000, 20: 65_000, 31: 1000, 33: 1260, 30: 12_589, 32: 10_000, 35: 363, 37: 456, 34: 11_220, 36: 10_000}
_HOST = "1.3.6.1.2.1.25"
_STORAGE, _TYPES = f"{_HOST}.2.3.1", f"{_HOST}.2.1"
_SYSTEM_OF = {"router": "1.3.6.1.4.1.25506.1.1", "server": "1.3.6.1.4.1.8072.3.2.10"}  # whose tables are shown: H3C's, net-snmp's


class Made(dict[Oid, bytes]):
    """Rows that are put in by dotted names."""

    def put(self, column: str, row: object, value: bytes) -> None:
        """Put one value in."""
        self[oid(f"{column}.{row}")] = value


def system(rows: Made, called: str, kind: str, ticks: int) -> None:
    """Put in who the device is: it says itself that it is none."""
    rows.put(_SYSTEM, "1.0", text(f"firstline demo: a simulated {kind}"))
    rows.put(_SYSTEM, "2.0", name(oid(_SYSTEM_OF[kind])))
    rows.put(_SYSTEM, "3.0", number(ticks, TIME_TICKS))
    rows.put(_SYSTEM, "5.0", text(called))


def interfaces(rows: Made, ports: Iterable[Port], changed: Mapping[str, int]) -> None:
    """Put in the ports (IF-MIB, RFC 2863); `changed` is the system's time at which a port last went up or down."""
    for port in ports:
        at = port.index
        states = (1 if port.admin_up else 2, 1 if port.oper_up else 2)
        for column, value in ((1, number(at)), (2, text(port.name)), (3, number(6)), (4, number(1500))):
            rows.put(f"{_IF}.{column}", at, value)
        rows.put(f"{_IF}.5", at, number(SPEED_MBPS * 1_000_000, GAUGE32))
        for column, number_of in ((7, states[0]), (8, states[1])):
            rows.put(f"{_IF}.{column}", at, number(number_of))
        rows.put(f"{_IF}.9", at, number(changed.get(port.name, 0), TIME_TICKS))
        for column in (13, 14, 19, 20):
            rows.put(f"{_IF}.{column}", at, number(0, COUNTER32))
        rows.put(f"{_IFX}.1", at, text(port.name))
        for column, count in zip((6, 7, 10, 11), (port.octets[0], port.packets[0], port.octets[1], port.packets[1]), strict=True):
            rows.put(f"{_IFX}.{column}", at, number(count, COUNTER64))
        for column in (8, 9, 12, 13):
            rows.put(f"{_IFX}.{column}", at, number(0, COUNTER64))
        rows.put(f"{_IFX}.15", at, number(SPEED_MBPS, GAUGE32))


def optics(rows: Made, ports: Iterable[Port]) -> None:
    """Put in a module for each fibre port: light as long as the port is up."""
    for port in ports:
        if port.name.startswith("fib"):
            for column, value in {9: -210, 12: LIGHT if port.oper_up else DARK, 15: WARM_C, 16: 330, 17: 3120, **_LIMITS}.items():
                rows.put(f"{_LIGHT}.{column}", port.index, number(value))


def peers(rows: Made, up: dict[str, bool]) -> None:
    """Put in the BGP peers by address (BGP4-MIB, RFC 4273): established as long as their fibre is up."""
    rows.put(_BGP, "2.0", number(OWN_AS))
    for peer, good in up.items():
        values = {2: ESTABLISHED if good else ACTIVE, 3: 2, 9: CARRIER_AS}
        for column, value in values.items():
            rows.put(f"{_PEER}.{column}", peer, number(value))


def storage(rows: Made, disks: dict[str, tuple[int, int]]) -> None:
    """Put in memory, load and disks (path → size and used in octets) (HOST-RESOURCES-MIB, RFC 2790)."""
    rows.put(f"{_HOST}.3.3.1.2", 1, number(7))  # hrProcessorLoad
    table = [(2, "Physical memory", 1024, *MEMORY)]
    table += [(4, path, DISK_UNIT, size // DISK_UNIT, used // DISK_UNIT) for path, (size, used) in disks.items()]
    for at, (kind, descr, unit, size, used) in enumerate(table, 1):
        rows.put(f"{_STORAGE}.2", at, name(oid(f"{_TYPES}.{kind}")))
        rows.put(f"{_STORAGE}.3", at, text(descr))
        for column, value in ((4, unit), (5, size), (6, used)):
            rows.put(f"{_STORAGE}.{column}", at, number(value))


def router(called: str, ports: Callable[[], list[Port]], peer_ports: dict[str, str], ticks: Callable[[], int]) -> Callable[[], Rows]:
    """Return what makes the rows of a router; `peer_ports` are its BGP peers and the port to each."""

    before: dict[str, bool] = {}
    changed: dict[str, int] = {}

    def rows() -> Rows:
        made, now, at = Made(), ports(), ticks()
        up = {port.name: port.oper_up for port in now}
        changed.update({port: at for port, good in up.items() if before.get(port, good) != good})
        before.update(up)
        system(made, called, "router", at)
        interfaces(made, now, changed)
        if peer_ports:
            optics(made, now)
            peers(made, {peer: up.get(port, False) for peer, port in peer_ports.items()})
        return made

    return rows


def server(called: str, disks: Callable[[], dict[str, tuple[int, int]]], ticks: Callable[[], int]) -> Callable[[], Rows]:
    """Return what makes the rows of a server."""

    def rows() -> Rows:
        made = Made()
        system(made, called, "server", ticks())
        storage(made, disks())
        return made

    return rows
