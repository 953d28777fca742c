"""`python -m bench.simulator` (make bench-simulator): how well faults are found in simulated networks whose truth is known.

`--setting fat-tree` finds failed links in deTector's setting beside the published methods; `--setting operator` runs correlation on an
operator's networks with single faults, missing measurements and a wrong inventory; `--setting large` takes its time on 10,000 nodes. All
of them are run when none is named. All is drawn by `--seed`; `--trials` is the number of faults of each part of the operator's setting,
`--failures` that of failed links for each line of the fat tree's. `--write` writes the tables to docs/bench-simulator.md.
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.simulator import detector, diagnoses
from bench.simulator.operator_faults import KINDS

DOCS = Path(__file__).parents[2] / "docs" / "bench-simulator.md"
SETTINGS = ("fat-tree", "operator", "large")
WRONG = 0.05


def fat_tree(seed: int, failures: int) -> Iterable[str]:
    """Yield the lines about deTector's setting."""
    setting = detector.SETTING
    tree = detector.built(setting, seed)
    result = detector.measure(tree, setting, detector.COUNTS, failures, seed)
    yield f"## Failed links in a fat tree of {detector.PORTS}-port switches"
    yield ""
    yield f"{tree.links} links, {len(tree.paths)} probe paths. Failed links found / false ones of those reported, per cent."
    yield ""
    yield f"| failed links | {' | '.join(result[1])} | PLL as published | ours, CPU for each window |"
    yield "|" + "---|" * (len(result[1]) + 3)
    for count, scores in result.items():
        published = detector.PUBLISHED["PLL"].get(count)
        told = "{:.1f} / {:.1f}".format(*published) if published else "not known to us"
        cells = [f"{score.accuracy:.1f} / {score.false:.1f}" for score in scores.values()]
        yield f"| {count} | {' | '.join(cells)} | {told} | {1000 * scores[detector.OURS].seconds:.0f} ms |"
    off = detector.off(result)
    verdict = "valid" if off <= detector.VALID else "NOT VALID"
    yield ""
    yield f"SCORE, Tomo and PLL differ by {off:.1f} points at most from what was published of them ({detector.VALID:g} allowed): {verdict}."
    yield f"Setting: {', '.join(f'{name} {value:g}' for name, value in setting._asdict().items())}."


def operator(seed: int, trials: int) -> Iterable[str]:
    """Yield the lines about correlation on an operator's networks."""
    yield "## One fault in an operator's network, told by correlation"
    yield ""
    yield f"Networks of {', '.join(map(str, diagnoses.SIZES))} nodes; {diagnoses.MISSING:.0%} of the measurements missing."
    yield ""
    yield "| inventory | kind of fault | trials | right at the first guess | false diagnoses | the very element named |"
    yield "|---|---|---|---|---|---|"
    for title, share in (("right", 0.0), (f"{WRONG:.0%} of links attached elsewhere", WRONG)):
        found = diagnoses.campaign(seed, trials, share)
        for kind in ("all", *KINDS):
            some = diagnoses.figures([one for one in found if kind in ("all", one.fault.kind)])
            yield f"| {title} | {kind} | {some.trials} | {some.right:.1%} | {some.false:.1%} | {some.named:.1%} |"
        for one in found:
            if not one.right or one.wrong or one.left:
                print(f"inventory {title}: {one.line}", file=sys.stderr)


def large(seed: int) -> Iterable[str]:
    """Yield the lines about the time that correlation takes."""
    it = diagnoses.large(seed)
    yield "## A large network"
    yield ""
    yield "| nodes | readings | bad | diagnoses | topology built, CPU | correlated, CPU |"
    yield "|---|---|---|---|---|---|"
    yield f"| {it.nodes} | {it.readings} | {it.bad} | {it.diagnoses} | {1000 * it.build_s:.0f} ms | {1000 * it.correlate_s:.0f} ms |"


def main() -> None:
    """Run the settings asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.simulator", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--setting", choices=SETTINGS, action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--trials", type=int, default=120)
    parser.add_argument("--failures", type=int, default=detector.FAILURES)
    parser.add_argument("--write", action="store_true")
    told = parser.parse_args()
    parts = {
        "fat-tree": lambda: fat_tree(told.seed, told.failures),
        "operator": lambda: operator(told.seed, told.trials),
        "large": lambda: large(told.seed),
    }
    lines: list[str] = []
    for name in told.setting or SETTINGS:
        for line in parts[name]():
            print(line, flush=True)
            lines.append(line)
        lines.append("")
        print()
    if told.write:
        text = DOCS.read_text("utf-8")
        head = text.partition("<!-- tables -->")[0]
        DOCS.write_text(f"{head}<!-- tables -->\n\n" + "\n".join(lines).rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
