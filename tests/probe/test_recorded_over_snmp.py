"""Every recorded device served over real SNMP and polled by the prober: what is read is what the recording holds.

The recordings stand outside the project; FIRSTLINE_RECORDINGS names their folder (they are besides).
"""

import asyncio
import os
from pathlib import Path

import pytest

from probe.inventory import Node
from probe.observation.device import DeviceSample
from probe.probers import snmp
from probe.probers.snmp import Options
from probe.snmp.recognise import recognise
from probe.snmp.sensors import VendorReadings, read_vendor
from probe.snmp.values import text
from tests.probe.recorded_talk import HEXADECIMAL, RecordedTalk, read_recording, unescape
from tests.probe.snmp_agent import agent, integer, octets, oid, tlv

FOLDER = Path(os.environ.get("FIRSTLINE_RECORDINGS", "/nonexistent"))
RECORDINGS = sorted(FOLDER.glob("*.snmprec"))
NUMBERS = {"2": 2, "65": 0x41, "66": 0x42, "67": 0x43, "70": 0x46}

pytestmark = pytest.mark.skipif(not RECORDINGS, reason="FIRSTLINE_RECORDINGS names no folder of recordings (they are besides)")


def encoded(kind: str, value: str) -> bytes | None:
    """Return one value of a recording as it goes over the wire; None for what is no data."""
    if kind.rstrip("x") in NUMBERS:
        number, tag = int(value, 16 if kind.endswith("x") else 10), NUMBERS[kind.rstrip("x")]
        return integer(number, tag)
    if kind.endswith("x"):
        raw = bytes.fromhex("".join(char if char in HEXADECIMAL else "0" for char in value))
    else:
        raw = unescape(value) if kind.endswith("e") else value.encode("utf-8", "surrogateescape")
    if kind[0] == "4":
        return octets(raw)
    if kind.startswith("64"):
        return tlv(0x40, raw if kind.endswith("x") else bytes(int(part) for part in value.split(".")))
    return oid(value.strip(".")) if kind == "6" and value.strip(".").replace(".", "").isdigit() else None


def rows_of(path: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").split("\n"):
        if line.count("|") < 2:
            continue
        name, kind, value = line.rstrip("\r").split("|", 2)
        name = name.strip(".")
        if name.replace(".", "").isdigit() and (cell := encoded(kind, value)) is not None:
            found.setdefault(name, cell)
    return found


async def recorded(path: Path) -> VendorReadings:
    talk = RecordedTalk(read_recording(path))
    names = await talk.walk("1.3.6.1.2.1.2.2.1.2"), await talk.walk("1.3.6.1.2.1.31.1.1.1.1")
    return await read_vendor(talk, await recognise(talk), {index: text(value) for table in names for index, value in table.items()})


async def polled(port: int) -> DeviceSample:
    async with snmp.open() as prober:
        sample = await prober.ask(Node("device", "127.0.0.1"), Options(version="v2c", community="public", port=port, wait_ms=3000))
    assert isinstance(sample, DeviceSample), sample
    return sample


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_device_is_read_over_the_wire_as_it_was_recorded(path: Path) -> None:
    with agent(rows_of(path)) as running:
        sample = asyncio.run(polled(running.port))
    expected = asyncio.run(recorded(path))
    assert sorted((s.oid, s.kind, s.value, s.gap) for s in sample.sensors) == sorted(
        (s.oid, s.kind, s.value, s.gap) for s in expected.sensors
    )
    assert sorted((s.oid, s.raw, s.condition) for s in sample.states) == sorted((s.oid, s.raw, s.condition) for s in expected.states)
    assert {s.name for s in sample.sensors} == {s.name for s in expected.sensors}
    assert not {part: why for part, why in sample.missing.items() if part == "environment"}
    assert sample.ups == expected.ups
