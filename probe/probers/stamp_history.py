"""What the last sessions with each STAMP reflector lost together: values in, values out; no clock inside."""

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from math import sqrt

import msgspec

from probe.observation.stamp import Lost, StampSample

LATELY_S = 300.0
LEAST_SESSIONS = 5  # fewer tell nothing of the scatter between them
MOST_SESSIONS = 300  # of one target; one a second
MOST_TARGETS = 2048
Count = tuple[int, int]  # sent, lost


class _Known:
    """One target: the address that was last measured, and its sessions as (start, sample), oldest first."""

    __slots__ = ("address", "sessions")

    def __init__(self, address: str) -> None:
        self.address = address
        self.sessions: deque[tuple[float, StampSample]] = deque(maxlen=MOST_SESSIONS)


class History:
    """The sessions of the last LATELY_S with each of MOST_TARGETS targets; the target asked longest ago is forgotten first."""

    def __init__(self) -> None:
        self._targets: OrderedDict[str, _Known] = OrderedDict()

    def note(self, target: str, now: float, seen: StampSample) -> StampSample:
        """Return a session's sample with what the last ones lost together, itself among them; as it is while there are too few.

        It begins anew where nothing came back (that is another fault, and no part of any sum) and where the target has another address.
        """
        known = self._targets.pop(target, None)
        if not seen.answered:
            return seen
        if known is None or known.address != seen.address:
            known = _Known(seen.address)
        self._targets[target] = known
        if len(self._targets) > MOST_TARGETS:
            self._targets.popitem(last=False)
        known.sessions.append((now, seen))
        while now - known.sessions[0][0] > LATELY_S:
            known.sessions.popleft()
        if len(known.sessions) < LEAST_SESSIONS:
            return seen
        samples = [sample for _, sample in known.sessions]
        return msgspec.structs.replace(
            seen,
            lately_s=now - known.sessions[0][0],
            lately_sessions=len(samples),
            lately_both=lost_in([(one.sent, one.sent - one.answered) for one in samples]),
            lately_out=_way(samples, _out),
            lately_back=_way(samples, _back),
        )

    def forget(self, target: str) -> None:
        """Begin anew: the target refused, or could not be asked at all."""
        self._targets.pop(target, None)


def _out(one: StampSample) -> Count | None:
    return None if one.lost_out is None else (one.sent - one.lost_unknown, one.lost_out)


def _back(one: StampSample) -> Count | None:
    return None if one.lost_back is None else (one.answered + one.lost_back, one.lost_back)


def _way(samples: Iterable[StampSample], count: Callable[[StampSample], Count | None]) -> Lost | None:
    """Return what one way lost; None where one of the sessions does not know."""
    counts: list[Count] = []
    for one in samples:
        counted = count(one)
        if counted is None:
            return None
        counts.append(counted)
    return lost_in(counts)


def lost_in(counts: Sequence[Count]) -> Lost:
    """Return the loss of two sessions or more together, with its scatter between them.

    The error is that of a ratio of sums by clusters (Cochran, Sampling Techniques, 3rd ed., 6.4), a session being one: losses come in
    bursts, and a packet lost beside another says less than one lost alone.
    """
    sent, lost = sum(of for of, _ in counts), sum(of for _, of in counts)
    clean = 0
    for of, missing in reversed(counts):
        if missing:
            break
        clean += of
    ratio = lost / sent
    squares = sum((missing - ratio * of) ** 2 for of, missing in counts) if lost else 0.0
    return Lost(sent, lost, sqrt(squares * len(counts) / (len(counts) - 1)) / sent, clean)
