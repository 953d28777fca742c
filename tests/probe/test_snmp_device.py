"""One look at a device: what fails costs its own part, what was there and is not shown any more is missing and never "none"."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.observation.device import Anomaly, DeviceSample, MacPlace, Restart
from probe.snmp.device import Look, read_device
from probe.snmp.failure import Nonsense, Silent
from probe.snmp.mibs import bgp, ospf
from probe.snmp.mibs.neighbours import LOCAL_CHASSIS
from probe.snmp.talk import Value
from tests.probe.recorded_talk import RecordedTalk

ALL = ("system", "host", "interfaces", "environment", "routing", "neighbours")
UP_TIME, HOST_UP_TIME = "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.25.1.1.0"
PEER: dict[str, Value] = {"1.3.6.1.2.1.15.3.1.2.192.0.2.1": 6, "1.3.6.1.2.1.15.3.1.15.192.0.2.1": 4}
IF, IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"


class Wanted(NamedTuple):
    parts: tuple[str, ...] = ALL
    ports: tuple[str, ...] = ()
    cables: tuple[str, ...] = ()
    mac: str = ""
    expected: tuple[str, ...] = ()


class Falling(RecordedTalk):
    """Falls silent at some columns: as a session does, it notes that and goes on, or raises."""

    def __init__(self, values: Mapping[str, Value], silent: str = "", raises: Exception | None = None) -> None:
        super().__init__(values)
        self.silent, self.raises = silent, raises

    async def walk(self, column: str, keep: bool = False) -> Mapping[str, Value]:
        if self.silent and column.startswith(self.silent):
            if self.raises:
                raise self.raises
            self.odd(column, "silent", "no answer")
            return {}
        return await super().walk(column, keep)


def device(up_s: int = 86400, *more: Mapping[str, Value]) -> dict[str, Value]:
    values: dict[str, Value] = {
        "1.3.6.1.2.1.1.1.0": b"Some switch",
        "1.3.6.1.2.1.1.2.0": "1.3.6.1.4.1.99999.1",
        UP_TIME: up_s * 100,
        HOST_UP_TIME: 9_000_000,
        **{f"{IF}.{column}.{index}": 1 for column in (7, 8) for index in (1, 2)},
        **{f"{IFX}.1.{index}": name for index, name in ((1, b"ge1"), (2, b"ge2"))},
        **{f"{IFX}.6.{index}": up_s * 1000 for index in (1, 2)},
    }
    for others in more:
        values.update(others)
    return values


def look(talk: RecordedTalk | Mapping[str, Value], before: Look | None = None, wanted: Wanted | None = None) -> Look:
    talk = talk if isinstance(talk, RecordedTalk) else RecordedTalk(talk)
    return asyncio.run(read_device(talk, wanted or Wanted(), before, 60.0 if before else None, lambda: 1_800_000_000.0))


def test_sample_survives_the_way_through_json() -> None:
    sample = look(device(86400, PEER)).sample
    assert msgspec.json.decode(msgspec.json.encode(sample), type=DeviceSample) == sample


def test_rates_and_restarts_between_looks() -> None:
    first = look(device())
    second = look(device(86460), first).sample
    assert second.interfaces is not None
    assert [one.in_bps for one in second.interfaces.interfaces] == [8000.0, 8000.0]
    assert (first.sample.over_s, second.over_s, second.restart) == (None, 60.0, Restart.NONE)
    agent = look(device(20, {HOST_UP_TIME: 9_006_000}), first).sample
    assert agent.restart is Restart.AGENT
    assert agent.interfaces is not None
    assert [one.in_bps for one in agent.interfaces.interfaces] == [None, None]
    assert look(device(20, {HOST_UP_TIME: 3000}), first).sample.restart is Restart.DEVICE


def test_silence_from_the_start_rises() -> None:
    class Dead(RecordedTalk):
        async def get(self, oids: object, keep: bool = False) -> Mapping[str, Value]:
            raise Silent("no answer")

    with pytest.raises(Silent):
        look(Dead({}))


@pytest.mark.parametrize("raises", [None, Silent("no answer"), Nonsense("not SNMP"), ValueError("a device that nobody has seen")])
@pytest.mark.parametrize(
    ("column", "part"),
    [
        (IF, "interfaces"),
        ("1.3.6.1.2.1.15.3", "bgp"),
        ("1.3.6.1.2.1.14.10", "ospf"),
        ("1.0.8802", "neighbours"),
        ("1.3.6.1.2.1.25.2", "host"),
        ("1.3.6.1.2.1.17", "macs"),
    ],
)
def test_what_fails_costs_its_own_part(column: str, part: str, raises: Exception | None) -> None:
    whole = device(86400, PEER, {f"{IF}.2.1": b"a"})
    sample = look(Falling(whole, column, raises), wanted=Wanted(mac="00:00:5e:00:53:01")).sample
    assert part in sample.missing
    assert sample.uptime_s == 86400.0
    assert sample.identity.description == "Some switch"
    assert (sample.bgp_peers is None) == (part == "bgp")
    assert sample.ospf_neighbours is None
    if part != "interfaces":
        assert sample.interfaces is not None
        assert len(sample.interfaces.interfaces) == 2


def test_mac_address_that_was_looked_for_and_is_not_there_is_answered() -> None:
    bridge = device(86400, {"1.3.6.1.2.1.17.1.4.1.2.1": 1})
    wanted = Wanted(mac="0000.5e00.5301")
    assert look(bridge, wanted=wanted).sample.macs == (MacPlace("00:00:5e:00:53:01", ""),)
    assert look(device(), wanted=wanted).sample.macs is None
    assert look(bridge).sample.macs is None


def test_port_behind_the_end_of_a_broken_table_is_not_gone() -> None:
    wanted = Wanted(ports=("ge1", "ge9"))
    assert look(device(), wanted=wanted).sample.interfaces.gone == ("ge9",)  # type: ignore[union-attr]
    sample = look(Falling(device(), f"{IF}.8"), wanted=wanted).sample
    assert sample.interfaces is not None
    assert sample.interfaces.gone == ()
    assert "interfaces" in sample.missing


def test_device_without_interfaces() -> None:
    bare = {oid: value for oid, value in device().items() if not oid.startswith((IF, IFX))}
    assert look(bare).sample.interfaces is None
    assert "interfaces" not in look(bare).sample.missing
    assert "interfaces" in look(bare, wanted=Wanted(ports=("ge1",))).sample.missing  # asked for by name
    assert "interfaces" in look(bare, look(device())).sample.missing  # offered before


KNOWS: dict[str, Value] = {bgp.LOCAL_AS: 65000, ospf.ROUTER_ID: "10.0.0.1", LOCAL_CHASSIS: b"\0\0\x5e\0\x53\x01"}


def test_no_peers_is_told_only_by_an_agent_that_knows_of_the_protocol() -> None:
    knows, ignorant = look(device(86400, KNOWS)).sample, look(device()).sample
    assert (knows.bgp_peers, knows.ospf_neighbours, knows.neighbours) == ((), (), ())
    assert (ignorant.bgp_peers, ignorant.ospf_neighbours, ignorant.neighbours) == (None, None, None)
    assert ignorant.missing == {}


def test_peers_that_vanish_with_their_daemon_are_missing_and_stay_so() -> None:
    first = look(device(86400, PEER, KNOWS))
    assert first.sample.bgp_peers is not None
    second = look(device(30, {HOST_UP_TIME: 9_006_000}), first)  # the agent restarted, the daemon has not come back to it
    third = look(device(90, {HOST_UP_TIME: 9_012_000}), second)
    for seen in (second, third):
        assert (seen.sample.bgp_peers, seen.sample.ospf_neighbours) == (None, None)
        assert {"bgp", "ospf", "neighbours"} <= seen.sample.missing.keys()
    back = look(device(150, PEER, KNOWS, {"1.3.6.1.2.1.15.3.1.15.192.0.2.1": 6, HOST_UP_TIME: 9_018_000}), third).sample
    assert back.missing == {}
    assert back.bgp_peers is not None
    assert back.bgp_peers[0].transitions_since == 2  # counted from when they were last seen
    gone = look(device(86460, KNOWS), first).sample
    assert gone.bgp_peers == ()  # taken out of the configuration: the agent says so


def test_scalars_a_device_has_not_are_asked_for_again_after_a_restart() -> None:
    class Counting(RecordedTalk):
        asked = 0

        async def get(self, oids: object, keep: bool = False) -> Mapping[str, Value]:
            assert isinstance(oids, list | tuple)
            self.asked = max(self.asked, len(oids))
            return await super().get(oids, keep)

    first = look(device())
    later = Counting(device(86460))
    look(later, first)
    assert later.asked < 10
    ucd: dict[str, Value] = {"1.3.6.1.4.1.2021.4.5.0": 1000, "1.3.6.1.4.1.2021.4.6.0": 500}
    restarted = look(device(20, ucd, {HOST_UP_TIME: 9_006_000}), first).sample
    assert restarted.host is not None
    assert restarted.host.memory is not None


def test_parts_that_were_not_asked_for_are_not_read() -> None:
    talk = RecordedTalk(device(86400, PEER))
    sample = look(talk, wanted=Wanted(parts=("system",))).sample
    assert (sample.interfaces, sample.bgp_peers, sample.pools) == (None, None, ())
    assert not any(column.startswith((IF, "1.3.6.1.2.1.15", "1.0.8802")) for column in talk.walked)


def test_agent_that_answers_with_strings_everywhere() -> None:
    values: dict[str, Value] = dict.fromkeys(device(86400, PEER, KNOWS), b"\xff\xfenonsense")
    sample = look(values).sample
    assert (sample.uptime_s, sample.host_uptime_s, sample.bgp_peers) == (None, None, ())
    assert sample.interfaces is not None
    assert {one.oper for one in sample.interfaces.interfaces} == {"unknown"}
    assert {one.in_octets for one in sample.interfaces.interfaces} == {None}


def test_anomalies_are_counted_by_the_talk() -> None:
    talk = RecordedTalk({**device(), f"{IF}.8.1": b"up"})
    look(talk)
    assert talk.anomalies == (Anomaly("ifTable", "not-a-number"),)


RICH = device(
    86400,
    PEER,
    KNOWS,
    {f"1.3.6.1.2.1.14.10.1.{column}.192.0.2.9.0": value for column, value in ((3, "10.0.0.9"), (6, 8), (7, 4))},
    {f"1.3.6.1.2.1.25.2.3.1.{column}.1": value for column, value in ((2, "1.3.6.1.2.1.25.2.1.4"), (3, b"/"), (4, 4096), (5, 9), (6, 3))},
    {
        f"1.0.8802.1.1.2.1.4.1.1.{column}.0.1.1": value
        for column, value in ((4, 4), (5, b"\0\0\x5e\0\x53\2"), (6, 5), (7, b"ge9"), (9, b"sw"))
    },
    {"1.3.6.1.2.1.25.1.2.0": b"\x07\xea\x03\x01\x0c\0\0\0+\0\0", "1.3.6.1.2.1.25.3.3.1.2.1": 50, "1.3.6.1.4.1.2021.4.5.0": 1000},
    {f"{IF}.{column}.1": 10**9 for column in (5, 10, 16)},
)
JUNK: tuple[Value, ...] = (
    b"", b"\0", b"\xff" * 300, b"n/a", b"1e400", -1, -(2**31), 0, 2**32, 2**64, 2**70, "", "0.0", "999.1.1.1", 1.5, float("nan"), float("inf"),
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(sorted(RICH)), st.one_of(st.sampled_from(JUNK), st.binary(max_size=20), st.integers())))
def test_whatever_an_agent_answers_is_read_or_left_out(changed: dict[str, Value]) -> None:
    first = look(RICH)
    for before in (None, first):
        sample = look({**RICH, **changed}, before).sample
        assert not any("understood" in reason for reason in sample.missing.values()), sample.missing
        assert msgspec.json.decode(msgspec.json.encode(sample), type=DeviceSample) == sample
