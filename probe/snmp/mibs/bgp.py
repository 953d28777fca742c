"""BGP peers: BGP4-MIB (RFC 4273), which knows IPv4 alone, and what makers put in its place."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from probe.observation.routing import BgpPeer
from probe.probers.counters import difference
from probe.snmp.talk import Talk, Value
from probe.snmp.values import address, address_of_index, natural, number, unsigned

LOCAL_AS = "1.3.6.1.2.1.15.2.0"  # its presence tells that the agent knows of BGP at all
STATES = {1: "idle", 2: "connect", 3: "active", 4: "opensent", 5: "openconfirm", 6: "established"}
STOPPED = 1  # bgpPeerAdminStatus stop(1), start(2); halted(1), running(2) elsewhere

Column = Mapping[str, Value]


class Table(msgspec.Struct, frozen=True):
    """Where a table of peers has what: columns by OID, "" for what it has not.

    peer: the index's address. error: code and subcode in two octets, or two columns. prefixes: accepted ones, by address family; their
    index is the peer's (or what `number` gives for it) with AFI and SAFI behind it.
    """

    name: str
    peer: Callable[[str], tuple[str, str]]
    state: str
    admin: str = ""
    remote_as: str = ""
    error: tuple[str, ...] = ()
    transitions: str = ""
    since: str = ""
    address: str = ""
    number: str = ""
    prefixes: str = ""


def of_ipv4(index: str) -> tuple[str, str]:
    """Return address and instance of an index that is nothing but an IPv4 address."""
    return address_of_index(index.split(".")), ""


def of_typed(index: str) -> tuple[str, str]:
    """Return address and instance of an index that ends in type, length, octets (InetAddress, RFC 4001)."""
    parts = index.split(".")
    for size in (4, 16, 8, 20):
        if len(parts) >= size + 2 and parts[-size - 1] == str(size):
            return address_of_index(parts[-size:]), ".".join(parts[: -size - 2])
    return "", ""


def of_juniper(index: str) -> tuple[str, str]:
    """Return nothing but the routing instance: the addresses in this index have no lengths."""
    return "", index.partition(".")[0]


_BGP4 = "1.3.6.1.2.1.15.3.1"
STANDARD = Table(
    "bgpPeerTable",
    of_ipv4,
    f"{_BGP4}.2",
    f"{_BGP4}.3",
    f"{_BGP4}.9",
    error=(f"{_BGP4}.14",),
    transitions=f"{_BGP4}.15",
    since=f"{_BGP4}.16",
)
_CISCO, _JUNIPER = "1.3.6.1.4.1.9.9.187.1.2", "1.3.6.1.4.1.2636.5.1.1.2"
_ARISTA, _HUAWEI = "1.3.6.1.4.1.30065.4.1.1", "1.3.6.1.4.1.2011.5.25.177.1.1.2.1"
OLDER_PREFIXES = f"{_CISCO}.4.1.1"  # cbgpPeerAcceptedPrefixes, by IPv4 address, AFI, SAFI: beside bgpPeerTable

SUCCESSORS = {  # by the maker's part of sysObjectID
    "9": Table(
        "cbgpPeer2Table",  # CISCO-BGP4-MIB
        of_typed,
        f"{_CISCO}.5.1.3",
        f"{_CISCO}.5.1.4",
        f"{_CISCO}.5.1.11",
        error=(f"{_CISCO}.5.1.17",),
        transitions=f"{_CISCO}.5.1.18",
        since=f"{_CISCO}.5.1.19",
        prefixes=f"{_CISCO}.8.1.1",
    ),
    "2636": Table(
        "jnxBgpM2PeerTable",  # BGP4-V2-MIB-JUNIPER
        of_juniper,
        f"{_JUNIPER}.1.1.1.2",
        f"{_JUNIPER}.1.1.1.3",
        f"{_JUNIPER}.1.1.1.13",
        error=(f"{_JUNIPER}.2.1.1.1",),
        transitions=f"{_JUNIPER}.6.1.1.5",
        since=f"{_JUNIPER}.4.1.1.1",
        address=f"{_JUNIPER}.1.1.1.11",
        number=f"{_JUNIPER}.1.1.1.14",
        prefixes=f"{_JUNIPER}.6.2.1.8",
    ),
    "30065": Table(
        "aristaBgp4V2PeerTable",  # ARISTA-BGP4V2-MIB
        of_typed,
        f"{_ARISTA}.2.1.13",
        f"{_ARISTA}.2.1.12",
        f"{_ARISTA}.2.1.10",
        error=(f"{_ARISTA}.3.1.1", f"{_ARISTA}.3.1.2"),
        transitions=f"{_ARISTA}.7.1.5",
        since=f"{_ARISTA}.4.1.1",
        prefixes=f"{_ARISTA}.8.1.4",
    ),
    "2011": Table("hwBgpPeerTable", of_typed, f"{_HUAWEI}.5", remote_as=f"{_HUAWEI}.2", address=f"{_HUAWEI}.4"),  # HUAWEI-BGP-VPN-MIB
}


async def read_bgp(talk: Talk, object_id: str, before: Sequence[BgpPeer] | None) -> tuple[BgpPeer, ...]:
    """Return the peers; those that only a maker's own table has (IPv6) beside those of BGP4-MIB, each once."""
    earlier = {peer.peer: peer for peer in before or ()}
    peers: dict[str, BgpPeer] = {}
    maker = SUCCESSORS.get(object_id.removeprefix("1.3.6.1.4.1.").partition(".")[0])
    if maker is not None:
        peers = await _read(talk, maker, earlier)
    if not peers or (maker is not None and not maker.admin):
        standard = await _read(talk, STANDARD, earlier)
        peers = {**peers, **standard}  # where both have a peer, the standard's row tells more
    return tuple(peers.values())


async def _read(talk: Talk, table: Table, before: Mapping[str, BgpPeer]) -> dict[str, BgpPeer]:
    states = await talk.walk(table.state)
    if not states:
        return {}
    wanted = [oid for oid in (table.admin, table.remote_as, *table.error, table.transitions, table.since) if oid]
    columns: dict[str, Column] = dict(zip(wanted, await talk.walk_all(wanted), strict=True))
    steady = [oid for oid in (table.address, table.number) if oid]
    columns.update(zip(steady, await talk.walk_all(steady, keep=True), strict=True))
    prefixes = await _prefixes(talk, table)

    def at(oid: str, index: str) -> Value | None:
        return columns[oid].get(index) if oid else None

    found: dict[str, BgpPeer] = {}
    for index, value in states.items():
        of_index, instance = table.peer(index)
        name = address(at(table.address, index)) or of_index
        state = number(value)
        if not name or state is None:
            talk.odd(table.name, "not-a-number", index)
            continue
        if name in found and table.name == "hwBgpPeerTable":
            continue  # one row for each address family
        if name in found:
            name = f"{name} ({instance or index})"
        key = str(number(at(table.number, index))) if table.number else index
        transitions = natural(at(table.transitions, index))
        earlier = before.get(name)
        since = natural(at(table.since, index))
        found[name] = BgpPeer(
            name,
            unsigned(at(table.remote_as, index)),
            STATES.get(state, "unknown"),
            number(at(table.admin, index)) != STOPPED,
            transitions,
            difference(transitions, earlier.transitions) if earlier is not None else None,
            float(since) if since is not None and (since or state == 6) else None,
            prefixes.get(key),
            _error([at(oid, index) for oid in table.error]),
        )
        if state not in STATES:
            talk.odd(table.name, "out-of-range", index)
    return found


async def _prefixes(talk: Talk, table: Table) -> dict[str, int]:
    """Return the accepted prefixes of all address families together, by peer."""
    if not table.prefixes and table is not STANDARD:
        return {}
    found: dict[str, int] = {}
    for index, value in (await talk.walk(table.prefixes or OLDER_PREFIXES)).items():
        count = natural(value)
        if count is not None:
            peer = index.rpartition(".")[0].rpartition(".")[0]
            found[peer] = found.get(peer, 0) + count
    return found


def _error(parts: Sequence[Value | None]) -> str:
    """Return code/subcode of the last NOTIFICATION, "" for none (RFC 4271 4.5)."""
    if len(parts) == 1:
        raw = parts[0]
        codes = (raw[0], raw[1]) if isinstance(raw, bytes) and len(raw) == 2 else (0, 0)
    else:
        codes = (natural(parts[0]) or 0, natural(parts[1]) or 0) if len(parts) == 2 else (0, 0)
    return f"{codes[0]}/{codes[1]}" if any(codes) else ""
