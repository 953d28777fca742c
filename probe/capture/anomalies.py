"""What is wrong with a file, counted by a word."""

from probe.observation.capture import Anomaly

# cut: ends within a record · broken: a record's fields contradict each other · given-up: no sound record after it
# snapped: packets cut by the snap length · link: a link type that is not read · bad-packet: shorter than its own headers say
# fragments: IP fragments that never became whole · time-back, time-jump: the clock was set back, or by weeks
# calls, streams, flows, ladder: bound reached
# sip-broken: SIP that can't be read · tls: SIP in TLS, which can't be read · time-limit: not read to the end · gaps: TCP octets missing


class Anomalies:
    """Counts of each kind, with the place of the first."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}
        self._first: dict[str, int | None] = {}

    def note(self, what: str, offset: int | None = None, count: int = 1) -> None:
        """Count one more."""
        if what not in self._count:
            self._count[what], self._first[what] = 0, offset
        self._count[what] += count

    def all(self) -> tuple[Anomaly, ...]:
        """Return them, in the order in which they came up."""
        return tuple(Anomaly(what, count, self._first[what]) for what, count in self._count.items())
