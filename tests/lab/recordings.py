"""The recordings that the lab's agents serve besides what is really there: written by us, in the tables of public MIBs.

HUAWEI-ENTITY-EXTENT-MIB hwOpticalModuleInfoTable and hwPwrStatusTable, ENTITY-MIB entPhysicalTable and entAliasMappingTable, ENTITY-SENSOR-MIB
entPhySensorTable (RFC 3433), UPS-MIB (RFC 1628), IF-MIB ifInErrors.
"""

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType

from tests.lab.daemons import IF_IN_ERRORS

ENTITY, ALIAS, SENSOR = "1.3.6.1.2.1.47.1.1.1.1", "1.3.6.1.2.1.47.1.3.2.1.2", "1.3.6.1.2.1.99.1.1.1"
OPTICS, UPS = "1.3.6.1.4.1.2011.5.25.31.1.1.3.1", "1.3.6.1.2.1.33.1"
EDGE_TREES = ("1.3.6.1.2.1.47.1", "1.3.6.1.4.1.2011.5.25.31")
CORE_TREES = ("1.3.6.1.2.1.47.1", "1.3.6.1.2.1.99.1")
UPS_TREES = (UPS,)
POWER, SUPPLIES = "1.3.6.1.4.1.2011.5.25.31.1.1.18.1", 2  # hwPwrStatusTable: state, presence
CHASSIS, MODULE, PORT, FAN, SUPPLY, SENSOR_CLASS = 3, 9, 10, 7, 6, 8  # entPhysicalClass

RX, TX, NO_LIGHT = -7.12, -2.4, -40.0  # dBm at a healthy port, and where there is none
RX_LIMITS, TX_LIMITS = (-24.0, -3.0), (-8.0, 2.0)


def entity(index: int, name: str, kind: int, inside: int) -> Iterator[str]:
    """Yield a row of entPhysicalTable: description, containment, class, place, name."""
    columns = {2: ("4", name), 4: ("2", inside), 5: ("2", kind), 6: ("2", index), 7: ("4", name)}
    yield from (f"{ENTITY}.{column}.{index}|{form}|{value}" for column, (form, value) in columns.items())


def edge(
    ports: Mapping[str, int], rx_dbm: Mapping[str, float] = MappingProxyType({}), dark: Collection[str] = (), dead: Collection[int] = ()
) -> str:
    """Return the router's recording: one optical module a port (ifIndex by name), two power supplies.

    rx_dbm: where not the usual power arrives; dark: the ports whose own laser is off; dead: the supplies (1, 2) that give none.
    """
    rows = [*entity(1, "chassis", CHASSIS, 0)]
    for place, (port, index) in enumerate(ports.items()):
        number = 10 + place
        rows += entity(number, port, PORT, 1)
        rows.append(f"{ALIAS}.{number}.0|6|1.3.6.1.2.1.2.2.1.1.{index}")
        received, sent = rx_dbm.get(port, RX), NO_LIGHT if port in dark else TX
        cells = {5: 41, 6: 3300, 7: 32_000, 8: received * 100, 9: sent * 100}  # °C, mV, µA, dBm · 100
        cells |= {13: RX_LIMITS[0] * 100, 14: RX_LIMITS[1] * 100, 15: TX_LIMITS[0] * 100, 16: TX_LIMITS[1] * 100}
        rows += [f"{OPTICS}.{column}.{number}|2|{round(value)}" for column, value in cells.items()]
    for number in range(1, SUPPLIES + 1):
        rows += [f"{POWER}.5.1.{number}|2|1", f"{POWER}.6.1.{number}|2|{2 if number in dead else 1}"]
    return "\n".join(rows) + "\n"


def errors(ports: int, port: int = 0, count: str = "0") -> str:
    """Return the recording of the input errors of a device's ports: none but at one; "100+50/s" grows."""
    return "".join(f"{IF_IN_ERRORS}.{index}|65|{count if index == port else 0}\n" for index in range(1, ports + 1))


def core(celsius: int = 36, rpm: int = 5400) -> str:
    """Return the switch's recording: a temperature and a fan."""
    rows = [*entity(1, "chassis", CHASSIS, 0), *entity(2, "inlet temperature", SENSOR_CLASS, 1), *entity(3, "fan 1", SENSOR_CLASS, 1)]
    for index, kind, value in ((2, 8, celsius), (3, 10, rpm)):  # entPhySensorType: celsius, rpm
        cells = {1: kind, 2: 9, 3: 0, 4: value, 5: 1}  # type, scale units, precision 0, value, status ok
        rows += [f"{SENSOR}.{column}.{index}|2|{cell}" for column, cell in cells.items()]
    return "\n".join(rows) + "\n"


def ups(output: int = 3, minutes: int = 45) -> str:
    """Return the recording of the UPS. output: 3 normal, 5 battery."""
    cells = {"1.1.0": "lab", "1.2.0": "UPS 3000"}
    rows = [f"{UPS}.{oid}|4|{cell}" for oid, cell in cells.items()]
    on_battery = 0 if output == 3 else 120
    numbers = {"2.1.0": 2, "2.2.0": on_battery, "2.3.0": minutes, "2.4.0": 100 if output == 3 else 60}
    numbers |= {"4.1.0": output, "4.3.0": 1, "4.4.1.5.1": 35}
    rows += [f"{UPS}.{oid}|2|{cell}" for oid, cell in numbers.items()]
    return "\n".join(rows) + "\n"
