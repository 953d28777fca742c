"""The judgement of a device as a whole: does it answer, has it restarted, is it busy, full, in time, and sound in its answers?"""

from typing import Any

import msgspec
import pytest

from checks import catalogue, host, interfaces, snmp
from checks.causes import cause_of
from checks.finding import Finding, State
from probe.observation.device import Anomaly, PoolSample, ProcessorSample, Restart, UpsSample
from probe.observation.failure import Failure, Kind
from probe.observation.host import HostSample, MemorySample
from probe.observation.interfaces import InterfacesSample
from tests.checks.device_samples import CRITICAL, DAY, DEVICE, OK, UNKNOWN, WARNING, device, judged, port


def one(check: str, item: str = "", **changes: Any) -> Finding | None:
    return judged(device(**changes)).get((check, item))


def state(check: str, item: str = "", **changes: Any) -> State | None:
    found = one(check, item, **changes)
    return found.state if found else None


@pytest.mark.parametrize(
    ("kind", "expected", "cause"),
    [
        (Kind.TIMEOUT, CRITICAL, "snmp_silent"),
        (Kind.REFUSED, CRITICAL, "snmp_agent"),
        (Kind.REJECTED, CRITICAL, "snmp_credentials"),
        (Kind.UNREACHABLE, CRITICAL, "host_down"),
        (Kind.UPLINK, UNKNOWN, "snmp_silent"),
        (Kind.BROKEN, UNKNOWN, "snmp_silent"),
    ],
)
def test_silence_refusal_and_rejection_are_three_causes_and_what_is_ours_is_unknown(kind: Kind, expected: State, cause: str) -> None:
    ((found),) = judged(Failure(kind, "words")).values()
    assert (found.check, found.state) == ("snmp/answer", expected)
    pointed = cause_of(found.check, found.message.id)
    assert pointed is not None
    assert pointed.code == cause


def test_healthy_device_answers_and_says_who_it_is() -> None:
    found = judged(DEVICE)
    assert {one.state for one in found.values()} == {OK}
    assert found["snmp/answer", ""].message.values == {"who": "Maker S1 1.0"}
    nameless = msgspec.structs.replace(DEVICE.identity, vendor=None, model=None, firmware=None)
    assert judged(device(identity=nameless))["snmp/answer", ""].message.values == {"who": "Some OS, version 1"}


@pytest.mark.parametrize(
    ("agent_s", "host_s", "restart", "expected", "text"),
    [
        (2 * DAY, 2 * DAY, Restart.NONE, OK, "snmp.up"),
        (DAY, DAY, Restart.NONE, OK, "snmp.up-hours"),
        (601.0, 601.0, Restart.NONE, OK, "snmp.up-hours"),
        (600.0, 600.0, Restart.NONE, WARNING, "snmp.rebooted"),
        (10.0, 10.0, Restart.DEVICE, WARNING, "snmp.rebooted"),
        (10.0, DAY, Restart.AGENT, OK, "snmp.agent-restarted"),
        (10.0, None, Restart.AGENT, OK, "snmp.agent-restarted"),
        (10.0, DAY, Restart.NONE, OK, "snmp.agent-restarted"),
        (10.0, None, Restart.NONE, WARNING, "snmp.restarted"),
        (10.0, None, Restart.DEVICE, WARNING, "snmp.rebooted"),
        (None, 10.0, Restart.NONE, WARNING, "snmp.rebooted"),
        (None, None, Restart.NONE, None, None),
        (DAY, 10.0, Restart.NONE, WARNING, "snmp.rebooted"),
    ],
)
def test_reboot_is_a_warning_and_a_restart_of_the_agent_is_told(
    agent_s: float | None, host_s: float | None, restart: Restart, expected: State | None, text: str | None
) -> None:
    found = one("snmp/restart", uptime_s=agent_s, host_uptime_s=host_s, restart=restart)
    assert (found.state if found else None, found.message.id if found else None) == (expected, text)


@pytest.mark.parametrize(
    ("busy", "expected"), [(0.89, OK), (0.90, WARNING), (1.0, WARNING), (None, None), (99.0, UNKNOWN), (-1.0, UNKNOWN)]
)
def test_processor_limits(busy: float | None, expected: State | None) -> None:
    assert state("snmp/cpu", "card 1", processors=(ProcessorSample("card 1", busy),)) is expected


@pytest.mark.parametrize(
    ("kind", "check", "ratio", "expected"),
    [
        ("memory", "snmp/memory", 0.94, OK),
        ("memory", "snmp/memory", 0.95, WARNING),
        ("memory", "snmp/memory", 0.999, WARNING),
        ("memory", "snmp/memory", 1.0, OK),
        ("storage", "snmp/storage", 0.94, OK),
        ("storage", "snmp/storage", 1.0, WARNING),
        ("sessions", "snmp/sessions", 0.79, OK),
        ("sessions", "snmp/sessions", 0.80, WARNING),
        ("nat", "snmp/sessions", 0.95, CRITICAL),
        ("connections", "snmp/sessions", 1.01, CRITICAL),
        ("licence", "snmp/sessions", 1.0, WARNING),
        ("licence", "snmp/sessions", 0.89, OK),
        ("sessions", "snmp/sessions", 21474836.47, UNKNOWN),
        ("sessions", "snmp/sessions", -0.01, UNKNOWN),
        ("storage", "snmp/storage", float("nan"), UNKNOWN),
    ],
)
def test_pool_limits(kind: str, check: str, ratio: float, expected: State) -> None:
    item = "p" if check != "snmp/sessions" else f"{kind} p"
    assert state(check, item, pools=(PoolSample(kind, "p", None, None, ratio),)) is expected


@pytest.mark.parametrize(
    ("kind", "used", "message", "cause"),
    [
        ("licence", 95.0, "snmp.licences-of", "licence_full"),
        ("licence", None, "snmp.licences", "licence_full"),
        ("nat", 95.0, "snmp.pool-of", "sessions"),
    ],
)
def test_used_up_licences_are_another_cause_than_used_up_sessions(kind: str, used: float | None, message: str, cause: str) -> None:
    found = one("snmp/sessions", f"{kind} p", pools=(PoolSample(kind, "p", used, 100.0 if used else None, None if used else 0.95),))
    assert found is not None
    told = cause_of(found.check, found.message.id)
    assert (found.message.id, told.code if told else None) == (message, cause)


@pytest.mark.parametrize(
    ("used", "most", "value", "unit"),
    [(8.0, 10.0, 0.8, "ratio"), (8.0, None, 8.0, "pieces"), (8.0, 0.0, 8.0, "pieces"), (None, 10.0, None, "")],
)
def test_share_of_a_pool_is_what_it_tells_or_follows_from_used_and_most(
    used: float | None, most: float | None, value: float | None, unit: str
) -> None:
    found = one("snmp/sessions", "nat p", pools=(PoolSample("nat", "p", used, most, None),))
    assert (found.value if found else None) == value
    assert found is None or (found.levels is not None and found.levels.unit == unit)


@pytest.mark.parametrize(("kind", "full_at"), [("sessions", 1.0), ("nat", 1.0), ("storage", 1.0), ("memory", None), ("licence", None)])
def test_what_fills_up_is_held_against_its_trend_and_caches_are_not(kind: str, full_at: float | None) -> None:
    (found,) = [one for (check, _), one in judged(device(pools=(PoolSample(kind, "p", None, None, 0.5),))).items() if "p" in one.item]
    assert found.full_at == full_at


@pytest.mark.parametrize(("off_s", "expected"), [(9.9, OK), (-9.9, OK), (10.0, WARNING), (-10.0, WARNING), (3e8, WARNING), (None, None)])
def test_clock_limits_both_ways(off_s: float | None, expected: State | None) -> None:
    assert state("snmp/clock", clock_offset_s=off_s) is expected


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ((), OK),
        (("duplicate",), OK),
        (("not-increasing",), OK),
        (("not-a-number",), OK),
        (("stepped-back",), OK),
        (("truncated",), UNKNOWN),
        (("duplicate", "silent"), WARNING),
    ],
)
def test_odd_answers_are_told_and_silence_in_the_middle_warns(what: tuple[str, ...], expected: State) -> None:
    found = one("snmp/answers", anomalies=tuple(Anomaly("ifTable", word, "row 7", 3) for word in what))
    assert found is not None
    assert found.state is expected
    assert not what or all(word in str(found.message.values["names"]) for word in what)


def test_an_odd_answer_without_detail_is_told_without_one() -> None:
    found = one("snmp/answers", anomalies=(Anomaly("sysUpTime", "absent"),))
    assert (found.state, found.message.id) == (OK, "snmp.answers-odd-bare") if found else False


@pytest.mark.parametrize(("part", "check"), [("bgp", "snmp/bgp"), ("sensors", "snmp/answers"), ("neighbours", "snmp/cabling")])
def test_what_could_not_be_read_is_unknown_with_its_reason(part: str, check: str) -> None:
    found = one(check, f"missing {part}", missing={part: "no row after a restart"})
    assert found is not None
    assert found.state is UNKNOWN
    assert found.message.values == {"part": part, "reason": "no row after a restart"}


def test_host_part_and_ports_are_judged_as_those_of_any_machine_and_their_evidence_is_the_whole_look() -> None:
    memory = MemorySample(16 * 10**9, 10**8, 0, 0)
    machine = HostSample(None, (), memory, (), (), None, None, None, None, None, (), (), (), None, None, None, None)
    found = judged(device((port(oper_up=False), port("Te1/2")), host=machine))
    assert found["host/memory", ""].state is CRITICAL
    assert found["interfaces/oper", "Te1/1"].state is CRITICAL
    assert found["interfaces/oper", "Te1/2"].state is OK


def test_ports_are_judged_with_the_look_before() -> None:
    before = device((port(in_errors=0),))
    few = device((port(in_errors=4, in_error_ratio=0.5),))
    many = device((port(in_errors=5, in_error_ratio=0.5),))
    assert judged(few, before)["interfaces/errors", "Te1/1"].state is OK
    assert judged(many, before)["interfaces/errors", "Te1/1"].state is CRITICAL


def test_levels_of_ports_and_host_can_be_set_for_an_snmp_check() -> None:
    assert set(interfaces.Limits.__struct_fields__) <= set(snmp.Limits.__struct_fields__)
    assert set(host.Limits.__struct_fields__) <= set(snmp.Limits.__struct_fields__)
    strict = msgspec.structs.replace(snmp.Limits(), errors=msgspec.structs.replace(interfaces.ERRORS, warning=1e-6, critical=1e-5))
    sample = device((port(in_errors=10**6, in_error_ratio=1e-4),))
    assert judged(sample, limits=strict)["interfaces/errors", "Te1/1"].state is CRITICAL
    assert judged(sample)["interfaces/errors", "Te1/1"].state is OK


@pytest.mark.parametrize(
    ("ups", "check", "expected"),
    [
        (UpsSample("normal", "normal", None, 60.0, 1.0, 0.3), "snmp/ups", OK),
        (UpsSample("battery", "normal", 60.0, 60.0, 1.0, 0.3), "snmp/ups", WARNING),
        (UpsSample("battery", "normal", None, 60.0, 1.0, 0.3), "snmp/ups", WARNING),
        (UpsSample("bypass", None, None, None, None, None), "snmp/ups", WARNING),
        (UpsSample("none", None, None, None, None, None), "snmp/ups", CRITICAL),
        (UpsSample("booster", None, None, None, None, None), "snmp/ups", OK),
        (UpsSample("other", None, None, None, None, None), "snmp/ups", UNKNOWN),
        (UpsSample(None, None, None, None, None, None), "snmp/ups", None),
        (UpsSample("battery", None, None, 20.1, None, None), "snmp/ups-minutes", OK),
        (UpsSample("battery", None, None, 20.0, None, None), "snmp/ups-minutes", WARNING),
        (UpsSample("battery", None, None, 8.0, None, None), "snmp/ups-minutes", CRITICAL),
        (UpsSample("normal", None, None, 0.0, None, None), "snmp/ups-minutes", OK),
        (UpsSample("battery", None, None, -1.0, None, None), "snmp/ups-minutes", None),
        (UpsSample("battery", None, None, None, 0.51, None), "snmp/ups-charge", OK),
        (UpsSample("battery", None, None, None, 0.50, None), "snmp/ups-charge", WARNING),
        (UpsSample("battery", None, None, None, 0.20, None), "snmp/ups-charge", CRITICAL),
        (UpsSample("normal", None, None, None, 0.05, None), "snmp/ups-charge", OK),
        (UpsSample("normal", "low", None, None, None, None), "snmp/ups-battery", WARNING),
        (UpsSample("battery", "low", None, None, None, None), "snmp/ups-battery", CRITICAL),
        (UpsSample("normal", "depleted", None, None, None, None), "snmp/ups-battery", CRITICAL),
        (UpsSample("normal", "replace", None, None, None, None), "snmp/ups-battery", WARNING),
        (UpsSample("normal", "unknown", None, None, None, None), "snmp/ups-battery", UNKNOWN),
        (UpsSample("normal", None, None, None, None, 0.79), "snmp/ups-load", OK),
        (UpsSample("normal", None, None, None, None, 0.80), "snmp/ups-load", WARNING),
        (UpsSample("normal", None, None, None, None, 1.0), "snmp/ups-load", CRITICAL),
        (UpsSample("normal", None, None, None, None, 655.35), "snmp/ups-load", None),
    ],
)
def test_ups(ups: UpsSample, check: str, expected: State | None) -> None:
    assert state(check, ups=ups) is expected


def test_parts_of_one_name_are_told_apart() -> None:
    found = judged(device(processors=(ProcessorSample("cpu", 0.1), ProcessorSample("cpu", 0.95))))
    assert found["snmp/cpu", "cpu"].state is OK
    assert found["snmp/cpu", "cpu #2"].state is WARNING


def test_every_level_has_unit_and_source() -> None:
    for levels in msgspec.structs.astuple(snmp.Limits()):
        assert levels.unit
        assert levels.source
    assert catalogue.load("snmp") is snmp


def test_device_without_ports_has_no_finding_about_ports() -> None:
    assert not [
        check for check, _ in judged(msgspec.structs.replace(DEVICE, interfaces=InterfacesSample(()))) if check.startswith("interfaces/")
    ]
