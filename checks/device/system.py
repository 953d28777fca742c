"""Has the device restarted, is it busy, does something run out, is its clock right, and did it answer as it should?"""

from collections.abc import Iterator

from checks.device.limits import Limits
from checks.device.sides import finite
from checks.finding import Finding, Levels, Message, State, Value
from probe.observation.device import DeviceSample, Identity, PoolSample, Restart
from probe.observation.observation import Observation

_DAYS_S = 2 * 86400.0  # a shorter time is told in hours
_OVERFULL = 1.5  # a share beyond it is no share
_KINDS = {"memory": "snmp/memory", "storage": "snmp/storage"}
_CHECK_OF = {  # a part that could not be read → the check that can't be answered
    "bgp": "snmp/bgp",
    "bgp_peers": "snmp/bgp",
    "ospf": "snmp/ospf",
    "ospf_neighbours": "snmp/ospf",
    "neighbours": "snmp/cabling",
    "macs": "snmp/mac",
    "ups": "snmp/ups",
    "processors": "snmp/cpu",
    "cpu": "snmp/cpu",
    "clock": "snmp/clock",
}


def judge_system(seen: Observation, device: DeviceSample, limits: Limits) -> Iterator[Finding]:
    """Judge what the device is itself; the item is the processor, or the pool."""
    yield Finding("snmp/answer", seen, State.OK, _who(device.identity))
    yield from _restart(seen, device, limits.restart)
    yield from _processors(seen, device, limits.processor)
    for pool in device.pools:
        yield from _pool(seen, pool, limits)
    if (offset := finite(device.clock_offset_s)) is not None:
        off = abs(offset)
        text = Message("snmp.clock", {"seconds": offset})
        yield Finding("snmp/clock", seen, limits.device_clock.judge(off), text, limits.device_clock, value=off)
    yield _answers(seen, device)
    for part, reason in device.missing.items():
        check = _CHECK_OF.get(part.partition(":")[0], "snmp/answers")
        yield Finding(check, seen, State.UNKNOWN, Message("snmp.missing", {"part": part, "reason": reason}), item=f"missing {part}")


def _who(identity: Identity) -> Message:
    made = " ".join(word for word in (identity.vendor, identity.model, identity.firmware) if word)
    return Message("snmp.answered", {"who": made or identity.description.partition("\n")[0][:80] or identity.object_id})


def _restart(seen: Observation, device: DeviceSample, levels: Levels) -> Iterator[Finding]:
    """Judge the time since the device started; a restart of its agent alone is only told.

    Where the device gives the agent's time alone (sysUpTime), a short one may be either, and is judged as a restart.
    """
    agent, host = finite(device.uptime_s), finite(device.host_uptime_s)
    if device.restart is Restart.AGENT and agent is not None:
        yield Finding("snmp/restart", seen, State.OK, Message("snmp.agent-restarted", {"minutes": agent / 60}), levels)
        return
    up = host if host is not None else agent
    if up is None or not up >= 0:
        return
    state = levels.judge(up)
    values: dict[str, Value] = {"minutes": up / 60}
    if state is not State.OK:
        text = Message("snmp.rebooted" if host is not None or device.restart is Restart.DEVICE else "snmp.restarted", values)
    elif agent is not None and levels.judge(agent) is not State.OK:
        text = Message("snmp.agent-restarted", {"minutes": agent / 60})
    else:
        text = Message("snmp.up", {"days": up / 86400}) if up >= _DAYS_S else Message("snmp.up-hours", {"hours": up / 3600})
    yield Finding("snmp/restart", seen, state, text, levels, value=up)


def _processors(seen: Observation, device: DeviceSample, levels: Levels) -> Iterator[Finding]:
    for one in device.processors:
        busy = one.busy_ratio
        if busy is None:
            continue
        if not 0 <= busy <= _OVERFULL:
            yield Finding("snmp/cpu", seen, State.UNKNOWN, Message("snmp.nonsense", {"name": one.name}), item=one.name)
            continue
        text = Message("snmp.cpu", {"name": one.name, "ratio": busy})
        yield Finding("snmp/cpu", seen, levels.judge(busy), text, levels, one.name, busy, seasonal=True)


def _pool(seen: Observation, pool: PoolSample, limits: Limits) -> Iterator[Finding]:
    """Judge what can be used up by its share; without a limit it is held against its usual alone."""
    check = _KINDS.get(pool.kind, "snmp/sessions")
    item = pool.name if check != "snmp/sessions" else f"{pool.kind} {pool.name}".strip()
    levels = {"memory": limits.pool_memory, "storage": limits.pool_storage, "licence": limits.licences}.get(pool.kind, limits.sessions)
    ratio, used, most = pool.used_ratio, finite(pool.used), finite(pool.most)
    if ratio is None and used is not None and most is not None and most > 0:
        ratio = used / most
    if ratio is None:
        if check == "snmp/sessions" and used is not None and 0 <= used < 1e15:
            open_ended = Levels(None, None, "pieces", "the device tells no limit; held against the usual")
            text = Message("snmp.in-use", {"name": item, "used": used})
            yield Finding(check, seen, State.OK, text, open_ended, item, used, seasonal=True)
        return
    if not 0 <= ratio <= _OVERFULL:
        yield Finding(check, seen, State.UNKNOWN, Message("snmp.nonsense", {"name": item}), item=item)
        return
    fills = None if pool.kind in ("memory", "licence") else 1.0  # caches grow until they fill memory, and no further
    if pool.kind == "memory" and ratio == 1:
        text = Message("snmp.pool-given", {"name": item})
        yield Finding(check, seen, State.OK, text, levels, item, ratio, gated=True)  # what is short of memory can't say so to the last byte
        return
    licence = pool.kind == "licence"
    if used is not None and most is not None and check == "snmp/sessions":
        text = Message("snmp.licences-of" if licence else "snmp.pool-of", {"name": item, "ratio": ratio, "used": used, "most": most})
    else:
        text = Message("snmp.licences" if licence else "snmp.pool", {"name": item, "ratio": ratio})
    season = check == "snmp/sessions"
    yield Finding(check, seen, levels.judge(ratio), text, levels, item, ratio, seasonal=season, full_at=fills)


def _answers(seen: Observation, device: DeviceSample) -> Finding:
    """Tell what was wrong about the answers. Only falling silent in the middle is a warning: it passes, and a faulty table does not.

    A table cut short is unknown: what was behind the cut nobody saw.
    """
    anomalies = device.anomalies
    if not anomalies:
        return Finding("snmp/answers", seen, State.OK, Message("snmp.answers-sound"), value=0)
    kinds = {one.what for one in anomalies}
    state = State.WARNING if "silent" in kinds else State.UNKNOWN if "truncated" in kinds else State.OK
    first = anomalies[0]
    names = ", ".join(f"{one.table}: {one.what} ×{one.count}" for one in anomalies[:5])
    values: dict[str, Value] = {"count": len(anomalies), "names": names}
    if first.detail:
        text = Message("snmp.answers-odd", {**values, "detail": first.detail[:120]})
    else:
        text = Message("snmp.answers-odd-bare", values)
    return Finding("snmp/answers", seen, state, text, value=len(anomalies))
