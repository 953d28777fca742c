"""kill -9 at seeded instants while bills arrive in an inbox: every pair is audited, told and laid away exactly once."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

HEADER = "caller,callee,start time,duration,charge\n"
ROWS = 40
MOST_S = 600.0


def bill(chance: random.Random, wrong: bool) -> tuple[str, str]:
    """Return our bill and the customer's, who charges some calls too little when `wrong`."""
    ours, theirs = [HEADER], [HEADER]
    for number in range(ROWS):
        start = f"2026-10-{1 + number % 28:02} {chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}"
        seconds = chance.randrange(5, 900)
        call = f"8613800{chance.randrange(10**6):06},4420{chance.randrange(10**8):08},{start},{seconds}"
        charge = -(-seconds // 60) * 5
        ours.append(f"{call},{charge / 100:.2f}\n")
        theirs.append(f"{call},{(charge - 1 if wrong and number % 3 == 0 else charge) / 100:.2f}\n")
    return "".join(ours), "".join(theirs)


def lay(inbox: Path, period: str, bills: tuple[str, str]) -> None:
    folder = inbox / period
    folder.mkdir(parents=True)
    (folder / "local.csv").write_text(bills[0])
    (folder / "customer.csv").write_text(bills[1])
    (folder / ".done").touch()


def finished(folder: Path) -> bool:
    return not any((folder / name).exists() for name in (".done", ".journal.json", "local.csv", "customer.csv"))


def orphans(inbox: Path) -> list[int]:
    """Return audits of this inbox that outlived their service; a supervisor ends them with it, here the test does."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"\0audit\0" in words and str(inbox).encode() in words:
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("kills", [10, pytest.param(100, marks=pytest.mark.long)])
def test_a_kill_at_any_instant_neither_loses_nor_repeats_an_audit(kills: int, service: Any, tmp_path: Path) -> None:
    seed = int(os.environ.get("FIRSTLINE_SEED", "40"))
    chance = random.Random(seed)
    inbox = tmp_path / "harbour"
    inbox.mkdir()
    service.configure(f"""
[[node]]
name = "here"
[[customer]]
name = "Harbour"
[[audit_inbox]]
customer = "Harbour"
folder = "{inbox}"
still = "1s"
""")
    wanted: dict[str, tuple[bool, tuple[str, str]]] = {}

    def arrive() -> None:
        period = f"2026-{len(wanted):04}"
        wanted[period] = (chance.random() < 0.5, bill(chance, wrong=False))
        wanted[period] = (wanted[period][0], bill(chance, wrong=wanted[period][0]))
        lay(inbox, period, wanted[period][1])

    audits = 0
    for _ in range(kills):
        if sum(not finished(inbox / period) for period in wanted) < 2:
            arrive()
        service.start(wait=False)
        time.sleep(chance.uniform(0.5, 9.0))  # the instant is the point of the test
        service.kill()
        for left in orphans(inbox) if chance.random() < 0.5 else ():
            os.kill(left, signal.SIGKILL)
    service.start()
    deadline = time.monotonic() + MOST_S
    while not all(finished(inbox / period) for period in wanted):
        assert time.monotonic() < deadline, subprocess.run(["find", str(inbox)], capture_output=True, text=True, check=False).stdout
        time.sleep(0.2)
    cases = [case for case in service.cases() if case["kind"] == "billing"]
    for period, (wrong, bills) in wanted.items():
        folder = inbox / period
        results = list(folder.glob("audit-*"))
        assert len(results) == 1, (period, results)
        told = json.loads((results[0] / "audit.json").read_text())
        assert (float(told["difference"]) != 0) == wrong
        laid = {path.name.partition(".")[0]: path.read_text() for path in (folder / "done").iterdir()}
        assert laid == {"local": bills[0], "customer": bills[1]}
        assert len(list((folder / "done").iterdir())) == 2
        assert sum(told["digest"][:12] in case["element"] for case in cases) == int(wrong), period
        assert not (folder / "rejected").exists()
        audits += 1
    assert len(cases) == sum(wrong for wrong, _ in wanted.values())
    print(f"\nseed {seed}: {kills} kills, {len(wanted)} pairs of bills, {audits} results, {len(cases)} cases; nothing lost, nothing twice")
    assert service.stop() == 0
