"""Does the SIP server answer, what does its answer mean, and how soon does it come?

Any final answer proves that a SIP stack lives and can be reached. What it says of itself is another matter: 503 is "out of service or
overloaded" (RFC 3261 21.5.4), 408 comes from a proxy whose next hop is silent, 404 only says that nobody of that name is here: no fault
of the server, but one where that very user was asked for.
"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.observation.sip import SipSample

TIME = Levels(500.0, 4000.0, "ms", "RFC 3261 17.1.2.2: a client sends again after T1, 500 ms, and waits T2, 4 s, at most between two tries")


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `sip` check."""

    time: Levels = TIME


CHECKS = (Check("sip/answer"), Check("sip/time", TIME))

_OK, _WARNING, _CRITICAL = State.OK, State.WARNING, State.CRITICAL


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one OPTIONS: `sip/answer` says what the answer means, `sip/time` how long it took."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("sip/answer", seen, why)
        case SipSample() as got:
            yield Finding("sip/answer", seen, *meaning(got))
            if got.answer_ms is not None:
                yield _time(seen, got.answer_ms, got.repeats, limits.time)


def _time(seen: Observation, took: float, repeats: int, levels: Levels) -> Finding:
    text = Message("sip.time-repeated", {"ms": took, "n": repeats}) if repeats else Message("sip.time", {"ms": took})
    return Finding("sip/time", seen, levels.judge(took), text, levels, value=took, seasonal=True)


def meaning(got: SipSample) -> tuple[State, Message]:
    """Return what one answer says of whoever gave it."""
    if got.code is None:
        return _CRITICAL, Message("sip.blocked", {"by": got.blocked_by or "?", "text": got.blocked})
    said = words(got)
    if got.code == 503 and got.retry_after_s is not None:
        return _CRITICAL, Message("sip.unavailable-until", {"answer": said, "seconds": got.retry_after_s})
    if got.user and got.code in _NOBODY:
        return _WARNING, Message("sip.no-such-user", {"user": got.user, "answer": said})
    state, name = _BY_CODE.get(got.code) or _by_class(got.code)
    return state, Message(name, {"answer": said})


_NOBODY = frozenset({404, 410, 485, 604})  # of the user that was asked for; without one they only say that the server lives

_BY_CODE = {
    400: (_WARNING, "sip.not-understood"),
    403: (_OK, "sip.forbids"),
    408: (_CRITICAL, "sip.behind-silent"),
    480: (_WARNING, "sip.not-there"),
    482: (_CRITICAL, "sip.loop"),
    483: (_CRITICAL, "sip.loop"),
    501: (_OK, "sip.alive"),
    503: (_CRITICAL, "sip.unavailable"),
    504: (_CRITICAL, "sip.behind-silent"),
}


def _by_class(code: int) -> tuple[State, str]:
    if 200 <= code < 300:
        return _OK, "sip.ok"
    return (_CRITICAL, "sip.server-error") if 500 <= code < 600 else (_OK, "sip.alive")


def words(got: SipSample) -> str:
    """Return an answer as a person reads it: code, phrase, and what Reason and Warning add."""
    first = f"{got.code} {got.reason}".strip()
    return "; ".join(one for one in (first, got.cause, got.warning) if one)
