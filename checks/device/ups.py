"""Does the UPS run on its battery, how long will it, and is it well?"""

from collections.abc import Iterator

from checks.device.limits import Limits
from checks.device.sides import finite
from checks.finding import Finding, Message, State
from probe.observation.device import UpsSample
from probe.observation.observation import Observation

_OUTPUT = {  # RFC 1628 upsOutputSource
    "normal": State.OK,
    "booster": State.OK,
    "reducer": State.OK,
    "battery": State.WARNING,
    "bypass": State.WARNING,
    "none": State.CRITICAL,
}
_BATTERY = {"normal": State.OK, "low": State.WARNING, "depleted": State.CRITICAL, "replace": State.WARNING}


def judge_ups(seen: Observation, ups: UpsSample, limits: Limits) -> Iterator[Finding]:
    """Judge one UPS. Charge and minutes left are judged while it runs on its battery, for after an outage they are low and recovering."""
    on_battery = ups.output == "battery"
    if ups.output is not None:
        state = _OUTPUT.get(ups.output, State.UNKNOWN)
        if on_battery and (since := finite(ups.on_battery_s)) is not None:
            text = Message("snmp.ups-on-battery", {"minutes": since / 60})
        elif on_battery:
            text = Message("snmp.ups-battery-feeds")
        else:
            text = Message("snmp.ups-output", {"word": ups.output})
        yield Finding("snmp/ups", seen, state, text)
    if ups.battery is not None:
        state = _BATTERY.get(ups.battery, State.UNKNOWN)
        if ups.battery == "low" and on_battery:
            state = State.CRITICAL
        yield Finding("snmp/ups-battery", seen, state, Message("snmp.ups-battery", {"word": ups.battery}))
    for check, levels, value, id in (
        ("snmp/ups-minutes", limits.ups_minutes, finite(ups.minutes_left), "snmp.ups-minutes"),
        ("snmp/ups-charge", limits.ups_charge, finite(ups.charge_ratio), "snmp.ups-charge"),
    ):
        if value is not None and value >= 0:
            state = levels.judge(value) if on_battery else State.OK
            text = Message(id, {"value": value})
            yield Finding(check, seen, state, text, levels, value=value, gated=not on_battery)
    load = ups.load_ratio
    if load is not None and 0 <= load <= 3:
        text = Message("snmp.ups-load", {"value": load})
        yield Finding("snmp/ups-load", seen, limits.ups_load.judge(load), text, limits.ups_load, value=load, seasonal=True)
