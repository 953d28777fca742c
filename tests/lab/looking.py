"""Answers what `firstline check` would, from within a machine of the lab: JSON lines in, JSON lines out; it ends when its input does.

A request is {"do": "check", "prober", "target", "options", "timeout_s"}; "open" with an "every_s" begins a series of looks of which each
sees the one before, "next" gives its next look, "close" ends it. The answer is {"seen", "findings"} or {"problem"}.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import msgspec

from probe.agent.actions.check import CheckProblem, Reading, check, read_job


def now() -> datetime:
    return datetime.now(UTC)


def readings(asked: dict[str, Any]) -> AsyncGenerator[Reading, None]:
    job = read_job(asked["prober"], asked["target"], asked.get("options", {}), asked.get("timeout_s"))
    found: Any = check(job, now, None, asked.get("every_s"))
    return found


def told(reading: Reading) -> dict[str, Any]:
    findings = [
        {
            "check": one.check,
            "item": one.item or one.seen.item,
            "state": one.state,
            "message": one.message.id,
            "values": one.message.values,
            "value": one.value,
        }
        for one in reading.findings
    ]
    return {"seen": reading.seen.outcome, "findings": findings}


async def answer(asked: dict[str, Any], series: list[AsyncGenerator[Reading, None]]) -> dict[str, Any]:
    match asked["do"]:
        case "open":
            series.append(readings(asked))
            return told(await anext(series[-1]))
        case "next":
            return told(await anext(series[-1]))
        case "close":
            await series.pop().aclose()
            return {}
    async with aclosing(readings(asked)) as looks:
        return told(await anext(looks))


async def main() -> None:
    print("{}", flush=True)
    series: list[AsyncGenerator[Reading, None]] = []
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        try:
            told_back = await answer(msgspec.json.decode(line), series)
        except CheckProblem as why:
            told_back = {"problem": str(why)}
        print(msgspec.json.encode(told_back).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
