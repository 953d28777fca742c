"""Who a device speaks to: BGP peers, OSPF neighbours, and what is plugged into its ports."""

import msgspec


class BgpPeer(msgspec.Struct, frozen=True, gc=False):
    """One row of bgpPeerTable (RFC 4273) or its vendor's successor.

    state: "idle", "connect", "active", "opensent", "openconfirm", "established". transitions: bgpPeerFsmEstablishedTransitions, and how
    many since the look before (None at the first). since_s: time in the present state as far as the table tells it. prefixes: accepted
    ones, None where no table tells. last_error: code/subcode of the last NOTIFICATION as "6/2", "" for none.
    """

    peer: str
    remote_as: int | None
    state: str
    admin_up: bool
    transitions: int | None = None
    transitions_since: int | None = None
    since_s: float | None = None
    prefixes: int | None = None
    last_error: str = ""


class OspfNeighbour(msgspec.Struct, frozen=True, gc=False):
    """One row of ospfNbrTable (RFC 4750); state: "down", "attempt", "init", "two-way", "exchange-start", "exchange", "loading", "full"."""

    address: str
    router_id: str
    state: str
    events: int | None = None
    events_since: int | None = None


class Neighbour(msgspec.Struct, frozen=True, gc=False):
    """What a port's neighbour says of itself by LLDP (IEEE 802.1AB) or CDP; `port` is ours (ifName), the rest is theirs.

    speed_bps, duplex ("full", "half"): what its port runs at now (IEEE 802.3.1, lldpXdot3RemPortOperMauType); None and "" untold.
    """

    protocol: str
    port: str
    name: str
    remote_port: str = ""
    address: str = ""
    platform: str = ""
    speed_bps: int | None = None
    duplex: str = ""
