"""What is made of one exchange with a database."""

from datetime import UTC, datetime

import msgspec
import pytest

from checks.database import CHECKS, REFUSALS, Limits, judge
from checks.finding import Finding, State
from probe.observation.database import DatabaseSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN
GREETING = DatabaseSample("postgresql", "192.0.2.1", 5432, "greeting", None, 0.2, 5.0)
QUERY = DatabaseSample("mariadb", "192.0.2.1", 3306, "query", "10.11.6-MariaDB", 0.2, 5.0, 1.0, None, 10, 100)


def judged(outcome) -> dict[str, Finding]:
    seen = Observation("here", "db-1", "postgresql", datetime(2026, 1, 1, tzinfo=UTC), 1.0, outcome)
    return {finding.check: finding for finding in judge(seen, None, Limits())}


def changed(sample: DatabaseSample, **fields) -> DatabaseSample:
    return msgspec.structs.replace(sample, **fields)


@pytest.mark.parametrize(
    ("ready_ms", "state"), [(5.0, OK), (999.9, OK), (1000.0, WARNING), (2999.9, WARNING), (3000.0, CRITICAL), (60000.0, CRITICAL)]
)
def test_time_until_ready_is_judged_and_has_a_season(ready_ms, state) -> None:
    found = judged(changed(GREETING, ready_ms=ready_ms))["database/ready-time"]
    assert (found.state, found.value, found.seasonal) == (state, ready_ms, True)


@pytest.mark.parametrize(
    ("connections", "most", "state"),
    [(0, 100, OK), (79, 100, OK), (80, 100, WARNING), (94, 100, WARNING), (95, 100, CRITICAL), (103, 100, CRITICAL)],
)
def test_share_of_connections_is_judged(connections, most, state) -> None:
    found = judged(changed(QUERY, connections=connections, max_connections=most))["database/connections"]
    assert (found.state, found.value, found.full_at) == (state, connections / most, 1.0)


@pytest.mark.parametrize(("connections", "most"), [(None, 100), (5, None), (5, 0), (5, -3)])
def test_connections_without_a_limit_are_unknown_not_zero(connections, most) -> None:
    found = judged(changed(QUERY, connections=connections, max_connections=most))["database/connections"]
    assert (found.state, found.value) == (UNKNOWN, None)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (GREETING, "database.greeting"),
        (changed(GREETING, stage="authenticated"), "database.authenticated"),
        (QUERY, "database.query"),
        (changed(QUERY, in_recovery=False), "database.query"),
        (changed(QUERY, in_recovery=True), "database.standby"),
    ],
)
def test_answer_says_how_far_it_went(sample, message) -> None:
    found = judged(sample)
    assert (found["database/answer"].state, found["database/answer"].message.id) == (OK, message)
    assert ("database/connections" in found) is (sample.stage == "query")


@pytest.mark.parametrize(
    ("detail", "message"),
    [
        ("53300 sorry, too many clients already", "database.full"),
        ("1040 Too many connections", "database.full"),
        ("57P03 the database system is starting up", "database.not_ready"),
        ("57P01 terminating connection due to administrator command", "database.shutting_down"),
        ("28P01 password authentication failed", "database.login"),
        ("1045 Access denied", "database.login"),
        ("1129 Host 'x' is blocked because of many connection errors", "database.blocked"),
        ("XX000 something else", "failure.rejected"),
        ("does not speak the PostgreSQL protocol", "failure.rejected"),
        ("", "failure.rejected"),
    ],
)
def test_refusal_names_its_cause(detail, message) -> None:
    found = judged(Failure(Kind.REJECTED, detail))
    assert {check: finding.state for check, finding in found.items()} == {"database/answer": CRITICAL}
    assert (found["database/answer"].message.id, found["database/answer"].message.values) == (message, {"detail": detail})


@pytest.mark.parametrize(
    ("kind", "state"),
    [(Kind.TIMEOUT, CRITICAL), (Kind.REFUSED, CRITICAL), (Kind.UNREACHABLE, CRITICAL), (Kind.DENIED, UNKNOWN), (Kind.RESOLVER, UNKNOWN)],
)
def test_no_answer_is_critical_unless_it_is_ours(kind, state) -> None:
    found = judged(Failure(kind, "53300 is not what this says"))["database/answer"]
    assert (found.state, found.message.id) == (state, f"failure.{kind}")


def test_every_finding_is_announced_and_every_level_has_a_source() -> None:
    names = {check.name for check in CHECKS}
    assert set(judged(QUERY)) == names
    assert all(check.levels.source for check in CHECKS if check.levels)
    assert all(code.isalnum() for code in REFUSALS)
