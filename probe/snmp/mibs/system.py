"""How long a device and its agent have been running, what restarted since the look before, and its clock.

SNMPv2-MIB (RFC 3418), HOST-RESOURCES-MIB (RFC 2790), SNMP-FRAMEWORK-MIB (RFC 3411).
"""

from calendar import timegm
from collections.abc import Mapping

import msgspec

from probe.observation.device import Restart
from probe.snmp.talk import Talk, Value
from probe.snmp.values import natural

SYS_UP_TIME = "1.3.6.1.2.1.1.3.0"
HOST_UP_TIME, HOST_DATE = "1.3.6.1.2.1.25.1.1.0", "1.3.6.1.2.1.25.1.2.0"
ENGINE_BOOTS, ENGINE_TIME = "1.3.6.1.6.3.10.2.1.2.0", "1.3.6.1.6.3.10.2.1.3.0"
ASKED = (SYS_UP_TIME, HOST_UP_TIME, HOST_DATE, ENGINE_BOOTS, ENGINE_TIME)

TICKS = 1 << 32  # TimeTicks wrap after 497 days
APART_S = 30.0  # so far two readings of one clock may be apart: an agent that is slow to answer, a guest that was stopped


class SystemLook(msgspec.Struct, frozen=True):
    """What was read, and what it says of the time since the look before; None is not told.

    ticks: sysUpTime in 1/100 s. host_ticks: hrSystemUptime. engine_s: snmpEngineTime, time since the agent's engine started for the
    `boots`th time. host_uptime_s: time since the device started. clock_offset_s: its clock minus ours. turns, host_turns: how often
    `ticks` and `host_ticks` have wrapped, as far as it was seen.
    """

    ticks: int | None = None
    host_ticks: int | None = None
    boots: int | None = None
    engine_s: int | None = None
    restart: Restart = Restart.NONE
    host_uptime_s: float | None = None
    clock_offset_s: float | None = None
    turns: int = 0
    host_turns: int = 0

    @property
    def uptime_s(self) -> float | None:
        """Time since the agent started in s: sysUpTime, and 497 days for each time that it has wrapped."""
        return (self.ticks + self.turns * TICKS) / 100 if self.ticks is not None else None


def read_system(
    talk: Talk, values: Mapping[str, Value], ours_s: float | None, before: SystemLook | None, over_s: float | None
) -> SystemLook:
    """Return one look; `values` are those of ASKED that the agent has, `ours_s` our UTC in s since 1970 when it told them."""
    ticks, host, boots, engine = (_word(values.get(oid)) for oid in (SYS_UP_TIME, HOST_UP_TIME, ENGINE_BOOTS, ENGINE_TIME))
    clock = seconds_of(values.get(HOST_DATE))
    if ticks is None:
        talk.odd("sysUpTime", "not-a-number" if SYS_UP_TIME in values else "absent")
    restart = Restart.NONE
    now = SystemLook(ticks, host, boots, engine)
    if before is not None and over_s:
        restart = restart_of(now, before, over_s)
    old = before or SystemLook()
    turns = _turns(ticks, old.ticks if restart is Restart.NONE else None, old.turns, engine)
    host_turns = _turns(host, old.host_ticks if restart is not Restart.DEVICE else None, old.host_turns, engine)
    engine_uptime_s = float(engine) if engine is not None else None
    host_uptime_s = (host + host_turns * TICKS) / 100 if host is not None else engine_uptime_s
    offset = clock - ours_s if clock is not None and ours_s is not None else None
    return SystemLook(ticks, host, boots, engine, restart, host_uptime_s, offset, turns, host_turns)


def _turns(ticks: int | None, before: int | None, turns: int, engine_s: int | None) -> int:
    """Return how often a clock that stood at `before`, after so many `turns`, has wrapped; None is one that began anew, or was not seen.

    snmpEngineTime counts seconds in 31 bits: where it is that clock's, it tells those turns too that nobody saw.
    """
    if ticks is None:
        return 0
    if engine_s is not None and engine_s * 100 >= TICKS and _apart_s(engine_s * 100, ticks) < APART_S:
        return round((engine_s * 100 - ticks) / TICKS)
    if before is None:
        return 0
    return turns + (before - ticks > TICKS // 2)


def _word(value: Value | None) -> int | None:
    """Return a number of 32 bits; what is larger is none of these."""
    found = natural(value)
    return found if found is not None and found < TICKS else None


def restart_of(now: SystemLook, before: SystemLook, over_s: float) -> Restart:
    """Return what began anew between two looks that are `over_s` apart.

    A clock began anew when it is younger than that and does not go on from where it stood; a wrap after 497 days goes on. sysUpTime is
    the agent's, hrSystemUptime the device's; without it an engine that ran through speaks for the device, and else the device restarted.
    """
    if before.ticks is None or now.ticks is None:
        return Restart.NONE
    agent = _began_anew(now.ticks, before.ticks, over_s)
    if now.host_ticks is not None and before.host_ticks is not None:
        if _began_anew(now.host_ticks, before.host_ticks, over_s):
            return Restart.DEVICE
        return Restart.AGENT if agent else Restart.NONE
    if not agent:
        return Restart.NONE
    if now.engine_s is not None and before.engine_s is not None and now.boots == before.boots and now.engine_s >= before.engine_s:
        return Restart.AGENT
    return Restart.DEVICE


def _began_anew(now: int, before: int, over_s: float) -> bool:
    slack_s = min(APART_S, over_s / 2 + 1)
    if now / 100 > over_s + slack_s:
        return False
    may_wrap = before / 100 + over_s + slack_s >= TICKS / 100
    fell = before - now > min(100, before // 10)  # by more than two readings of one clock may be apart
    return (fell and not may_wrap) or _apart_s(now, before + round(over_s * 100)) > slack_s


def _apart_s(first: int, second: int) -> float:
    apart = (first - second) % TICKS
    return min(apart, TICKS - apart) / 100


def seconds_of(value: Value | None) -> float | None:
    """Return a DateAndTime (RFC 2579) as s since 1970 UTC; None where it names no zone, or is no time.

    8 octets: year (2), month, day, hour, minute, second (60 is a leap second), tenths; 11 with the zone: "+" or "-", hours, minutes.
    """
    if not isinstance(value, bytes) or len(value) != 11:
        return None
    year, (month, day, hour, minute, second, tenths) = int.from_bytes(value[:2], "big"), value[2:8]
    sign = {0x2B: 1, 0x2D: -1}.get(value[8])
    if sign is None or not (1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second <= 60 and tenths < 10):
        return None
    if not 1970 <= year <= 9999 or value[9] > 14 or value[10] > 59:
        return None
    local = timegm((year, month, day, hour, minute, second)) + tenths / 10
    return local - sign * (value[9] * 3600 + value[10] * 60)
