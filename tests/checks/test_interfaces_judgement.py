from datetime import UTC, datetime

import msgspec
import pytest

from checks import interfaces
from checks.finding import Finding, State
from probe.observation.failure import Failure, Kind
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Observation, Outcome

AT = datetime(2026, 1, 1, tzinfo=UTC)
OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN

WAS = InterfaceSample("eth0", 2, "ethernet", True, True, True, 1500, 10**9, "full", ("192.0.2.1/24",), 2, *[0] * 8, expected=True)
PORT = msgspec.structs.replace(
    WAS,
    in_bps=1e6,
    out_bps=1e6,
    in_error_ratio=0.0,
    out_error_ratio=0.0,
    in_discard_ratio=0.0,
    out_discard_ratio=None,
    carrier_changes_since=0,
    in_errors=1000,
    in_discards=6000,
)


def saw(outcome: Outcome) -> Observation:
    return Observation("agent", "here", "interfaces", AT, 1.0, outcome)


def judged(*ports: InterfaceSample, before: InterfaceSample | None = WAS, gone: tuple[str, ...] = ()) -> dict[tuple[str, str], Finding]:
    earlier = saw(InterfacesSample((before,))) if before else None
    found = list(interfaces.judge(saw(InterfacesSample(ports, 60.0, gone)), earlier, interfaces.Limits()))
    assert len({one.key for one in found}) == len(found)
    return {(one.check, one.item): one for one in found}


def state(check: str, before: InterfaceSample | None = WAS, **changes: object) -> State | None:
    found = judged(msgspec.structs.replace(PORT, **changes), before=before).get((check, "eth0"))
    return found.state if found else None


def test_sound_interface_is_ok_in_every_check() -> None:
    found = judged(PORT)
    assert {one.state for one in found.values()} == {OK}
    assert {check for check, _ in found} == {check.name for check in interfaces.CHECKS}


@pytest.mark.parametrize(
    ("changes", "expected", "text"),
    [
        ({}, OK, "interfaces.up"),
        ({"oper_up": False, "carrier": False}, CRITICAL, "interfaces.no-carrier"),
        ({"oper_up": False}, CRITICAL, "interfaces.down"),
        ({"oper_up": False, "carrier": None}, CRITICAL, "interfaces.down"),
        ({"oper_up": False, "carrier": None, "admin_up": False}, CRITICAL, "interfaces.admin-down"),
        ({"oper_up": False, "carrier": None, "oper": "lowerLayerDown"}, CRITICAL, "interfaces.down"),
        ({"oper_up": False, "carrier": None, "oper": "unknown"}, UNKNOWN, "interfaces.oper-unknown"),
    ],
)
def test_expected_interface_that_is_down_is_critical(changes: dict[str, object], expected: State, text: str) -> None:
    found = judged(msgspec.structs.replace(PORT, **changes))["interfaces/oper", "eth0"]
    assert (found.state, found.message.id) == (expected, text)


@pytest.mark.parametrize("counter", ["in_errors", "out_errors", "in_discards", "out_discards"])
def test_counter_that_the_device_does_not_have_is_no_fault(counter: str) -> None:
    bare: dict[str, object] = {counter: None, f"{counter.removesuffix('s')}_ratio": None}
    found = judged(msgspec.structs.replace(PORT, **bare), before=msgspec.structs.replace(WAS, **bare))
    assert {one.state for one in found.values()} == {OK}
    assert judged(msgspec.structs.replace(PORT, **bare))["interfaces/errors", "eth0"].state is OK


def test_interface_that_is_not_expected_may_be_down() -> None:
    assert state("interfaces/oper", expected=False, oper_up=False, carrier=False) is None


def test_named_interface_that_vanished_is_critical_and_an_unnamed_one_nothing() -> None:
    assert judged(gone=("eth0",))["interfaces/oper", "eth0"].state is CRITICAL
    assert judged() == {}


def test_container_ports_are_not_judged_and_idle_real_ones_are() -> None:
    assert judged(msgspec.structs.replace(PORT, expected=False, kind="virtual")) == {}
    assert ("interfaces/errors", "eth0") in judged(msgspec.structs.replace(PORT, expected=False))
    assert judged(msgspec.structs.replace(PORT, expected=False, admin_up=False)) == {}


@pytest.mark.parametrize(("ratio", "expected"), [(0.00099, OK), (0.001, WARNING), (0.0099, WARNING), (0.01, CRITICAL), (None, OK)])
@pytest.mark.parametrize("side", ["in_error_ratio", "out_error_ratio"])
def test_error_limits_of_the_worse_direction(side: str, ratio: float | None, expected: State) -> None:
    assert state("interfaces/errors", **{side: ratio}) is expected


@pytest.mark.parametrize(("errors", "expected"), [(4, OK), (5, CRITICAL)])
def test_a_few_errors_are_no_ratio(errors: int, expected: State) -> None:
    assert state("interfaces/errors", in_error_ratio=0.5, in_errors=errors) is expected


@pytest.mark.parametrize(("ratio", "expected"), [(0.0099, OK), (0.01, WARNING), (0.05, CRITICAL)])
def test_discard_limits(ratio: float, expected: State) -> None:
    assert state("interfaces/discards", in_discard_ratio=ratio) is expected


@pytest.mark.parametrize(("discards", "expected"), [(599, OK), (600, CRITICAL)])
def test_frames_of_unknown_protocols_on_a_quiet_interface_are_no_fault(discards: int, expected: State) -> None:
    assert state("interfaces/discards", in_discard_ratio=0.5, in_discards=discards) is expected


@pytest.mark.parametrize(
    ("rate", "speed", "expected"),
    [(0.79e9, 10**9, OK), (0.8e9, 10**9, WARNING), (0.95e9, 10**9, CRITICAL), (1e9, None, None), (None, 10**9, None)],
)
@pytest.mark.parametrize("side", ["in_bps", "out_bps"])
def test_utilisation_is_of_the_fuller_direction_and_seasonal(
    side: str, rate: float | None, speed: int | None, expected: State | None
) -> None:
    port = msgspec.structs.replace(PORT, **{"in_bps": None, "out_bps": None, "speed_bps": speed, side: rate})
    found = judged(port).get(("interfaces/utilisation", "eth0"))
    assert (found.state if found else None) is expected
    assert found is None or found.seasonal


@pytest.mark.parametrize(
    ("duplex", "speed", "expected"),
    [
        ("full", 10**9, OK),
        ("half", 10**7, OK),
        ("half", 10**8, WARNING),
        ("half", 10**9, WARNING),
        (None, 10**9, None),
        ("half", None, None),
    ],
)
def test_half_duplex_is_a_warning_from_100_megabits(duplex: str | None, speed: int | None, expected: State | None) -> None:
    assert state("interfaces/duplex", duplex=duplex, speed_bps=speed) is expected


@pytest.mark.parametrize(("changes", "expected"), [(0, OK), (1, OK), (2, WARNING), (10, CRITICAL), (None, None)])
def test_flap_limits(changes: int | None, expected: State | None) -> None:
    assert state("interfaces/flaps", carrier_changes_since=changes) is expected


def test_first_look_says_only_whether_it_is_up() -> None:
    assert {check for check, _ in judged(WAS, before=None)} == {"interfaces/oper", "interfaces/duplex"}


def test_failure_of_ours_is_unknown() -> None:
    (found,) = interfaces.judge(saw(Failure(Kind.DENIED)), None, interfaces.Limits())
    assert (found.check, found.state) == ("interfaces/oper", UNKNOWN)


def test_every_level_has_unit_and_source() -> None:
    for levels in msgspec.structs.astuple(interfaces.Limits()):
        assert levels.unit
        assert levels.source


@pytest.mark.parametrize(
    ("changes", "texts"),
    [
        ({}, {"interfaces.utilisation", "interfaces.duplex-full", "interfaces.flaps"}),
        ({"oper_up": False, "in_bps": 0.0, "out_bps": 0.0}, {"interfaces.lies-down", "interfaces.flaps-down"}),
        ({"oper_up": False}, {"interfaces.utilisation", "interfaces.lies-down", "interfaces.flaps-down"}),  # it fell within the period
        ({"oper_up": False, "oper": "unknown"}, {"interfaces.utilisation", "interfaces.duplex-full", "interfaces.flaps"}),
    ],
)
def test_a_port_that_is_down_is_not_said_to_run(changes: dict[str, object], texts: set[str]) -> None:
    found = judged(msgspec.structs.replace(PORT, expected=False, **changes))
    asked = ("interfaces/utilisation", "interfaces/duplex", "interfaces/flaps")
    assert {found[check, "eth0"].message.id for check in asked} == texts
    assert {found[check, "eth0"].state for check in asked} == {OK}


def test_a_port_that_goes_down_is_asked_the_same_and_a_sound_one_stays_good() -> None:
    up = msgspec.structs.replace(PORT, expected=False)
    gone: dict[str, object] = {f"{way}_{kind}_ratio": None for way in ("in", "out") for kind in ("error", "discard")}
    off = msgspec.structs.replace(up, oper_up=False, oper="down", speed_bps=None, duplex=None, in_bps=0.0, out_bps=0.0, **gone)
    other = msgspec.structs.replace(up, name="eth1")
    before, after = judged(up, other), judged(off, other, before=up)
    assert before.keys() == after.keys()
    assert {found.state for found in after.values()} == {OK}
    assert {after[check, "eth0"].message.id for check in ("interfaces/errors", "interfaces/utilisation", "interfaces/duplex")} == {
        "interfaces.lies-down"
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, True),
        ({"in_packets": None, "out_packets": None}, False),  # no packets are counted: of what would it be a share?
        ({"in_errors": None, "out_errors": None}, False),
        ({"in_bps": None, "out_bps": None}, False),  # the first look, or a reset
        ({"in_packets": 7}, False),
    ],
)
def test_no_frame_at_all_is_no_missing_share(changes: dict[str, object], told: bool) -> None:
    idle = msgspec.structs.replace(PORT, in_error_ratio=None, out_error_ratio=None, in_packets=5, out_packets=5, in_bps=0.0)
    now = msgspec.structs.replace(idle, **changes)
    before = idle if "in_packets" in changes and changes["in_packets"] == 7 else now
    found = judged(now, before=before).get(("interfaces/errors", "eth0"))
    assert (found.message.id if found else None) == ("interfaces.no-frames" if told else None)
