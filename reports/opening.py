"""What should happen to the cases: diagnoses against what is open. Pure: values in, values out, `now` is an argument.

The rules. A diagnosis without an uncleared case opens one. A diagnosis of an uncleared case updates it only when something changed that a
person would care about. A case clears only when *every* key of it is good again by good measurements: no reading, an unknown reading or no
track is never good news. A key that nothing measures any more is said once, and the case stays for a person to close.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from checks.finding import Key, State, worst
from checks.history import Track
from checks.verdict import Diagnosis
from reports.case import Case, CaseState, EventKind, Identity, Step

T = TypeVar("T", str, Key)
_BAD = frozenset({State.WARNING, State.CRITICAL})


def plan(
    diagnoses: Iterable[Diagnosis],
    standing: Mapping[Key, Track],
    open_cases: Iterable[Case],
    now: datetime,
    unwatched: Collection[Key] = frozenset(),
) -> list[Step]:
    """Return the steps from `open_cases` to what `diagnoses` and the `standing` tracks say.

    `unwatched` are keys whose job is no longer configured. Cases that are cleared already may be among `open_cases`; they are left
    alone. Of several diagnoses with one identity the first counts. Once the steps are accepted, planning again gives none.
    """
    uncleared = {case.identity: case for case in open_cases if case.cleared_at is None}
    current: dict[Identity, Diagnosis] = {}
    for diagnosis in diagnoses:
        current.setdefault((diagnosis.kind, diagnosis.cause, diagnosis.element), diagnosis)
    steps = [_open(diagnosis, unwatched, now) for identity, diagnosis in current.items() if identity not in uncleared]
    for identity, case in uncleared.items():
        known = current.get(identity)
        step = _update(case, known, standing, now) if known else _clear(case, standing, now)
        if step is not None:
            steps.append(step)
        if step is None or step.kind is not EventKind.CLEARED:
            steps.extend(_watch(case if step is None else _next(step.case), unwatched, now))
    return steps


def recovered(track: Track | None, since: datetime) -> bool:
    """Tell whether a track is good by measurements made after `since`.

    The time matters after a crash: tracks are written less safely than cases, so an old good track may stand beside a newer case.
    """
    if track is None or track.flapping or track.blind_since is not None:
        return False
    return track.hard is State.OK and track.soft is State.OK and track.since is not None and track.since > since


def _open(diagnosis: Diagnosis, unwatched: Collection[Key], now: datetime) -> Step:
    case = Case(
        kind=diagnosis.kind,
        cause=diagnosis.cause,
        element=diagnosis.element,
        severity=_severity(diagnosis),
        side=diagnosis.side,
        area=diagnosis.area,
        urgency=diagnosis.urgency,
        confidence=diagnosis.confidence,
        opened_at=now,
        since=diagnosis.since,
        updated_at=now,
        affected=_sorted(diagnosis.affected),
        summary=diagnosis.summary,
        action=diagnosis.action,
        agent=_agent(diagnosis),
        keys=_sorted(diagnosis.keys),
        unwatched=_sorted(key for key in diagnosis.keys if key in unwatched),
        rules=diagnosis.evidence.rules if diagnosis.evidence else "",
    )
    return Step(EventKind.OPENED, case, evidence=_evidence(diagnosis))


def _update(case: Case, diagnosis: Diagnosis, standing: Mapping[Key, Track], now: datetime) -> Step | None:
    if not any(key[0] == case.agent for key in diagnosis.keys):
        return None  # another agent's case on a shared store: only the one that opened it speaks for it
    severity = _severity(diagnosis)
    since = min(case.since, diagnosis.since)
    not_good = (key for key in case.keys if not recovered(standing.get(key), since))
    new: dict[str, Any] = {
        "severity": severity if severity in _BAD else case.severity,
        "side": diagnosis.side,
        "area": diagnosis.area,
        "urgency": diagnosis.urgency,
        "affected": _sorted(diagnosis.affected),
        "keys": _sorted((*diagnosis.keys, *not_good)),
    }
    changed = [name for name, value in new.items() if getattr(case, name) != value]
    if case.action.id != diagnosis.action.id:
        changed.append("action")
    if not changed:
        return None
    after = msgspec.structs.replace(
        case,
        **new,
        confidence=diagnosis.confidence,
        summary=diagnosis.summary,
        action=diagnosis.action,
        since=since,
        updated_at=now,
        unwatched=tuple(key for key in case.unwatched if key in new["keys"]),
        rules=diagnosis.evidence.rules if diagnosis.evidence else case.rules,
    )
    return Step(EventKind.UPDATED, after, {"changed": changed}, _evidence(diagnosis))


def _clear(case: Case, standing: Mapping[Key, Track], now: datetime) -> Step | None:
    if not case.keys or not all(recovered(standing.get(key), case.since) for key in case.keys):
        return None
    untouched = case.state is CaseState.OPEN
    state = CaseState.RESOLVED if untouched else case.state
    after = msgspec.structs.replace(case, state=state, cleared_at=now, cleared_by_itself=untouched, updated_at=now, unwatched=())
    return Step(EventKind.CLEARED, after)


def _watch(case: Case, unwatched: Collection[Key], now: datetime) -> list[Step]:
    gone = tuple(key for key in case.keys if key in unwatched)
    if gone == case.unwatched:
        return []
    after = msgspec.structs.replace(case, unwatched=gone, updated_at=now)
    more = set(gone) - set(case.unwatched)
    if more:
        return [Step(EventKind.UNWATCHED, after, {"keys": sorted(more)})]
    return [Step(EventKind.WATCHED, after, {"keys": sorted(set(case.unwatched) - set(gone))})]


def _next(case: Case) -> Case:
    """Return the case as the store will number it once it accepted this step, for a second step in the same plan."""
    return msgspec.structs.replace(case, events=case.events + 1)


def _severity(diagnosis: Diagnosis) -> State:
    return diagnosis.state if diagnosis.state in _BAD else worst({finding.state for finding in diagnosis.findings})


def _agent(diagnosis: Diagnosis) -> str:
    return diagnosis.keys[0][0] if diagnosis.keys else ""


def _evidence(diagnosis: Diagnosis) -> bytes | None:
    if diagnosis.evidence is None:
        return None
    try:
        return msgspec.json.encode(diagnosis.evidence, order="deterministic")
    except UnicodeEncodeError:  # a name in bytes that are no text: a case without evidence is worth more than none
        return None


def _sorted(values: Iterable[T]) -> tuple[T, ...]:
    return tuple(sorted(set(values)))
