"""Asks about addresses from within a namespace and prints the outcomes; run as a program by the ICMP tests.

Arguments: the uid to become before a socket is opened, the options as JSON, "one", "all" or "stall" (ask, ask_all, ask_all
while something else holds the event loop for a second), the answering habits of a
responder thread as JSON {address: habit}, then the addresses. The kernel's own answers are off where the responder is on.
"""

import asyncio
import json
import os
import socket
import struct
import sys
import threading
import time

import msgspec

from probe.inventory import Node
from probe.job import Job
from probe.probers.icmp import Options
from probe.probers.icmp import open as open_prober
from probe.probers.icmp_wire import checksum

FOREIGN, HOP = "127.8.8.8", "127.9.9.9"


def sealed(kind: int, rest: bytes) -> bytes:
    """Return an ICMP message: type, code 0, checksum, the rest."""
    return struct.pack("!BBH", kind, 0, checksum(struct.pack("!BBH", kind, 0, 0) + rest)) + rest


def packet(source: str, target: str, body: bytes) -> bytes:
    """Return an IPv4 packet with an ICMP message."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 1, 0, socket.inet_aton(source), socket.inet_aton(target))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + body


def answers(habit: str, request: bytes) -> list[tuple[float, bytes]]:
    """Return (delay, packet) of everything that a target of this habit sends back."""
    us, it, echo = socket.inet_ntoa(request[12:16]), socket.inet_ntoa(request[16:20]), request[24:]
    good = packet(it, us, sealed(0, echo))
    cut = request[:24] + request[24:28]
    return {
        "good": [(0, good)],
        "twice": [(0, good), (0, good)],
        "slow": [(0.1, good)],
        "late": [(0.4, good)],
        "foreign": [(0, packet(FOREIGN, us, sealed(0, echo)))],
        "damaged": [(0, packet(it, us, sealed(0, echo[:-1] + b"?")))],
        "damaged checksum": [(0, good[:-1] + b"?")],
        "short": [(0, packet(it, us, sealed(0, echo[:20])))],
        "options": [(0, b"\x46" + good[1:2] + struct.pack("!H", 88) + good[4:20] + b"\x01\x01\x01\x00" + good[20:])],
        "other ident": [(0, packet(it, us, sealed(0, bytes([echo[0] ^ 1]) + echo[1:])))],
        "other token": [(0, packet(it, us, sealed(0, echo[:4] + bytes(8) + echo[12:])))],
        "other seq": [(0, packet(it, us, sealed(0, echo[:2] + bytes([echo[2] ^ 0x40, echo[3]]) + echo[4:])))],
        "error": [(0, packet(HOP, us, sealed(11, bytes(4) + cut)))],
        "error of another": [(0, packet(HOP, us, sealed(11, bytes(4) + cut[:24] + bytes([cut[24] ^ 1]) + cut[25:])))],
        "dead": [],
    }[habit]


def respond(habits: dict[str, str]) -> None:
    """Answer echo requests to these addresses by their habits, in a thread of its own."""
    ear = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    mouth = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def say(data: bytes) -> None:
        mouth.sendto(data, (socket.inet_ntoa(data[16:20]), 0))

    def work() -> None:
        while True:
            request = ear.recv(2048)
            target = socket.inet_ntoa(request[16:20])
            if request[20] == 8 and target in habits:
                for delay, data in answers(habits[target], request):
                    if delay:
                        threading.Timer(delay, say, [data]).start()
                    else:
                        say(data)

    threading.Thread(target=work, daemon=True).start()


async def main(uid: int, options: Options, way: str, addresses: list[str]) -> None:
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    start = time.monotonic()
    async with open_prober() as prober:
        if way == "stall":
            asyncio.get_running_loop().call_later(0.02, time.sleep, 1)
        if way in ("all", "stall"):
            jobs = [Job("agent", Node(address, address), "icmp", options) for address in addresses]
            async for some in prober.ask_all(jobs):
                for job, outcome in some:
                    print(json.dumps([job.node.name, time.monotonic() - start, msgspec.to_builtins(outcome)]))
        else:
            for address in addresses:
                outcome = await prober.ask(Node(address, address), options)
                print(json.dumps([address, time.monotonic() - start, msgspec.to_builtins(outcome)]))


if __name__ == "__main__":
    if sys.argv[4] != "{}":
        respond(json.loads(sys.argv[4]))
    asyncio.run(main(int(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Options), sys.argv[3], sys.argv[5:]))
