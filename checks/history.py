"""State over time as a fold: values in, values out; no clock inside."""

from datetime import datetime
from enum import StrEnum

import msgspec

from checks.finding import Finding, Key, State
from checks.loss import Best

_OK, _WARNING, _CRITICAL, _UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN


class Change(StrEnum):
    """What one finding did to its track."""

    NONE = "none"
    SOFT = "soft"  # bad, and not yet often enough to be believed: worth a quick repeat
    RAISED = "raised"  # bad often enough: warning or critical is now believed
    EASED = "eased"  # critical became warning
    RECOVERED = "recovered"  # good again, by good measurements
    FLAPPING = "flapping"  # changes too often to be believed either way
    SETTLED = "settled"  # no longer flapping


_NONE = Change.NONE


class Rule(msgspec.Struct, frozen=True):
    """How often a reading must repeat before it is believed (our choice), and when a series changes too often to be believed.

    Flapping is found as Nagios does ("Detection and Handling of State Flapping", Nagios Core manual): the last 21 readings have 20
    places for a change, the newest weighing half as much again as the oldest (1.2 … 0.8), and the weighted share of changes is held
    against two thresholds. The thresholds are ours and higher than Nagios': it leaves soft states out, we count every reading.
    """

    hard_after: int = 3
    recover_after: int = 2
    flap_start: float = 0.5
    flap_stop: float = 0.25

    def __post_init__(self) -> None:
        if not (1 <= self.hard_after <= _KEPT and 1 <= self.recover_after <= _KEPT):
            raise ValueError(f"hard_after and recover_after are 1 … {_KEPT}")
        if not 0 < self.flap_stop <= self.flap_start <= 1:
            raise ValueError("0 < flap_stop ≤ flap_start ≤ 1")


_KEPT = 20
_MASK = (1 << _KEPT) - 1
_WEIGHTS = tuple(1.2 - 0.4 * age / (_KEPT - 1) for age in range(_KEPT))
RULE = Rule()


class Track(msgspec.Struct, frozen=True, gc=False):
    """What is believed of one (agent, node, check, item) and how it came to that.

    `hard` is the believed state (unknown until the first reading), `since` the first reading of the good or bad time it stands for (a
    change between warning and critical does not move it). `soft` is the state of the last reading that was one (not unknown), a value
    within the margin of its limit counting as still bad; `streak` is how many such readings in a row were good, or bad, as it (warning
    and critical count together), `same` how many in a row had the same state, both counted to 20 so that a steady series has a steady
    track; `soft_since` is the first of the streak. `recent` holds the last 20 readings' changes between good and bad as bits, newest
    lowest. `blind_since` is set, and `blind` counts, while readings are unknown; `lost` once there were enough of them to show it.

    `said` is the id of the message that is believed of a bad state: what kind of bad it is (refused, silent). It follows the readings as
    slowly as the state does, so that a single other answer makes no other fault of it; `heard` and `heard_for` count towards it.

    `best` is the best level known of it, for findings whose loss is judged.
    """

    key: Key
    hard: State = State.UNKNOWN
    soft: State = State.UNKNOWN
    streak: int = 0
    since: datetime | None = None
    soft_since: datetime | None = None
    recent: int = 0
    flapping: bool = False
    blind_since: datetime | None = None
    same: int = 0
    blind: int = 0
    lost: bool = False
    said: str = ""
    heard: str = ""
    heard_for: int = 0
    best: Best | None = None

    @property
    def shown(self) -> State:
        """The state to display: unknown once it could not be seen for long, else the believed one."""
        return _UNKNOWN if self.lost else self.hard

    @property
    def bad(self) -> bool:
        """True while warning or critical is believed, seen or not: only good measurements end it."""
        return self.hard is _WARNING or self.hard is _CRITICAL

    @property
    def doubtful(self) -> bool:
        """True while the last reading is worse than what is believed: a quick repeat decides."""
        if self.soft is _CRITICAL:
            return self.hard is not _CRITICAL
        return self.soft is _WARNING and not self.bad


def fold(track: Track, finding: Finding, rule: Rule = RULE) -> tuple[Track, Change]:
    """Return the track after one more finding, and what that changed.

    Unknown is neither good nor bad: it leaves the belief and the streak alone; only `hard_after` of it in a row make a streak start anew.
    The state of the last of `hard_after` bad readings is the one believed. A steady series gets the same track object back.
    """
    state = finding.state
    if state is _OK and track.soft is _OK and track.hard is _OK and not track.recent and not track.blind:
        return track, _NONE
    if state is _UNKNOWN:
        return _darken(track, finding.seen.at, rule), _NONE
    return _read(track, finding, _held(track.hard, finding), rule)


def lose(track: Track, at: datetime) -> Track:
    """Return the track of something of which there is no reading any more: shown as unknown at once, the belief kept."""
    if track.lost:
        return track
    return msgspec.structs.replace(track, blind=max(1, track.blind), lost=True, blind_since=track.blind_since or at)


def _darken(track: Track, at: datetime, rule: Rule) -> Track:
    if track.lost:
        return track
    blind = track.blind + 1
    return msgspec.structs.replace(track, blind=blind, lost=blind >= rule.hard_after, blind_since=track.blind_since or at)


def _held(hard: State, finding: Finding) -> State:
    """Return the finding's state, or the worse one that its value has not yet left by the margin (hysteresis)."""
    state = finding.state
    if finding.value is None or finding.levels is None or finding.gated or state is hard or hard is _OK or hard is _UNKNOWN:
        return state
    if hard is _CRITICAL and finding.levels.holds(finding.value, _CRITICAL):
        return _CRITICAL
    if state is _OK and finding.levels.holds(finding.value, _WARNING):
        return _WARNING
    return state


def _read(track: Track, finding: Finding, state: State, rule: Rule) -> tuple[Track, Change]:
    """Fold one reading that is one: ok, warning or critical."""
    at = finding.seen.at
    bad = state is not _OK
    first = track.soft is _UNKNOWN or track.lost
    turned = not first and bad != (track.soft is not _OK)
    streak = 1 if first or turned else min(track.streak + 1, _KEPT)
    same = 1 if first or state is not track.soft else min(track.same + 1, _KEPT)
    soft_since = at if first or turned else track.soft_since
    recent = (track.recent << 1 | turned) & _MASK
    flapping = _flaps(recent, track.flapping, rule)
    hard, change = _believe(track.hard, state, streak, same, flapping, rule)
    same_time = track.hard is hard or (track.bad and hard is not _OK)
    since = track.since if same_time else soft_since
    if change is _NONE or change is Change.SOFT:
        if flapping and not track.flapping:
            change = Change.FLAPPING
        elif track.flapping and not flapping:
            change = Change.SETTLED
    said, heard, heard_for = _hear(track, finding, hard, rule)
    after = Track(track.key, hard, state, streak, since, soft_since, recent, flapping, None, same, 0, False, said, heard, heard_for)
    if track.best is not None:
        after = msgspec.structs.replace(after, best=track.best)
    return (track if after == track else after), change


def _believe(hard: State, state: State, streak: int, same: int, flapping: bool, rule: Rule) -> tuple[State, Change]:
    """Return what is believed after a reading; while it flaps nothing is raised, eased or recovered."""
    if hard is _OK or hard is _UNKNOWN:
        if state is _OK:
            return _OK, _NONE
        if streak >= rule.hard_after and not flapping:
            return state, Change.RAISED
        return hard, Change.SOFT
    if state is _OK:
        return (_OK, Change.RECOVERED) if streak >= rule.recover_after and not flapping else (hard, _NONE)
    if state is hard:
        return hard, _NONE
    if state is _CRITICAL:
        return (_CRITICAL, Change.RAISED) if same >= rule.hard_after and not flapping else (hard, Change.SOFT)
    return (_WARNING, Change.EASED) if same >= rule.recover_after and not flapping else (hard, _NONE)


def _hear(track: Track, finding: Finding, hard: State, rule: Rule) -> tuple[str, str, int]:
    """Return the believed message, the one being said, and how many bad readings in a row said it."""
    if hard is _OK:
        return "", "", 0
    if finding.state is _OK:  # a good reading that is held for bad has no word for it
        return track.said, track.heard, track.heard_for
    words = finding.message.id
    heard_for = min(track.heard_for + 1, _KEPT) if words == track.heard else 1
    if hard is _UNKNOWN:
        return "", words, heard_for
    believed = hard is not track.hard or heard_for >= rule.hard_after or not track.said
    return words if believed else track.said, words, heard_for


def _flaps(recent: int, flapping: bool, rule: Rule) -> bool:
    if not recent:
        return False
    share = sum(weight for age, weight in enumerate(_WEIGHTS) if recent >> age & 1) / _KEPT
    return share >= (rule.flap_stop if flapping else rule.flap_start)
