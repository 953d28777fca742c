"""How large may a packet be on the path, and do larger ones disappear without a word?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.observation.pmtu import PmtuSample

MTU = Levels(
    1279.0,
    None,
    "bytes",
    "RFC 8200 5: every link carries at least 1,280 bytes in IPv6; our choice to ask the same of IPv4: less leaves no room for SIP over UDP,"
    " which may use 1,300 (RFC 3261 18.1.1)",
    low=True,
    margin=0.0,
)


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `pmtu` check."""

    mtu: Levels = MTU


CHECKS = (Check("pmtu/mtu", MTU), Check("pmtu/black-hole"))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one search: `pmtu/mtu` always, `pmtu/black-hole` when something came through. Silence is for `icmp` and `path` to judge."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("pmtu/mtu", seen, why)
        case PmtuSample(path_mtu=None) as found:
            yield Finding("pmtu/mtu", seen, State.UNKNOWN, Message("pmtu.silent", {"sent": found.sent}), limits.mtu)
        case PmtuSample(path_mtu=int(mtu)) as found:
            yield _mtu(seen, found, mtu, limits.mtu)
            yield _black_hole(seen, found, mtu)


def _mtu(seen: Observation, found: PmtuSample, mtu: int, levels: Levels) -> Finding:
    """Say what the path carries; by the MTU that is expected when one is, else by the levels."""
    if found.expected is not None:
        levels = msgspec.structs.replace(levels, warning=float(found.expected) - 1, source="expected by the configuration of this check")
    state = levels.judge(mtu)
    hops = [told for told in found.told if told.mtu == mtu]
    if state is not State.OK and found.expected is not None:
        message = Message("pmtu.below", {"mtu": mtu, "expected": found.expected})
    elif hops:
        message = Message("pmtu.told", {"mtu": mtu, "hop": hops[0].hop})
    else:
        message = Message("pmtu.mtu", {"mtu": mtu})
    return Finding("pmtu/mtu", seen, state, message, levels, value=float(mtu))


def _black_hole(seen: Observation, found: PmtuSample, mtu: int) -> Finding:
    if found.vanishes_from is None:
        return Finding("pmtu/black-hole", seen, State.OK, Message("pmtu.honest"))
    if found.vanishes_after:
        message = Message("pmtu.vanishes.after", {"mtu": mtu, "hop": found.vanishes_after})
    else:
        message = Message("pmtu.vanishes", {"mtu": mtu})
    return Finding("pmtu/black-hole", seen, State.CRITICAL, message)
