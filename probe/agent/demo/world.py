"""The operator itself: one process that answers for all its machines, makes the faults, and keeps the agent and the softswitch running."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from probe.agent.demo import mib
from probe.agent.demo.faults import ROUND_S, Change, changes
from probe.agent.demo.kernel import die_with_parent, mount
from probe.agent.demo.loopback import Loopback
from probe.agent.demo.network import Network
from probe.agent.demo.plan import FIBRES, NUMBERS, Where
from probe.agent.demo.servers import Names, speak_http, speak_postgresql
from probe.agent.demo.sip import Agent, Registrar
from probe.agent.demo.snmp import SnmpAgent
from probe.stamp_reflector import reflecting

DISK_OCTETS = 4 << 20
LOOK_S = 0.2  # how soon the edge router notices that a fibre is dark
DEVICES = {"harbour-gateway": "Demo-VoIP-Gateway 1.4.2", "pier-gateway": "Demo-VoIP-Gateway 1.4.2", "carrier": "Demo-Carrier-Switch 7.1"}
DISK = "database"


class World:
    """Everything but the agent. `say` tells whoever watches what was done: a dict for one JSON line."""

    def __init__(self, where: Where, network: Network | Loopback, folder: Path, say: Callable[[dict[str, Any]], None]) -> None:
        self._where, self._network, self._say = where, network, say
        self._disk = folder / DISK
        self._disk.mkdir()
        self._disk_is_real = where.network and mount("tmpfs", self._disk, f"size={DISK_OCTETS},mode=700")
        self._disk_full = False
        self._began = time.monotonic()
        self._gateways: dict[str, asyncio.DatagramTransport] = {}
        self._softswitch = fork(self._serve_softswitch)
        self._children = {self._softswitch: "softswitch"}

    def keep(self, pid: int, called: str) -> None:
        """End the world when this child does."""
        self._children[pid] = called

    async def run(self) -> None:
        """Answer and follow the timetable, round after round, until a child that is needed has ended."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_signal_handler(signal.SIGCHLD, self._reap, ended)
        async with contextlib.AsyncExitStack() as stack:
            await self._serve()
            with self._network.at("carrier"):
                address = self._where.address["carrier"]
                await stack.enter_async_context(reflecting(address, self._where.port["stamp"], ["0.0.0.0/0"]))
            self._say({"up": True})
            work = [loop.create_task(one) for one in (ended.wait(), self._follow_light(), self._follow_timetable())]
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()  # what went wrong goes into the journal, whose last words are shown

    def _reap(self, ended: asyncio.Event) -> None:
        with contextlib.suppress(ChildProcessError):
            while (gone := os.waitpid(-1, os.WNOHANG))[0]:  # the first process of a process namespace inherits what others leave
                if gone[0] in self._children:
                    self._say({"ended": self._children[gone[0]]})
                    ended.set()

    async def _follow_light(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._network.follow_light()

    async def _follow_timetable(self) -> None:
        while True:
            began = time.monotonic()
            for one in changes():
                await asyncio.sleep(max(0.0, began + one.at_s - time.monotonic()))
                await self._change(one)
                self._say({"fault": one.name, "on": one.on})
            await asyncio.sleep(max(0.0, began + ROUND_S - time.monotonic()))

    async def _change(self, change: Change) -> None:
        match change.name:
            case "gateway":
                self._network.unplug("harbour-gateway", not change.on)
                if not self._where.network:
                    await self._silence("harbour-gateway", change.on)
            case "hang":
                os.kill(self._softswitch, signal.SIGSTOP if change.on else signal.SIGCONT)
            case "disk":
                self._fill(change.on)
            case fibre:
                self._network.cut(fibre, not change.on)

    async def _silence(self, gateway: str, on: bool) -> None:
        if on:
            self._gateways.pop(gateway).close()
        else:
            await self._gateway(gateway)

    def _fill(self, on: bool) -> None:
        file = self._disk / "base"
        self._disk_full = on
        if on and self._disk_is_real:
            with contextlib.suppress(OSError), file.open("wb", buffering=0) as full:  # until nothing more goes in
                while full.write(bytes(1 << 16)):
                    pass
        elif not on:
            file.unlink(missing_ok=True)

    def _disks(self) -> dict[str, tuple[int, int]]:
        if not self._disk_is_real:
            return {**_ample(), "/var/lib/database": (DISK_OCTETS, DISK_OCTETS if self._disk_full else DISK_OCTETS // 4)}
        used = shutil.disk_usage(self._disk)
        return {**_ample(), "/var/lib/database": (used.total, used.used)}

    def _ticks(self, days: int) -> int:
        return days * mib.DAY_TICKS + round((time.monotonic() - self._began) * 100)

    async def _serve(self) -> None:
        for called, days in (("softswitch", 30), ("database", 31)):
            disks = self._disks if called == DISK else _ample
            await self._datagrams(called, "snmp", SnmpAgent(mib.server(called, disks, partial(self._ticks, days))))
        for called, days in (("edge", 200), ("core", 400)):
            peers = {theirs: name for name, _, theirs in FIBRES} if called == "edge" else {}
            rows = mib.router(called, partial(self._network.ports, called), peers, partial(self._ticks, days))
            await self._datagrams(called, "snmp", SnmpAgent(rows))
        for device in DEVICES:
            await self._gateway(device)
        await self._datagrams("resolver", "dns", Names(self._where.address["softswitch"]))
        await asyncio.start_server(speak_http, sock=self._socket("resolver", "http", socket.SOCK_STREAM))
        await asyncio.start_server(speak_postgresql, sock=self._socket("database", "postgresql", socket.SOCK_STREAM))

    async def _gateway(self, called: str) -> None:
        registrar = (self._where.address["softswitch"], self._where.port["sip"])
        registers = (registrar, NUMBERS[called]) if called in NUMBERS else None
        answers = Agent(self._where.address[called], self._where.port["sip"], DEVICES[called], registers)
        self._gateways[called] = await self._datagrams(called, "sip", answers)

    async def _datagrams(self, called: str, protocol: str, answers: asyncio.DatagramProtocol) -> asyncio.DatagramTransport:
        sock = self._socket(called, protocol, socket.SOCK_DGRAM)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: answers, sock=sock)
        return transport

    def _socket(self, called: str, protocol: str, kind: socket.SocketKind) -> socket.socket:
        """Return a socket at a machine, bound to where this protocol is answered there."""
        with self._network.at(called):
            sock = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
        sock.bind((self._where.address[called], self._where.port[protocol]))
        return sock

    def _serve_softswitch(self) -> None:
        """Be the softswitch's own process, which can hang."""
        address, port = self._where.address["softswitch"], self._where.port["sip"]
        sock = self._socket("softswitch", "sip", socket.SOCK_DGRAM)

        async def serve() -> None:
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: Registrar(address, port, "Demo-Softswitch 3.0"), sock=sock)
            await asyncio.Event().wait()

        asyncio.run(serve())


def _ample() -> dict[str, tuple[int, int]]:
    return {"/": (8 << 30, 2 << 30)}


def fork(work: Callable[[], None], told: signal.Signals = signal.SIGKILL) -> int:
    """Run some work in a child that gets a signal when this process ends; returns its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        die_with_parent(told)
        work()
        code = 0
    finally:
        if code:
            traceback.print_exc()  # into the journal, except while the network is only tried
            sys.stderr.flush()
        os._exit(code)


def teller(handle: int) -> Callable[[dict[str, Any]], None]:
    """Return what writes JSON lines to a pipe; nobody may be reading it any more."""

    def say(what: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            os.write(handle, json.dumps(what).encode() + b"\n")

    return say
