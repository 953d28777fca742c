"""`python -m tests.lab.accuracy` (make accuracy): the lab's faults around the running agent, and how right it was.

The whole of it, or a part: --faults, --seeds, --pairs, --quiet. What is in the results file already is not done again, so a run that was
ended goes on where it was; --report only writes the page anew. Root; every lab is a process of its own.
"""

import argparse
from pathlib import Path

from tests.lab.accuracy import outcome, report, sections
from tests.lab.accuracy.labs import Task, run
from tests.lab.accuracy.scoring import judge
from tests.lab.faults import FAULTS

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "accuracy.md"
RESULTS = ROOT / "build" / "accuracy.jsonl"


def main() -> None:
    """Run what is asked for and write the page."""
    asked = _parser().parse_args()
    unknown = sorted(set(asked.faults) - FAULTS.keys())
    if unknown:
        raise SystemExit(f"no fault named {', '.join(unknown)}; there are: {', '.join(FAULTS)}")
    if not asked.report:
        done = {one.seed if len(one.planted) > 1 else one.key for one in outcome.read(asked.results)}
        tasks = [task for task in _tasks(asked) if _name(task) not in done]
        run([task for task in tasks if not _wide(task)], asked.labs, asked.results)
        run([task for task in tasks if _wide(task)], 1, asked.results)
    found = [judge(one) for one in outcome.read(asked.results)]
    page = report.page(found, FAULTS)
    if asked.page:
        others = sections.of_others(asked.page.read_text()) if asked.page.exists() else ""
        asked.page.write_text(page + others)
    else:
        print(page)


def _name(task: Task) -> object:
    return task.seed if task.what in {"2", "3"} else (task.what, task.seed)


def _wide(task: Task) -> bool:
    return task.what in FAULTS and FAULTS[task.what].machine_wide


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab.accuracy", description=(__doc__ or "").partition("\n")[2])
    parser.add_argument("--faults", type=lambda text: text.split(","), default=[], help="names between commas [default: all]")
    parser.add_argument("--seeds", type=_seeds, default=(1, 2, 3), help="1-3, or 2,5 [default: 1-3]; none: no single faults")
    parser.add_argument("--pairs", type=int, default=0, help="so many combinations of two and three faults")
    parser.add_argument("--quiet", type=float, default=0.0, help="minutes without a fault, with 0.1 %% loss on the wires")
    parser.add_argument("--machine-wide", action="store_true", help="also the faults that touch the whole machine, after the others")
    parser.add_argument("--labs", type=int, default=1, help="labs beside each other [default: 1]")
    parser.add_argument("--results", type=Path, default=RESULTS, help=f"facts, one JSON line a run [default: {RESULTS.relative_to(ROOT)}]")
    parser.add_argument("--page", type=Path, help="where the figures go [default: standard output]")
    parser.add_argument("--report", action="store_true", help="run nothing")
    return parser


def _seeds(text: str) -> tuple[int, ...]:
    if text == "none":
        return ()
    first, _, last = text.partition("-")
    return tuple(range(int(first), int(last) + 1)) if last else tuple(int(one) for one in text.split(","))


def _tasks(asked: argparse.Namespace) -> list[Task]:
    """Return what is asked for, the longest first, then every fault with one seed before the next seed: none comes twice in a row."""
    names = asked.faults or [name for name, fault in FAULTS.items() if asked.machine_wide or not fault.machine_wide]
    tasks = [Task("quiet", 1, asked.quiet)] if asked.quiet else []
    tasks += [Task(name, seed) for seed in asked.seeds for name in names]
    return tasks + [Task("2" if number % 2 else "3", 1000 + number) for number in range(asked.pairs)]


if __name__ == "__main__":
    main()
