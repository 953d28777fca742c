"""Which paths led to which target, and since when: values in, values out; no clock inside."""

from collections import OrderedDict

from probe.observation.path import Route

MOST_TARGETS, MOST_ROUTES = 2048, 5
MOST_CHANGES, CHANGES_WITHIN_S = 64, 3600.0
Places = tuple[str | None, ...]


class _Known:
    """One target: its distinct routes, the latest first, as [places, since, seen, times, min_ms]; and when the path changed."""

    __slots__ = ("begun", "changes", "routes")

    def __init__(self, now: float) -> None:
        self.begun = now
        self.routes: list[tuple[Places, float, float, int, float | None]] = []
        self.changes: list[float] = []


class History:
    """The last MOST_ROUTES distinct routes of each of MOST_TARGETS targets; the target that was asked longest ago is forgotten first."""

    def __init__(self) -> None:
        self._targets: OrderedDict[str, _Known] = OrderedDict()

    def latest(self, target: str) -> Places:
        """Return the route that led to the target last, empty when none is known."""
        known = self._targets.get(target)
        return known.routes[0][0] if known and known.routes else ()

    def least_ms(self, target: str) -> float | None:
        """Return the best round trip on that route, None when none was measured."""
        known = self._targets.get(target)
        return known.routes[0][4] if known and known.routes else None

    def note(self, target: str, now: float, places: Places | None, min_ms: float | None) -> tuple[tuple[Route, ...], int, float]:
        """Take the route of a trace that reached its target (None for one that did not); return routes, changes in the last hour, and
        for how long this target has been traced, in seconds.
        """
        known = self._targets.pop(target, None) or _Known(now)
        self._targets[target] = known
        if len(self._targets) > MOST_TARGETS:
            self._targets.popitem(last=False)
        if places is not None:
            _take(known, now, places, min_ms)
        known.changes = [at for at in known.changes if now - at < CHANGES_WITHIN_S][-MOST_CHANGES:]
        routes = tuple(Route(hops, now - since, now - seen, times, best) for hops, since, seen, times, best in known.routes)
        return routes, len(known.changes), now - known.begun


def _take(known: _Known, now: float, places: Places, min_ms: float | None) -> None:
    at = next((at for at, route in enumerate(known.routes) if same(route[0], places)), None)
    if at is None:
        fresh = (places, now, now, 1, min_ms)
    else:
        old, since, _, times, best = known.routes.pop(at)
        merged = tuple(new if new is not None else was for new, was in zip(places, old, strict=True))
        lowest = min((ms for ms in (best, min_ms) if ms is not None), default=None)
        fresh = (merged, now if at else since, now, times + 1, lowest)
    if known.routes and at != 0:
        known.changes.append(now)
    known.routes = [fresh, *known.routes][:MOST_ROUTES]


def same(one: Places, other: Places) -> bool:
    """Tell whether two routes may be one: as long, and no place at which both know an address and differ."""
    return len(one) == len(other) and all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))
