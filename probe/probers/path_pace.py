"""How often a router may be asked for "time exceeded", so that its own limit is not taken for loss."""

from collections import OrderedDict

BURST, PER_S = 6.0, 1.0  # icmp(7): Linux answers one place with 6 errors at once, then one a second (icmp_ratelimit); others are like it
MOST_ROUTERS = 4096


class Pace:
    """A token bucket for each router, whichever targets lie behind it."""

    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, router: str, now: float, spare: float = 0.0) -> bool:
        """Tell whether this router may be asked once more at `now` (s), leaving it `spare` more, and count it when it may."""
        left = self._at(router, now)
        may = left >= 1.0 + spare
        self._keep(router, left - 1.0 if may else left, now)
        return may

    def charge(self, router: str, now: float) -> None:
        """Count an answer of a router that nobody knew to be there."""
        self._keep(router, max(0.0, self._at(router, now) - 1.0), now)

    def _at(self, router: str, now: float) -> float:
        left, at = self._left.get(router, (BURST, now))
        return min(BURST, left + (now - at) * PER_S)

    def _keep(self, router: str, left: float, now: float) -> None:
        self._left[router] = (left, now)
        self._left.move_to_end(router)
        if len(self._left) > MOST_ROUTERS:
            self._left.popitem(last=False)
