"""What happened around one planted fault, or several, or none: the facts, one JSON line each; whether that was right is judged from them.

All times are seconds since the planting began.
"""

import fcntl
from collections.abc import Iterator
from pathlib import Path

import msgspec


class Planted(msgspec.Struct, frozen=True):
    """One fault and what is right to say of it, as tests.lab.truth.Truth tells it; no cause: nothing may be said."""

    fault: str
    seen: str
    causes: tuple[str, ...]
    side: tuple[str, ...]
    elements: tuple[str, ...]
    customers: tuple[str, ...] = ()
    machine_wide: bool = False


class Moment(msgspec.Struct, frozen=True):
    """One event of a case, and what the case said right after it."""

    at_s: float
    event: str
    cause: str
    element: str
    side: str
    affected: tuple[str, ...] = ()
    confidence: float | None = None


class Story(msgspec.Struct, frozen=True):
    """One case from its opening; `alternatives` and `elsewhere` are what it said it can't be told from, just before the fault was undone."""

    case: int
    moments: tuple[Moment, ...]
    alternatives: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


class Outcome(msgspec.Struct, frozen=True):
    """One run. `planted` is empty for a quiet time; `undone_s` is when the undoing began, `clear_s` when no case was open any more (None:
    it was not waited for any longer, and the agent began anew).

    `planting_s` is how long the planting took, `verdict_s` the time from the last reading that the right case stood on to its opening,
    `load` the machine's load average meanwhile, `problem` what kept the run from being one: it is counted, and neither right nor wrong.
    """

    seed: int
    planted: tuple[Planted, ...]
    stories: tuple[Story, ...]
    planting_s: float
    undone_s: float
    clear_s: float | None = None
    verdict_s: float | None = None
    load: float = 0.0
    commit: str = ""
    problem: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """What a results file has at most once."""
        return ("+".join(one.fault for one in self.planted) or "quiet", self.seed)


def read(file: Path) -> Iterator[Outcome]:
    """Yield the outcomes of a results file; a last line that a killed run left unfinished is none."""
    if not file.exists():
        return
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            yield msgspec.json.decode(line, type=Outcome)


def append(file: Path, outcome: Outcome) -> None:
    """Append one outcome in place of a line that was left unfinished; several processes may do so at once."""
    with file.open("a+b") as out:
        fcntl.flock(out, fcntl.LOCK_EX)
        out.seek(0)
        out.truncate(out.read().rfind(b"\n") + 1)
        out.write(msgspec.json.encode(outcome) + b"\n")
