"""Our side of the bench: `python -m bench.audit.ours FOLDER match|full|phases [MEMORY_MIB]`."""

import json
import sys
import tomllib
from decimal import Decimal
from pathlib import Path

from billing_audit import contract as contracts
from billing_audit import run
from billing_audit.decks import read as decks


def options(folder: Path, memory: int, pairs: Path | None) -> run.Options:
    """Return the options of a whole audit."""
    told, problems = contracts.read(tomllib.loads((folder / "contract.toml").read_text(), parse_float=Decimal))
    assert told is not None, problems
    deck, refused = decks.read((folder / "rates.csv",), told.timezone)
    assert not refused, refused
    return run.Options(contract=told, deck=deck, memory=memory, pairs=pairs, keep_pairs=pairs is not None)


def main() -> None:
    """Run one side; the last line is what was found, as JSON."""
    folder, what = Path(sys.argv[1]), sys.argv[2]
    memory = int(sys.argv[3]) << 20 if len(sys.argv) > 3 else 1 << 30
    local, customer = [folder / "local.csv"], [folder / "customer.csv"]
    if what == "match":
        told = run.matched(local, customer, run.Options(memory=memory, keep_pairs=False))
        found = {"matched": told.counts[0], "differing": told.counts[5]}
    else:
        with run.audit(local, customer, options(folder, memory, folder / "pairs.parquet")) as result:
            causes = {f"{one.cause}/{one.side}": one.amount_micro for one in result.audit.causes}
            found = {"matched": result.audit.matched, "difference": result.audit.difference_micro, "causes": causes}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
