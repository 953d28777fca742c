"""What should happen to the cases: diagnoses against what is open. Pure: values in, values out, `now` is an argument.

The rules. A diagnosis without an uncleared case opens one. A diagnosis of an uncleared case updates it only when something changed that a
person would care about. A case clears only when *every* key of it is good again by good measurements: no reading, an unknown reading or no
track is never good news. A key that nothing measures any more is said once, and the case stays for a person to close. A symptom that
another diagnosis explains moves to that one's case, and a case of which nothing else is left becomes a part of it (`reports/moving.py`).
A complaint joins the case that explains it.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from checks.finding import Key, Message, State, worst
from checks.history import Track
from checks.verdict import Diagnosis, Identity
from reports.case import DONE, Case, CaseState, EventKind, Step
from reports.complaint import Complaint, known
from reports.moving import Moves, moves, recovered, speaks_for

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
    uncleared = {case.identity: case for case in sorted(open_cases, key=lambda one: one.id) if case.cleared_at is None}
    current: dict[Identity, Diagnosis] = {}
    for diagnosis in diagnoses:
        current.setdefault(diagnosis.identity, diagnosis)
    new = [identity for identity in current if identity not in uncleared]
    opening = {identity: _case(current[identity], unwatched, now, -at) for at, identity in enumerate(new, 1)}
    moving = moves(current, uncleared, opening, standing)
    steps = [_open(case, current[identity], moving, unwatched) for identity, case in opening.items()]
    for identity, case in uncleared.items():
        step = _next_step(case, current.get(identity), standing, moving, now)
        if step is not None:
            steps.append(msgspec.structs.replace(step, together=moving.together.get(identity, 0)))
        if step is None or step.case.cleared_at is None:
            steps.extend(_watch(case if step is None else _next(step.case), unwatched, now))
    return steps


def explaining(diagnosis: Diagnosis, cases: Iterable[Case]) -> Case | None:
    """Return the uncleared case that explains what a diagnosis found: that of its cause, else the one with most of its symptoms."""
    uncleared = [case for case in cases if case.cleared_at is None]
    for case in uncleared:
        if case.identity == diagnosis.identity:
            return case
    keys = frozenset(diagnosis.keys)
    shared = [(len(keys & set(case.keys)), case) for case in uncleared]
    best = max(shared, key=lambda one: (one[0], -one[1].id), default=None)
    return best[1] if best is not None and best[0] else None


def join(case: Case, complaint: Complaint, now: datetime) -> Step:
    """Return the step by which a complaint joins a case: its customer is affected. The store takes a complaint that it has already not."""
    complaint = known(complaint)
    who = (complaint.customer,) if complaint.customer else ()
    after = msgspec.structs.replace(
        case,
        complainants=_sorted((*case.complainants, *who)),
        affected=_sorted((*case.affected, *who)),
        updated_at=now,
    )
    return Step(EventKind.JOINED, after, {"complaint": complaint}, complaint=complaint)


def open_for(diagnosis: Diagnosis, complaint: Complaint, now: datetime) -> list[Step]:
    """Return the steps by which the case of a diagnosis opens with the complaint that led to it; for when `explaining` finds none.

    When the case was opened meanwhile, the store leaves both out: ask `explaining` again, and `join`.
    """
    case = _case(diagnosis, (), now)
    return [Step(EventKind.OPENED, case, evidence=_evidence(diagnosis)), join(_next(case), complaint, now)]


def _next_step(
    case: Case,
    diagnosis: Diagnosis | None,
    standing: Mapping[Key, Track],
    moving: Moves,
    now: datetime,
) -> Step | None:
    """Return what happens to one uncleared case."""
    gone = moving.gone.get(case.identity, {})
    if case.identity in moving.into:
        return _merge(case, moving.into[case.identity], gone, now)
    if diagnosis is None:
        left = msgspec.structs.replace(case, keys=tuple(key for key in case.keys if key not in gone))
        return _clear(left, standing, gone, now) or (_shrink(left, gone, now) if gone else None)
    came = moving.came.get(case.identity, [])
    return _update(case, diagnosis, standing, gone, came, [one for one, _ in came if one.identity in moving.into], now)


def _open(case: Case, diagnosis: Diagnosis, moving: Moves, unwatched: Collection[Key]) -> Step:
    """Open a case, with what comes to it from others."""
    came = moving.came.get(case.identity, [])
    if not came:
        return Step(EventKind.OPENED, case, evidence=_evidence(diagnosis))
    parts = [one for one, _ in came if one.identity in moving.into]
    keys = _sorted((*case.keys, *(key for _, some in came for key in some)))
    complainants = _sorted(who for one in parts for who in one.complainants)
    after = msgspec.structs.replace(
        case,
        keys=keys,
        unwatched=tuple(key for key in keys if key in unwatched),
        since=min(case.since, *(one.since for one in parts)) if parts else case.since,
        state=_in_hand(case, parts),
        complainants=complainants,
        affected=_sorted((*case.affected, *complainants)),
    )
    return Step(EventKind.OPENED, after, _arrived(came, parts), _evidence(diagnosis), moving.together[case.identity])


def _case(diagnosis: Diagnosis, unwatched: Collection[Key], now: datetime, number: int = 0) -> Case:
    """Return the case of a diagnosis; below 0 is a number by which others of the same plan name it."""
    return Case(
        id=number,
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
        alternatives=diagnosis.alternatives,
        elsewhere=diagnosis.elsewhere,
        decides=diagnosis.decides,
    )


def _update(
    case: Case,
    diagnosis: Diagnosis,
    standing: Mapping[Key, Track],
    gone: Mapping[Key, Case],
    came: Sequence[tuple[Case, tuple[Key, ...]]],
    parts: Sequence[Case],
    now: datetime,
) -> Step | None:
    if not speaks_for(case, diagnosis):
        return None  # another agent's case on a shared store: only the one that opened it speaks for it
    severity = _severity(diagnosis)
    since = min(case.since, diagnosis.since, *(one.since for one in parts))
    not_good = (key for key in case.keys if key not in gone and not recovered(standing.get(key), since))
    complainants = _sorted((*case.complainants, *(who for one in parts for who in one.complainants)))
    new: dict[str, Any] = {
        "state": _in_hand(case, parts),
        "severity": severity if severity in _BAD else case.severity,
        "side": diagnosis.side,
        "area": diagnosis.area,
        "urgency": diagnosis.urgency,
        "affected": _sorted((*diagnosis.affected, *complainants)),
        "keys": _sorted((*diagnosis.keys, *not_good, *(key for _, keys in came for key in keys))),
        "alternatives": diagnosis.alternatives,
        "elsewhere": diagnosis.elsewhere,
    }
    changed = [name for name, value in new.items() if getattr(case, name) != value]
    changed += ["action"] if case.action.id != diagnosis.action.id else []
    changed += ["decides"] if _id(case.decides) != _id(diagnosis.decides) else []
    changed += ["since"] if parts and since < case.since else []
    if not changed and not gone and not came:
        return None
    after = msgspec.structs.replace(
        case,
        **new,
        confidence=diagnosis.confidence,
        summary=diagnosis.summary,
        action=diagnosis.action,
        decides=diagnosis.decides,
        complainants=complainants,
        since=since,
        updated_at=now,
        unwatched=tuple(key for key in case.unwatched if key in new["keys"]),
        rules=diagnosis.evidence.rules if diagnosis.evidence else case.rules,
    )
    return Step(EventKind.UPDATED, after, {"changed": changed, **_went(gone), **_arrived(came, parts)}, _evidence(diagnosis))


def _in_hand(case: Case, parts: Iterable[Case]) -> CaseState:
    """Return the state after these became part of the case: what a person had in hand stays in hand."""
    if case.state is not CaseState.OPEN:
        return case.state
    return next((one.state for one in parts if one.state not in DONE and one.state is not CaseState.OPEN), case.state)


def _merge(case: Case, into: Case, gone: Mapping[Key, Case], now: datetime) -> Step:
    """End a case as a part of another: that is neither a recovery nor a cure."""
    state = case.state if case.state in DONE else CaseState.RESOLVED
    after = msgspec.structs.replace(case, state=state, cleared_at=now, merged_into=into.id, updated_at=now, unwatched=())
    return Step(EventKind.MERGED, after, {"into": into.id, **_went(gone)})


def _shrink(left: Case, gone: Mapping[Key, Case], now: datetime) -> Step:
    """Take symptoms away that belong to others now, from a case that has no diagnosis just now and waits for good readings."""
    unwatched = tuple(key for key in left.unwatched if key in left.keys)
    after = msgspec.structs.replace(left, updated_at=now, unwatched=unwatched)
    return Step(EventKind.UPDATED, after, {"changed": ["keys"], **_went(gone)})


def _went(gone: Mapping[Key, Case]) -> dict[str, Any]:
    """Return the part of an event's body that says which symptoms went to which case."""
    if not gone:
        return {}
    numbers = sorted({to.id for to in gone.values()})
    return {"gone": [{"case": number, "keys": sorted(key for key, to in gone.items() if to.id == number)} for number in numbers]}


def _arrived(came: Sequence[tuple[Case, tuple[Key, ...]]], parts: Sequence[Case]) -> dict[str, Any]:
    """Return the part of an event's body that says which symptoms came from which case, and which cases are a part of this one now."""
    body: dict[str, Any] = {"came": [{"case": one.id, "keys": keys} for one, keys in came]} if came else {}
    return {**body, "merged": [one.id for one in parts]} if parts else body


def _clear(case: Case, standing: Mapping[Key, Track], gone: Mapping[Key, Case], now: datetime) -> Step | None:
    if not case.keys or not all(recovered(standing.get(key), case.since) for key in case.keys):
        return None
    untouched = case.state is CaseState.OPEN
    state = CaseState.RESOLVED if untouched else case.state
    after = msgspec.structs.replace(case, state=state, cleared_at=now, cleared_by_itself=untouched, updated_at=now, unwatched=())
    return Step(EventKind.CLEARED, after, _went(gone))


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


def _id(message: Message | None) -> str | None:
    return message.id if message is not None else None


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
