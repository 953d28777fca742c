"""What the tests of a device's judgement share: a healthy device, and how one look at it is judged."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from checks import snmp
from checks.finding import Finding, State
from probe.observation.device import DeviceSample, Identity
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation, Outcome
from probe.observation.sensor import Condition, SensorSample, StateSample

AT = datetime(2026, 1, 1, tzinfo=UTC)
OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN
DAY = 86400.0

WHO = Identity("1.3.6.1.4.1.9.1.1", "Some OS, version 1\nrest", vendor="Maker", model="S1", firmware="1.0")
DEVICE = DeviceSample(WHO, uptime_s=100 * DAY, host_uptime_s=101 * DAY, over_s=60.0)
PORT = InterfaceSample("Te1/1", 1, "ethernet", True, True, None, 1500, 10**10, "full", (), None, *[0] * 8, expected=True, oper="up")


def port(name: str = "Te1/1", **changes: Any) -> InterfaceSample:
    return msgspec.structs.replace(PORT, name=name, **changes)


def up(name: str = "Te1/1") -> InterfaceSample:
    return port(name)


def off(name: str = "Te1/1") -> InterfaceSample:
    return port(name, admin_up=False, oper_up=False, oper="down")


def down(name: str = "Te1/1", **changes: Any) -> InterfaceSample:
    return port(name, **{"oper_up": False, "oper": "down", **changes})


def unused(name: str = "Te1/1") -> InterfaceSample:
    return down(name, expected=False)


def sensor(kind: str, value: float | None, name: str = "x", **more: Any) -> SensorSample:
    return SensorSample(kind, name, "1.3.6.1.4.1.1.2.3", value, **more)


def word(kind: str, condition: Condition, name: str = "x", port: str = "") -> StateSample:
    return StateSample(kind, name, "1.3.6.1.4.1.1.2.4", 1, str(condition), condition, port)


def saw(outcome: Outcome) -> Observation:
    return Observation("agent", "core-1", "snmp", AT, 1.0, outcome)


def device(ports: Iterable[InterfaceSample] = (), **changes: Any) -> DeviceSample:
    ports = tuple(ports)
    return msgspec.structs.replace(DEVICE, interfaces=InterfacesSample(ports, 60.0) if ports else None, **changes)


def judged(outcome: Outcome, before: Outcome | None = None, limits: snmp.Limits | None = None) -> dict[tuple[str, str], Finding]:
    earlier = saw(before) if before is not None else None
    found = list(snmp.judge(saw(outcome), earlier, limits or snmp.Limits()))
    by_key = {(one.check, one.item): one for one in found}
    assert len(by_key) == len(found), "two findings about one thing"
    assert all(one.seen.outcome is outcome for one in found)
    return by_key
