"""The counters of ports: 64 bits where there are any, else 32; what grew since the look before, and how often the state changed."""

from collections.abc import Mapping, Sequence

import msgspec

from probe.probers.counters import WORD, difference

Numbers = Mapping[str, int]

SMALLEST_FRAME_BITS = 672  # of Ethernet with preamble and gap: so many packets at most
ALWAYS_NOW_TICKS = 200  # an ifLastChange that is younger than this at every look tells nothing


class Counts(msgspec.Struct, frozen=True, gc=False):
    """The counters of one port as they stand; `wide` tells that octets and packets have 64 bits.

    discontinuity is ifCounterDiscontinuityTime, last_change ifLastChange, both in 1/100 s of sysUpTime.
    """

    in_octets: int | None
    out_octets: int | None
    in_packets: int | None
    out_packets: int | None
    in_errors: int | None
    out_errors: int | None
    in_discards: int | None
    out_discards: int | None
    wide: bool
    discontinuity: int | None
    last_change: int | None


class Grown(msgspec.Struct, frozen=True, gc=False):
    """What grew since the look before; None where that can't be told. `back`: a counter fell and nothing says why."""

    in_octets: int | None = None
    out_octets: int | None = None
    in_packets: int | None = None
    out_packets: int | None = None
    in_errors: int | None = None
    out_errors: int | None = None
    in_discards: int | None = None
    out_discards: int | None = None
    back: bool = False


UNKNOWN = Grown()
BACK = Grown(back=True)

Traffic = tuple[int | None, int | None, int | None, int | None, bool]


def traffic_of(index: str, wide: Sequence[Numbers], narrow: Sequence[Numbers]) -> Traffic:
    """Return octets in and out, packets in and out of one port, and whether they have 64 bits.

    wide: ifHCInOctets, ifHCInUcastPkts, multicast, broadcast, and the same outwards. narrow: ifInOctets, ifInUcastPkts, ifInNUcastPkts,
    and outwards, read only where the others are lacking or stand still at nought.
    """
    received, sent = wide[0].get(index), wide[4].get(index)
    if narrow and not received and not sent:
        short_in, short_out = narrow[0].get(index), narrow[3].get(index)
        if (short_in is not None or short_out is not None) and (received is None or short_in or short_out):
            packets_in = _sum(narrow[1].get(index), narrow[2].get(index))
            packets_out = _sum(narrow[4].get(index), narrow[5].get(index))
            return short_in, short_out, packets_in, packets_out, False
    packets_in, packets_out = wide[1].get(index), wide[5].get(index)
    if packets_in is not None:
        packets_in += wide[2].get(index, 0) + wide[3].get(index, 0)
    if packets_out is not None:
        packets_out += wide[6].get(index, 0) + wide[7].get(index, 0)
    return received, sent, packets_in, packets_out, True


def _sum(unicast: int | None, others: int | None) -> int | None:
    """Modulo 2^32 a sum of two counters is a counter of 32 bits again."""
    return (unicast + (others or 0)) % WORD if unicast is not None else None


def discontinuity(told: int | None, ticks: int | None) -> int | None:
    """Return ifCounterDiscontinuityTime; None where it says "just now", as some agents do at every look.

    One that is true makes this look differ from the one before, and the next from this one.
    """
    return None if told is not None and ticks is not None and 0 <= ticks - told < ALWAYS_NOW_TICKS else told


def growth(now: Counts, was: Counts, speed_bps: int | None, over_s: float) -> Grown:
    """Return what grew between two looks at one port between which its agent did not restart.

    A counter that fell was reset, and then the port's others were too. One of 32 bits is told only as long as it can't have wrapped
    twice within the period at the port's speed, and not at all where the speed is not known.
    """
    if now.wide != was.wide or now.discontinuity != was.discontinuity:
        return UNKNOWN
    received, sent = _grew(now.in_octets, was.in_octets), _grew(now.out_octets, was.out_octets)
    packets_in, packets_out = _grew(now.in_packets, was.in_packets), _grew(now.out_packets, was.out_packets)
    if received is None or sent is None:
        fell_in = received is None and now.in_octets is not None and was.in_octets is not None
        fell_out = sent is None and now.out_octets is not None and was.out_octets is not None
        if fell_in or fell_out:
            return BACK
    if not now.wide:
        if speed_bps is None:
            return UNKNOWN
        if speed_bps / 8 * over_s >= WORD:
            received = sent = None
        if speed_bps / SMALLEST_FRAME_BITS * over_s >= WORD:
            packets_in = packets_out = None
    return Grown(
        received,
        sent,
        packets_in,
        packets_out,
        _grew(now.in_errors, was.in_errors),
        _grew(now.out_errors, was.out_errors),
        _grew(now.in_discards, was.in_discards),
        _grew(now.out_discards, was.out_discards),
    )


def _grew(now: int | None, was: int | None) -> int | None:
    if now is None or was is None:
        return None
    return now - was if now >= was else difference(now, was)


def changes(was_up: str, now_up: str, was: tuple[int | None, int | None], last: int | None, ticks: int | None) -> int | None:
    """Return how often the state changed at least, from two looks at ifOperStatus and ifLastChange; None when neither can tell.

    was: ifLastChange and sysUpTime at the look before. A state that is as it was, with another time of its last change, has gone and
    come back. Some agents answer the present time at every look: such a column tells nothing.
    """
    seen = 1 if was_up != now_up else 0
    last_before, ticks_before = was
    if last is None or last_before is None:
        return seen or None
    if last == last_before:
        return seen
    if ticks is not None and ticks_before is not None and ticks - last < ALWAYS_NOW_TICKS and ticks_before - last_before < ALWAYS_NOW_TICKS:
        return seen or None
    return seen or 2


def since_s(ticks: int | None, last: int | None) -> float | None:
    """Return the time since the last change in s; None where it lies in the future: sysUpTime has wrapped, or the agent errs."""
    if ticks is None or last is None:
        return None
    apart = ticks - last
    if apart < 0:
        return 0.0 if apart > -ALWAYS_NOW_TICKS else None
    return apart / 100


def longer_s(before_s: float | None, was: tuple[int | None, int | None], last: int | None, ticks: int | None) -> float | None:
    """Return the time since the last change in s, counted on from the look before where nothing has changed: sysUpTime may have wrapped.

    was: ifLastChange and sysUpTime at the look before.
    """
    last_before, ticks_before = was
    if before_s is None or last is None or last != last_before or ticks is None or ticks_before is None:
        return since_s(ticks, last)
    apart = (ticks - ticks_before) % WORD
    return before_s + (apart / 100 if apart < WORD // 2 else 0.0)  # a clock that is not quite even
