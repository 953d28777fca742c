"""Does the web server answer as it should, and how soon?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from probe.observation.failure import Failure
from probe.observation.http import HttpSample
from probe.observation.observation import Observation

TIME = Levels(800.0, 1800.0, "ms", "web.dev, Time to First Byte: good up to 0.8 s, poor beyond 1.8 s, connecting included")


class Limits(msgspec.Struct, frozen=True):
    """What can be set for an `http` check."""

    time: Levels = TIME


CHECKS = (Check("http/status"), Check("http/body"), Check("http/time", TIME))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one exchange; a failed one is `http/status`. The body is judged when a pattern was asked for.

    The time judged is that to the first byte, connecting included: the rest depends on how much there is to send.
    """
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("http/status", seen, why)
        case HttpSample() as got:
            yield _status(seen, got)
            if got.body_matches is not None:
                yield _body(seen, got)
            took = got.total_ms - got.transfer_ms
            text = Message("http.time", {"ms": took, "total_ms": got.total_ms})
            yield Finding("http/time", seen, limits.time.judge(took), text, limits.time, value=took, seasonal=True)


def _status(seen: Observation, got: HttpSample) -> Finding:
    answer = f"{got.status} {got.reason}".rstrip()
    if got.status_expected is False:
        return Finding("http/status", seen, State.CRITICAL, Message("http.status-wrong", {"answer": answer, "expected": got.expected}))
    return Finding("http/status", seen, State.OK, Message("http.status", {"answer": answer}))


def _body(seen: Observation, got: HttpSample) -> Finding:
    if got.body_matches:
        return Finding("http/body", seen, State.OK, Message("http.body", {"octets": got.body_bytes}))
    text = Message("http.body-cut" if got.truncated else "http.body-wrong", {"octets": got.body_bytes})
    return Finding("http/body", seen, State.CRITICAL, text)
