"""IF-MIB (RFC 2863) and the duplex of EtherLike-MIB (RFC 3635): the ports of a device, their counters and rates."""

from collections.abc import Sequence
from typing import cast

import msgspec

from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.probers.counters import ratio
from probe.snmp.mibs.port_names import Asked, Column, Steady, absent, read_steady
from probe.snmp.mibs.port_rates import UNKNOWN, Counts, Grown, Numbers, changes, discontinuity, growth, longer_s, since_s, traffic_of
from probe.snmp.talk import Talk
from probe.snmp.values import natural

IF, IFX, DUPLEX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1", "1.3.6.1.2.1.10.7.2.1.19"
STEADY = tuple(f"{IF}.{column}" for column in (2, 3, 4, 6))  # ifDescr, ifType, ifMtu, ifPhysAddress
STEADY_X = (f"{IFX}.1", f"{IFX}.18")  # ifName, ifAlias
SPEED = (f"{IF}.5",)
LIVE = tuple(f"{IF}.{column}" for column in (7, 8, 9, 13, 14, 19, 20))  # states, ifLastChange, discards and errors
WIDE = tuple(f"{IFX}.{column}" for column in (6, 7, 8, 9, 10, 11, 12, 13, 15, 19))  # octets and packets, ifHighSpeed, discontinuity
NARROW = tuple(f"{IF}.{column}" for column in (10, 11, 12, 16, 17, 18))  # the same of 32 bits: octets, unicast, the rest

OPER = {1: "up", 2: "down", 3: "testing", 4: "unknown", 5: "dormant", 6: "notPresent", 7: "lowerLayerDown"}
DUPLEXES = {2: "half", 3: "full"}
TOO_FAST = 2**32 - 1  # ifSpeed of what is faster than 4.3 Gbit/s
COARSE_MBPS = 10  # below, ifHighSpeed is too coarse
FASTEST_MBPS = 10_000_000  # a larger ifHighSpeed is given in another unit


class PortsLook(msgspec.Struct, frozen=True):
    """One look at the ports: what goes into the sample, and what the next look needs. All by ifIndex as text."""

    sample: InterfacesSample
    steady: dict[str, Steady]
    ports: dict[str, InterfaceSample]
    counts: dict[str, Counts]
    columns: tuple[Column, ...]  # of what is steady, as the talk gave them
    asked: Asked
    ticks: int | None

    def names(self) -> dict[str, str]:
        """Return the ports' names."""
        return {index: port.name for index, port in self.steady.items()}


class Times(msgspec.Struct, frozen=True):
    """sysUpTime in 1/100 s; the time since the look before; `unbroken` when the agent did not restart in between."""

    ticks: int | None = None
    over_s: float | None = None
    unbroken: bool = True


async def read_interfaces(talk: Talk, asked: Asked, before: PortsLook | None, times: Times) -> PortsLook:
    """Return one look at the ports; without any state in a row it is "unknown", never "down"."""
    live = await _columns(talk, "ifTable", LIVE)
    wide = await _columns(talk, "ifXTable", WIDE)
    duplex = (await _columns(talk, "dot3StatsTable", (DUPLEX,)))[0]
    rows = live[1].keys() | live[0].keys() | wide[0].keys()
    columns = await _steady_columns(talk, rows, before)
    rows |= columns[0].keys() | columns[4].keys()
    lacking = not wide[0].keys() >= rows or not any(wide[0].values())
    narrow = await _columns(talk, "ifTable", NARROW) if lacking else ()
    high = wide[8]
    coarse = not high.keys() >= rows or min(high.values(), default=0) < COARSE_MBPS
    low = (await _columns(talk, "ifTable", SPEED, keep=bool(high)))[0] if coarse else {}
    same = before is not None and before.asked == asked and before.steady.keys() == rows
    if before is not None and same and all(map(_is, columns, before.columns)):
        steady = before.steady
    else:
        rows = {index for index in rows if index.isdigit()}
        real = columns[1]
        worth = {index: 4 * (real.get(index) == 6) + 2 * (live[1].get(index) == 1) + (live[0].get(index) == 1) for index in rows}
        steady = read_steady(talk, worth, columns, asked)
    ports: dict[str, InterfaceSample] = {}
    counts: dict[str, Counts] = {}
    for index, fixed in steady.items():
        received, sent, packets_in, packets_out, is_wide = traffic_of(index, wide, narrow)
        now = Counts(
            received, sent, packets_in, packets_out, live[4].get(index), live[6].get(index), live[3].get(index), live[5].get(index),
            is_wide, discontinuity(wide[9].get(index), times.ticks), live[2].get(index),
        )  # fmt: skip
        states = (live[0].get(index), OPER.get(live[1].get(index, 4), "unknown"), DUPLEXES.get(duplex.get(index, 0)))
        speed = speed_of(high.get(index), low.get(index))
        counts[index] = now
        ports[index] = _port(talk, fixed, states, speed, now, before, index, times)
    sample = InterfacesSample(tuple(ports.values()), times.over_s if before is not None else None, absent(asked, steady))
    return PortsLook(sample, steady, ports, counts, columns, asked, times.ticks)


def _is(first: object, second: object) -> bool:
    return first is second


async def _columns(talk: Talk, table: str, oids: Sequence[str], keep: bool = False) -> list[Numbers]:
    """Return columns of numbers; what is none is left out and noted."""
    return [_numbers(talk, table, column) for column in await talk.walk_all(oids, keep)]


def _numbers(talk: Talk, table: str, column: Column) -> Numbers:
    if set(map(type, column.values())) <= {int}:
        numbers = cast("Numbers", column)
        if not numbers or min(numbers.values()) >= 0:
            return numbers
    found = {index: value for index, raw in column.items() if (value := natural(raw)) is not None}
    if len(found) < len(column):
        talk.odd(table, "not-a-number", next(index for index in column if index not in found), len(column) - len(found))
    return found


async def _steady_columns(talk: Talk, rows: set[str], before: PortsLook | None) -> tuple[Column, ...]:
    """Return the steady columns; a port that has just appeared is not in what was kept, and then all is read again."""
    columns = (*await talk.walk_all(STEADY, keep=True), *await talk.walk_all(STEADY_X, keep=True))
    new = before is not None and not rows <= before.steady.keys() and not (rows <= columns[0].keys() and rows <= columns[4].keys())
    if new:
        columns = (*await talk.walk_all(STEADY), *await talk.walk_all(STEADY_X))
    if before is None:
        return columns
    return tuple(_whole(column, old, rows) for column, old in zip(columns, before.columns, strict=True))


def _whole(column: Column, before: Column, rows: set[str]) -> Column:
    """Return a column with what stood there before for ports that are still there: it broke off, and no port is called otherwise."""
    if len(column) >= len(before) or not (before.keys() - column.keys()) & rows:
        return column
    return {**before, **column}


async def read_names(talk: Talk) -> dict[str, Steady]:
    """Return what is steady about the ports by ifIndex (as text), where nothing else of them is asked for."""
    columns = (*await talk.walk_all(STEADY, keep=True), *await talk.walk_all(STEADY_X, keep=True))
    return read_steady(talk, {index: 0 for column in (columns[0], columns[4]) for index in column if index.isdigit()}, columns, Asked())


def speed_of(high: int | None, low: int | None) -> int | None:
    """Return bit/s from ifHighSpeed (Mbit/s) and ifSpeed (bit/s); None where neither tells, 0 being no speed."""
    if high is not None and COARSE_MBPS <= high <= FASTEST_MBPS:
        return high * 1_000_000
    if low and low < TOO_FAST:
        return low
    return high * 1_000_000 if high and high < COARSE_MBPS else None


def _port(
    talk: Talk,
    fixed: Steady,
    states: tuple[int | None, str, str | None],
    speed: int | None,
    now: Counts,
    before: PortsLook | None,
    index: str,
    times: Times,
) -> InterfaceSample:
    admin, oper, duplex = states
    since: Grown = UNKNOWN
    flaps: int | None = None
    over_s = times.over_s
    lasted_s = since_s(times.ticks, now.last_change)
    if before is not None and over_s and times.unbroken and (was := before.ports.get(index)) is not None and was.name == fixed.name:
        held = before.counts[index]
        since = growth(now, held, was.speed_bps or speed, over_s)
        then = (held.last_change, before.ticks)
        flaps = changes(was.oper, oper, then, now.last_change, times.ticks)
        lasted_s = longer_s(was.last_change_s, then, now.last_change, times.ticks)
        if since.back:
            talk.odd("ifTable", "stepped-back", fixed.name)
    return InterfaceSample(
        fixed.name, fixed.index, fixed.kind, admin in (1, None), oper in ("up", "dormant"), None, fixed.mtu, speed, duplex, (), None,
        now.in_octets, now.out_octets, now.in_packets, now.out_packets, now.in_errors, now.out_errors, now.in_discards, now.out_discards,
        ratio(since.in_octets * 8, over_s) if since.in_octets is not None else None,
        ratio(since.out_octets * 8, over_s) if since.out_octets is not None else None,
        _share(since.in_errors, since.in_packets),
        _share(since.out_errors, since.out_packets),
        _share(since.in_discards, since.in_packets),
        _share(since.out_discards, since.out_packets),
        flaps, fixed.expected, fixed.alias, fixed.if_type, lasted_s, fixed.mac, oper,
    )  # fmt: skip


def _share(part: int | None, packets: int | None) -> float | None:
    """Return errors or discards per packet; the packets that were counted are the good ones (RFC 2863)."""
    if part is None or packets is None or not part + packets:
        return None
    return part / (part + packets)
