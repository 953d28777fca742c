"""Does light arrive, does it leave, as strong as the module wants it and as it was?"""

from collections.abc import Iterator

from checks.device.environment import measured, silent
from checks.device.limits import Limits
from checks.device.ports import Port, Ports
from checks.device.sides import Sides, reading, sides, tells_high
from checks.finding import Finding, Levels, Message, State
from probe.observation.device import DeviceSample
from probe.observation.observation import Observation
from probe.observation.sensor import Gap, SensorSample

DARK_DBM = -40.0  # SFF-8472: power is told in units of 0.1 µW, so that its least is -40 dBm: nothing that could be measured
_CHECK_OF = {
    "rx_dbm": "snmp/rx-power",
    "tx_dbm": "snmp/tx-power",
    "dbm": "snmp/power-level",
    "bias_ma": "snmp/bias",
    "temperature_c": "snmp/module-temperature",
}


def judge_optics(seen: Observation, device: DeviceSample, ports: Ports, limits: Limits) -> Iterator[Finding]:
    """Judge the power levels and the modules' bias and temperature, joined with the state of their ports; the item is the sensor."""
    for sensor in device.sensors:
        check = _CHECK_OF.get(sensor.kind)
        if check is None or (sensor.kind == "temperature_c" and not sensor.port):
            continue
        if check in ("snmp/rx-power", "snmp/tx-power", "snmp/power-level"):
            found = _power(seen, check, sensor, ports, limits)
        else:
            found = _module(seen, check, sensor, ports, limits)
        if found is not None:
            yield found


def _power(seen: Observation, check: str, sensor: SensorSample, ports: Ports, limits: Limits) -> Finding | None:
    """Return what one power level says; None when it tells nothing."""
    stated, lost = {
        "snmp/rx-power": (limits.rx_power, limits.rx_loss),
        "snmp/tx-power": (limits.tx_power, limits.tx_loss),
    }.get(check, (None, limits.level_loss))
    both = sides(sensor, low=stated)
    port = ports.of(sensor.port)
    value = reading(sensor)
    if sensor.gap is Gap.NO_LIGHT or (value is not None and value <= DARK_DBM):
        return _dark(seen, check, sensor, port, both.low, lost)
    if value is None:
        return silent(seen, check, sensor.name, sensor)
    if port is Port.OFF:
        return _told(seen, check, sensor, value, both.low, "snmp.light-off")
    if port in (Port.DOWN, Port.FELL, Port.LEFT, Port.UNUSED):
        return _while_down(seen, check, sensor, port, value, both, lost)
    return measured(seen, check, sensor.name, sensor, value, both, low_first=True, seasonal=True, loss=lost)


def _dark(seen: Observation, check: str, sensor: SensorSample, port: Port, levels: Levels, lost: Levels) -> Finding:
    """Judge no light by the state of its port: switched off it is no fault, down it is the same fault, up it can't be."""
    rx = check == "snmp/rx-power"
    values = {"name": sensor.name, "port": sensor.port}
    match port:
        case Port.OFF:
            return Finding(check, seen, State.OK, Message("snmp.dark-off", {**values}), levels, sensor.name)
        case Port.DOWN:
            text = Message("snmp.rx-dark-down" if rx else "snmp.tx-dark-down", {**values})
            return Finding(check, seen, State.CRITICAL, text, levels, sensor.name, loss=lost)
        case Port.FELL:
            text = Message("snmp.rx-dark-down" if rx else "snmp.tx-dark-down", {**values})
            return Finding(check, seen, State.WARNING, text, levels, sensor.name, loss=lost)
        case Port.UNUSED | Port.LEFT:
            state = State.OK if port is Port.UNUSED else State.UNKNOWN
            return Finding(check, seen, state, Message("snmp.dark-unused", {**values}), levels, sensor.name, loss=lost)
        case Port.UP:
            return Finding(check, seen, State.UNKNOWN, Message("snmp.dark-up", {**values}), levels, sensor.name)
        case Port.UNKNOWN:
            return Finding(check, seen, State.UNKNOWN, Message("snmp.dark", {"name": sensor.name}), levels, sensor.name, loss=lost)


def _while_down(seen: Observation, check: str, sensor: SensorSample, port: Port, value: float, both: Sides, lost: Levels) -> Finding:
    """Judge a level at a port that is down: too weak, it is the same fault; strong enough, the fault is elsewhere."""
    bad = both.low.judge(value)
    if bad is State.OK:
        said = "snmp.tx-light-down" if check == "snmp/tx-power" else "snmp.light-down"
        return _told(seen, check, sensor, value, both.low, said, seasonal=True, loss=lost)
    if port in (Port.UNUSED, Port.LEFT):
        return _told(seen, check, sensor, value, both.low, "snmp.light-unused", loss=lost)
    bad = bad if port is Port.DOWN else State.WARNING
    text = Message("snmp.light-weak-down", {"name": sensor.name, "port": sensor.port, "value": value})
    return Finding(check, seen, bad, text, both.low, sensor.name, value, loss=lost)


def _told(
    seen: Observation,
    check: str,
    sensor: SensorSample,
    value: float,
    levels: Levels,
    text: str,
    seasonal: bool = False,
    loss: Levels | None = None,
) -> Finding:
    """Return an ok finding whatever the value is, because the state of the port makes it good."""
    said = Message(text, {"name": sensor.name, "port": sensor.port, "value": value})
    return Finding(check, seen, State.OK, said, levels, sensor.name, value, seasonal=seasonal, gated=True, loss=loss)


def _module(seen: Observation, check: str, sensor: SensorSample, ports: Ports, limits: Limits) -> Finding | None:
    """Return what bias or temperature of a module say; a laser of a port that is not up may be off."""
    value = reading(sensor)
    if value is None:
        return silent(seen, check, sensor.name, sensor)
    if check == "snmp/module-temperature":
        both = sides(sensor, high=limits.module_temperature)
        return measured(seen, check, sensor.name, sensor, value, both, seasonal=not tells_high(sensor))
    both = sides(sensor, high=limits.bias)
    if both.low.judge(value) is not State.OK and ports.of(sensor.port) not in (Port.UP, Port.UNKNOWN):
        text = Message("snmp.laser-off", {"name": sensor.name, "port": sensor.port, "value": value})
        return Finding(check, seen, State.OK, text, both.low, sensor.name, value, gated=True)
    return measured(seen, check, sensor.name, sensor, value, both, seasonal=not tells_high(sensor))
