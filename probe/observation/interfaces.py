"""What one look at the network interfaces saw."""

import msgspec


class InterfaceSample(msgspec.Struct, frozen=True):
    """One interface (names as in IF-MIB, RFC 2863): its state, its counters, and its rates since the look before.

    `admin_up`/`oper_up` are ifAdminStatus/ifOperStatus; `speed_bps` and `duplex` are None where the driver does not tell.
    Counters are cumulative since boot (or driver reset); rates are per second and None at the first look, after a reboot or a reset.
    `addresses` are the addresses with prefix length; `kind` is "loopback", "ethernet", "virtual", "wireless" or "other".
    `expected` tells that its being down is a fault: it is named in the options, or it carries traffic of this node.
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
    in_octets: int
    out_octets: int
    in_packets: int
    out_packets: int
    in_errors: int
    out_errors: int
    in_discards: int
    out_discards: int
    in_bps: float | None = None
    out_bps: float | None = None
    in_error_ratio: float | None = None
    out_error_ratio: float | None = None
    in_discard_ratio: float | None = None
    out_discard_ratio: float | None = None
    carrier_changes_since: int | None = None
    expected: bool = False


class InterfacesSample(msgspec.Struct, frozen=True, tag="interfaces"):
    """All interfaces of one node; `over_s` is the time between the two looks that the rates span, None at the first.

    `gone` are the interfaces that should be there by configuration and are not.
    """

    interfaces: tuple[InterfaceSample, ...]
    over_s: float | None = None
    gone: tuple[str, ...] = ()
