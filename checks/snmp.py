"""Is a device well, by what its SNMP agent says: its system, ports, environment, optics, routing and cabling?"""

from collections.abc import Iterable, Iterator

import msgspec

from checks import host, interfaces
from checks.device import limits as of
from checks.device.cabling import judge_cabling, judge_macs, judge_modes
from checks.device.environment import judge_environment
from checks.device.limits import Limits
from checks.device.optics import judge_optics
from checks.device.ports import Ports
from checks.device.routing import judge_routing
from checks.device.system import judge_system
from checks.device.ups import judge_ups
from checks.failure import judge_failure
from checks.finding import Check, Finding
from probe.observation.device import DeviceSample
from probe.observation.failure import Failure
from probe.observation.host import HostSample
from probe.observation.interfaces import InterfacesSample
from probe.observation.observation import Observation

__all__ = ["CHECKS", "Limits", "judge"]

CHECKS = (
    Check("snmp/answer"),
    Check("snmp/answers"),
    Check("snmp/restart", of.RESTART),
    Check("snmp/cpu", of.CPU),
    Check("snmp/memory", of.MEMORY),
    Check("snmp/storage", of.STORAGE),
    Check("snmp/sessions", of.SESSIONS),
    Check("snmp/clock", of.CLOCK),
    Check("snmp/temperature", of.TEMPERATURE),
    Check("snmp/fan", of.FAN_STOPPED),
    Check("snmp/power-supply"),
    Check("snmp/voltage"),
    Check("snmp/sensor"),
    Check("snmp/module"),
    Check("snmp/alarm"),
    Check("snmp/battery"),
    Check("snmp/registration", of.REGISTRATION_LOSS),
    Check("snmp/tunnel"),
    Check("snmp/state"),
    Check("snmp/ups"),
    Check("snmp/ups-battery"),
    Check("snmp/ups-minutes", of.UPS_MINUTES),
    Check("snmp/ups-charge", of.UPS_CHARGE),
    Check("snmp/ups-load", of.UPS_LOAD),
    Check("snmp/rx-power", of.RX),
    Check("snmp/tx-power", of.TX),
    Check("snmp/power-level", of.LEVEL_LOSS),
    Check("snmp/bias", of.BIAS),
    Check("snmp/module-temperature", of.MODULE_TEMPERATURE),
    Check("snmp/optics"),
    Check("snmp/bgp"),
    Check("snmp/bgp-flaps", of.BGP_UP),
    Check("snmp/prefixes", of.PREFIX_LOSS),
    Check("snmp/ospf"),
    Check("snmp/ospf-neighbours", of.OSPF_LOSS),
    Check("snmp/cabling"),
    Check("snmp/link-mode"),
    Check("snmp/mac"),
)

ALSO = (*host.CHECKS, *interfaces.CHECKS)
PARTS = True


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:
    """Judge one poll of a device; its interfaces and its host part as those of any machine (`interfaces/…`, `host/…`)."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("snmp/answer", seen, why)
        case DeviceSample() as device:
            yield from _told_apart(_parts(seen, before, device, limits))


def _parts(seen: Observation, before: Observation | None, device: DeviceSample, limits: Limits) -> Iterator[Finding]:
    ports = Ports(device.interfaces.interfaces if device.interfaces is not None else (), device.uptime_s)
    yield from judge_system(seen, device, limits)
    earlier = before.outcome if before is not None and isinstance(before.outcome, DeviceSample) else None
    if device.host is not None:
        found = host.judge(_part(seen, device.host), None, limits)
        yield from (msgspec.structs.replace(one, seen=seen) for one in found)
    if device.interfaces is not None:
        was = earlier.interfaces if earlier is not None else None
        then = _part(before, was) if before is not None and was is not None else None
        found = interfaces.judge(_part(seen, device.interfaces), then, of.of_interfaces(limits))
        yield from (msgspec.structs.replace(one, seen=seen) for one in found)
    yield from judge_environment(seen, device, ports, limits)
    if device.ups is not None:
        yield from judge_ups(seen, device.ups, limits)
    yield from judge_optics(seen, device, ports, limits)
    yield from judge_routing(seen, device, limits)
    yield from judge_cabling(seen, device)
    yield from judge_modes(seen, device)
    yield from judge_macs(seen, device)


def _part(seen: Observation, outcome: HostSample | InterfacesSample) -> Observation:
    return msgspec.structs.replace(seen, outcome=outcome)


def _told_apart(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings, those of the same name numbered: devices name two of their parts alike, and none may hide the other."""
    times: dict[tuple[str, str], int] = {}
    for found in findings:
        key = (found.check, found.item)
        times[key] = count = times.get(key, 0) + 1
        yield found if count == 1 else msgspec.structs.replace(found, item=f"{found.item} #{count}")
