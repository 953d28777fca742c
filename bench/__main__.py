"""`python -m bench [part …]` (make bench): every part in one run, side by side, as a Markdown table; a missing program is named.

Figures are CPU (user and system), medians of turns; on a busy machine trust the ratios, not the milliseconds. Always exits 0: it measures.
"""

import asyncio
import importlib
import os
import platform
import sys
import tempfile
from pathlib import Path

from bench.measure import MISSING, Row, table

PARTS = ("icmp", "exporters", "host", "snmp", "start", "agent", "everything")


def main() -> None:
    """Run the parts named, or all."""
    wanted = sys.argv[1:] or list(PARTS)
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        raise SystemExit(f"no part named {', '.join(unknown)}; there are: {', '.join(PARTS)}")
    print(f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}; ", end="")
    print(f"load {os.getloadavg()[0]:.1f} at the start\n", flush=True)
    rows: list[Row] = []
    for name in wanted:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            with tempfile.TemporaryDirectory() as folder:
                rows += asyncio.run(importlib.import_module(f"bench.{name}").run(Path(folder)))
        except (RuntimeError, OSError, SystemExit) as why:  # one part that can't be measured here costs only itself
            print(f"{name} could not be measured: {why}")
    print(table(rows))
    for program, package in MISSING.items():
        print(f"\n{program} is missing, and what needs it was left out: apt-get install {package}")


if __name__ == "__main__":
    main()
