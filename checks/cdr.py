"""What the call records say: are calls answered, do they get through, how long are they, how many at once, and do records come at all?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State, Value
from probe.observation.cdr import CdrGroup, CdrSample
from probe.observation.failure import Failure
from probe.observation.observation import Observation

ASR = Levels(
    0.25,
    0.05,
    "ratio",
    "our choice: traffic differs too much for one limit; its own usual hour says more (ITU-T E.425 defines it)",
    low=True,
)
NER = Levels(
    0.90, 0.70, "ratio", "our choice: what people do is left out of it (ITU-T E.425), so a tenth missing is the network's", low=True
)
ACD = Levels(20.0, None, "s", "our choice: who hears nothing hangs up within seconds; its own usual hour says more", low=True)
PDD = Levels(8.0, 11.0, "s", "ITU-T E.721: post-selection delay of an international call, mean 8 s, 95 % of calls 11 s")
CALLS = Levels(None, None, "calls", "its own usual hour", low=True)
CONCURRENT = Levels(0.80, 0.95, "ratio", "our choice, of the trunk's or licence's limit; at 1.0 the next call is refused")
FRESH = Levels(
    43_200.0,
    None,
    "s",
    "our choice: a night may pass without a call; that fewer end than at this hour is usual, cdr/calls says within its window",
)
REFUSED = Levels(0.01, 0.20, "ratio", "our choice: a line in a hundred that can't be read is another form of record, not chance")

ENOUGH_CALLS = 30  # our choice: below it one call more or less is 3 %
ENOUGH_ANSWERED = 20
ENOUGH_LINES = 100


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `cdr` check."""

    asr: Levels = ASR
    ner: Levels = NER
    acd: Levels = ACD
    pdd: Levels = PDD
    concurrent: Levels = CONCURRENT
    fresh: Levels = FRESH
    refused: Levels = REFUSED


CHECKS = (
    Check("cdr/fresh", FRESH),
    Check("cdr/lines", REFUSED),
    Check("cdr/calls", CALLS),
    Check("cdr/asr", ASR),
    Check("cdr/ner", NER),
    Check("cdr/acd", ACD),
    Check("cdr/pdd", PDD),
    Check("cdr/concurrent", CONCURRENT),
)
PARTS = True


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:
    """Judge the file, then all calls and each trunk, destination and customer that has enough of them."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("cdr/fresh", seen, why)
        case CdrSample() as sample:
            yield _fresh(seen, sample, limits.fresh)
            yield from _lines(seen, sample, before, limits.refused)
            if sample.newest_age_s is None or sample.behind_bytes:  # what was counted so far is not what there was
                return
            for group in sample.groups:
                yield from _ratios(seen, group, limits)
                yield from _concurrent(seen, group, limits.concurrent)


def _item(group: CdrGroup) -> str:
    return f"{group.kind} {group.name}".strip()


def _fresh(seen: Observation, sample: CdrSample, levels: Levels) -> Finding:
    """Say how old the newest record is; nothing new is never good news."""
    age = sample.newest_age_s
    if age is None:
        return Finding("cdr/fresh", seen, State.UNKNOWN, Message("cdr.none"), levels)
    state = levels.judge(age)
    text = Message("cdr.newest", {"age": age})
    if sample.behind_bytes:
        return Finding("cdr/fresh", seen, State.UNKNOWN, Message("cdr.behind", {"size": sample.behind_bytes}), levels)
    if state is State.OK and age > sample.window_s:
        return Finding("cdr/fresh", seen, State.UNKNOWN, Message("cdr.none-new", {"age": age}), levels)
    return Finding("cdr/fresh", seen, state, text, levels, value=age)


def _lines(seen: Observation, sample: CdrSample, before: Observation | None, levels: Levels) -> Iterator[Finding]:
    """Judge how many lines could not be read since the look before, or since the file was opened."""
    lines, refused = sample.lines, sum(sample.refused.values())
    if before is not None and isinstance(before.outcome, CdrSample) and 0 <= before.outcome.lines < lines:
        lines, refused = lines - before.outcome.lines, refused - sum(before.outcome.refused.values())
    if refused <= 0:
        yield Finding("cdr/lines", seen, State.OK, Message("cdr.lines", {"lines": lines}), levels, value=0.0)
        return
    share = refused / lines
    reason = max(sample.refused, key=lambda word: sample.refused[word])
    values: dict[str, Value] = {"refused": refused, "lines": lines}
    few = lines < ENOUGH_LINES and refused < lines
    state = State.OK if few else levels.judge(share)
    yield Finding("cdr/lines", seen, state, Message(f"cdr.refused.{reason}", values), levels, value=share, gated=few)


def _ratios(seen: Observation, group: CdrGroup, limits: Limits) -> Iterator[Finding]:
    item = _item(group)
    if group.kind == "all":
        text = Message("cdr.calls", {"attempts": group.attempts, "answered": group.answered})
        yield Finding("cdr/calls", seen, State.OK, text, CALLS, item, group.attempts, seasonal=True)
    asr, ner, acd = group.asr_ratio, group.ner_ratio, group.acd_s
    if group.attempts >= ENOUGH_CALLS and asr is not None:
        values: dict[str, Value] = {"ratio": asr, "answered": group.answered, "attempts": group.attempts}
        yield Finding("cdr/asr", seen, limits.asr.judge(asr), Message("cdr.asr", values), limits.asr, item, asr, seasonal=True)
        if ner is not None:
            yield Finding("cdr/ner", seen, limits.ner.judge(ner), _ner(group, ner), limits.ner, item, ner, seasonal=True)
    elif group.kind == "all":
        few = Message("cdr.few", {"attempts": group.attempts, "least": ENOUGH_CALLS})
        yield Finding("cdr/asr", seen, State.UNKNOWN, few, limits.asr, item)
    if group.answered >= ENOUGH_ANSWERED and acd is not None:
        yield Finding("cdr/acd", seen, limits.acd.judge(acd), Message("cdr.acd", {"s": acd}), limits.acd, item, acd, seasonal=True)
    if group.pdd_s is not None and group.attempts >= ENOUGH_CALLS:
        text = Message("cdr.pdd", {"s": group.pdd_s})
        yield Finding("cdr/pdd", seen, limits.pdd.judge(group.pdd_s), text, limits.pdd, item, group.pdd_s, seasonal=True)


def _ner(group: CdrGroup, ner: float) -> Message:
    """Return the ratio, with the most frequent cause of those that did not get through."""
    if not group.faults:
        return Message("cdr.ner", {"ratio": ner})
    most = max(group.faults, key=lambda cause: group.faults[cause])
    return Message("cdr.ner-cause", {"ratio": ner, "cause": most, "count": group.faults[most]})


def _concurrent(seen: Observation, group: CdrGroup, levels: Levels) -> Iterator[Finding]:
    """Judge the calls at once against the limit; those that go on are not in the records yet, so it is the least that there were."""
    if group.limit and group.peak is not None:
        used = group.peak / group.limit
        values: dict[str, Value] = {"peak": group.peak, "limit": group.limit, "ratio": used}
        text = Message("cdr.licence" if group.kind == "all" else "cdr.concurrent", values)
        yield Finding("cdr/concurrent", seen, levels.judge(used), text, levels, _item(group), used, full_at=1.0)
