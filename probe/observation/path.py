"""What one trace of the path to an address saw, and which paths were seen before it."""

from enum import StrEnum

import msgspec


class Said(StrEnum):
    """What a hop answered to a probe that reached it."""

    EXCEEDED = "exceeded"  # ICMP time exceeded: a router on the way
    REPLY = "reply"  # the target itself: an echo reply, or "port unreachable" to UDP
    UNREACHABLE = "unreachable"  # ICMP destination unreachable or the like; `words` says which
    TOO_BIG = "too-big"  # fragmentation needed, packet too big
    SILENT = "silent"


class Hop(msgspec.Struct, frozen=True, gc=False):
    """One place on the path. `sent` 0: not asked this time, for its router's answers are limited and had been used up.

    address is the one that answered most often, None when none did; `others` (4 at most) answered for the same place. `words` are those of
    an unreachable, with "(this host …)" when it was our own kernel that found no next hop. Times are milliseconds, None without an answer.
    """

    ttl: int
    address: str | None
    sent: int
    answered: int
    said: Said = Said.SILENT
    words: str = ""
    last_ms: float | None = None
    min_ms: float | None = None
    mean_ms: float | None = None
    max_ms: float | None = None
    others: tuple[str, ...] = ()

    @property
    def loss_ratio(self) -> float | None:
        """Probes without an answer per probe sent, 0 … 1; None when none was sent."""
        return (self.sent - self.answered) / self.sent if self.sent else None

    @property
    def own(self) -> bool:
        """Tell whether it was our own kernel that answered, for it found no next hop: then no place on the path did."""
        return self.said is Said.UNREACHABLE and "(this host" in self.words


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A place of which the plan says what it is, asked by echoes of its own: `place` is "edge" (our port) or "pop" (the carrier's).

    `name` is as configured; `address` None where it did not resolve (then nothing was sent). quiet: it answered nothing either when the
    target was last reached, so its silence tells nothing.
    """

    place: str
    name: str
    address: str | None
    sent: int = 0
    answered: int = 0
    min_ms: float | None = None
    mean_ms: float | None = None
    quiet: bool = False

    @property
    def loss_ratio(self) -> float | None:
        """Echoes without an answer per echo sent; None when none was sent."""
        return (self.sent - self.answered) / self.sent if self.sent else None


class Route(msgspec.Struct, frozen=True, gc=False):
    """One path that led to the target: the address of each hop (None: silent), the last is the target.

    Ages in seconds at the time of the sample: in use without another one in between since `since_s` ago, seen last `seen_s` ago;
    `times` traces saw it, the best round trip on it was `min_ms`.
    """

    hops: tuple[str | None, ...]
    since_s: float
    seen_s: float
    times: int
    min_ms: float | None = None


class PathSample(msgspec.Struct, frozen=True, tag="path"):
    """The path from `source` (our address, "" where it could not be told) to `address`.

    reached: the target answered. neighbour: it is on a local segment, no router in between. `sent`, `answered` and the times are of the
    echoes to the target itself, with the usual time to live. hops: what each time to live met, up to the target, or to the last that
    answered and up to 5 silent ones behind it. `loop` are the addresses that go round. `marks`: see Mark. `routes` are the distinct
    paths that led to the target, the latest first (5 at most), this one included when it did; `changes` how often the path changed
    within the last hour.
    """

    address: str
    source: str
    protocol: str
    reached: bool
    sent: int
    answered: int
    hops: tuple[Hop, ...]
    min_ms: float | None = None
    mean_ms: float | None = None
    max_ms: float | None = None
    loop: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()
    routes: tuple[Route, ...] = ()
    changes: int = 0
    watched_s: float = 0.0
    neighbour: bool = False

    @property
    def loss_ratio(self) -> float | None:
        """Echoes to the target without an answer per echo sent, 0 … 1; None when none was sent."""
        return (self.sent - self.answered) / self.sent if self.sent else None
