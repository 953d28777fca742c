"""On which port a bridge has learned a MAC address: Q-BRIDGE-MIB (RFC 4363) and BRIDGE-MIB (RFC 4188)."""

from collections.abc import Mapping, Sequence

from probe.observation.device import MacPlace
from probe.snmp.mibs.port_names import Steady
from probe.snmp.talk import Talk
from probe.snmp.values import number

BASE_PORT = "1.3.6.1.2.1.17.1.4.1.2"  # dot1dBasePortIfIndex
LEARNED = "1.3.6.1.2.1.17.4.3.1.2"  # dot1dTpFdbPort, by MAC address
LEARNED_BY_VLAN = "1.3.6.1.2.1.17.7.1.2.2.1.2"  # dot1qTpFdbPort, by filtering database and MAC address
DATABASES = "1.3.6.1.2.1.17.7.1.2.1.1.2"  # dot1qFdbDynamicCount: its index tells which databases there are
VLAN_DATABASE = "1.3.6.1.2.1.17.7.1.4.2.1.3"  # dot1qVlanFdbId, by time filter and VLAN
SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
CHUNK = 30  # questions of one GET, beside one that is always answered: an answer without any value may mean something else


async def find_mac(talk: Talk, wanted: str, ports: Mapping[str, Steady]) -> tuple[MacPlace, ...] | None:
    """Return where a MAC address (00:11:22:aa:bb:cc) is; empty where the bridge has not learned it, None of what is no bridge.

    The forwarding table may have a hundred thousand rows: it is asked for this address alone, in each of the bridge's databases.
    """
    index = ".".join(str(octet) for octet in bytes.fromhex(wanted.replace(":", "")))
    vlans = {str(number(database)): number(key.rpartition(".")[2]) for key, database in (await talk.walk(VLAN_DATABASE, keep=True)).items()}
    numbers = dict.fromkeys([*await talk.walk(DATABASES), *vlans, *(str(vlan) for vlan in vlans.values())])
    bridge_ports = {port: str(number(if_index)) for port, if_index in (await talk.walk(BASE_PORT, keep=True)).items()}
    found = await _ask(talk, [f"{LEARNED_BY_VLAN}.{database}.{index}" for database in numbers if database.isdigit()])
    if not numbers and not found:
        found = {
            f"{LEARNED_BY_VLAN}.{key}": port
            for key, value in (await talk.walk(LEARNED_BY_VLAN)).items()
            if key.partition(".")[2] == index and (port := number(value))
        }
    if not found:
        found = await _ask(talk, [f"{LEARNED}.{index}"])
    if not found and not bridge_ports:
        return None
    places: dict[MacPlace, None] = {}
    for oid, port in found.items():
        database = oid[len(LEARNED_BY_VLAN) + 1 :].partition(".")[0] if oid.startswith(LEARNED_BY_VLAN + ".") else ""
        steady = ports.get(bridge_ports.get(str(port), str(port)))
        vlan = vlans.get(database) or number(database) or None
        places[MacPlace(wanted, steady.name if steady else f"bridge port {port}", vlan)] = None
    return tuple(places)


async def _ask(talk: Talk, oids: Sequence[str]) -> dict[str, int]:
    """Return the bridge ports by OID; port 0 means that it was learned and its port is not known, or is the bridge itself."""
    found: dict[str, int] = {}
    for start in range(0, len(oids), CHUNK):
        values = await talk.get((SYS_UP_TIME, *oids[start : start + CHUNK]))
        for oid, value in values.items():
            if oid != SYS_UP_TIME and (port := number(value)) is not None and port > 0:
                found[oid] = port
    return found
