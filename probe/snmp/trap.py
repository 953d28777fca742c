"""What an SNMP notification says: v1 traps (RFC 1157), v2c traps and informs (RFC 3416), and which version a datagram speaks."""

import msgspec

from probe.snmp import ber
from probe.snmp.ber import Malformed, Value

V1, V2C, V3 = 0, 1, 3
TRAP_V1, INFORM, TRAP_V2, RESPONSE = 0xA4, 0xA6, 0xA7, 0xA2

SYS_UP_TIME, TRAP_OID = "1.3.6.1.2.1.1.3.0", "1.3.6.1.6.3.1.1.4.1.0"  # SNMPv2-MIB
GENERIC = "1.3.6.1.6.3.1.1.5"  # snmpTraps
NAMES = {
    f"{GENERIC}.1": "coldStart",
    f"{GENERIC}.2": "warmStart",
    f"{GENERIC}.3": "linkDown",
    f"{GENERIC}.4": "linkUp",
    f"{GENERIC}.5": "authenticationFailure",
    f"{GENERIC}.6": "egpNeighborLoss",
    "1.3.6.1.2.1.15.0.1": "bgpEstablishedNotification",  # BGP4-MIB (RFC 4273)
    "1.3.6.1.2.1.15.0.2": "bgpBackwardTransNotification",
    "1.3.6.1.2.1.15.7.1": "bgpEstablished",  # as RFC 1657 had them
    "1.3.6.1.2.1.15.7.2": "bgpBackwardTransition",
    "1.3.6.1.2.1.14.16.2.2": "ospfNbrStateChange",  # OSPF-TRAP-MIB (RFC 4750)
    "1.3.6.1.2.1.33.2.1": "upsTrapOnBattery",  # UPS-MIB (RFC 1628)
    "1.3.6.1.2.1.33.2.3": "upsTrapAlarmEntryAdded",
    "1.3.6.1.2.1.47.2.0.1": "entConfigChange",  # ENTITY-MIB (RFC 6933)
}
MOST_VARIABLES = 256


class Trap(msgspec.Struct, frozen=True, gc=False):
    """One v1 or v2c notification. `oid` is snmpTrapOID, of a v1 trap made by RFC 3584 3.1; `uptime_s` the sender's sysUpTime."""

    version: int
    community: bytes
    oid: str
    uptime_s: float | None
    variables: tuple[tuple[str, Value], ...]
    inform: bool = False

    @property
    def name(self) -> str:
        """The word for `oid`, one of few, so that it can be a label (see `name_of`)."""
        return name_of(self.oid)


def name_of(oid: str) -> str:
    """Return the word for a notification's OID; vendors' own are told apart by enterprise alone."""
    if oid in NAMES:
        return NAMES[oid]
    enterprise = oid.removeprefix("1.3.6.1.4.1.")
    return f"enterprise {enterprise.partition('.')[0]}" if enterprise != oid else "other"


def version_of(data: bytes) -> int:
    """Return the version field of a datagram (V1, V2C, V3, or another number); Malformed when it is no SNMP message."""
    start, stop = ber.expect(data, 0, len(data), ber.SEQUENCE)
    return ber.integer(data, *ber.expect(data, start, stop, ber.INTEGER))


def read_trap(data: bytes) -> Trap:
    """Return the notification of a v1 or v2c datagram; Malformed when it is none."""
    at, end = ber.expect(data, 0, len(data), ber.SEQUENCE)
    start, at = ber.expect(data, at, end, ber.INTEGER)
    version = ber.integer(data, start, at)
    start, at = ber.expect(data, at, end, ber.OCTET_STRING)
    community = data[start:at]
    tag, start, stop = ber.read(data, at, end)
    if version == V1 and tag == TRAP_V1:
        return _v1(data, start, stop, community)
    if version == V2C and tag in (TRAP_V2, INFORM):
        return _v2(data, start, stop, community, tag == INFORM)
    raise Malformed(f"no notification: version {version}, PDU {tag:#04x}")


def acknowledge(data: bytes) -> bytes:
    """Return the response that an inform of v2c wants (RFC 3416 4.2.7): the same message as a Response-PDU without error."""
    at, end = ber.expect(data, 0, len(data), ber.SEQUENCE)
    _, after_version = ber.expect(data, at, end, ber.INTEGER)
    _, after_community = ber.expect(data, after_version, end, ber.OCTET_STRING)
    start, stop = ber.expect(data, after_community, end, INFORM)
    _, after_id = ber.expect(data, start, stop, ber.INTEGER)
    _, after_status = ber.expect(data, after_id, stop, ber.INTEGER)
    _, after_index = ber.expect(data, after_status, stop, ber.INTEGER)
    no_error = b"\x02\x01\x00\x02\x01\x00"
    pdu = ber.element(RESPONSE, data[start:after_id] + no_error + data[after_index:stop])
    return ber.element(ber.SEQUENCE, data[at:after_community] + pdu)


def _v1(data: bytes, at: int, end: int, community: bytes) -> Trap:
    start, at = ber.expect(data, at, end, ber.OBJECT_IDENTIFIER)
    enterprise = ber.object_identifier(data, start, at)
    _, at = ber.expect(data, at, end, ber.IP_ADDRESS)
    start, at = ber.expect(data, at, end, ber.INTEGER)
    generic = ber.integer(data, start, at)
    start, at = ber.expect(data, at, end, ber.INTEGER)
    specific = ber.integer(data, start, at)
    start, at = ber.expect(data, at, end, ber.TIME_TICKS)
    ticks = ber.integer(data, start, at) & 0xFFFFFFFF
    oid = f"{enterprise}.0.{specific}" if generic == 6 else f"{GENERIC}.{generic + 1}"
    return Trap(V1, community, oid, ticks / 100, _variables(data, at, end))


def _v2(data: bytes, at: int, end: int, community: bytes, inform: bool) -> Trap:
    for _ in ("request-id", "error-status", "error-index"):
        _, at = ber.expect(data, at, end, ber.INTEGER)
    variables = _variables(data, at, end)
    told = dict(variables[:2])  # RFC 3416 4.2.6: the first two are these
    oid, ticks = told.get(TRAP_OID), told.get(SYS_UP_TIME)
    if not isinstance(oid, str):
        raise Malformed("a notification without snmpTrapOID.0")
    return Trap(V2C, community, oid, ticks / 100 if isinstance(ticks, int) else None, variables[2:], inform)


def _variables(data: bytes, at: int, end: int) -> tuple[tuple[str, Value], ...]:
    at, end = ber.expect(data, at, end, ber.SEQUENCE)
    found: list[tuple[str, Value]] = []
    for tag, start, stop in ber.elements(data, at, end):
        if tag != ber.SEQUENCE or len(found) >= MOST_VARIABLES:
            raise Malformed("variables that are none, or too many")
        name_start, name_stop = ber.expect(data, start, stop, ber.OBJECT_IDENTIFIER)
        kind, value_start, value_stop = ber.read(data, name_stop, stop)
        name = ber.object_identifier(data, name_start, name_stop)
        found.append((name, ber.value(data, kind, value_start, value_stop)))
    return tuple(found)
