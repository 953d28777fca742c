"""Are the interfaces up, clean, wide enough and steady?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State, Value
from probe.observation.failure import Failure
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation

ERRORS = Levels(0.001, 0.01, "ratio", "our choice: a sound link has next to none; TCP slows at 1e-3 and stalls at 1e-2")
DISCARDS = Levels(0.01, 0.05, "ratio", "our choice: 1 % loss is heard in speech, 5 % makes it hard to follow")
UTILISATION = Levels(0.80, 0.95, "ratio", "our choice: queues grow without bound as the load nears 1")
FLAPS = Levels(2, 10, "changes", "our choice: the carrier was lost and came back, or did so five times, between two looks")
HALF = Levels(100e6, None, "bit/s", "our choice: half duplex at 100 Mbit/s or more is nearly always a failed negotiation")

ENOUGH_ERRORS = 5  # fewer are no ratio
ENOUGH_DISCARDS_PER_S = 10.0  # Linux counts frames of unknown protocols too: LLDP, spanning tree every 2 s


class Limits(msgspec.Struct, frozen=True):
    """What can be set for an `interfaces` check."""

    errors: Levels = ERRORS
    discards: Levels = DISCARDS
    utilisation: Levels = UTILISATION
    flaps: Levels = FLAPS
    half_duplex: Levels = HALF


CHECKS = (
    Check("interfaces/oper"),
    Check("interfaces/errors", ERRORS),
    Check("interfaces/discards", DISCARDS),
    Check("interfaces/utilisation", UTILISATION),
    Check("interfaces/duplex", HALF),
    Check("interfaces/flaps", FLAPS),
)


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:
    """Judge each interface that matters: those expected to be up, and real ports; the item is its name."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("interfaces/oper", seen, why)
        case InterfacesSample() as sample:
            for name in sample.gone:
                yield Finding("interfaces/oper", seen, State.CRITICAL, Message("interfaces.gone", {"name": name}), item=name)
            earlier = _by_name(before)
            modes = any(port.duplex for port in sample.interfaces)
            for port in sample.interfaces:
                if port.expected:
                    yield _oper(seen, port)
                if port.expected or (port.admin_up and port.kind in ("ethernet", "wireless")):
                    yield from _quality(seen, port, earlier.get(port.name), sample.over_s, limits, modes)


def _by_name(before: Observation | None) -> dict[str, InterfaceSample]:
    if before is None or not isinstance(before.outcome, InterfacesSample):
        return {}
    return {port.name: port for port in before.outcome.interfaces}


def _oper(seen: Observation, port: InterfaceSample) -> Finding:
    if port.oper_up:
        return Finding("interfaces/oper", seen, State.OK, Message("interfaces.up", {"name": port.name}), item=port.name)
    if port.admin_up and port.oper == "unknown":
        return Finding("interfaces/oper", seen, State.UNKNOWN, Message("interfaces.oper-unknown", {"name": port.name}), item=port.name)
    why = "no-carrier" if port.carrier is False else "down"
    text = Message(f"interfaces.{why}" if port.admin_up else "interfaces.admin-down", {"name": port.name})
    return Finding("interfaces/oper", seen, State.CRITICAL, text, item=port.name)


def _quality(
    seen: Observation, port: InterfaceSample, before: InterfaceSample | None, over_s: float | None, limits: Limits, modes: bool
) -> Iterator[Finding]:
    """Judge one port. `modes`: this machine tells the duplex of ports that are up.

    A port whose link is gone is judged by the same questions as before: what it does not tell any more is no reading that is missing.
    """
    name, down = port.name, not port.oper_up and port.oper != "unknown"  # what it is set to says nothing then
    still = Message("interfaces.lies-down" if down else "interfaces.no-frames", {"name": name})
    errors = _larger(port.in_error_ratio, port.out_error_ratio)
    if errors is not None:
        few = before is not None and _errors_since(port, before) < ENOUGH_ERRORS
        state = State.OK if few else limits.errors.judge(errors)
        text = _ratio("errors", name, errors, limits.errors, _errors_since(port, before) if few and before is not None else None)
        yield Finding("interfaces/errors", seen, state, text, limits.errors, name, errors, gated=few)
    elif _stood_still(port, before, port.in_errors, port.out_errors):
        yield Finding("interfaces/errors", seen, State.OK, still, limits.errors, name, gated=True)
    discards = _larger(port.in_discard_ratio, port.out_discard_ratio)
    if discards is not None:
        few = False
        if before is not None and over_s:
            few = _discards_since(port, before) < ENOUGH_DISCARDS_PER_S * over_s
        state = State.OK if few else limits.discards.judge(discards)
        text = _ratio("discards", name, discards, limits.discards, _discards_since(port, before) if few and before is not None else None)
        yield Finding("interfaces/discards", seen, state, text, limits.discards, name, discards, gated=few)
    elif _stood_still(port, before, port.in_discards, port.out_discards):
        yield Finding("interfaces/discards", seen, State.OK, still, limits.discards, name, gated=True)
    rate = _larger(port.in_bps, port.out_bps)
    if rate is not None and port.speed_bps:
        used = rate / port.speed_bps
        values: dict[str, Value] = {"name": name, "ratio": used, "mbps": rate / 1e6, "speed_mbps": port.speed_bps / 1e6}
        text = still if down and not used else Message("interfaces.utilisation", values)
        yield Finding("interfaces/utilisation", seen, limits.utilisation.judge(used), text, limits.utilisation, name, used, seasonal=True)
    elif rate == 0 and down:  # a port that lost its speed with its link is no port that is told no longer
        yield Finding("interfaces/utilisation", seen, State.OK, still, limits.utilisation, name, 0.0)
    if port.duplex is not None and port.speed_bps:
        state = limits.half_duplex.judge(port.speed_bps) if port.duplex == "half" else State.OK
        mode = Message(f"interfaces.duplex-{port.duplex}", {"name": name, "speed_mbps": port.speed_bps / 1e6})
        yield Finding("interfaces/duplex", seen, state, still if down and state is State.OK else mode, item=name)
    elif down and modes:
        yield Finding("interfaces/duplex", seen, State.OK, still, item=name)
    if port.carrier_changes_since is not None:
        changes = port.carrier_changes_since
        text = Message("interfaces.flaps-down" if down else "interfaces.flaps", {"name": name, "count": changes})
        yield Finding("interfaces/flaps", seen, limits.flaps.judge(changes), text, limits.flaps, name, changes)


def _stood_still(now: InterfaceSample, before: InterfaceSample | None, *faults: int | None) -> bool:
    """Tell whether the counters of packets and errors were read and none of them moved: no frame, so that there is no share of any."""
    if before is None or _larger(now.in_bps, now.out_bps) is None or all(fault is None for fault in faults):
        return False
    return _frames(now)[:2] != (None, None) and _frames(now) == _frames(before)


def _frames(port: InterfaceSample) -> tuple[int | None, ...]:
    return (port.in_packets, port.out_packets, port.in_errors, port.out_errors, port.in_discards, port.out_discards)


def _ratio(kind: str, name: str, value: float, levels: Levels, few: int | None) -> Message:
    """Return the share in words; where it would be a fault of more than these `few` frames, how few they were."""
    if few is not None and levels.judge(value) is not State.OK:
        return Message(f"interfaces.{kind}-few", {"name": name, "count": few})
    return Message(f"interfaces.{kind}", {"name": name, "ratio": value})


def _errors_since(now: InterfaceSample, before: InterfaceSample) -> int:
    return _since(now.in_errors, before.in_errors) + _since(now.out_errors, before.out_errors)


def _discards_since(now: InterfaceSample, before: InterfaceSample) -> int:
    return _since(now.in_discards, before.in_discards) + _since(now.out_discards, before.out_discards)


def _since(now: int | None, before: int | None) -> int:
    if now is None or before is None:
        return 0
    return now - before if now >= before else now  # counted anew


def _larger(first: float | None, second: float | None) -> float | None:
    return max((value for value in (first, second) if value is not None), default=None)
