"""One look at one device: its parts read one after another, each on its own."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from probe.observation.device import DeviceSample, Identity, MacPlace, PoolSample, Restart
from probe.observation.interfaces import InterfacesSample
from probe.observation.routing import BgpPeer, OspfNeighbour
from probe.snmp.failure import TalkError
from probe.snmp.mibs import bgp, host, ospf, system
from probe.snmp.mibs.bridge import find_mac
from probe.snmp.mibs.host import HostLook
from probe.snmp.mibs.interfaces import PortsLook, Times, read_interfaces, read_names
from probe.snmp.mibs.neighbours import LOCAL_CHASSIS, read_neighbours
from probe.snmp.mibs.port_names import Asked, Steady
from probe.snmp.mibs.system import SystemLook
from probe.snmp.recognise import recognise
from probe.snmp.sensors import VendorReadings, read_vendor
from probe.snmp.talk import Talk, Value
from probe.snmp.values import read_mac

_log = logging.getLogger(__name__)

T = TypeVar("T")

ALL_AGAIN = 50  # looks after which everything is asked for again that the device did not have
LONGEST_QUESTION_S = 2.0  # a clock that took longer to be told is not compared
BROKEN = frozenset({"silent", "truncated", "error-status", "not-increasing"})  # anomalies after which a table is not known to be whole
GONE = "it was there at an earlier look, and the agent does not show it now"


class Wanted(Protocol):
    """What of the options is heeded here (see probe.probers.snmp)."""

    @property
    def parts(self) -> Sequence[str]:
        """Of "system", "host", "interfaces", "environment", "routing", "neighbours"."""
        ...

    @property
    def ports(self) -> tuple[str, ...]:
        """Patterns of ports that have to be up."""
        ...

    @property
    def cables(self) -> tuple[str, ...]:
        """What is plugged in where by plan."""
        ...

    @property
    def mac(self) -> str:
        """The MAC address to look for, "" for none."""
        ...

    @property
    def expected(self) -> tuple[str, ...]:
        """Processes that should run on a server."""
        ...


class Look(msgspec.Struct, frozen=True):
    """One look: the sample, and what the next one needs.

    known: the scalars that the device has. offered: the parts that it has shown since this began. number: how many looks there were.
    peers, areas: the BGP peers and OSPF neighbours that were seen last.
    """

    sample: DeviceSample
    system: SystemLook
    ports: PortsLook | None = None
    host: HostLook | None = None
    known: frozenset[str] = frozenset()
    offered: frozenset[str] = frozenset()
    number: int = 0
    peers: tuple[BgpPeer, ...] = ()
    areas: tuple[OspfNeighbour, ...] = ()


async def read_device(
    talk: Talk, options: Wanted, before: Look | None, over_s: float | None, now_s: Callable[[], float] = time.time
) -> Look:
    """Return one look at a device; `over_s` is the time since the look `before`, `now_s` tells UTC in s since 1970.

    TalkError rises when the agent answers nothing at all; what fails later costs its own part, which is then named in `missing`.
    """
    reading = Reading(talk, options, before)
    values, ours_s = await reading.scalars(now_s)
    seen = system.read_system(talk, values, ours_s, before.system if before else None, over_s)
    if before is not None and seen.restart is not Restart.NONE and reading.partly:
        values, ours_s = await reading.scalars(now_s, everything=True)
    return await reading.all(values, seen, over_s, ours_s)


class Reading:
    """One look in progress."""

    def __init__(self, talk: Talk, options: Wanted, before: Look | None) -> None:
        self.talk, self.options, self.before = talk, options, before
        self.parts = frozenset(options.parts)
        self.number = before.number + 1 if before else 0
        self.missing: dict[str, str] = {}
        self.offered = set(before.offered if before else ())
        self.partly = False
        self.known: frozenset[str] = frozenset()

    async def scalars(self, now_s: Callable[[], float], everything: bool = False) -> tuple[dict[str, Value], float | None]:
        """Return the scalars of all parts in one question, and our time in the middle of it (None when it took long).

        What a device did not have is left out for ALL_AGAIN looks, or until it restarts.
        """
        asked = [*system.ASKED]
        if "routing" in self.parts:
            asked += [bgp.LOCAL_AS, ospf.ROUTER_ID]
        if "neighbours" in self.parts:
            asked.append(LOCAL_CHASSIS)
        if "host" in self.parts:
            asked += host.SCALARS
        always = {system.SYS_UP_TIME, bgp.LOCAL_AS, ospf.ROUTER_ID, LOCAL_CHASSIS}
        self.partly = self.before is not None and not everything and self.number % ALL_AGAIN != 0
        if self.before is not None and self.partly:
            asked = [oid for oid in asked if oid in always or oid in self.before.known]
        sent_s = now_s()
        values = dict(await self.talk.get(asked))
        took_s = now_s() - sent_s
        self.known = self.before.known if self.before is not None and self.partly else frozenset(values)
        return values, sent_s + took_s / 2 if 0 <= took_s <= LONGEST_QUESTION_S else None

    async def all(self, values: dict[str, Value], seen: SystemLook, over_s: float | None, ours_s: float | None) -> Look:
        """Return the look, part by part."""
        old = self.before
        unbroken = seen.restart is Restart.NONE
        identity = await self._identity(unbroken)
        looks = await self._interfaces(Times(seen.ticks, over_s, unbroken))
        names = looks.steady if looks is not None else {}
        if looks is None and self.parts & {"environment", "neighbours"}:
            names = await self._part("interfaces", read_names(self.talk)) or {}
        vendor = VendorReadings()
        if self.parts & {"environment", "host"}:
            by_index = {index: port.name for index, port in names.items()}
            vendor = await self._part("environment", read_vendor(self.talk, identity, by_index)) or vendor
        since = host.Since(over_s, seen.restart is not Restart.DEVICE, seen.host_uptime_s, ours_s)
        hosted = await self._host(values, identity, since)
        looked = hosted or HostLook()
        environment, wants_host = "environment" in self.parts, "host" in self.parts
        peers = areas = heard = macs = None
        if "routing" in self.parts:
            peers = await self._table("bgp", bgp.read_bgp(self.talk, identity.object_id, old.peers if old else ()), bgp.LOCAL_AS in values)
            areas = await self._table("ospf", ospf.read_ospf(self.talk, old.areas if old else ()), ospf.ROUTER_ID in values)
        if "neighbours" in self.parts:
            cisco = identity.object_id.startswith("1.3.6.1.4.1.9.")
            heard = await self._table("neighbours", read_neighbours(self.talk, names, cisco), LOCAL_CHASSIS in values)
            macs = await self._mac(names)
        sample = DeviceSample(
            identity,
            seen.uptime_s,
            seen.host_uptime_s,
            over_s if old is not None else None,
            seen.restart,
            self._kept("clock", seen.clock_offset_s) if "system" in self.parts else None,
            self._sample(looks),
            looked.host,
            self._kept("processors", vendor.processors or looked.processors) if wants_host else (),
            self._kept("pools", _pools(vendor.pools, looked.pools)) if wants_host else (),
            self._kept("sensors", vendor.sensors) if environment else (),
            self._kept("states", vendor.states) if environment else (),
            self._kept("ups", vendor.ups) if environment else None,
            peers,
            areas,
            heard,
            tuple(self.options.cables),
            macs,
            missing=self.missing,
        )
        return Look(
            sample,
            seen,
            looks,
            hosted or (old.host if old else None),
            self.known,
            frozenset(self.offered),
            self.number,
            peers if peers is not None else old.peers if old else (),
            areas if areas is not None else old.areas if old else (),
        )

    async def _identity(self, unbroken: bool) -> Identity:
        """Return what the device is; it is asked anew after a restart and now and then."""
        if self.before is not None and unbroken and self.number % ALL_AGAIN and self.before.sample.identity.object_id:
            return self.before.sample.identity
        found = await self._part("identity", recognise(self.talk))
        return found or (self.before.sample.identity if self.before else Identity("", ""))

    async def _interfaces(self, times: Times) -> PortsLook | None:
        if "interfaces" not in self.parts:
            return None
        asked = Asked(tuple(self.options.ports), tuple(self.options.cables))
        return await self._part("interfaces", read_interfaces(self.talk, asked, self.before.ports if self.before else None, times))

    def _sample(self, looks: PortsLook | None) -> InterfacesSample | None:
        """Return the ports; of a table that broke off nobody knows what is not in it."""
        if looks is None:
            return None
        if not looks.sample.interfaces:
            if "interfaces" in self.offered or looks.sample.gone:
                self.missing.setdefault("interfaces", "the agent shows no interfaces")
            return None
        self.offered.add("interfaces")
        return msgspec.structs.replace(looks.sample, gone=()) if "interfaces" in self.missing else looks.sample

    async def _host(self, values: dict[str, Value], identity: Identity, since: host.Since) -> HostLook | None:
        if "host" not in self.parts:
            return None
        server = host.is_server(identity.object_id, values)
        before = self.before.host if self.before else None
        found = await self._part("host", host.read_host(self.talk, values, server, self.options.expected, before, since))
        self._kept("host", found.host if found else None)
        return found

    async def _mac(self, names: dict[str, Steady]) -> tuple[MacPlace, ...] | None:
        wanted = read_mac(self.options.mac) if self.options.mac else None
        if wanted is None:
            return None
        found = await self._part("macs", find_mac(self.talk, wanted, names))
        if found is None:
            self.missing.setdefault("macs", "the device shows no table of learned addresses (BRIDGE-MIB, Q-BRIDGE-MIB)")
        elif not found and "macs" not in self.missing:
            found = (MacPlace(wanted, ""),)
        return found

    async def _table(self, part: str, reading: "Awaitable[tuple[T, ...]]", offered: bool) -> tuple[T, ...] | None:
        """Return a table of peers, None where it can't be told. Empty is "none" only while the agent shows that it knows of the matter."""
        found = await self._part(part, reading)
        if found and part not in self.missing:
            self.offered.add(part)
            return found
        if part in self.missing:
            return None
        if offered:
            self.offered.add(part)
            return ()
        if part in self.offered:
            self.missing[part] = GONE
        return None

    def _kept(self, part: str, found: T) -> T:
        """Return what was found; note its absence when it was there before."""
        if found is not None and found != ():
            self.offered.add(part)
        elif part in self.offered:
            self.missing.setdefault(part, GONE)
        return found

    async def _part(self, part: str, reading: Awaitable[T]) -> T | None:
        """Return what a part reads, None when it fails; a fault on the way is noted as the part's."""
        before = _faults(self.talk)
        try:
            found = await reading
        except TalkError as why:
            self.missing.setdefault(part, why.failure.detail)
            return None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as why:  # a device that answers as none did before
            _log.debug("reading %s of a device failed", part, exc_info=True)
            self.missing.setdefault(part, f"its answers could not be understood ({type(why).__name__})")
            return None
        new = [key for key, count in _faults(self.talk).items() if count > before.get(key, 0)]
        if new:
            self.missing.setdefault(part, f"{new[0][0]}: {new[0][1]}")
        return found


def _faults(talk: Talk) -> dict[tuple[str, str], int]:
    return {(one.table, one.what): one.count for one in talk.anomalies if one.what in BROKEN}


def _pools(vendor: tuple[PoolSample, ...], standard: tuple[PoolSample, ...]) -> tuple[PoolSample, ...]:
    """Return the vendor's pools, and the standard's of kinds that the vendor's MIB does not have."""
    kinds = {pool.kind for pool in vendor}
    return (*vendor, *(pool for pool in standard if pool.kind not in kinds))
