"""One observation through all stages: judged, doubted, compared with the usual and the trend, and folded into what is believed.

- after every measurement: `memory, result = assess(seen, memory, rules, scene)`
- now and then, for a job whose measurements do not come: `stale(memory, every_s, now)`
- what is believed to be bad, for correlate: `memory.standing`
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from checks.baseline import Baseline, departure, is_usual
from checks.finding import Finding, Key, Message, State
from checks.history import RULE, Change, Rule, Track, fold, lose
from checks.loss import Best, is_whole, judge_loss, learn
from checks.sight import Route, Sight, blind
from checks.trend import EMPTY, Trend, grow, judge_trend
from probe.observation.failure import Failure
from probe.observation.observation import Observation

KEPT = 6  # observations since all was well that a memory holds for evidence: twice what makes a fault believed
GONE_AFTER = 3  # observations without an item until it is shown as unknown
FORGET_AFTER = 20  # observations that measured something, without an item that was believed good, until it is forgotten
STALE_AFTER = 3  # periods without any observation

Judge = Callable[[Observation, Observation | None, Any], Iterable[Finding]]
Short = tuple[str, str]

_OK, _UNKNOWN = State.OK, State.UNKNOWN
_NONE: Mapping[Short, int] = {}  # one for all: an empty dict for each of thousands of memories is not nothing


class Rules(msgspec.Struct, frozen=True):
    """How one job's observations are judged: the room file's `judge` and its limits, how often is often enough, the way to the node."""

    judge: Judge
    limits: Any
    rule: Rule = RULE
    route: Route | None = None


class Scene(msgspec.Struct, frozen=True):
    """What holds for all jobs at this moment: the agent's own sight, and the baselines of the current hour by key."""

    sight: Sight | None = None
    baselines: Mapping[Key, Baseline] = {}


class Moment(msgspec.Struct, frozen=True, gc=False):
    """An observation, and what else its judgement stood on."""

    seen: Observation
    sight: Sight | None
    usual: tuple[tuple[Key, Baseline], ...]
    rules: Rules


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Something believed to be bad: its track, and the last finding that said so."""

    finding: Finding
    track: Track


class Memory(msgspec.Struct, frozen=True, gc=False):
    """What is remembered of one job; (check, item) is the key within it. The mappings are never changed, only replaced.

    After a restart it begins with the tracks that the store kept: they go on where they stood.

    `recent` are the moments since all was well, 6 at most, and `origin` is the memory as it stood before the first of them: from there
    they lead to this one. `quiet` says that every track is steadily good and nothing is absent. `found` is what the last observation said.
    """

    before: Observation | None = None
    last_at: datetime | None = None
    tracks: Mapping[Short, Track] = {}
    trends: Mapping[Short, Trend] = {}
    bad: Mapping[Short, Finding] = {}
    absent: Mapping[Short, int] = {}
    recent: tuple[Moment, ...] = ()
    quiet: bool = False
    origin: "Memory | None" = None
    found: tuple[Finding, ...] = ()

    @property
    def standing(self) -> tuple[Standing, ...]:
        """What is believed to be bad, whether it can be seen just now or not."""
        return tuple(Standing(finding, self.tracks[key]) for key, finding in self.bad.items() if self.tracks[key].bad)


class Assessment(msgspec.Struct, frozen=True, gc=False):
    """What one observation said and changed.

    `repeat` asks for a quick repetition: a bad reading is not yet believed. `moved` are the tracks that are no longer what they were (to
    be stored), `forgotten` the keys whose series ended. `values` are this observation's readings for the baselines.
    """

    findings: tuple[Finding, ...]
    changes: tuple[tuple[Finding, Track, Change], ...] = ()
    repeat: bool = False
    values: tuple[tuple[Key, float], ...] = ()
    moved: tuple[Track, ...] = ()
    forgotten: tuple[Key, ...] = ()


def assess(seen: Observation, memory: Memory, rules: Rules, scene: Scene = Scene()) -> tuple[Memory, Assessment]:  # noqa: B008
    """Return the job's memory after one more observation, and what it said."""
    findings = tuple(rules.judge(seen, memory.before, rules.limits))
    if memory.quiet and len(findings) == len(memory.tracks):
        tracks, baselines = memory.tracks, scene.baselines
        for found in findings:
            if found.state is not _OK or (found.check, found.item or seen.item) not in tracks or found.full_at is not None:
                break
            usual = baselines.get(found.key) if baselines and found.seasonal else None
            if usual is not None and not is_usual(found, usual):
                break
            if found.loss is not None and not is_whole(found, tracks[found.check, found.item or seen.item].best, usual):
                break
        else:
            after = Memory(seen, seen.at, tracks, memory.trends, memory.bad, memory.absent, (), True, None, findings)
            return after, Assessment(findings, (), False, _values(findings))
    return _in_full(seen, memory, findings, rules, scene)


def _in_full(seen: Observation, memory: Memory, findings: tuple[Finding, ...], rules: Rules, scene: Scene) -> tuple[Memory, Assessment]:
    """Take an observation through every stage, when it is not plainly as good as the ones before it."""
    if scene.sight is not None:
        findings = tuple(blind(found, rules.route, scene.sight) for found in findings)
    values = _values(findings)
    usual = tuple((found.key, scene.baselines[found.key]) for found in findings if found.seasonal and found.key in scene.baselines)
    trends, full = _grown(memory.trends, findings)
    bests = _bests(findings, dict(usual), memory.tracks)
    findings += (*_unusual(findings, dict(usual), memory.tracks), *full, *_lost(findings, bests, memory.tracks))

    tracks, bad, changes = dict(memory.tracks), dict(memory.bad), []
    for found in findings:
        key = _short(found)
        track = tracks.get(key) or Track(found.key)
        if (best := bests.get(key)) is not None and best is not track.best:
            track = msgspec.structs.replace(track, best=best)
        track, change = fold(track, found, rules.rule)
        tracks[key] = track
        if change is not Change.NONE:
            changes.append((found, track, change))
        if found.state is not _OK and found.state is not _UNKNOWN:
            bad[key] = found

    absent, missing, forgotten = _missing(seen, memory, {_short(found) for found in findings})
    for found in missing:
        key = _short(found)
        tracks[key] = lose(tracks[key], seen.at)
    forgotten += [key for key, track in tracks.items() if key[0].endswith((".usual", ".loss")) and _steady(track)]
    ended = tuple(tracks.pop(key).key for key in forgotten)
    trends = {key: trend for key, trend in trends.items() if key in tracks} if ended else trends
    bad = {key: found for key, found in bad.items() if key in tracks and (tracks[key].bad or tracks[key].soft is not _OK)}

    moved = tuple(track for key, track in tracks.items() if memory.tracks.get(key) is not track)
    well = not bad and not absent and all(found.state is _OK for found in findings)
    quiet = well and not trends and all(_steady(track) for track in tracks.values())
    origin, recent = (None, ()) if well else _kept(memory, Moment(seen, scene.sight, usual, rules))
    after = Memory(
        seen, seen.at, tracks if moved or ended else memory.tracks, trends, bad, absent, recent, quiet, origin, findings + missing
    )
    repeat = any(tracks[_short(found)].doubtful for found in findings if found.state is not _OK and found.state is not _UNKNOWN)
    return after, Assessment(findings + missing, tuple(changes), repeat, values, moved, ended)


def _kept(memory: Memory, moment: Moment) -> tuple[Memory, tuple[Moment, ...]]:
    """Return where a replay starts, and the moments from there on, this one the last.

    When the first moment of too many is dropped, the start is moved on by it. Keeping every moment's own start instead would hold three
    times the memory: thousands of dead targets made tens of MB of it.
    """
    origin, recent = memory.origin, memory.recent
    if origin is None or not recent or recent[-1].rules != moment.rules:  # a replay knows one set of rules
        return _bare(memory), (moment,)
    if len(recent) == KEPT:
        first, recent = recent[0], recent[1:]
        origin = _bare(assess(first.seen, origin, first.rules, Scene(first.sight, dict(first.usual)))[0])
    return origin, (*recent, moment)


def _bare(memory: Memory) -> Memory:
    return Memory(memory.before, memory.last_at, memory.tracks, memory.trends, memory.bad, memory.absent)


def stale(memory: Memory, every_s: float, now: datetime) -> tuple[Memory, Assessment] | None:
    """Return what is left to say when three periods brought no observation: everything known of the job is unknown. None while it is fresh.

    A job that was never observed has nothing that could be stale; what was believed stays believed until it is measured again.
    """
    if memory.last_at is None or memory.before is None or now - memory.last_at < timedelta(seconds=STALE_AFTER * every_s):
        return None
    seconds = (now - memory.last_at).total_seconds()
    tracks = {key: lose(track, memory.last_at) for key, track in memory.tracks.items()}
    message = Message("freshness.no-data", {"seconds": seconds})
    findings = tuple(Finding(check, memory.before, _UNKNOWN, message, item=item) for check, item in tracks)
    moved = tuple(track for key, track in tracks.items() if memory.tracks[key] is not track)
    if moved:
        memory = msgspec.structs.replace(memory, tracks=tracks, quiet=False, recent=(), origin=None)
    memory = msgspec.structs.replace(memory, found=findings)
    return memory, Assessment(findings, moved=moved)


def matters(result: Assessment, old: Memory) -> bool:
    """Tell whether an observation changed what is believed: a state, what it says, or that it is there at all."""
    if result.forgotten or any(change is not Change.SOFT for _, _, change in result.changes):
        return True
    for track in result.moved:
        before = old.tracks.get(track.key[2:])
        if track.bad and before is not None and before.said != track.said:
            return True
    return False


def _short(finding: Finding) -> Short:
    return (finding.check, finding.item or finding.seen.item)


def _steady(track: Track) -> bool:
    """Tell whether a good reading would leave this track the same object."""
    return track.hard is _OK and track.soft is _OK and not track.recent and not track.blind


def _values(findings: tuple[Finding, ...]) -> tuple[tuple[Key, float], ...]:
    return tuple([(found.key, found.value) for found in findings if found.seasonal and found.value is not None])


def _grown(trends: Mapping[Short, Trend], findings: tuple[Finding, ...]) -> tuple[Mapping[Short, Trend], tuple[Finding, ...]]:
    """Return the trends with this observation's values, and what they say."""
    after: dict[Short, Trend] | None = None
    full = []
    for found in findings:
        if found.full_at is None or found.value is None:
            continue
        key = _short(found)
        trend = trends.get(key, EMPTY)
        grown = grow(trend, found.seen.at.timestamp(), found.value, found.full_at)
        if grown is not trend:
            after = after or dict(trends)
            after[key] = grown
        if (judged := judge_trend(found, grown)) is not None:
            full.append(judged)
    return after if after is not None else trends, tuple(full)


def _unusual(findings: tuple[Finding, ...], usual: Mapping[Key, Baseline], tracks: Mapping[Short, Track]) -> Iterable[Finding]:
    """Yield the departures; an ordinary reading is only worth a finding where a departure was noted before."""
    for found in findings:
        baseline = usual.get(found.key) if usual else None
        if baseline is None:
            continue
        key = (f"{found.check}.usual", found.item or found.seen.item)
        if (key in tracks or not is_usual(found, baseline)) and (departed := departure(found, baseline)) is not None:
            yield departed


def _bests(findings: tuple[Finding, ...], usual: Mapping[Key, Baseline], tracks: Mapping[Short, Track]) -> dict[Short, Best | None]:
    """Return the best level known of each finding whose loss is judged."""
    bests = {}
    for found in findings:
        if found.loss is not None:
            key = _short(found)
            track = tracks.get(key)
            bests[key] = learn(track.best if track is not None else None, found, usual.get(found.key))
    return bests


def _lost(findings: tuple[Finding, ...], bests: Mapping[Short, Best | None], tracks: Mapping[Short, Track]) -> Iterable[Finding]:
    """Yield the losses; a whole reading is only worth a finding where a loss was noted before."""
    for found in findings:
        if found.loss is None:
            continue
        key = (f"{found.check}.loss", found.item or found.seen.item)
        judged = judge_loss(found, bests[_short(found)])
        if judged is not None and (judged.state is not _OK or key in tracks):
            yield judged


def _missing(seen: Observation, memory: Memory, present: set[Short]) -> tuple[Mapping[Short, int], tuple[Finding, ...], list[Short]]:
    """Return how long each known item has been absent, a finding for those absent long enough, and those to be forgotten.

    A vanished item is neither good nor bad: it is shown as unknown. One that was believed bad is kept until it is measured
    again; one that was not is forgotten in time, but only by observations that could have shown it.
    """
    gone = [key for key in memory.tracks if key not in present]
    if not gone:
        return _NONE, (), []
    measured = not isinstance(seen.outcome, Failure)
    absent, findings, forgotten = {}, [], []
    for key in gone:
        was = memory.absent.get(key, 0)
        absent[key] = count = min(was + 1, FORGET_AFTER) if measured else max(was, min(was + 1, GONE_AFTER))
        if count == FORGET_AFTER and not memory.tracks[key].bad:
            forgotten.append(key)
            del absent[key]
        elif count >= GONE_AFTER:
            findings.append(Finding(key[0], seen, _UNKNOWN, Message("freshness.gone", {"count": count}), item=key[1]))
    return absent, tuple(findings), forgotten
