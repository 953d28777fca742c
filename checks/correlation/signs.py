"""What an agent tells others of the nodes that it measures: when each last gave a sign of life, and since when it is silent."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from checks.assess import Memory
from checks.causes import Sort, sort_of
from checks.correlation.life import lives
from checks.correlation.picture import JobKey
from checks.finding import State


class Sign(msgspec.Struct, frozen=True, gc=False):
    """A node as an agent sees it; None where there was no sign, or nothing is silent."""

    alive_at: datetime | None
    dark_since: datetime | None


def signs(memories: Mapping[JobKey, Memory]) -> dict[str, Sign]:
    """Return by node what its measurements say; a node of which only our own trouble is known has no sign."""
    alive: dict[str, datetime] = {}
    silent: dict[str, datetime] = {}
    for (node, _, _), memory in memories.items():
        at = memory.last_at
        if at is None or memory.before is None:
            continue
        if memory.bad and (since := _silent_since(memory)) is not None:
            silent[node] = max(since, silent.get(node, since))
        known = alive.get(node)
        if (known is None or known < at) and lives(memory.before) is True:
            alive[node] = at
    found = {node: Sign(at, None) for node, at in alive.items()}
    for node, since in silent.items():
        at = alive.get(node)
        if at is None or at < since:
            found[node] = Sign(at, since)
    return found


def _silent_since(memory: Memory) -> datetime | None:
    """Return since when a check is believed silent; None while it is not."""
    found = [
        one.track.since or one.finding.seen.at
        for one in memory.standing
        if one.track.soft is not State.OK and sort_of(one.finding.check, one.track.said or one.finding.message.id) is Sort.SILENT
    ]
    return max(found, default=None)
