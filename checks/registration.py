"""Is a number registered, and if not: is it expired, unknown, or is the password wrong?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Message, State
from checks.sip import meaning, words
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.observation.sip import RegistrationSample


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `registration` check: nothing."""


CHECKS = (Check("registration/state"),)


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge what a registrar knows of one number."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("registration/state", seen, why)
        case RegistrationSample() as got:
            yield Finding("registration/state", seen, *state_of(got))


def state_of(got: RegistrationSample) -> tuple[State, Message]:
    """Return whether a number is registered, by the registrar's answer.

    A registrar that wants a password and was given none shows nothing: unknown. One that refuses the password given is the account's fault.
    """
    code = got.answer.code
    if code is not None and 200 <= code < 300:
        return _bound(got)
    if code in {401, 407}:
        if not got.authenticated:
            return State.UNKNOWN, Message("registration.no-password", {"answer": words(got.answer)})
        return State.CRITICAL, Message("registration.wrong-password", {"answer": words(got.answer)})
    if code in {404, 410, 604}:
        return State.CRITICAL, Message("registration.unknown", {"answer": words(got.answer)})
    if code == 403:
        return State.CRITICAL, Message("registration.forbidden", {"answer": words(got.answer)})
    state, text = meaning(got.answer)
    if state is not State.OK:
        return state, text
    return State.UNKNOWN, Message("registration.not-told", {"answer": words(got.answer)})


def _bound(got: RegistrationSample) -> tuple[State, Message]:
    if not got.bindings:
        return State.CRITICAL, Message("registration.none", {"aor": got.aor})
    where = ", ".join(dict.fromkeys(one.contact for one in got.bindings[:3])) + (" …" if len(got.bindings) > 3 else "")
    left = [one.expires_s for one in got.bindings if one.expires_s is not None]
    if not left:
        return State.OK, Message("registration.bound", {"where": where})
    return State.OK, Message("registration.bound-for", {"where": where, "seconds": max(left)})
