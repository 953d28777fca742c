"""Does one host, and only one, answer for an address on the local segment, and is it the one that did before?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State, Value
from probe.observation.arp import ArpSample
from probe.observation.failure import Failure
from probe.observation.observation import Observation

CHANGE = Levels(
    900.0,
    None,
    "s",
    "our choice: a new holder of an address is told for a quarter of an hour; most are exchanged devices or fail-overs",
    low=True,
)
CLAIMED_S = 60.0  # RFC 5227 2.4: a host that meets a rival defends its address once and gives it up at the next claim within 10 s


class Limits(msgspec.Struct, frozen=True):
    """What can be set for an `arp` check."""

    change: Levels = CHANGE


CHECKS = (Check("arp/answer"), Check("arp/duplicate"), Check("arp/change", CHANGE))


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one look: does anyone answer (`arp/answer`), only one (`arp/duplicate`), and the same as before (`arp/change`)?"""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("arp/answer", seen, why)
        case ArpSample() as look:
            yield _answer(seen, look)
            yield _duplicate(seen, look)
            yield _change(seen, look, limits.change)


def _answer(seen: Observation, look: ArpSample) -> Finding:
    if look.ours is not None:
        return Finding("arp/answer", seen, State.OK, Message("arp.ours", {"mac": look.ours}))
    if not look.answering:
        return Finding("arp/answer", seen, State.CRITICAL, Message("arp.silent", {"sent": look.sent, "interface": look.interface}))
    return Finding("arp/answer", seen, State.OK, Message("arp.answer", {"mac": look.answering[0].mac}))


def _duplicate(seen: Observation, look: ArpSample) -> Finding:
    def found(state: State, id: str, **values: Value) -> Finding:
        return Finding("arp/duplicate", seen, state, Message(id, values))

    macs = [holder.mac for holder in look.answering]
    strange = [mac for mac in macs if mac not in look.expected]
    if look.ours is not None and strange:
        return found(State.CRITICAL, "arp.duplicate", macs=", ".join([look.ours, *strange]))
    if look.expected and strange:
        return found(State.CRITICAL, "arp.strange", macs=", ".join(strange), expected=", ".join(look.expected))
    if not look.expected and len(macs) > 1:
        return found(State.CRITICAL, "arp.duplicate", macs=", ".join(macs))
    known = {*macs, *look.expected, look.before, look.ours or ""}
    rivals = [holder.mac for holder in look.holders if holder.mac not in known and holder.claimed_s <= CLAIMED_S]
    if rivals and (macs or look.ours is not None):
        return found(State.WARNING, "arp.claimed", mac=rivals[0])
    if not macs and look.ours is None:
        return found(State.UNKNOWN, "arp.nobody")
    return found(State.OK, "arp.single")


def _change(seen: Observation, look: ArpSample, levels: Levels) -> Finding:
    if not look.answering:
        state = State.OK if look.ours is not None else State.UNKNOWN
        return Finding("arp/change", seen, state, Message("arp.single" if look.ours is not None else "arp.nobody"), levels)
    if look.changed_s is None:
        return Finding("arp/change", seen, State.OK, Message("arp.steady", {"age": look.watched_s}), levels)
    old, new = look.before, look.answering[0].mac
    text = Message("arp.changed", {"age": look.changed_s, "old": old, "new": new})
    if {old, new} <= set(look.expected):  # a fail-over of a pair that the plan knows
        return Finding("arp/change", seen, State.OK, text, levels)
    return Finding("arp/change", seen, levels.judge(look.changed_s), text, levels, value=look.changed_s)
