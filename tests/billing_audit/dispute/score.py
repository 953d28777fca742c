"""What an audit said against what was planted: recall, false causes, money, exact sums, and how well its confidence is calibrated."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from billing_audit.audit import Found
from tests.billing_audit.dispute.bills import Dispute
from tests.billing_audit.dispute.plant import NO_MONEY, Planted

MONEY_RATIO: Final = 0.005  # of a planted cause
FALSE_RATIO: Final = 0.02  # of the money or of the rows
CLEAN_RATIO: Final = 0.0002  # of the bill, where nothing was planted
KIN: Final = (  # what can't be told apart without the paper that tells it: without a deck, without a contract
    (frozenset(("rate", "prefix", "code_list", "rate_change", "rate_change_zone", "time_band")), "deck"),
    (frozenset(("increment", "increment_anchor", "free_seconds")), "contract"),
    (frozenset(("rate", "time_band", "rate_change_zone", "rate_change")), "contract"),
    (frozenset(("cut_off", "missing_import")), "contract"),
)
BINS: Final = (0.0, 0.5, 0.7, 0.8, 0.9, 0.97, 1.01)


@dataclass(frozen=True)
class Outcome:
    """What an audit said, as far as it is judged."""

    found: tuple[Found, ...]
    unexplained_micro: int
    difference_micro: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Judged:
    """One dispute judged. `missed`: planted causes that were not found; `sided`: found, but another's; `costly`: found, with wrong money."""

    label: str
    planted: int
    missed: tuple[str, ...]
    sided: tuple[str, ...]
    costly: tuple[str, ...]
    false: tuple[str, ...]
    exact: bool
    confidence: tuple[tuple[float, bool], ...]
    seconds: float
    codes: tuple[str, ...]

    @property
    def good(self) -> bool:
        return self.exact and not (self.missed or self.sided or self.costly or self.false)


def told(cause: Planted) -> str:
    """Return a planted cause in one line."""
    return f"{cause.code}/{cause.departs}→{cause.sides[0]} {cause.records} rows {cause.amount_micro / 1e6:.6f} {cause.parameters}"


def kin(code: str, papers: tuple[bool, bool]) -> set[str]:
    """Return the codes that are as right as this one with these papers (contract, deck)."""
    has = dict(zip(("contract", "deck"), papers, strict=True))
    return {code}.union(*(family for family, paper in KIN if code in family and not has[paper]))


def judge(dispute: Dispute, said: Outcome, label: str, contract: bool = True, deck: bool = True) -> Judged:
    """Compare what was said with what was planted; where a paper lacks `undetermined` is as right, and a code's kin."""
    missed, sided, costly = [], [], []
    papers = (contract, deck)
    for cause in dispute.planted:
        same = [f for f in said.found if f.cause in kin(cause.code, papers)]
        right = [f for f in same if f.side in cause.sides or (not all(papers) and f.side == "undetermined")]
        if not same:
            missed.append(told(cause))
        elif not right:
            sided.append(f"{told(cause)}; said {[str(f.side) for f in same]}")
        elif all(papers) and cause.code not in NO_MONEY:
            amount = sum(f.amount_micro for f in right)
            if abs(amount - cause.amount_micro) > MONEY_RATIO * abs(cause.amount_micro):
                costly.append(f"{told(cause)}; said {amount / 1e6:.6f} ({amount / cause.amount_micro:.4f})")
    false = _false(dispute, said, papers)
    exact = sum(f.amount_micro for f in said.found) + said.unexplained_micro == said.difference_micro == dispute.difference_micro
    known: dict[str, set[str]] = {}
    for p in dispute.planted:
        for code in kin(p.code, papers):
            known.setdefault(code, set()).update(p.sides)
    confidence = tuple(
        (f.confidence, f.cause in known and (f.side in known[f.cause] or f.side == "undetermined"))
        for f in said.found
        if f.cause != "unexplained" and not (f.cause not in known and f not in false)
    )
    return Judged(
        label,
        len(dispute.planted),
        tuple(missed),
        tuple(sided),
        tuple(costly),
        tuple(f"{f.cause}/{f.side} {f.records} rows {f.amount_micro / 1e6:.6f} {f.parameters}" for f in false),
        exact,
        confidence,
        said.seconds,
        tuple(p.code for p in dispute.planted),
    )


def _false(dispute: Dispute, said: Outcome, papers: tuple[bool, bool]) -> list[Found]:
    """Return the causes that were not planted and carry more than 2 % of the disputed money or of the rows."""
    known = {"unexplained"}.union(*(kin(p.code, papers) for p in dispute.planted), *(p.tolerated for p in dispute.planted))
    disputed = sum(abs(p.amount_micro) for p in dispute.planted)
    bill = int(dispute.local["charge_micro"].sum())
    limit = FALSE_RATIO * disputed if disputed else CLEAN_RATIO * bill
    rows = FALSE_RATIO * len(dispute.pairs)
    return [f for f in said.found if f.cause not in known and (abs(f.amount_micro) > limit or f.records > rows)]


@dataclass
class Score:
    """Many disputes judged."""

    judged: list[Judged] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, one: Judged) -> None:
        """Count one dispute."""
        self.judged.append(one)

    @property
    def planted(self) -> int:
        return sum(j.planted for j in self.judged)

    @property
    def recall(self) -> float:
        """Return the share of planted causes that were found with the right side."""
        return 1 - sum(len(j.missed) + len(j.sided) for j in self.judged) / max(self.planted, 1)

    @property
    def false_share(self) -> float:
        """Return false causes as a share of all causes said."""
        false = sum(len(j.false) for j in self.judged)
        return false / max(self.planted + false, 1)

    @property
    def money_share(self) -> float:
        """Return the share of found causes whose money is within the limit."""
        found = self.planted - sum(len(j.missed) + len(j.sided) for j in self.judged)
        return 1 - sum(len(j.costly) for j in self.judged) / max(found, 1)

    @property
    def exact(self) -> bool:
        return all(j.exact for j in self.judged)

    def calibration(self) -> list[tuple[str, int, float, float]]:
        """Return (bin, causes, mean confidence, share that is right) of each bin that has causes."""
        said = [pair for j in self.judged for pair in j.confidence]
        rows = []
        for low, high in pairwise(BINS):
            here = [(c, right) for c, right in said if low <= c < high]
            if here:
                rows.append(
                    (f"{low:.2f}-{min(high, 1):.2f}", len(here), sum(c for c, _ in here) / len(here), sum(r for _, r in here) / len(here))
                )
        return rows

    def by_code(self) -> dict[str, list[int]]:
        """Return per code: planted, missed, wrong side, wrong money, said falsely."""
        table: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
        for j in self.judged:
            for code in j.codes:
                table[code][0] += 1
            for place, texts in enumerate((j.missed, j.sided, j.costly, j.false), 1):
                for text in texts:
                    table[text.split("/")[0]][place] += 1
        return dict(sorted(table.items()))

    def report(self) -> str:
        """Return everything as text: figures, the table by code, calibration, what was rejected, the failures."""
        lines = [
            f"disputes {len(self.judged)}, good {sum(j.good for j in self.judged)}, planted {self.planted}",
            f"right cause and side {self.recall:.4f} · false {self.false_share:.4f} · money within 0.5 % {self.money_share:.4f} · exact {self.exact}",
            f"seconds: mean {sum(j.seconds for j in self.judged) / max(len(self.judged), 1):.2f}, most {max((j.seconds for j in self.judged), default=0):.2f}",
            "code                 planted missed side money false",
            *(f"{code:20} {v[0]:7} {v[1]:6} {v[2]:4} {v[3]:5} {v[4]:5}" for code, v in self.by_code().items()),
            "confidence: bin, causes, mean, right",
            *(f"  {name} {count:5} {mean:.3f} {right:.3f}" for name, count, mean, right in self.calibration()),
            "rejected: " + "; ".join(f"{n}× {why}" for why, n in self.rejected.most_common(20)),
            *failures(self.judged),
        ]
        return "\n".join(lines)


def failures(judged: Iterable[Judged]) -> Sequence[str]:
    """Return a paragraph per dispute that was not judged rightly."""
    lines = []
    for j in judged:
        if not j.good:
            lines.append(f"- {j.label}{'' if j.exact else ' SUM NOT EXACT'}")
            for name, texts in (("missed", j.missed), ("side", j.sided), ("money", j.costly), ("false", j.false)):
                lines += [f"    {name}: {text}" for text in texts]
    return lines
