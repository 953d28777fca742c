"""How a measurement without a sample is judged: theirs is critical, ours is unknown."""

from checks.finding import Finding, Message, State
from probe.observation.failure import Failure
from probe.observation.observation import Observation


def judge_failure(check: str, seen: Observation, why: Failure) -> Finding:
    """Return the finding of `check` for a failure: message `failure.<kind>`, critical unless it is ours."""
    state = State.UNKNOWN if why.ours else State.CRITICAL
    return Finding(check, seen, state, Message(f"failure.{why.kind}", {"detail": why.detail}))
