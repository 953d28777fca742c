"""Echo bursts against fping on loopback: ours is the whole service at work, theirs what one fping run consumes."""

import asyncio
from pathlib import Path

from bench.measure import Row, cpu_of, find, in_turns
from bench.pipeline import Pipeline, job, pipeline

PAUSE_MS = 20
TURNS = 7
SIZES = {5: 10, 50: 5, 200: 3, 1000: 2}  # targets: rounds of one turn
FPING = (
    ("fping -i1", "-i1"),  # its shortest pause between packets for ordinary users
    ("fping -i0", "-i0"),  # no pause, root only: its cheapest way
)


def addresses(number: int) -> list[str]:
    """Return so many loopback addresses."""
    return [f"127.0.{1 + at // 250}.{1 + at % 250}" for at in range(number)]


async def run(folder: Path) -> list[Row]:
    """Return a row for each size and each way of fping."""
    places = addresses(max(SIZES))
    five = [job("icmp", place, interval_ms=PAUSE_MS) for place in places]
    single = [job("icmp", place, f"single-{place}", count=1) for place in places]
    rows = []
    async with pipeline([*five, *single], folder) as service:
        if service.failures():
            raise RuntimeError(f"not everything answers: {service.failures()[0]}")
        for size, rounds in SIZES.items():
            rows += await _compare(service, f"{size} targets, 5 echoes each", five[:size], places[:size], 5, rounds, 1.3)
        for size, rounds in {1: 20, **SIZES}.items():
            what = "1 target, 1 echo" if size == 1 else f"{size} targets, 1 echo each"
            rows += await _compare(service, what, single[:size], places[:size], 1, rounds, 1.6)
    return rows


async def _compare(service: Pipeline, what: str, jobs: list, places: list[str], count: int, rounds: int, goal: float) -> list[Row]:  # type: ignore[type-arg]
    async def ours() -> float:
        return await service.cost_s(jobs, rounds) * len(jobs) * 1e3

    async def fping(way: str) -> float:
        command = ["fping", "-q", f"-c{count}", f"-p{PAUSE_MS}", way, *places]
        return (await asyncio.to_thread(cpu_of, command))[0] * 1e3

    if find("fping") is None:
        return [Row(what, (await in_turns(TURNS, ours))[0], "ms", None, "fping", goal)]
    mine, *theirs = await in_turns(TURNS, ours, *(lambda way=way: fping(way) for _, way in FPING))
    return [
        Row(what, mine, "ms", other, name, goal if at == 0 else None)
        for at, ((name, _), other) in enumerate(zip(FPING, theirs, strict=True))
    ]
