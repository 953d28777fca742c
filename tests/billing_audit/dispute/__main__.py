"""Write one dispute to a folder, to try an audit by hand: `python -m tests.billing_audit.dispute SEED FOLDER [code/bill …] [--rows N]`."""

import argparse
from pathlib import Path

from tests.billing_audit.dispute import files, papers
from tests.billing_audit.dispute.make import ONE_SIDED, make
from tests.billing_audit.dispute.plant import CODES, Rejected


def main() -> None:
    """Write the dispute and print its truth."""
    ask = argparse.ArgumentParser(description="two bills, contract.toml, deck.csv, outages.csv and truth.json of one dispute")
    ask.add_argument("seed", type=int)
    ask.add_argument("folder", type=Path)
    ask.add_argument("causes", nargs="*", help=f"code/bill, like rate/local; none: by chance. Codes: {' '.join(CODES)}")
    ask.add_argument("--rows", type=int, default=20_000)
    told = ask.parse_args()
    codes = [(code, bill or ONE_SIDED.get(code, "customer")) for code, _, bill in (cause.partition("/") for cause in told.causes)]
    try:
        dispute = make(told.seed, codes or None, told.rows)
    except Rejected as why:
        ask.exit(1, f"seed {told.seed} is rejected: {why}\n")
    styles = files.write(dispute, told.folder)
    print(*(f"{side}: {style}" for side, style in styles.items()), papers.truth(dispute), sep="\n")


if __name__ == "__main__":
    main()
