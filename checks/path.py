"""Does the path lead to its end, where does it stop, lose or delay packets, and has it changed?"""

from collections.abc import Iterator, Sequence
from enum import StrEnum

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State, Value
from checks.voice import QUALITY, Voice, judge_voice
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.observation.path import Hop, Mark, PathSample, Route, Said

LOSS = Levels(
    0.1,
    0.2,
    "ratio",
    "our choice: ITU-T G.1010 bears 3 % for conversation; of the usual 20 echoes two are lost by chance in 1 of 8 looks at 3 %,"
    " and in 1 of 5,000 at 0.1 %",
)
DELAY = Levels(300.0, 800.0, "ms", "ITU-T G.114: 150 ms and 400 ms one way, twice that for the round trip")
CHANGE = Levels(
    900.0,
    None,
    "s",
    "our choice: a new path is told for a quarter of an hour; that is three looks at the usual five minutes of a graph",
    low=True,
)
CHANGES = Levels(3.0, None, "changes", "our choice: one change there and one back is a single event of an hour, a third is not")
LEAST_LOST = 2  # of a hop's few probes, until the loss at the end is said to begin there


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `path` check."""

    loss: Levels = LOSS
    delay: Levels = DELAY
    change: Levels = CHANGE
    changes: Levels = CHANGES
    voice: Levels = QUALITY


CHECKS = (
    Check("path/reach"),
    Check("path/loss", LOSS),
    Check("path/delay", DELAY),
    Check("path/change", CHANGE),
    Check("path/voice", QUALITY),
)


class Stage(StrEnum):
    """Where on the way something is wrong, as the marks (our port, the carrier's PoP) tell it."""

    OUR_SIDE = "our-side"  # before our port to the carrier
    LINE = "line"  # between our port and the carrier's PoP: fibre, or either port
    BEFORE_POP = "before-pop"  # before the PoP; our own port was not marked
    OUTSIDE = "outside"  # behind our port; the PoP was not marked
    BEYOND = "beyond"  # behind the PoP: the carrier's network, or what lies behind it
    TARGET = "target"  # at the last place: the one before it answers
    ANYWHERE = "anywhere"  # nothing was marked


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one trace: `path/reach` always, the others when something could be sent. Loss and delay are those of the target itself."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("path/reach", seen, why)
        case PathSample() as path:
            yield _reach(seen, path)
            yield _loss(seen, path, limits.loss)
            yield _delay(seen, path, limits.delay)
            yield _change(seen, path, limits)
            if path.reached and path.mean_ms is not None and path.loss_ratio is not None:
                yield judge_voice("path/voice", seen, (Voice(path.mean_ms / 2, path.loss_ratio),), limits.voice)


def stage_of_break(path: PathSample) -> Stage:
    """Return where a path ends that does not reach its target: by which marks still answer, in the trace or to echoes of their own."""
    edges, pops = _marked(path, "edge"), _marked(path, "pop")
    said = next((hop.address for hop in path.hops if hop.said is Said.UNREACHABLE), None)
    if said in edges:
        return Stage.LINE if pops else Stage.OUTSIDE
    if pops and _answers(path, "pop"):
        return Stage.TARGET if _only_the_last_is_missing(path) else Stage.BEYOND
    if edges and _answers(path, "edge"):
        return Stage.LINE if pops else Stage.TARGET if _only_the_last_is_missing(path) else Stage.OUTSIDE
    if edges and (not path.routes or any(set(edges) & set(route.hops) for route in path.routes)):
        return Stage.OUR_SIDE
    if pops:
        return Stage.BEFORE_POP
    return Stage.TARGET if _only_the_last_is_missing(path) else Stage.ANYWHERE


def last_answer(path: PathSample) -> str | None:
    """Return the farthest place that still answered: of the trace, else of the marks."""
    for hop in reversed(path.hops):
        if hop.address is not None and not hop.own:
            return hop.address
    return next((mark.address for mark in reversed(path.marks) if mark.answered), None)


def _marked(path: PathSample, place: str) -> tuple[str, ...]:
    return tuple(mark.address for mark in _telling(path, place) if mark.address)


def _telling(path: PathSample, place: str) -> list[Mark]:
    """Return the marks of a place but those whose silence is usual."""
    return [mark for mark in path.marks if mark.place == place and (mark.answered or not mark.quiet)]


def _answers(path: PathSample, place: str) -> bool:
    """Tell whether a mark of this place answers: of several (a second line) the one that the path led over before, where that is known."""
    hops = {hop.address for hop in path.hops if hop.said is not Said.SILENT and not hop.own}
    marks = _telling(path, place)
    used = [mark for mark in marks if path.routes and mark.address in path.routes[0].hops]
    return any(mark.answered or mark.address in hops for mark in used or marks)


def _only_the_last_is_missing(path: PathSample) -> bool:
    """Tell whether the place before the last of an earlier route still answers; of a mark that says less: behind it a network may hide."""
    last = last_answer(path)
    if last is None or any(mark.address == last for mark in path.marks):
        return False
    return any(len(route.hops) > 1 and route.hops[-2] == last for route in path.routes)


def _reach(seen: Observation, path: PathSample) -> Finding:
    def found(state: State, id: str, **values: Value) -> Finding:
        return Finding("path/reach", seen, state, Message(id, values))

    if path.reached:
        arrived = bool(path.hops) and path.hops[-1].said is Said.REPLY
        if not arrived:
            return found(State.OK, "path.reached.hidden")
        return found(State.OK, "path.reached", n=len(path.hops))
    if path.loop:
        return found(State.CRITICAL, "path.loop", hops=", ".join(path.loop), ttl=_loop_begins(path))
    stage = stage_of_break(path)
    said = next((hop for hop in path.hops if hop.said is Said.UNREACHABLE), None)
    if said is not None and said.own:
        return found(State.CRITICAL, "path.neighbour.gone" if path.neighbour else "path.next-hop", error=said.words)
    if said is not None:
        return Finding("path/reach", seen, State.CRITICAL, Message(f"path.unreachable.{stage}", {"error": said.words}))
    if path.neighbour and not any(hop.address for hop in path.hops):
        return found(State.CRITICAL, "path.neighbour.silent")
    last = last_answer(path)
    if last is None and any(hop.sent == 0 for hop in path.hops):
        return found(State.CRITICAL, "path.unasked")
    if last is None:
        return found(State.CRITICAL, "path.silent")
    return Finding("path/reach", seen, State.CRITICAL, Message(f"path.ends.{stage}", {"hop": last}))


def _loop_begins(path: PathSample) -> int:
    return next((hop.ttl for hop in path.hops if hop.address in path.loop), 0)


def _loss(seen: Observation, path: PathSample, levels: Levels) -> Finding:
    loss = path.loss_ratio
    if loss is None or not path.answered:
        return Finding("path/loss", seen, State.UNKNOWN, Message("path.loss.none"), levels)
    state = levels.judge(loss)
    values: dict[str, Value] = {"lost": path.sent - path.answered, "sent": path.sent}
    if state is State.OK:
        return Finding("path/loss", seen, state, Message("path.loss", values), levels, value=loss)
    stage = _stage_of_loss(path, loss / 2)
    if stage is not None:
        return Finding("path/loss", seen, state, Message(f"path.loss.{stage}", values), levels, value=loss)
    hop = _loss_begins(path.hops[:-1], loss / 2)
    message = Message("path.loss.from", {**values, "hop": hop}) if hop else Message("path.loss", values)
    return Finding("path/loss", seen, state, message, levels, value=loss)


def _stage_of_loss(path: PathSample, half: float) -> Stage | None:
    """Return the first stage at whose end at least half of the loss is there already; None without marks that were asked."""
    measured = [(place, loss) for place in ("edge", "pop") if (loss := _mark_loss(path, place)) is not None]
    places = [place for place, _ in measured]
    for place, loss in measured:
        if loss >= half:
            return Stage.OUR_SIDE if place == "edge" else Stage.LINE if "edge" in places else Stage.BEFORE_POP
    return None if not measured else Stage.BEYOND if "pop" in places else Stage.OUTSIDE


def _mark_loss(path: PathSample, place: str) -> float | None:
    """Return the loss to the best of the marks; one that answers no echo at all tells nothing."""
    return min(
        (mark.loss_ratio for mark in path.marks if mark.place == place and mark.answered and mark.loss_ratio is not None), default=None
    )


def _loss_begins(hops: Sequence[Hop], half: float) -> str | None:
    """Return the first hop from which loss persists up to the end: loss at a middle hop alone is a router's limit, not loss."""
    begins = None
    for hop in reversed(hops):
        if hop.address is None or hop.loss_ratio is None:
            continue
        if hop.loss_ratio < half or hop.sent - hop.answered < LEAST_LOST:
            break
        begins = hop.address
    return begins


def _delay(seen: Observation, path: PathSample, levels: Levels) -> Finding:
    mean = path.mean_ms
    if mean is None:
        return Finding("path/delay", seen, State.UNKNOWN, Message("path.delay.none"), levels, seasonal=True)
    state = levels.judge(mean)
    message = Message("path.delay", {"ms": mean})
    if state is not State.OK:
        stage, hop = _stage_of_delay(path, mean), _delay_begins(path.hops)
        if stage is not None:
            message = Message(f"path.delay.{stage}", {"ms": mean})
        elif hop is not None:
            message = Message("path.delay.from", {"ms": mean, "hop": hop})
    return Finding("path/delay", seen, state, message, levels, value=mean, seasonal=True)


def _stage_of_delay(path: PathSample, mean: float) -> Stage | None:
    """Return the stage that takes the most of the round trip; None without marks that answered."""
    best = {
        place: min((m.mean_ms for m in path.marks if m.place == place and m.mean_ms is not None), default=None) for place in ("edge", "pop")
    }
    edge, pop = best["edge"], best["pop"]
    if edge is None and pop is None:
        return None
    parts: list[tuple[float, Stage]] = []
    if edge is not None:
        parts.append((edge, Stage.OUR_SIDE))
    if pop is not None:
        parts.append((pop - (edge or 0.0), Stage.LINE if edge is not None else Stage.BEFORE_POP))
        parts.append((mean - pop, Stage.BEYOND))
    elif edge is not None:
        parts.append((mean - edge, Stage.OUTSIDE))
    return max(parts)[1]


def _delay_begins(hops: Sequence[Hop]) -> str | None:
    """Return the hop at which the least round trip grows most."""
    known = [(hop.min_ms, hop.address) for hop in hops if hop.min_ms is not None]
    steps = [(ms - before, address) for (before, _), (ms, address) in zip([(0.0, None), *known], known, strict=False)]
    return max(steps, key=lambda step: step[0])[1] if steps else None


def _change(seen: Observation, path: PathSample, limits: Limits) -> Finding:
    def found(state: State, message: Message, levels: Levels, value: float | None = None) -> Finding:
        return Finding("path/change", seen, state, message, levels, value=value)

    if not path.routes:
        return found(State.UNKNOWN, Message("path.before.none"), limits.change)
    now = path.routes[0]
    if not path.reached or now.seen_s > 0:
        return found(State.UNKNOWN, _before("path.before", now, {"age": now.seen_s}), limits.change)
    if len(path.routes) == 1 and now.times == 1:
        return found(State.OK, Message("path.first"), limits.change)
    if len(path.routes) == 1:
        return found(State.OK, Message("path.steady", {"age": path.watched_s}), limits.change)
    if limits.changes.judge(path.changes) is not State.OK:
        return found(State.WARNING, Message("path.unstable", {"count": path.changes}), limits.changes, float(path.changes))
    was = path.routes[1]
    at = next((at for at, (a, b) in enumerate(zip(now.hops, was.hops, strict=False)) if None not in (a, b) and a != b), None)
    at = min(len(now.hops), len(was.hops)) - 1 if at is None else at
    values: dict[str, Value] = {"age": now.since_s, "ttl": at + 1, "new": now.hops[at] or "–", "old": was.hops[at] or "–"}
    return found(limits.change.judge(now.since_s), _before("path.changed", was, values), limits.change, now.since_s)


def _before(id: str, was: Route, values: dict[str, Value]) -> Message:
    """Return a message with the length of an earlier route, and the best round trip on it where one was measured."""
    if was.min_ms is None:
        return Message(f"{id}.untimed", {**values, "hops": len(was.hops)})
    return Message(id, {**values, "hops": len(was.hops), "ms": was.min_ms})
