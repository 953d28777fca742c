"""Measures on demand from within a namespace, run as a program by the tests of what needs several hops.

Each line of its input is a question as JSON, {"prober", "address", "options"}; each line of its output is the outcome as JSON. The probers
stay open from one question to the next. The argument is the uid to become first, 0 to stay root.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from typing import Any

import msgspec

from probe.inventory import Node
from probe.probers import catalogue


async def answer(stack: AsyncExitStack, probers: dict[str, Any], line: bytes) -> None:
    question = msgspec.json.decode(line)
    name = question["prober"]
    module = catalogue.load(name)
    if name not in probers:
        probers[name] = await stack.enter_async_context(module.open())
    options = msgspec.convert(question["options"], module.Options)
    outcome = await probers[name].ask(Node("target", question["address"]), options)
    sys.stdout.buffer.write(msgspec.json.encode(outcome) + b"\n")
    sys.stdout.buffer.flush()


async def main(uid: int) -> None:
    for name in {"icmp", "path", "pmtu", "stamp", "arp"} & set(catalogue.PROBERS):
        catalogue.load(name)  # another user may not be allowed to read what is imported
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    probers: dict[str, Any] = {}
    async with AsyncExitStack() as stack:
        while line := sys.stdin.buffer.readline():
            await answer(stack, probers, line)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
