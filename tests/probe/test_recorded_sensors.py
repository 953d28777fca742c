"""What is read from recordings of real devices, against what another system reads from the same: besides the project's own recordings.

The recordings stand outside the project; FIRSTLINE_RECORDINGS names their folder. `pytest -s` shows the table of shares and of every difference.
"""

import asyncio
import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.observation.device import Identity
from probe.observation.sensor import Condition, Gap, SensorSample
from probe.snmp.recognise import recognise
from probe.snmp.sensors import VendorReadings, read_vendor
from probe.snmp.values import text
from tests.probe.recorded_talk import RecordedTalk, read_recording

FOLDER = Path(os.environ.get("FIRSTLINE_RECORDINGS", "/nonexistent"))
CLASSES = ("temperature", "fanspeed", "dbm", "state")
OF_CLASS = {
    "temperature": ("temperature_c",),
    "fanspeed": ("fan_rpm",),
    "dbm": ("rx_dbm", "tx_dbm", "dbm", "return_loss_db"),
    "voltage": ("voltage_v",),
    "current": ("current_a", "bias_ma"),
    "power": ("power_w",),
}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="FIRSTLINE_RECORDINGS names no folder of recordings (they are besides)")

# Rows that the other system reads wrongly, by recording and column, and why ours is the truth.
WRONG_THERE = {
    (
        "nokia-1830_pss8-multichassis",
        "1.3.6.1.4.1.7483.2.2.4.3.5.71.1.1",
    ): "it divides by 1000: the lanes' texts in column 6 add up to raw/100",
    (
        "nokia-1830_pss8-multichassis",
        "1.3.6.1.4.1.7483.2.2.4.3.5.71.1.2",
    ): "it divides by 1000: the lanes' texts in column 7 add up to raw/100",
    ("nokia-1830_pss8-multichassis", "1.3.6.1.4.1.7483.2.2.3.7.5.2.1.3"): "-9900 is no power of -99 dBm but a laser that is off",
    ("nokia-1830_pss8-multichassis", "1.3.6.1.4.1.7483.2.2.4.3.5.308.1.23"): "-9900 is no power of -99 dBm but no light",
    (
        "nxos_n9k-c93180yc-fx3",
        "1.3.6.1.4.1.9.9.91.1.1.1.1.4",
    ): "lasers that are off: 0 mA of bias, and 0 instead of both powers, which would be 1 mW",
    ("iosxr_asr9001", "1.3.6.1.4.1.9.9.91.1.1.1.1.4"): "-32768 in every column of module 0/0/1/3 is a module that measures nothing",
}
# Rows that are not read, and why.
NOT_READ = {
    ("routeros_crs317", "1.3.6.1.4.1.14988.1.1.19.1.1.9"): "cages without a module: supply voltage 0, all columns 0; 0 dBm is no reading",
    ("routeros_crs317", "1.3.6.1.4.1.14988.1.1.19.1.1.10"): "cages without a module: supply voltage 0, all columns 0; 0 dBm is no reading",
    ("routeros_crs317", "1.3.6.1.4.1.14988.1.1.19.1.1.6"): "cages without a module: supply voltage 0, all columns 0; 0 °C is no reading",
    (
        "vrp_ne8000-m8",
        "1.3.6.1.4.1.2011.5.25.31.1.1.3.1.9",
    ): "it takes dBm·100 for µW (256: -5.92 dBm); the lane column says 2.56 dBm and is read",
    (
        "nokia-1830_pss8-multichassis",
        "1.3.6.1.4.1.7483.2.2.3.7.5.2.1.22",
    ): "it names an OID that the device has not; tnIroadmPortInfo .308.1.22 is read",
    ("raisecom-ros", "1.3.6.1.4.1.8886.1.2.1"): "the recording has no such value",
    ("adva_fsp150_xg116pro", "1.3.6.1.4.1.2544.1.12.3.1.4.1.3"): "it reads the fan from the table of power supplies; table 5 is read",
    ("adva_fsp150_xg116pro", "1.3.6.1.4.1.2544.1.12.3.1.4.1.2"): "it reads the fan from the table of power supplies; table 5 is read",
}


def recordings() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.snmprec"))


def rows_of(name: str) -> list[dict[str, Any]]:
    """Return the other system's sensor rows of a recording: as polled, or as discovered where polling only repeats that."""
    path = FOLDER / f"{name}.json"
    sensors = json.loads(path.read_text(encoding="utf-8")).get("sensors", {}) if path.exists() else {}
    for part in ("poller", "discovery"):
        found = sensors.get(part)
        if isinstance(found, dict) and isinstance(found.get("sensors"), list):
            return list(found["sensors"])
    return []


async def look(name: str) -> tuple[RecordedTalk, Identity, VendorReadings]:
    talk = RecordedTalk(read_recording(FOLDER / f"{name}.snmprec"))
    descr, names = await talk.walk("1.3.6.1.2.1.2.2.1.2"), await talk.walk("1.3.6.1.2.1.31.1.1.1.1")
    identity = await recognise(talk)
    return talk, identity, await read_vendor(talk, identity, {index: text(value) for index, value in {**descr, **names}.items()})


@pytest.fixture(scope="module")
def looks() -> dict[str, tuple[RecordedTalk, Identity, VendorReadings]]:
    return {name: asyncio.run(look(name)) for name in recordings()}


def same(row: dict[str, Any], sample: SensorSample) -> bool:
    """Return whether a reading is the other system's, which counts current in ampere and rounds as it was written."""
    if sample.value is None:
        return False
    value = sample.value / 1000 if sample.kind == "bias_ma" else sample.value
    return math.isclose(value, row["sensor_current"], rel_tol=1e-3, abs_tol=0.0051)


def column_of(row: dict[str, Any], known: dict[tuple[str, str], str], name: str) -> str | None:
    oid = row["sensor_oid"].strip(".")
    return next((reason for (where, column), reason in known.items() if where == name and oid.startswith(column + ".")), None)


def differences(looks: dict[str, tuple[RecordedTalk, Identity, VendorReadings]]) -> Iterator[tuple[str, str, dict[str, Any], str, str]]:
    """Yield recording, class, row, what it is ("equal", "differs", "not read") and what was read."""
    for name, (_, _, readings) in looks.items():
        states = {state.oid: state.raw for state in readings.states}
        sensors: dict[str, list[SensorSample]] = {}
        for sample in readings.sensors:
            sensors.setdefault(sample.oid, []).append(sample)
        for row in rows_of(name):
            what, oid = row["sensor_class"], row["sensor_oid"].strip(".")
            if what == "state":
                raw = states.get(oid)
                yield name, what, row, "not read" if raw is None else "equal" if raw == row["sensor_current"] else "differs", str(raw)
            elif what in OF_CLASS:
                found = [sample for sample in sensors.get(oid, []) if sample.kind in OF_CLASS[what]]
                equal = any(same(row, sample) for sample in found)
                shown = ", ".join(f"{sample.value} {sample.kind} {sample.gap}" for sample in found)
                yield name, what, row, "not read" if not found else "equal" if equal else "differs", shown


def test_ninety_per_cent_of_the_rows_are_read_and_99_of_those_equal(
    looks: dict[str, tuple[RecordedTalk, Identity, VendorReadings]],
) -> None:
    rows: Counter[str] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    lines: Counter[str] = Counter()
    unexplained = []
    for name, what, row, verdict, shown in differences(looks):
        rows[what] += 1
        wrong = column_of(row, WRONG_THERE, name) if verdict == "differs" else None
        counts[what, "wrong there" if wrong else verdict] += 1
        if verdict == "equal" or what not in CLASSES:
            continue
        reason = wrong or column_of(row, NOT_READ, name)
        lines[
            f"{what:<12} {name:<30} {verdict:<9} {row['sensor_oid']} theirs {row['sensor_current']} ours {shown or '-'}: {reason or '?'}"
        ] += 1
        if reason is None:
            unexplained.append((name, row["sensor_oid"]))
    print(f"\n{'class':<12} {'rows':>5} {'read':>5} {'equal':>6} {'theirs wrong':>13} {'differs':>8}")
    for what in OF_CLASS | {"state": ()}:
        read = rows[what] - counts[what, "not read"]
        print(
            f"{what:<12} {rows[what]:>5} {read:>5} {counts[what, 'equal']:>6} {counts[what, 'wrong there']:>13} {counts[what, 'differs']:>8}"
        )
    print("\n".join(sorted(lines)))
    for what in CLASSES:
        read = rows[what] - counts[what, "not read"]
        assert rows[what] >= 20, what
        assert read >= 0.9 * rows[what], what
        assert counts[what, "equal"] + counts[what, "wrong there"] >= 0.99 * read, what
    assert not counts["dbm", "differs"]
    assert not unexplained


def test_the_lanes_of_a_module_add_up_to_its_power(looks: dict[str, tuple[RecordedTalk, Identity, VendorReadings]]) -> None:
    """The proof that WRONG_THERE leans on: hundredths of dBm, not thousandths."""
    talk, _, readings = looks["nokia-1830_pss8-multichassis"]
    table, proved = "1.3.6.1.4.1.7483.2.2.4.3.5.71.1", 0
    power = {sample.oid: sample.value for sample in readings.sensors}
    for total, lanes in (("1", "6"), ("2", "7")):
        for index, value in asyncio.run(talk.walk(f"{table}.{lanes}")).items():
            parts = [float(part) for part in re.findall(r"Lane\s+\d:\s+(-?[\d.]+) dBm", value.decode() if isinstance(value, bytes) else "")]
            if not parts:
                continue
            told = power[f"{table}.{total}.{index}"]
            assert told is not None
            assert told == pytest.approx(10 * math.log10(sum(10 ** (part / 10) for part in parts)), abs=0.15)
            proved += 1
    assert proved >= 10


def test_huawei_hundredths_of_dbm_are_not_taken_for_microwatts(looks: dict[str, tuple[RecordedTalk, Identity, VendorReadings]]) -> None:
    (sent,) = (s for s in looks["vrp_ne8000-m8"][2].sensors if s.kind == "tx_dbm" and s.name == "GigabitEthernet0/7/0 tx")
    assert (sent.value, sent.low_critical, sent.high_critical) == (2.56, -1.5, 4.5)


def test_h3c_modules_that_the_other_system_misses_are_read(looks: dict[str, tuple[RecordedTalk, Identity, VendorReadings]]) -> None:
    received = [s for s in looks["comware"][2].sensors if s.kind == "rx_dbm"]
    assert len(received) == 22  # of 27 modules five measure nothing
    assert all(s.value is not None and -20 < s.value < -5 and s.port and s.low_critical == -20 for s in received)


def test_every_recording_is_read_without_an_impossible_number(looks: dict[str, tuple[RecordedTalk, Identity, VendorReadings]]) -> None:
    assert len(looks) >= 46
    for name, (_, _, readings) in looks.items():
        for sample in readings.sensors:
            assert (sample.value is None) == (sample.gap is not Gap.NONE), (name, sample)
            assert sample.gap is not Gap.NONSENSE, (name, sample)
        for kind, group in (("sensors", readings.sensors), ("states", readings.states)):
            names = Counter((sample.kind, sample.name) for sample in group)
            assert not [key for key, count in names.items() if count > 1], (name, kind)


def test_what_failed_in_a_recording_is_a_named_reading_of_it(looks: dict[str, tuple[RecordedTalk, Identity, VendorReadings]]) -> None:
    """Golden rule: nothing is FAILED in a healthy recording but what its own device calls so; the list is short enough to be known."""
    failed = {
        (name, state.name, state.word)
        for name, (talk, _, readings) in looks.items()
        for state in readings.states
        if state.condition is Condition.FAILED and state.oid in talk.values
    }
    assert failed == {
        ("fiberhome", "power slot 2", "powerFault"),
        ("junos_mx5t-isis", "red alarm", "on"),
        ("routeros_crs317", "psu2-state", "fail"),
    }


def test_every_recorded_device_with_a_vendor_is_recognised(looks: dict[str, tuple[RecordedTalk, Identity, VendorReadings]]) -> None:
    unknown = {name for name, (_, identity, _) in looks.items() if identity.vendor is None}
    assert unknown == set()
    unnamed = {name for name, (_, identity, _) in looks.items() if identity.model is None}
    assert len(unnamed) <= 8, unnamed
