"""`python -m bench.audit [ROWS …]` (make bench-audit): the audit beside DuckDB and datacompy, in one run and in turns.

Rows are those of each bill, in millions (1 and 5 when none are told). CPU is that of a process and all its children, its start included,
as the kernel counts it; the peak is the largest resident set of one process. `--keep FOLDER` keeps the generated bills.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OTHERS = ROOT / "build" / "bench-audit"
TURNS = {1: 3, 5: 3}  # medians of so many; larger bills are measured once
MATCH_LIMIT, FULL_LIMIT = 1.5, 3.0
MEMORY_MIB = 1024
DATACOMPY_MOST = 5


class Used(NamedTuple):
    """CPU seconds, seconds on the wall, peak in MB."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def others() -> Path:
    """Return the Python of the environment that holds DuckDB and datacompy, made when it is missing or outdated."""
    wanted = (HERE / "requirements.txt").read_bytes()
    stamp = OTHERS / "requirements.txt"
    python = OTHERS / "bin" / "python"
    if not stamp.is_file() or stamp.read_bytes() != wanted:
        venv.create(OTHERS, clear=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", HERE / "requirements.txt"], check=True)
        stamp.write_bytes(wanted)
    return python


def used(command: Sequence[str | Path]) -> Used:
    """Run a program to its end and return what it took; SystemExit with what it said when it failed."""
    with tempfile.TemporaryFile() as said:
        began = os.times().elapsed
        child = subprocess.Popen([str(part) for part in command], cwd=ROOT, stdout=said, stderr=said, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{said.read().decode()[-2000:]}")
        return Used(usage.ru_utime + usage.ru_stime, os.times().elapsed - began, usage.ru_maxrss / 1024)


def sides(python: Path, folder: Path, millions: int) -> dict[str, list[str | Path]]:
    """Return what is measured at one size: name → command."""
    found: dict[str, list[str | Path]] = {
        "a: DuckDB, read and equi-join": [python, HERE / "duckdb_join.py", folder],
        "c: ours, read, match, compare": [sys.executable, "-m", "bench.audit.ours", folder, "match", str(MEMORY_MIB)],
        "d: ours, the full audit": [sys.executable, "-m", "bench.audit.ours", folder, "full", str(MEMORY_MIB)],
    }
    if millions <= DATACOMPY_MOST:
        found["b: datacompy (polars), by a shared id"] = [python, HERE / "datacompy_polars.py", folder]
    return found


def measured(python: Path, folder: Path, millions: int, turns: int | None) -> dict[str, Used]:
    """Return the median of each side, measured in turns."""
    told: dict[str, list[Used]] = {}
    for _ in range(turns or TURNS.get(millions, 1)):
        for name, command in sides(python, folder, millions).items():
            told.setdefault(name, []).append(used(command))
            print(f"  {name}: {told[name][-1]}", file=sys.stderr, flush=True)
    return {name: Used(*(statistics.median(figures) for figures in zip(*every, strict=True))) for name, every in told.items()}


def lines(told: dict[str, Used], millions: int, dispute: str) -> list[str]:
    """Return rows of the table."""
    by = {name[0]: figures for name, figures in told.items()}
    found = []
    for name, figures in sorted(told.items()):
        ratio = figures.cpu_s / by["a"].cpu_s
        limit = {"c": MATCH_LIMIT, "d": FULL_LIMIT}.get(name[0])
        met = "" if limit is None else "yes" if ratio <= limit else "no"
        if name[0] == "d" and "b" in by and millions >= DATACOMPY_MOST:
            met += ", and faster than b" if figures.cpu_s < by["b"].cpu_s else ", and slower than b"
        per_row = figures.cpu_s / millions / 2
        found.append(
            f"| {millions}M + {millions}M, {dispute} | {name} | {figures.cpu_s:.2f} | {ratio:.2f} | "
            f"{'' if limit is None else f'≤ {limit:g}'} | {met} | {per_row:.2f} | {figures.wall_s:.1f} | {figures.peak_mb:.0f} |"
        )
    return found


def main() -> None:
    """Measure, and print a Markdown table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("millions", type=int, nargs="*", default=[1, 5])
    asked.add_argument("--disputes", default="few,all", help="few: 5 %% of the calls differ; all: every call")
    asked.add_argument("--keep", type=Path, help="folder in which the bills are kept and found again")
    asked.add_argument("--turns", type=int, help="how often each side is measured; the median counts")
    given = asked.parse_args()
    python = others()
    print(f"{os.cpu_count()} cores, Linux {platform.release().split('-')[0]}, Python {platform.python_version()}; ", end="")
    print(f"load {os.getloadavg()[0]:.1f} at the start\n", flush=True)
    table = ["| bills | | CPU s | × a | goal | met | µs a row | wall s | peak MB |", "|---|---|--:|--:|--:|---|--:|--:|--:|"]
    with tempfile.TemporaryDirectory() as scratch:
        for millions in given.millions:
            for dispute in given.disputes.split(",") if millions <= DATACOMPY_MOST else ["few"]:
                folder = (given.keep or Path(scratch)) / f"{millions}m-{dispute}"
                if not (folder / "customer.csv").is_file():
                    subprocess.run(
                        [sys.executable, "-m", "bench.audit.bills", folder, str(millions * 10**6), dispute], cwd=ROOT, check=True
                    )
                print(f"{folder.name} …", file=sys.stderr, flush=True)
                table += lines(
                    measured(python, folder, millions, given.turns), millions, {"few": "5 % differ", "all": "all differ"}[dispute]
                )
    print("\n".join(table))


if __name__ == "__main__":
    main()
