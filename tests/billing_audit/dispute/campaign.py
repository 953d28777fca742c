"""Many seeded disputes, audited and scored: `python -m tests.billing_audit.dispute.campaign pairs 200`."""

import argparse
import sys
import traceback
from collections.abc import Iterator

from tests.billing_audit.dispute import audits
from tests.billing_audit.dispute.bills import Dispute
from tests.billing_audit.dispute.make import ONE_SIDED, make
from tests.billing_audit.dispute.plant import CODES, SIDES, Rejected
from tests.billing_audit.dispute.score import Judged, Score, failures, judge

ALONE = tuple((code, side) for code in CODES for side in SIDES if ONE_SIDED.get(code, side) == side)


def disputes(count: int, rows: int, score: Score, first: int = 0, alone: bool = True) -> Iterator[tuple[str, Dispute]]:
    """Yield so many disputes with their label: each cause alone on each side, then combinations by chance; rejects are counted."""
    made = 0
    for number, one in enumerate(ALONE if alone else ()):
        for turn in range(60):
            if made >= count:
                return
            seed = first + 100 * number + turn
            try:
                dispute = make(seed, [one], rows)
            except Rejected as why:
                score.rejected[_short(why)] += 1
                continue
            made += 1
            yield f"make({seed}, [{one}], {rows})", dispute
            break
    seed = first + 10_000
    while made < count:
        seed += 1
        try:
            dispute = make(seed, None, rows)
        except Rejected as why:
            score.rejected[_short(why)] += 1
            continue
        made += 1
        yield f"make({seed}, None, {rows})", dispute


def _short(why: Rejected) -> str:
    return str(why).split(":")[0]


def one(label: str, dispute: Dispute, way: str, contract: bool, deck: bool) -> Judged:
    """Audit and judge one dispute; an audit that dies has found nothing."""
    try:
        said = audits.of(dispute, way, contract, deck)
    except Exception as why:
        where = traceback.extract_tb(why.__traceback__)[-1]
        told = f"died/{type(why).__name__}: {str(why)[:200]} at {where.filename.split('/')[-1]}:{where.lineno}"
        codes = tuple(p.code for p in dispute.planted)
        return Judged(label, len(codes), tuple(codes), (), (), (told,), False, (), 0.0, codes)
    return judge(dispute, said, label, contract, deck)


def run(
    count: int, rows: int, way: str, first: int = 0, alone: bool = True, contract: bool = True, deck: bool = True, loud: bool = False
) -> Score:
    """Audit and score so many disputes."""
    score = Score()
    for label, dispute in disputes(count, rows, score, first, alone):
        judged = one(label, dispute, way, contract, deck)
        score.add(judged)
        if loud and not judged.good:
            print(*failures([judged]), sep="\n", flush=True)
    return score


def main() -> None:
    """Print the report."""
    ask = argparse.ArgumentParser(description="audits seeded disputes and scores the answers")
    ask.add_argument("way", choices=audits.WAYS)
    ask.add_argument("count", type=int)
    ask.add_argument("--rows", type=int, default=20_000)
    ask.add_argument("--first", type=int, default=0, help="the first seed")
    ask.add_argument("--combined", action="store_true", help="combinations only")
    ask.add_argument("--no-contract", action="store_true")
    ask.add_argument("--no-deck", action="store_true")
    told = ask.parse_args()
    score = run(told.count, told.rows, told.way, told.first, not told.combined, not told.no_contract, not told.no_deck)
    sys.stdout.write(score.report() + "\n")


if __name__ == "__main__":
    main()
