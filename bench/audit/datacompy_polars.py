"""datacompy compares the same calls by an id that both files share. Runs in an environment of its own."""

import sys

import datacompy
import polars

if __name__ == "__main__":
    bills = [polars.read_csv(f"{sys.argv[1]}/{name}.csv") for name in ("local", "customer")]
    print(datacompy.PolarsCompare(*bills, join_columns="id").report()[:200])
