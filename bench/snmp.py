"""SNMP: a poll of a real device against prometheus-snmp-exporter, ours with judging and store; a thousand devices at once."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from bench.measure import Row, Scraped, find, free_port, in_turns, ready, running
from bench.pipeline import Pipeline, job, pipeline
from probe.agent.pace import keep_pace
from probe.inventory import Node
from probe.job import Job
from probe.observation.failure import Failure, Kind
from probe.probers import snmp
from probe.snmp import session
from probe.snmp.credential import Credential
from probe.snmp.poll import Poll
from probe.snmp.session import Session, Sessions

POLLS = 40  # of one turn
TURNS = 7
PORTS = 14  # interfaces of the device: about 160 values a poll
MANY = 1000
OTHER = "prometheus-snmp-exporter"
COMMUNITY = "bench"
IF, IFX, SYSTEM = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1", "1.3.6.1.2.1.1"

# net-snmp without its own interfaces, and these instead, so that the device is the same on every machine
CONFIG = """agentaddress udp:127.0.0.1:{port}
rocommunity {community} 127.0.0.1
sysName bench
sysLocation bench
sysContact bench
"""
COLUMNS = {  # what an interface table has: type and value of a row
    f"{IF}.1": ("integer", "{index}"),
    f"{IF}.2": ("octet_str", "port {index}"),
    f"{IF}.3": ("integer", "6"),
    f"{IF}.4": ("integer", "1500"),
    f"{IF}.5": ("gauge", "1000000000"),
    f"{IF}.7": ("integer", "1"),
    f"{IF}.8": ("integer", "1"),
    f"{IF}.9": ("timeticks", "100"),
    f"{IF}.10": ("counter", "123456"),
    f"{IF}.11": ("counter", "123456"),
    f"{IF}.13": ("counter", "0"),
    f"{IF}.14": ("counter", "0"),
    f"{IF}.16": ("counter", "123456"),
    f"{IF}.17": ("counter", "123456"),
    f"{IF}.19": ("counter", "0"),
    f"{IF}.20": ("counter", "0"),
    f"{IFX}.1": ("octet_str", "ge-{index}"),
    f"{IFX}.6": ("counter64", "12345678901"),
    f"{IFX}.7": ("counter64", "123456789"),
    f"{IFX}.10": ("counter64", "12345678901"),
    f"{IFX}.11": ("counter64", "123456789"),
    f"{IFX}.15": ("gauge", "1000"),
    f"{IFX}.18": ("octet_str", "to neighbour {index}"),
}


async def run(folder: Path) -> list[Row]:
    """Measure all parts; what has no program here is left out."""
    session.YOUNG_S = 0.0  # the device has only just been started; one that has run for two minutes is measured
    rows = await _against_exporter(folder) if find("snmpd") else []
    return [*rows, *await _many_answering(), *await _many_dead()]


async def _against_exporter(folder: Path) -> list[Row]:
    port, web = free_port(socket.SOCK_DGRAM), free_port()
    lines = [
        f"override {column}.{index} {kind} {value.format(index=index)!r}".replace("'", '"')
        for column, (kind, value) in COLUMNS.items()
        for index in range(1, PORTS + 1)
    ]
    (folder / "snmpd.conf").write_text(CONFIG.format(port=port, community=COMMUNITY) + "\n".join(lines) + "\n")
    os.environ |= {"SNMP_PERSISTENT_DIR": str(folder), "MIBS": ""}
    without = "-ifTable,-ifXTable,-ip,-tcp,-udp,-icmp"
    with contextlib.ExitStack() as stack:
        stack.enter_context(running("snmpd", "-f", "-LE", "3", "-I", without, "-C", "-c", str(folder / "snmpd.conf"), folder=folder))
        poll = job("snmp", "127.0.0.1", "device", port=port, community=COMMUNITY, parts=("system", "interfaces"))
        asked = await _asked(poll)
        (folder / "snmp.yml").write_text(_exporter_config(asked))
        listen = f"--web.listen-address=127.0.0.1:{web}"
        exporter = stack.enter_context(running(OTHER, f"--config.file={folder / 'snmp.yml'}", listen, "--log.level=error", folder=folder))
        theirs = Scraped(exporter, web) if exporter else None
        path = "/snmp?" + urlencode({"module": "device", "target": f"127.0.0.1:{port}"})
        if theirs:
            ready(partial(_has_values, theirs, path, len(asked)), OTHER)
            theirs.rest()
        async with pipeline([poll], folder / "state") as service:
            if service.failures():
                raise RuntimeError(f"the device does not answer: {service.failures()[0]}")
            return await _compare(service, poll, path, theirs, len(asked))


async def _compare(service: Pipeline, poll: Job, path: str, theirs: Scraped | None, values: int) -> list[Row]:
    async def ours() -> float:
        return await service.cost_s([poll], POLLS) * 1e3

    async def other() -> float:
        return theirs.cost_s(path, POLLS) * 1e3 if theirs else 0.0

    mine, their = await in_turns(TURNS, ours, other)
    return [Row(f"one SNMP poll of {values} values, judged and stored", mine, "ms", their or None, OTHER, 0.6)]


async def _asked(poll: Job) -> list[str]:
    """Return the OIDs of all values that a poll brings when it is not the first: what the exporter has to bring, too."""
    found: list[str] = []

    class Listening(Poll):
        async def get(self, oids, keep=False):  # type: ignore[no-untyped-def]
            answer = await super().get([oid for oid in oids if not (keep and self.session.kept.take(oid))], keep)
            found.extend(answer)
            return await super().get(oids, keep)

        async def walk(self, column, keep=False):  # type: ignore[no-untyped-def]
            known = keep and self.session.kept.take(column)
            answer = await super().walk(column, keep)
            found.extend(() if known else (f"{column}.{index}" for index in answer))
            return answer

        async def walk_all(self, columns, keep=False):  # type: ignore[no-untyped-def]
            return [await self.walk(column, keep) for column in columns]  # by GET of known rows nothing else would come

    plain, snmp.Poll = snmp.Poll, Listening  # type: ignore[misc]
    try:
        async with snmp.open() as prober:
            end = time.monotonic() + 20
            while not found and time.monotonic() < end:
                await prober.ask(poll.node, poll.options)
            found.clear()
            await prober.ask(poll.node, poll.options)
    finally:
        snmp.Poll = plain  # type: ignore[misc]
    return found


def _exporter_config(oids: list[str]) -> str:
    """Return a module that asks for the same: scalars by GET, columns by walks."""
    scalars = [oid for oid in oids if oid.endswith(".0")]
    columns = sorted({oid.rpartition(".")[0] for oid in oids if not oid.endswith(".0")})
    lines = ["device:", "  version: 2", "  auth: {community: " + COMMUNITY + "}", "  max_repetitions: 25"]
    lines += [f"  get: [{', '.join(scalars)}]", f"  walk: [{', '.join(columns)}]", "  metrics:"]
    for number, oid in enumerate(columns + [oid.removesuffix(".0") for oid in scalars]):
        kind = "OctetString" if COLUMNS.get(oid, ("",))[0] == "octet_str" else "gauge"
        indexes = ", indexes: [{labelname: i, type: gauge}]" if oid in columns else ""
        lines.append(f"  - {{name: m{number}, oid: {oid}, type: {kind}, help: x{indexes}}}")
    return "\n".join(lines) + "\n"


def _has_values(theirs: Scraped, path: str, values: int) -> bool:
    return theirs.get(path).count(b"\nm") >= values - 2  # sysName and sysObjectID are no numbers


@contextlib.contextmanager
def _agents(*arguments: str) -> Iterator[int]:
    command = [sys.executable, "-m", "bench.snmp_agents", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline())  # type: ignore[union-attr]
        finally:
            process.stdin.close()  # type: ignore[union-attr]


async def _many_answering() -> list[Row]:
    """A thousand agents, one GET of 10 objects each, all at once."""
    oids = [f"1.3.6.1.2.1.1.{number}.0" for number in range(1, 11)]
    with _agents(str(MANY)) as first:
        sessions = Sessions()
        all_of_them = [sessions.session(socket.AF_INET, "127.0.0.1", first + at, Credential("v2c", COMMUNITY)) for at in range(MANY)]
        start, used = time.monotonic(), time.process_time()
        answers = await asyncio.gather(*(_get(one, oids) for one in all_of_them))
        took, used = time.monotonic() - start, time.process_time() - used
        sessions.close()
    good = sum(answers)
    return [
        Row(f"{MANY} devices at once, one GET of 10: not answered", MANY - good, "", goal=0.5),
        Row(f"{MANY} devices at once, one GET of 10: all done after", took * 1e3, "ms", goal=2000),
        Row(f"{MANY} devices at once, one GET of 10: CPU", used * 1e3, "ms"),
    ]


async def _get(one: Session, oids: list[str]) -> bool:
    return len(await Poll(one, time.monotonic() + 10).get(oids)) == len(oids)


async def _many_dead() -> list[Row]:
    """A thousand devices of which none answers: three attempts each, an echo and a lone question beside."""
    keep_pace()  # as the service does
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("0.0.0.0", 0))  # nobody reads what comes to any address of loopback
        port = silent.getsockname()[1]
        addresses = [f"127.1.{at // 250}.{at % 250 + 1}" for at in range(MANY)]
        jobs = [(Node(address, address), snmp.Options(port=port, community=COMMUNITY)) for address in addresses]
        async with snmp.open() as prober:
            used = time.process_time()
            found = await asyncio.gather(*(prober.ask(node, options) for node, options in jobs))
            used = time.process_time() - used
    if not all(isinstance(outcome, Failure) and outcome.kind is Kind.TIMEOUT for outcome in found):
        raise RuntimeError(f"a dead device answers: {found[0]}")
    return [Row(f"{MANY} dead devices: CPU", used * 1e3, "ms", goal=200)]
