"""What one SNMP poll of a network device, a UPS or a server without an agent saw."""

from enum import StrEnum

import msgspec

from probe.observation.host import HostSample
from probe.observation.interfaces import InterfacesSample
from probe.observation.routing import BgpPeer, Neighbour, OspfNeighbour
from probe.observation.sensor import SensorSample, StateSample


class Restart(StrEnum):
    """What began anew since the look before."""

    NONE = "none"
    AGENT = "agent"  # sysUpTime fell and hrSystemUptime (or the v3 engine's boots) did not: counters of the agent alone start anew
    DEVICE = "device"  # the device itself rebooted


class Identity(msgspec.Struct, frozen=True):
    """What the device is: `vendor`, `model`, `firmware`, `serial` as recognised, None where it does not tell; the rest is SNMPv2-MIB."""

    object_id: str
    description: str
    name: str = ""
    location: str = ""
    vendor: str | None = None
    model: str | None = None
    firmware: str | None = None
    serial: str | None = None


class ProcessorSample(msgspec.Struct, frozen=True, gc=False):
    """One processor or card: share of its time in use, 0 … 1; None is no reading."""

    name: str
    busy_ratio: float | None
    oid: str = ""


class PoolSample(msgspec.Struct, frozen=True, gc=False):
    """Something that can be used up: `kind` is "memory", "storage", "sessions", "nat", "licence" or "connections".

    `used` and `most` are in bytes for memory and storage, else in pieces; `used_ratio` is what the device says itself, or used/most.
    None is no reading, or a limit that it does not tell.
    """

    kind: str
    name: str
    used: float | None
    most: float | None
    used_ratio: float | None
    oid: str = ""


class UpsSample(msgspec.Struct, frozen=True):
    """An uninterruptible power supply (RFC 1628 or its vendor's MIB). None: not told.

    `output` is RFC 1628's upsOutputSource or its like: "normal", "battery", "bypass", "none", "booster", "reducer", "other".
    `battery` is "normal", "low", "depleted", "replace" or "unknown"; ratios are 0 … 1.
    """

    output: str | None
    battery: str | None
    on_battery_s: float | None
    minutes_left: float | None
    charge_ratio: float | None
    load_ratio: float | None


class MacPlace(msgspec.Struct, frozen=True, gc=False):
    """Where a MAC address is: the port on which the bridge learned it (BRIDGE-MIB, Q-BRIDGE-MIB); "" of one that it has not learned."""

    mac: str
    port: str
    vlan: int | None = None


class Anomaly(msgspec.Struct, frozen=True, gc=False):
    """Something wrong about an answer that was survived: in which table or object, what, the first instance, how often.

    what: `duplicate`, `not-increasing`, `truncated`, `absent`, `not-a-number`, `out-of-range`, `too-long`, `silent`, `error-status`;
    `stepped-back`: a counter fell without a restart.
    """

    table: str
    what: str
    detail: str = ""
    count: int = 1


class DeviceSample(msgspec.Struct, frozen=True, tag="snmp"):
    """One device. A part that was not asked for, or that the device does not offer, is None or empty.

    What was offered at an earlier look, or asked for by name, and could not be read now is named in `missing`: part → reason. No data in a
    table of peers after a restart of the agent is such a part: never "no peer".

    uptime_s: sysUpTime, time since the SNMP agent started; host_uptime_s: hrSystemUptime, or snmpEngineTime where the device has that
      alone: time since the device started. Both go on beyond 497 days where the wrap was seen. over_s: time between the two looks that the
      rates span, None at the first look.
    clock_offset_s: the device's clock (hrSystemDate) minus ours; None without it, or where it names no zone.
    cables: what the plan says, as "PORT=NEIGHBOUR" or "PORT=NEIGHBOUR:PORT" (from the options).
    """

    identity: Identity
    uptime_s: float | None = None
    host_uptime_s: float | None = None
    over_s: float | None = None
    restart: Restart = Restart.NONE
    clock_offset_s: float | None = None
    interfaces: InterfacesSample | None = None
    host: HostSample | None = None
    processors: tuple[ProcessorSample, ...] = ()
    pools: tuple[PoolSample, ...] = ()
    sensors: tuple[SensorSample, ...] = ()
    states: tuple[StateSample, ...] = ()
    ups: UpsSample | None = None
    bgp_peers: tuple[BgpPeer, ...] | None = None
    ospf_neighbours: tuple[OspfNeighbour, ...] | None = None
    neighbours: tuple[Neighbour, ...] | None = None
    cables: tuple[str, ...] = ()
    macs: tuple[MacPlace, ...] | None = None
    anomalies: tuple[Anomaly, ...] = ()
    missing: dict[str, str] = {}
