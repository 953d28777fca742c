"""Is it too hot, do fans and power supplies work, and what else does the device say of its parts?"""

from collections.abc import Iterable, Iterator

from checks.device.limits import Limits
from checks.device.ports import Port, Ports
from checks.device.sides import Sides, reading, sides, steady, tells_high, unit_of
from checks.finding import Finding, Levels, Message, State
from probe.observation.device import DeviceSample
from probe.observation.observation import Observation
from probe.observation.sensor import Condition, Gap, SensorSample, StateSample

OPTICS = frozenset({"rx_dbm", "tx_dbm", "bias_ma"})
_OF_SENSOR = {"temperature_c": "snmp/temperature", "fan_rpm": "snmp/fan", "fan_ratio": "snmp/fan", "voltage_v": "snmp/voltage"}
_OF_STATE = {
    "fan": "snmp/fan",
    "power_supply": "snmp/power-supply",
    "temperature": "snmp/temperature",
    "voltage": "snmp/voltage",
    "battery": "snmp/battery",
    "module": "snmp/module",
    "stack": "snmp/module",
    "redundancy": "snmp/module",
    "optics": "snmp/optics",
    "alarm": "snmp/alarm",
    "registration": "snmp/registration",
    "tunnel": "snmp/tunnel",
}
_STATES = {Condition.FAILED: State.CRITICAL, Condition.DEGRADED: State.WARNING, Condition.UNKNOWN: State.UNKNOWN}
_RANK = {State.OK: 0, State.UNKNOWN: 1, State.WARNING: 2, State.CRITICAL: 3}


def judge_environment(seen: Observation, device: DeviceSample, ports: Ports, limits: Limits) -> Iterator[Finding]:
    """Judge every sensor that is not an optical module's, and every state; the item is its name.

    A sensor and a state of the same name speak of the same thing: the worse one is said.
    """
    words: dict[tuple[str, str], StateSample] = {}
    for state in device.states:
        words.setdefault((_OF_STATE.get(state.kind, "snmp/state"), state.name), state)
    said: dict[tuple[str, str], list[Finding]] = {}
    for sensor in device.sensors:
        if sensor.kind in OPTICS or sensor.kind == "dbm" or (sensor.kind == "temperature_c" and sensor.port):
            continue
        check = _OF_SENSOR.get(sensor.kind, "snmp/sensor")
        if (found := _sensor(seen, check, sensor, words.get((check, sensor.name)), limits)) is not None:
            said.setdefault((check, found.item), []).append(found)
    for state in device.states:
        found = _state(seen, state, ports)
        said.setdefault((found.check, found.item), []).append(found)
    for group in said.values():
        yield from _worse(group)
    yield from _registered(seen, device.states, limits)


def _registered(seen: Observation, states: Iterable[StateSample], limits: Limits) -> Iterator[Finding]:
    """Count the registered lines: a line that nobody uses is not registered either, but one that was registered is missed."""
    lines = [state.condition for state in states if state.kind == "registration"]
    if lines:
        count = lines.count(Condition.GOOD)
        levels = Levels(None, None, "lines", "our choice: held against what was seen", low=True)
        text = Message("snmp.registered", {"count": count, "lines": len(lines)})
        yield Finding("snmp/registration", seen, State.OK, text, levels, value=float(count), loss=limits.registration_loss)


def _worse(group: list[Finding]) -> Iterable[Finding]:
    """Return one finding for a sensor and a state of one name; the sensor's when both say the same, for it has a number."""
    with_number = [found for found in group if found.levels is not None]
    words = [found for found in group if found.levels is None]
    if len(with_number) == 1 and len(words) == 1:
        return (max(with_number[0], words[0], key=lambda found: _RANK[found.state]),)
    return group  # names that are not unique: the caller tells them apart


def _sensor(seen: Observation, check: str, sensor: SensorSample, word: StateSample | None, limits: Limits) -> Finding | None:
    """Return what one sensor says; None when it tells nothing."""
    unit = unit_of(sensor.kind)
    item = f"{sensor.name} ({unit})" if check == "snmp/sensor" else sensor.name
    value = reading(sensor)
    if value is None:
        return silent(seen, check, item, sensor)
    if check == "snmp/fan":
        return _fan(seen, sensor, value, word, limits)
    if check == "snmp/temperature":
        return measured(seen, check, item, sensor, value, sides(sensor, high=limits.temperature), seasonal=not tells_high(sensor))
    return measured(seen, check, item, sensor, value, sides(sensor), low_first=check == "snmp/voltage")


def silent(seen: Observation, check: str, item: str, sensor: SensorSample) -> Finding | None:
    """Return what is said of a sensor without a value: unknown where what it told can't be, nothing where it told nothing."""
    odd = sensor.gap is Gap.NONSENSE or sensor.value is not None
    return Finding(check, seen, State.UNKNOWN, Message("snmp.nonsense", {"name": sensor.name}), item=item) if odd else None


def _fan(seen: Observation, sensor: SensorSample, value: float, word: StateSample | None, limits: Limits) -> Finding:
    """Judge a fan by its own limits. One that stands still, with no word why, is unknown: in an empty slot, too slow to count, or dead.

    Its having turned before tells them apart: that is `snmp/fan.loss`.
    """
    stands, turns = value <= 0, word is not None and word.condition in (Condition.GOOD, Condition.OFF, Condition.ABSENT)
    both = sides(sensor)
    item = sensor.name
    if stands and (turns or word is not None):
        text = Message("snmp.fan-still", {"name": item, "word": word.word if word is not None else ""})
        return Finding("snmp/fan", seen, State.OK, text, steady(both.low), item, value)
    if sensor.kind == "fan_rpm" and both.low.warning is None and both.low.critical is None:
        loss = limits.fan_stopped if stands else steady(limits.fan_stopped)
        if stands:
            text = Message("snmp.fan-stands", {"name": item})
            return Finding("snmp/fan", seen, State.UNKNOWN, text, both.low, item, value, loss=loss)
        text = Message("snmp.reading", {"name": item, "value": value, "unit": "rpm"})
        levels = both.of(value, True)
        return Finding("snmp/fan", seen, levels.judge(value), text, levels, item, value, loss=loss)
    return measured(seen, "snmp/fan", item, sensor, value, both, low_first=True)


def measured(
    seen: Observation,
    check: str,
    item: str,
    sensor: SensorSample,
    value: float,
    both: Sides,
    low_first: bool = False,
    seasonal: bool = False,
    loss: Levels | None = None,
) -> Finding:
    """Return the finding of a sensor's value between its two sides."""
    levels = both.of(value, low_first)
    state = levels.judge(value)
    unit = levels.unit
    limit = levels.critical if state is State.CRITICAL else levels.warning
    if state is State.OK or limit is None:
        text = Message("snmp.share" if unit == "ratio" else "snmp.reading", _values(sensor.name, value, unit))
    elif unit == "ratio":
        text = Message("snmp.share-low" if levels.low else "snmp.share-high", {"name": sensor.name, "value": value, "limit": limit})
    else:
        id = "snmp.reading-low" if levels.low else "snmp.reading-high"
        text = Message(id, {"name": sensor.name, "value": value, "unit": unit, "limit": limit})
    return Finding(check, seen, state, text, levels, item, value, seasonal=seasonal, loss=loss)


def _values(name: str, value: float, unit: str) -> dict[str, str | int | float | bool | None]:
    return {"name": name, "value": value} if unit == "ratio" else {"name": name, "value": value, "unit": unit}


def _state(seen: Observation, state: StateSample, ports: Ports) -> Finding:
    """Return what a state word says; an optical one of a port that is switched off, or not used, says nothing bad."""
    check = _OF_STATE.get(state.kind, "snmp/state")
    judged = _STATES.get(state.condition, State.OK)
    text = Message("snmp.state", {"name": state.name, "word": state.word})
    if check == "snmp/registration" and judged is State.WARNING:
        judged, text = State.UNKNOWN, Message("snmp.unregistered", {"name": state.name, "word": state.word})
    if check == "snmp/optics" and judged in (State.CRITICAL, State.WARNING):
        port = ports.of(state.port)
        if port is Port.OFF:
            judged, text = State.OK, Message("snmp.state-off", {"name": state.name, "word": state.word, "port": state.port})
        elif port in (Port.UNUSED, Port.LEFT):
            judged, text = State.OK, Message("snmp.state-unused", {"name": state.name, "word": state.word, "port": state.port})
    return Finding(check, seen, judged, text, item=state.name)
