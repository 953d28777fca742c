"""Does the database let a client in, how soon, and how much room is left? For PostgreSQL and MySQL alike."""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from probe.observation.database import DatabaseSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation

READY = Levels(1000.0, 3000.0, "ms", "our choice: a login takes milliseconds; from 1 s on, a SYN, a fork or the disk had to wait")
CONNECTIONS = Levels(0.8, 0.95, "ratio", "our choice; at 1 the next client is refused (PostgreSQL 53300, MySQL 1040)")

# The refusals that tell their own cause: SQLSTATE (PostgreSQL manual, appendix A) or error number (MySQL server error reference)
REFUSALS = {
    "53300": "database.full",
    "1040": "database.full",
    "57P03": "database.not_ready",
    "57P01": "database.shutting_down",
    "57P02": "database.shutting_down",
    "1053": "database.shutting_down",
    "28000": "database.login",
    "28P01": "database.login",
    "1045": "database.login",
    "1698": "database.login",
    "1044": "database.login",
    "1129": "database.blocked",
    "1130": "database.host_not_allowed",
}
STAGES = {"greeting": "database.greeting", "authenticated": "database.authenticated", "query": "database.query"}


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `postgresql` or `mysql` check."""

    ready: Levels = READY
    connections: Levels = CONNECTIONS


CHECKS = (Check("database/answer"), Check("database/ready-time", READY), Check("database/connections", CONNECTIONS))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one exchange: how far it came (`database/answer`), how soon (`database/ready-time`), what room is left (`…/connections`)."""
    match seen.outcome:
        case Failure() as why:
            yield _refusal(seen, why)
        case DatabaseSample() as sample:
            yield Finding("database/answer", seen, State.OK, _answer(sample))
            yield Finding(
                "database/ready-time",
                seen,
                limits.ready.judge(sample.ready_ms),
                Message("database.ready", {"ms": sample.ready_ms}),
                limits.ready,
                value=sample.ready_ms,
                seasonal=True,
            )
            if sample.stage == "query":
                yield _connections(seen, sample, limits.connections)


def _refusal(seen: Observation, why: Failure) -> Finding:
    message = REFUSALS.get(why.detail.partition(" ")[0]) if why.kind is Kind.REJECTED else None
    if message is None:
        return judge_failure("database/answer", seen, why)
    return Finding("database/answer", seen, State.CRITICAL, Message(message, {"detail": why.detail}))


def _answer(sample: DatabaseSample) -> Message:
    if sample.in_recovery:
        return Message("database.standby", {"engine": sample.engine})
    return Message(STAGES.get(sample.stage, "database.greeting"), {"engine": sample.engine})


def _connections(seen: Observation, sample: DatabaseSample, levels: Levels) -> Finding:
    if sample.connections is None or not sample.max_connections or sample.max_connections < 0:
        return Finding("database/connections", seen, State.UNKNOWN, Message("database.connections.unknown"))
    ratio = sample.connections / sample.max_connections
    message = Message("database.connections", {"connections": sample.connections, "most": sample.max_connections, "ratio": ratio})
    return Finding("database/connections", seen, levels.judge(ratio), message, levels, value=ratio, full_at=1.0)
