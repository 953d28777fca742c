"""What loads a server or a line: `load.py clients HOST PORT`, `load.py flood ADDRESS KBIT`, `load.py flows ADDRESS COUNT`.

clients: holds as many sessions of a PostgreSQL server as it gives (user postgres, without password) until it refuses one, prints "full", and
asks again for what comes free. flood: sends UDP datagrams at this rate. flows: sends one UDP datagram to each of so many ports, prints
"full", and does so again and again.
"""

import socket
import struct
import sys
import time

PROTOCOL_3, DISCARD = 196608, 9  # PostgreSQL frontend/backend protocol 3.0; RFC 863
LARGE = 1400
MOST_SESSIONS = 200


def session(host: str, port: int) -> socket.socket | None:
    """Return a session that was begun; None where the server refuses it."""
    words = b"user\0postgres\0database\0postgres\0\0"
    held = socket.create_connection((host, port), 5)
    held.sendall(struct.pack("!II", len(words) + 8, PROTOCOL_3) + words)
    if held.recv(1) == b"R":  # authentication: none is wanted
        return held
    held.close()
    return None


def clients(host: str, port: str) -> None:
    sessions: list[socket.socket] = []
    full = False
    while True:
        one = session(host, int(port)) if len(sessions) < MOST_SESSIONS else None
        if one is not None:
            sessions.append(one)
            continue
        if not full:
            print("full", flush=True)
            full = True
        time.sleep(0.2)


def flood(address: str, kbit: str) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    every_s = LARGE * 8 / (float(kbit) * 1000)
    due = time.monotonic()
    print("full", flush=True)
    while True:
        due = max(due + every_s, time.monotonic() - 0.1)  # what a busy machine missed is not made up for
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            sock.sendto(b"\0" * LARGE, (address, DISCARD))
        except OSError:  # no way there just now
            continue


def flows(address: str, count: str) -> None:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    full = False
    while True:
        for port in range(20_000, 20_000 + int(count)):
            try:
                sock.sendto(b"", (address, port))
            except OSError:  # the table is full: what we want
                continue
        if not full:
            print("full", flush=True)
            full = True
        time.sleep(0.5)


if __name__ == "__main__":
    {"clients": clients, "flood": flood, "flows": flows}[sys.argv[1]](*sys.argv[2:])
