"""How much is lost of the best that was known? For what a baseline of 14 days would follow down and never see."""

from datetime import datetime, timedelta
from math import inf

import msgspec

from checks.baseline import LEVELS, Baseline
from checks.finding import Finding, Message, State, Value

FADE_DB = (
    0.01  # dB a day, our choice: the best level is forgotten so slowly that 3 dB lost within 10 months are seen, and does not bind for ever
)
STEP_DB = 0.1  # our choice: a level must be better by this much to be the best, so that the track changes every ten days at most
FORGET = timedelta(days=14)  # our choice, for counts: what was not reached again for so long is not expected any more
REFRESH = timedelta(days=1)
_DAY_S = 86400.0


class Best(msgspec.Struct, frozen=True, gc=False):
    """The best level known of a series, and when it was (aware UTC)."""

    level: float
    at: datetime


def learn(best: Best | None, found: Finding, usual: Baseline | None) -> Best | None:
    """Return the best level known after one more reading: the same object when it says nothing new.

    Of a level in dBm it is the highest median of an hour's baseline: no single reading, and nothing seen for less than five days, sets
    it. It fades by FADE_DB a day. Of a count (neighbours, prefixes, turns of a fan) it is the highest reading of the last 14 days.
    """
    at, value = found.seen.at, found.value
    if found.levels is not None and found.levels.unit in LEVELS:
        if usual is None or (best is not None and usual.median < _faded(best, at) + STEP_DB):
            return best
        return Best(usual.median, at)
    if value is None:
        return best
    if best is None:
        return Best(value, at) if value > 0 else None
    if value > best.level or at - best.at >= (REFRESH if value == best.level else FORGET):
        return Best(value, at)
    return best


def judge_loss(found: Finding, best: Best | None) -> Finding | None:
    """Return `<check>.loss`: how far the value is below the best known of it. None while no best is known.

    A finding without a value says that nothing is left; it has lost everything, by no number.
    """
    if found.loss is None or best is None:
        return None
    log = found.levels is not None and found.levels.unit in LEVELS
    value = found.value
    level = _faded(best, found.seen.at) if log else best.level
    lost = inf if value is None else max(0.0, level - value)
    state = found.loss.judge(lost)
    values: dict[str, Value] = {"best": best.level, "days": max(0.0, (found.seen.at - best.at).total_seconds() / _DAY_S)}
    if state is State.OK:
        text = Message("loss.none")
    elif value is None:
        text = Message("loss.all", {**values})
    elif log:
        text = Message("loss.level", {**values, "value": value, "lost": lost})
    else:
        text = Message("loss.count", {**values, "value": value})
    return Finding(f"{found.check}.loss", found.seen, state, text, found.loss, found.item, None if value is None else lost)


def is_whole(found: Finding, best: Best | None, usual: Baseline | None) -> bool:
    """Tell whether there is nothing to learn and nothing lost; the cheap question of the common case."""
    if found.loss is None:
        return True
    if learn(best, found, usual) is not best:
        return False
    if best is None:
        return True
    return found.value is not None and found.loss.judge(best.level - found.value) is State.OK


def _faded(best: Best, at: datetime) -> float:
    return best.level - FADE_DB * max(0.0, (at - best.at).total_seconds() / _DAY_S)
