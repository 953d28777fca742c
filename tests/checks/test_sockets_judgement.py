from datetime import UTC, datetime

import msgspec
import pytest

from checks import sockets
from checks.finding import Finding, State
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation, Outcome
from probe.observation.sockets import SocketsSample

AT = datetime(2026, 1, 1, tzinfo=UTC)
OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN

QUIET = SocketsSample(
    states={"ESTABLISHED": 10, "LISTEN": 3},
    tcp_in_use=13,
    udp_in_use=2,
    orphans=0,
    time_wait=0,
    memory_pages=1,
    listen_overflows_since=0,
    listen_drops_since=0,
    out_segments_since=1000,
    retransmitted_since=1,
    udp_receive_errors_since=0,
    ephemeral_in_use=10,
    ephemeral_ports=1000,
    conntrack_count=5,
    conntrack_max=1000,
    conntrack_drops_since=0,
    over_s=60.0,
    orphans_max=100,
    memory_pages_max=1000,
)


def saw(outcome: Outcome) -> Observation:
    return Observation("agent", "here", "sockets", AT, 1.0, outcome)


def judged(**changes: object) -> dict[str, Finding]:
    found = list(sockets.judge(saw(msgspec.structs.replace(QUIET, **changes)), None, sockets.Limits()))
    assert len({one.key for one in found}) == len(found)
    return {one.check: one for one in found}


def test_quiet_machine_is_ok_in_every_check() -> None:
    found = judged()
    assert {one.state for one in found.values()} == {OK}
    assert set(found) == {check.name for check in sockets.CHECKS}


@pytest.mark.parametrize(
    ("check", "changes", "expected"),
    [
        ("retransmission", {"retransmitted_since": 29}, OK),
        ("retransmission", {"retransmitted_since": 30}, WARNING),
        ("retransmission", {"retransmitted_since": 100}, CRITICAL),
        ("retransmission", {"out_segments_since": 199, "retransmitted_since": 199}, OK),
        ("retransmission", {"out_segments_since": 200, "retransmitted_since": 199}, CRITICAL),
        ("retransmission", {"out_segments_since": 0, "retransmitted_since": 0}, None),
        ("retransmission", {"retransmitted_since": None}, None),
        ("listen", {"listen_drops_since": 1}, WARNING),
        ("listen", {"listen_overflows_since": 1}, WARNING),
        ("listen", {"listen_overflows_since": 99, "listen_drops_since": 99}, WARNING),
        ("listen", {"listen_overflows_since": 100, "listen_drops_since": 100}, CRITICAL),
        ("listen", {"listen_overflows_since": None, "listen_drops_since": None}, None),
        ("udp-receive", {"udp_receive_errors_since": 59}, OK),
        ("udp-receive", {"udp_receive_errors_since": 60}, WARNING),
        ("udp-receive", {"udp_receive_errors_since": 3000}, CRITICAL),
        ("udp-receive", {"udp_receive_errors_since": None}, None),
        ("ephemeral", {"ephemeral_in_use": 799}, OK),
        ("ephemeral", {"ephemeral_in_use": 800}, WARNING),
        ("ephemeral", {"ephemeral_in_use": 950}, CRITICAL),
        ("ephemeral", {"ephemeral_in_use": 999, "busiest_ports": 300, "busiest_destination": "192.0.2.1:443"}, OK),
        ("ephemeral", {"ephemeral_in_use": 999, "busiest_ports": 800, "busiest_destination": "192.0.2.1:443"}, WARNING),
        ("ephemeral", {"ephemeral_in_use": None}, None),
        ("ephemeral", {"ephemeral_ports": None}, None),
        ("conntrack", {"conntrack_count": 799}, OK),
        ("conntrack", {"conntrack_count": 800}, WARNING),
        ("conntrack", {"conntrack_count": 950}, CRITICAL),
        ("conntrack", {"conntrack_count": None, "conntrack_max": None}, None),
        ("conntrack-drops", {"conntrack_drops_since": 1}, CRITICAL),
        ("conntrack-drops", {"conntrack_drops_since": None}, None),
        ("orphans", {"orphans": 49}, OK),
        ("orphans", {"orphans": 50}, WARNING),
        ("orphans", {"orphans": 90}, CRITICAL),
        ("orphans", {"orphans_max": None}, None),
        ("memory", {"memory_pages": 799}, OK),
        ("memory", {"memory_pages": 800}, WARNING),
        ("memory", {"memory_pages": 950}, CRITICAL),
        ("memory", {"memory_pages": None}, None),
    ],
)
def test_limits(check: str, changes: dict[str, object], expected: State | None) -> None:
    found = judged(**changes).get(f"sockets/{check}")
    assert (found.state if found else None) is expected


def test_destination_that_runs_short_is_named() -> None:
    found = judged(busiest_ports=900, busiest_destination="192.0.2.1:443")["sockets/ephemeral"]
    assert found.message.values["destination"] == "192.0.2.1:443"
    assert found.full_at == 1.0


@pytest.mark.parametrize(
    ("part", "check"), [("counters", "retransmission"), ("table", "ephemeral"), ("usage", "orphans"), ("conntrack", "conntrack")]
)
def test_part_that_is_missing_is_unknown_with_its_reason(part: str, check: str) -> None:
    empty = dict.fromkeys(("ephemeral_in_use", "out_segments_since", "conntrack_count", "orphans"))
    found = judged(missing={part: "denied"}, **empty)[f"sockets/{check}"]
    assert (found.state, found.message.values) == (UNKNOWN, {"part": part, "reason": "denied"})


def test_failure_of_ours_is_unknown() -> None:
    (found,) = sockets.judge(saw(Failure(Kind.DENIED)), None, sockets.Limits())
    assert (found.check, found.state) == ("sockets/listen", UNKNOWN)


def test_every_level_has_unit_and_source() -> None:
    for levels in msgspec.structs.astuple(sockets.Limits()):
        assert levels.unit
        assert levels.source
