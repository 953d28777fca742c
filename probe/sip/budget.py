"""How many test calls may be made: a bucket of permits that fills at `daily` a day, and starts empty.

It lives in the memory of the service only. That it starts empty is what makes it safe across restarts: a start can only lose permits, never
make any, so that in any 24 hours, however often the service is started, there are at most `daily` + 1 calls to a number.
"""

import time

DAY_S = 86_400.0
SLACK = 0.1  # of a permit, kept beyond a whole one: a check whose period is the fill time is not refused for a second's delay


class Budget:
    """The permits of one number."""

    def __init__(self, daily: int, now_s: float | None = None) -> None:
        self.rate = daily / DAY_S
        self.permits = 0.0
        self._at = time.monotonic() if now_s is None else now_s

    def limit(self, daily: int, now_s: float | None = None) -> None:
        """Fill at another pace from now on; what has come since the last time comes at the slower of the two."""
        rate = daily / DAY_S
        if rate != self.rate:
            self.rate = min(rate, self.rate)
            self._fill(now_s)
            self.rate = rate

    def take(self, now_s: float | None = None) -> float:
        """Take one permit and return 0; when there is none, return in how many seconds there will be."""
        self._fill(now_s)
        if self.permits >= 1.0 - 1e-9:
            self.permits -= 1.0
            return 0.0
        return (1.0 - self.permits) / self.rate

    def _fill(self, now_s: float | None) -> None:
        now_s = time.monotonic() if now_s is None else now_s
        self.permits = min(self.permits + (now_s - self._at) * self.rate, 1.0 + SLACK)
        self._at = now_s
