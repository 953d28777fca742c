"""What the call records of the last minutes say; no number of a caller is in it."""

import msgspec


class CdrGroup(msgspec.Struct, frozen=True, gc=False):
    """Calls of one trunk, destination or customer that ended within the window; `kind` "all" is every call.

    attempts: records (seizures). answered: those with an answer. effective: answered, or not because of a person or the terminal: busy, no
    answer, given up (ITU-T E.425); None where records tell no cause. talk_s: the answered ones' conversation in all. pdd_s: their mean
    post-selection delay, None where the records do not tell it. causes: release cause as written → calls, the ten most frequent; faults:
    the same of calls that were not effective, the five most frequent.
    peak: most calls at once in the last hour as far as records tell: those that still go on are in none. limit: what was agreed.
    """

    kind: str
    name: str
    attempts: int
    answered: int
    effective: int | None
    talk_s: float
    pdd_s: float | None = None
    causes: dict[str, int] = {}
    faults: dict[str, int] = {}
    peak: int | None = None
    limit: int | None = None

    @property
    def asr_ratio(self) -> float | None:
        """Answer-seizure ratio (ITU-T E.425); None without calls."""
        return self.answered / self.attempts if self.attempts else None

    @property
    def ner_ratio(self) -> float | None:
        """Network effectiveness ratio (ITU-T E.425); None without calls or causes."""
        return self.effective / self.attempts if self.attempts and self.effective is not None else None

    @property
    def acd_s(self) -> float | None:
        """Average call duration; None without an answered call."""
        return self.talk_s / self.answered if self.answered else None


class CdrSample(msgspec.Struct, frozen=True, tag="cdr"):
    """One look at the records: lines = taken + older + refused, since the file was opened.

    `refused` says how many for which reason; `older` were sound and ended before the window. newest_age_s: how long ago the newest record's
    call ended, None when there was none. behind_bytes: what is left to be read. rotations and truncations: how often the file was another.
    groups_left_out: names of trunks, destinations and customers beyond the bound, whose calls are counted as "other".
    """

    path: str
    window_s: float
    groups: tuple[CdrGroup, ...]
    lines: int
    taken: int
    older: int
    refused: dict[str, int]
    newest_age_s: float | None
    behind_bytes: int
    rotations: int = 0
    truncations: int = 0
    groups_left_out: int = 0
