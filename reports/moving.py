"""Which symptoms belong to another case now, and which cases are a part of another one. Pure.

A symptom (a bad key) belongs to the case of the diagnosis that explains it, also when that is only opened now (such a case has a number
below 0). Cases of other agents neither give nor take.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import msgspec

from checks.finding import Key, State
from checks.history import Track
from checks.verdict import Diagnosis, Identity
from reports.case import Case


class Moves(msgspec.Struct, frozen=True):
    """What moves. `into`: a case that is merged, by its identity, and the one that takes it. `gone`: which of a case's keys go where;
    `came`: from which cases keys come, and which, in the order of the cases' numbers.

    `together` numbers the groups of cases between which something moves.
    """

    into: Mapping[Identity, Case]
    gone: Mapping[Identity, Mapping[Key, Case]]
    came: Mapping[Identity, list[tuple[Case, tuple[Key, ...]]]]
    together: Mapping[Identity, int]


def recovered(track: Track | None, since: datetime) -> bool:
    """Tell whether a track is good by measurements made after `since`.

    The time matters after a crash: tracks are written less safely than cases, so an old good track may stand beside a newer case.
    """
    if track is None or track.flapping or track.blind_since is not None:
        return False
    return track.hard is State.OK and track.soft is State.OK and track.since is not None and track.since > since


def speaks_for(case: Case, diagnosis: Diagnosis) -> bool:
    """Tell whether a diagnosis is of the agent that opened the case: on a shared store no other one speaks for it."""
    return any(key[0] == case.agent for key in diagnosis.keys)


def moves(
    current: Mapping[Identity, Diagnosis],
    uncleared: Mapping[Identity, Case],
    opening: Mapping[Identity, Case],
    standing: Mapping[Key, Track],
) -> Moves:
    """Return what moves out of the uncleared cases, to others or to those `opening`, given the diagnoses and the standing tracks.

    A case that no diagnosis is of any more is merged when all of it that is still bad is explained elsewhere: by the case that takes most
    of it. It is not when what it blamed is good again by measurement: then it loses what others explain, and may clear.
    """
    takers = _takers(current, {**uncleared, **opening})
    into: dict[Identity, Case] = {}
    gone: dict[Identity, Mapping[Key, Case]] = {}
    for identity, case in uncleared.items():
        own = current.get(identity)
        keep = frozenset(own.keys) if own is not None else frozenset()
        taken = {key: takers[key] for key in case.keys if key in takers and key not in keep and _may_take(takers[key], key, case)}
        if not taken:
            continue
        still_bad = {key for key in case.keys if key in taken or ((track := standing.get(key)) is not None and track.bad)}
        if own is None and still_bad <= taken.keys() and not _mended(case, standing):
            into[identity] = main = _main(taken)
            rest = (key for key in case.keys if key not in taken and not recovered(standing.get(key), case.since))
            taken |= dict.fromkeys(rest, main)
        gone[identity] = taken
    return Moves(into, gone, _came(gone, uncleared), _groups(gone))


def _takers(current: Mapping[Identity, Diagnosis], cases: Mapping[Identity, Case]) -> dict[Key, Case]:
    """Return the case of the diagnosis that explains each key."""
    takers: dict[Key, Case] = {}
    for identity, diagnosis in current.items():
        if speaks_for(cases[identity], diagnosis):
            for key in diagnosis.keys:
                takers.setdefault(key, cases[identity])
    return takers


def _may_take(to: Case, key: Key, case: Case) -> bool:
    return key[0] == case.agent == to.agent and to.identity != case.identity


def _mended(case: Case, standing: Mapping[Key, Track]) -> bool:
    """Tell whether what the case blamed is good again: every reading at the culprit itself; of a link or site, half of all its readings.

    Then its end is a recovery, and what is left of its symptoms has another reason.
    """
    node = case.element.partition(":")[0]
    own = [key for key in case.keys if key[1] == node]
    good = [key for key in own or case.keys if recovered(standing.get(key), case.since)]
    return len(good) == len(own) if own else 2 * len(good) >= len(case.keys)


def _main(taken: Mapping[Key, Case]) -> Case:
    """Return the case that takes most; of equals one that is open already, then the oldest."""
    by_id = {to.id: to for to in taken.values()}
    counts = Counter(to.id for to in taken.values())
    return min(by_id.values(), key=lambda to: (-counts[to.id], to.id < 0, to.since, to.id))


def _came(
    gone: Mapping[Identity, Mapping[Key, Case]], cases: Mapping[Identity, Case]
) -> dict[Identity, list[tuple[Case, tuple[Key, ...]]]]:
    came: dict[Identity, list[tuple[Case, tuple[Key, ...]]]] = {}
    for source in sorted(gone, key=lambda one: cases[one].id):
        keys: dict[Identity, list[Key]] = {}
        for key, to in gone[source].items():
            keys.setdefault(to.identity, []).append(key)
        for identity, some in keys.items():
            came.setdefault(identity, []).append((cases[source], tuple(sorted(some))))
    return came


def _groups(gone: Mapping[Identity, Mapping[Key, Case]]) -> dict[Identity, int]:
    """Return a number (from 1) for each set of cases that are connected by moves."""
    leader: dict[Identity, Identity] = {}

    def find(one: Identity) -> Identity:
        while leader.setdefault(one, one) != one:
            leader[one] = one = leader[leader[one]]
        return one

    for source, taken in gone.items():
        for to in taken.values():
            leader[find(to.identity)] = find(source)
    numbers = {one: at for at, one in enumerate(sorted({find(one) for one in list(leader)}), 1)}
    return {one: numbers[find(one)] for one in list(leader)}
