"""Devices that nobody here recorded, judged: nothing is critical or a warning without a named reading behind it.

The recordings are not part of the project: FIRSTLINE_RECORDINGS names their folder.
"""

import asyncio
import os
from functools import cache
from pathlib import Path

import pytest

from checks import snmp
from checks.finding import Finding, State
from probe.observation.device import DeviceSample
from probe.probers.snmp import Options
from probe.snmp.device import read_device
from reports.locale.text import texts
from tests.checks.device_samples import AT, CRITICAL, OK, UNKNOWN, WARNING, saw
from tests.probe.recorded_talk import RecordedTalk, read_recording

FOLDER = Path(os.environ.get("FIRSTLINE_RECORDINGS", ""))
pytestmark = pytest.mark.skipif("FIRSTLINE_RECORDINGS" not in os.environ, reason="FIRSTLINE_RECORDINGS names no folder of recordings")
RECORDINGS = sorted(FOLDER.glob("*.snmprec")) if "FIRSTLINE_RECORDINGS" in os.environ else []

# What is critical in them, by device and check, each looked at: it is what the device says.
TRUE = {
    ("fiberhome", "snmp/power-supply"),  # powerStatus of slot 2 is powerFault(3)
    ("iosxr_asr9001", "snmp/rx-power"),  # 1.1274 mW received; the module's entSensorThresholdValue (major, above) is 1.0 mW
    ("arista_eos_7280r", "snmp/bgp"),  # bgpPeerState active or connect of peers that are started
    ("iosxr_asr9001", "snmp/bgp"),  # bgpPeerState idle of a peer that is started
    ("junos_mx5t-isis", "snmp/alarm"),  # jnxRedAlarmState on(3)
    ("routeros_crs317", "snmp/power-supply"),  # mtxrGaugeValue of psu2-state is 1
}


@cache
def look(path: Path) -> DeviceSample:
    talk = RecordedTalk(read_recording(path))
    options = Options(version="v2c", community="public")
    return asyncio.run(read_device(talk, options, None, None, AT.timestamp)).sample


def judged(path: Path) -> list[Finding]:
    return list(snmp.judge(saw(look(path)), None, snmp.Limits()))


def readings(sample: DeviceSample) -> dict[str, str]:
    """Return the OID of everything that was read and has a name."""
    named = {one.name: one.oid for one in sample.sensors} | {one.name: one.oid for one in sample.states}
    named |= {one.name: one.oid for one in sample.pools} | {one.name: one.oid for one in sample.processors}
    return named | {peer.peer: "bgpPeerTable" for peer in sample.bgp_peers or ()}


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_what_is_bad_has_a_named_reading_behind_it_and_what_is_critical_is_true(path: Path) -> None:
    known = readings(look(path))
    for found in judged(path):
        assert found.state in (OK, WARNING, CRITICAL, UNKNOWN)
        if found.state is CRITICAL or (found.state is WARNING and found.item):
            name = found.item.partition(" #")[0]
            whole = next((one for one in known if name in (one, f"memory {one}") or name.endswith(one)), None)
            assert whole, f"{found.check} {found.item}"
            assert known[whole], f"{found.check} {found.item} has no OID"
        if found.state is CRITICAL:
            assert (path.stem, found.check) in TRUE, f"{found.check} {found.item}: {texts('en').say(found.message)}"


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_second_look_at_the_same_moment_finds_the_same(path: Path) -> None:
    sample = look(path)
    first = [(one.check, one.item, one.state) for one in judged(path)]
    again = [(one.check, one.item, one.state) for one in snmp.judge(saw(sample), saw(sample), snmp.Limits())]
    assert first == again
    assert len({(check, item) for check, item, _ in first}) == len(first)


def test_most_readings_of_real_devices_are_good() -> None:
    states = [found.state for path in RECORDINGS for found in judged(path)]
    bad = [state for state in states if state in (State.CRITICAL, State.WARNING)]
    assert len(states) > 1000
    assert len(bad) < 0.03 * len(states)
