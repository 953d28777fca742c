"""What is plugged into which port: LLDP-MIB and LLDP-V2-MIB (IEEE 802.1AB), CISCO-CDP-MIB."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from probe.observation.routing import Neighbour
from probe.snmp.mibs.bridge import BASE_PORT
from probe.snmp.mibs.mau import runs_at
from probe.snmp.mibs.port_names import Steady
from probe.snmp.talk import Talk, Value
from probe.snmp.values import address, address_of_index, mac, number, text

LLDP, V2, CDP = "1.0.8802.1.1.2.1", "1.3.111.2.802.1.1.13.1", "1.3.6.1.4.1.9.9.23.1.2.1.1"
LOCAL_CHASSIS = f"{LLDP}.3.2.0"  # its presence tells that the agent knows of LLDP at all
REMOTE = tuple(f"{LLDP}.4.1.1.{column}" for column in (4, 5, 6, 7, 8, 9, 10))  # chassis and its kind, port and its kind, texts
V2_REMOTE = tuple(f"{V2}.4.1.1.{column}" for column in (5, 6, 7, 8, 9, 10, 11))
REMOTE_MAU = f"{LLDP}.5.4623.1.3.1.1.4"  # lldpXdot3RemPortOperMauType of LLDP-EXT-DOT3-MIB
MANAGEMENT = f"{LLDP}.4.2.1.3"
LOCAL_PORT = tuple(f"{LLDP}.3.7.1.{column}" for column in (3, 4))  # lldpLocPortId, lldpLocPortDesc
CDP_COLUMNS = tuple(f"{CDP}.{column}" for column in (6, 7, 8, 4))  # device, its port, platform, address

CHASSIS_MAC, CHASSIS_ADDRESS = 4, 5  # LldpChassisIdSubtype
PORT_MAC, PORT_ADDRESS, PORT_LOCAL = 3, 4, 7  # LldpPortIdSubtype

Column = Mapping[str, Value]


async def read_neighbours(talk: Talk, ports: Mapping[str, Steady], cisco: bool) -> tuple[Neighbour, ...]:
    """Return who is heard on which port; `port` is "" where the table does not lead to one. CDP is asked of Cisco's devices alone."""
    found: dict[Neighbour, None] = {}
    remote = await talk.walk_all(REMOTE)
    if any(remote):
        addresses = _addresses(await talk.walk(MANAGEMENT))
        places = await _local_ports(talk, ports)
        modes = await talk.walk(REMOTE_MAU)
        for index in _rows(remote):
            parts = index.split(".")  # time filter, local port, number
            port = places.get(parts[1], "") if len(parts) == 3 else ""
            neighbour = _neighbour([column.get(index) for column in remote], port, addresses.get(index, ""))
            speed_bps, duplex = runs_at(number(modes.get(index)))
            found[replace(neighbour, speed_bps=speed_bps, duplex=duplex)] = None
    elif any(remote := await talk.walk_all(V2_REMOTE)):
        for index in _rows(remote):
            parts = index.split(".")  # time filter, ifIndex, destination, number
            port = ports[parts[1]].name if len(parts) == 4 and parts[1] in ports else ""
            found[_neighbour([column.get(index) for column in remote], port, "")] = None
    if cisco:
        device, remote_port, platform, where = await talk.walk_all(CDP_COLUMNS)
        for index, name in device.items():
            steady = ports.get(index.partition(".")[0])
            values = (text(column.get(index)) for column in (remote_port, platform))
            found[Neighbour("cdp", steady.name if steady else "", text(name), next(values), _octets(where.get(index)), next(values))] = None
    return tuple(one for one in found if one.name or one.remote_port or one.address)


def _rows(columns: Sequence[Column]) -> dict[str, None]:
    return {index: None for column in columns for index in column}


def _octets(value: Value | None) -> str:
    """Return an address in bytes; text is none here."""
    return address(value) if isinstance(value, bytes) and len(value) in (4, 16) else ""


def _network(value: Value | None) -> str:
    """Return an address behind its family number (IANA), as LLDP writes it."""
    return _octets(value[1:]) if isinstance(value, bytes) else ""


def _neighbour(row: Sequence[Value | None], port: str, where: str) -> Neighbour:
    chassis_kind, port_kind = number(row[0]), number(row[2])
    described = text(row[4])
    own = mac(row[3]) if port_kind == PORT_MAC else _network(row[3]) if port_kind == PORT_ADDRESS else text(row[3])
    if described and (not own or port_kind == PORT_MAC or (port_kind == PORT_LOCAL and own.isdigit())):
        own = described  # a number or a MAC address is not what is written on the device
    if chassis_kind == CHASSIS_ADDRESS and not where:
        where = _network(row[1])
    chassis = mac(row[1]) if chassis_kind == CHASSIS_MAC else text(row[1]) if chassis_kind != CHASSIS_ADDRESS else ""
    return Neighbour("lldp", port, text(row[5]) or chassis or where, own, where, text(row[6]))


def _addresses(rows: Column) -> dict[str, str]:
    """Return management addresses by the index of their neighbour; an IPv4 address before any other.

    The index goes on with family, length and octets; some agents write the address there as text.
    """
    found: dict[str, str] = {}
    for index in rows:
        parts = index.split(".")
        if len(parts) < 6:
            continue
        octets = parts[5:] if parts[4] == str(len(parts) - 5) else parts[4:]
        where = address_of_index(octets)
        neighbour = ".".join(parts[:3])
        if where and (neighbour not in found or ("." in where and ":" in found[neighbour])):
            found[neighbour] = where
    return found


async def _local_ports(talk: Talk, ports: Mapping[str, Steady]) -> dict[str, str]:
    """Return the name of our port by lldpLocPortNum.

    Its identifier or description is a name of the port, or its ifIndex or MAC address; else its number is the ifIndex (802.1AB leaves it
    open), else that of a bridge port. A port that no way leads to is called what LLDP calls it.
    """
    ids, descrs = await talk.walk_all(LOCAL_PORT, keep=True)
    bridge = await talk.walk(BASE_PORT, keep=True)
    by_word: dict[str, str] = {}
    for word in ("alias", "mac", "descr", "name"):  # the last counts most
        by_word.update({getattr(port, word).casefold(): port.name for port in ports.values() if getattr(port, word)})
    macs = [port.mac for port in ports.values()]
    found = {}
    for index, (id_, descr) in {index: (ids.get(index), descrs.get(index)) for index in _rows((ids, descrs))}.items():
        words = [text(id_), text(descr), mac(id_)]
        named = next((by_word[word.casefold()] for word in words if word.casefold() in by_word and macs.count(word) < 2), None)
        if named is None:
            numbers = (words[0], index, str(number(bridge.get(index))))
            named = next((ports[number_].name for number_ in numbers if number_ in ports), None)
        found[index] = named or words[1] or words[0]
    for index, port in ports.items():
        found.setdefault(index, port.name)
    return found
