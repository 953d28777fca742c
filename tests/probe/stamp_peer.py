"""The other side of STAMP sessions, run as a program by the tests.

"reflect HOST PORT NETWORK…" is our own reflector; "foreign PORT stateful|stateless" a reflector, and "ask PORT COUNT" a sender, both made
of another implementation of the packets (scapy's). Each writes a line when it is ready; reflectors end with their input.
"""

import asyncio
import json
import socket
import sys
import time

from probe.stamp_reflector import reflecting


async def reflect(host: str, port: int, allowed: list[str]) -> None:
    async with reflecting(host, port, allowed) as reflector:
        print(reflector.port, flush=True)
        await asyncio.to_thread(sys.stdin.buffer.read)
        print(json.dumps(vars(reflector.counts)), flush=True)


def foreign(port: int, stateful: bool) -> None:
    from scapy.contrib.stamp import STAMPSessionReflectorTestUnauthenticated, STAMPSessionSenderTestUnauthenticated

    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", port))
    print(sock.getsockname()[1], flush=True)
    count = 0
    while True:
        data, source = sock.recvfrom(2048)
        asked = STAMPSessionSenderTestUnauthenticated(data)
        answer = STAMPSessionReflectorTestUnauthenticated(
            seq=count if stateful else asked.seq, ts=asked.ts, err_estimate=asked.err_estimate, ssid=asked.ssid, ts_rx=asked.ts,
            seq_sender=asked.seq, ts_sender=asked.ts, err_estimate_sender=asked.err_estimate, ttl_sender=255,
        )  # fmt: skip
        count += 1
        sock.sendto(bytes(answer), source)


def ask(port: int, count: int) -> None:
    from scapy.contrib.stamp import STAMPSessionReflectorTestUnauthenticated, STAMPSessionSenderTestUnauthenticated

    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(5)
    sock.connect(("127.0.0.1", port))
    for seq in range(count):
        now = time.time() + 2_208_988_800
        sock.send(bytes(STAMPSessionSenderTestUnauthenticated(seq=seq, ts=now, ssid=77)))
        data = sock.recv(2048)
        seen = STAMPSessionReflectorTestUnauthenticated(data)
        back = {name: seen.getfieldval(name) for name in ("seq", "ssid", "seq_sender", "ttl_sender", "mbz1", "mbz2") if name in seen.fields}
        back |= {"length": len(data), "late_s": float(seen.ts_rx) - now, "stayed_s": float(seen.ts) - float(seen.ts_rx)}
        print(json.dumps(back), flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["reflect", host, port, *allowed]:
            asyncio.run(reflect(host, int(port), allowed))
        case ["foreign", port, how]:
            foreign(int(port), how == "stateful")
        case ["ask", port, count]:
            ask(int(port), int(count))
