"""When a verdict is told: not before what could change it has been measured, and not for what a fault leaves behind when it ends.

Pure: a fold over moments; the service and a replay go through the same.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec

from checks.assess import Memory
from checks.correlate import Correlation, correlate
from checks.correlation.absorb import ENDING, LATELY, Past
from checks.correlation.fault import Fault
from checks.correlation.picture import JobKey
from checks.correlation.view import View, fresh
from checks.finding import Key
from checks.topology import Topology
from checks.verdict import Diagnosis, Identity

HOLD = timedelta(seconds=6)  # how long a verdict waits for the measurements that it asked for
AGENT = timedelta(seconds=12)  # … for another agent's own look around: it must hear of it, measure, and tell
BLINK = timedelta(seconds=15)  # how long it is remembered that something waited that is not to be seen at every moment
ECHO = timedelta(hours=1)  # how long what only tells of the past (a path that changed) is explained by it
PLACED = ("loss", "delay", "carrier_quality", "path_voice")  # causes that are placed by counting
MOST = 10_000  # faults remembered, the newest


class Patience(msgspec.Struct, frozen=True):
    """What is waiting since when, by key, the faults of the last moments, and which of them are there now."""

    first: Mapping[Key, datetime] = {}
    past: Mapping[Identity, Past] = {}
    there: frozenset[Identity] = frozenset()


def recent(patience: Patience, now: datetime) -> Iterator[tuple[Identity, Past]]:
    """Yield the faults of the last hour, and how long ago each was there."""
    for known_by, one in patience.past.items():
        until = now if known_by in patience.there else one.seen
        seen = min(until, now)  # our clock may have been set back
        if now - seen <= ECHO:
            yield known_by, Past(one.fault, seen, now - seen)


def recalled(faults: Iterable[tuple[Identity, Fault, datetime | None]]) -> Patience:
    """Return the patience after a restart, from faults in the order in which they began, and when each was last there.

    None: until just now; its case is open, and what it left behind may have begun while nobody looked.
    """
    past, there = dict[Identity, Past](), set[Identity]()
    for known_by, fault, seen in faults:
        past[known_by] = Past(fault, fault.since if seen is None else seen)
        (there.discard if seen is not None else there.add)(known_by)
    return Patience(past=past, there=frozenset(there))


def _restored(memory: Memory) -> bool:
    """Tell whether something is believed bad from before a restart and was not measured since: half of a fault looks like another one."""
    if memory.quiet or len(memory.bad) == len(memory.tracks):
        return False
    return any(track.bad and key not in memory.bad for key, track in memory.tracks.items())


def _no_more(diagnosis: Diagnosis, placed: Collection[Key]) -> bool:
    """Tell whether a diagnosis stands on nothing that was not explained already; the sums of the last minutes are nothing new."""
    return bool(placed) and all(key in placed for key in diagnosis.keys if key[2] != LATELY)


def _may_be_there(diagnosis: Diagnosis, told: Collection[Identity]) -> bool:
    """Tell whether a diagnosis may as well be one that was told: where that has it is among where it may be."""
    return any((diagnosis.kind, code, at) in told for code in PLACED for at in diagnosis.elsewhere)


def deliberate(
    memories: Mapping[JobKey, Memory],
    topology: Topology,
    patience: Patience,
    now: datetime,
    told: Collection[Identity] = (),
    views: Iterable[View] = (),
) -> tuple[Correlation, Patience]:
    """Return what can be told now, what is still asked for, and the patience after it. `told` are the diagnoses that are told already.

    The correlation's `diagnoses` are those that wait no longer; `waiting` has those that do as well.
    """
    past = dict(recent(patience, now))
    whole = correlate(memories, topology, past.values(), fresh(views, now))
    half_seen = any(_restored(memory) for memory in memories.values())
    first = {key: at for key, at in patience.first.items() if now - at <= BLINK}
    ready = []
    placed = {
        symptom.key
        for known_by, one in past.items()
        if known_by in told and one.fault.code in PLACED and one.age <= ENDING
        for symptom in one.fault.symptoms
    }
    for one in whole.diagnoses:
        known_by = one.identity
        if one.cause in PLACED and known_by not in told and (_no_more(one, placed) or _may_be_there(one, told)):
            continue  # chance alone makes a loss look as if it began elsewhere now; only more that is lossy shows that it does
        if known_by in told or (known_by not in whole.waiting and not half_seen):
            ready.append(one)
            for key in one.keys:
                first.pop(key, None)
            continue
        since = min(now, *(patience.first.get(key, now) for key in one.keys))
        first.update((key, since) for key in one.keys)
        if now - since >= (AGENT if whole.faults[known_by].awaits_agent else HOLD):
            ready.append(one)
    past.update((known_by, Past(fault, now)) for known_by, fault in whole.faults.items())
    newest = dict(list(past.items())[-MOST:])
    return msgspec.structs.replace(whole, diagnoses=tuple(ready)), Patience(first, newest, frozenset(whole.faults))
