"""Does the time server answer, does it serve time, and how far is its clock from ours?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State, Value
from probe.observation.failure import Failure
from probe.observation.ntp import NtpSample
from probe.observation.observation import Observation

OFFSET = Levels(
    128.0,
    1000.0,
    "ms",
    "RFC 5905 appendix A, STEPT: beyond 0.128 s a client no longer slews its clock but steps it; 1 s is our choice: call records count"
    " whole seconds (Kerberos, RFC 4120, bears 5 min)",
)
UNSYNCHRONISED = 16  # the stratum; 17 … 255 are reserved (RFC 5905 7.3)
NEVER_SET = 3  # the leap indicator "unknown"
ASKED_TOO_OFTEN = "RATE"
NOT_YET = frozenset({"INIT", "STEP"})  # kisses of a server that is still finding its time


class Limits(msgspec.Struct, frozen=True):
    """What can be set for an `ntp` check."""

    offset: Levels = OFFSET


CHECKS = (Check("ntp/answer"), Check("ntp/stratum"), Check("ntp/offset", OFFSET))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one exchange: does it answer (`ntp/answer`), serve time (`ntp/stratum`), and agree with our clock (`ntp/offset`)?"""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("ntp/answer", seen, why)
        case NtpSample() as sample:
            yield Finding("ntp/answer", seen, State.OK, Message("ntp.answer"))
            yield (stratum := _stratum(seen, sample))
            yield _offset(seen, sample, limits.offset, serves=stratum.state is State.OK)


def _stratum(seen: Observation, sample: NtpSample) -> Finding:
    def found(state: State, message: str, **values: Value) -> Finding:
        return Finding("ntp/stratum", seen, state, Message(message, values))

    if sample.stratum == 0 and sample.reference_id == ASKED_TOO_OFTEN:
        return found(State.UNKNOWN, "ntp.kiss.rate")
    if sample.stratum == 0 and sample.reference_id not in NOT_YET:
        return found(State.CRITICAL, "ntp.kiss", code=sample.reference_id)
    if sample.stratum == 0 or sample.stratum >= UNSYNCHRONISED or sample.leap == NEVER_SET:
        return found(State.CRITICAL, "ntp.unsynchronised", stratum=sample.stratum, leap=sample.leap)
    return found(State.OK, "ntp.stratum", stratum=sample.stratum, reference=sample.reference_id)


def _offset(seen: Observation, sample: NtpSample, levels: Levels, *, serves: bool) -> Finding:
    """Judge by how much the clocks differ at least: half of the round trip may be a slower way there or back."""
    if not serves or sample.offset_ms is None or sample.delay_ms is None:
        return Finding("ntp/offset", seen, State.UNKNOWN, Message("ntp.offset.no_time"))
    error_ms = sample.delay_ms / 2
    least_ms = max(0.0, abs(sample.offset_ms) - error_ms)
    message = Message(
        "ntp.offset.ahead" if sample.offset_ms >= 0 else "ntp.offset.behind", {"ms": abs(sample.offset_ms), "error_ms": error_ms}
    )
    return Finding("ntp/offset", seen, levels.judge(least_ms), message, levels, value=least_ms)
