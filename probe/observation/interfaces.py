"""What one look at the network interfaces saw."""

import msgspec


class InterfaceSample(msgspec.Struct, frozen=True):
    """One interface (names as in IF-MIB, RFC 2863): its state, its counters, and its rates since the look before.

    `admin_up`/`oper_up` are ifAdminStatus/ifOperStatus, `oper` is the latter's own word ("" here, "unknown" where it is not told);
    `speed_bps` and `duplex` are None where the driver does not tell.
    Counters are cumulative since boot (or driver reset), None where the device has none; rates are per second and None at the first
    look, after a reboot or a reset, and where a counter of 32 bits may have wrapped more than once.
    `addresses` are the addresses with prefix length; `kind` is "loopback", "ethernet", "virtual", "wireless" or "other", `if_type`
    ifType's own name (IANAifType), `alias` what the operator wrote to it, `mac` its address ("" for none of these).
    `carrier_changes_since` is how often the carrier came or went since the look before; over SNMP the least number that ifLastChange
    proves. `last_change_s` is the time since the last change of state, None where it is not told.
    `expected` tells that its being down is a fault: it is named in the options or by a cable, or it carries traffic of this node.
    """

    name: str
    index: int
    kind: str
    admin_up: bool
    oper_up: bool
    carrier: bool | None
    mtu: int | None
    speed_bps: int | None
    duplex: str | None
    addresses: tuple[str, ...]
    carrier_changes: int | None
    in_octets: int | None
    out_octets: int | None
    in_packets: int | None
    out_packets: int | None
    in_errors: int | None
    out_errors: int | None
    in_discards: int | None
    out_discards: int | None
    in_bps: float | None = None
    out_bps: float | None = None
    in_error_ratio: float | None = None
    out_error_ratio: float | None = None
    in_discard_ratio: float | None = None
    out_discard_ratio: float | None = None
    carrier_changes_since: int | None = None
    expected: bool = False
    alias: str = ""
    if_type: str = ""
    last_change_s: float | None = None
    mac: str = ""
    oper: str = ""


class InterfacesSample(msgspec.Struct, frozen=True, tag="interfaces"):
    """All interfaces of one node; `over_s` is the time between the two looks that the rates span, None at the first.

    `gone` are the interfaces that should be there by configuration and are not.
    """

    interfaces: tuple[InterfaceSample, ...]
    over_s: float | None = None
    gone: tuple[str, ...] = ()
