"""What loads a server or a line: `load.py clients HOST PORT`, `load.py flood ADDRESS KBIT`, `load.py connections ADDRESS PORT`.

clients: holds as many sessions of a PostgreSQL server as it gives (user postgres, without password) until it refuses one, prints "full", and
asks again for what comes free. flood: sends UDP datagrams at this rate. connections: holds as many TCP connections to itself as can be
made, prints "full", and tries again.
"""

import socket
import struct
import sys
import time

PROTOCOL_3, DISCARD = 196608, 9  # PostgreSQL frontend/backend protocol 3.0; RFC 863
LARGE = 1400
MOST_SESSIONS, MOST_CONNECTIONS = 200, 400


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
        try:
            one = session(host, int(port)) if len(sessions) < MOST_SESSIONS else None
        except OSError:  # no server there just now
            time.sleep(0.2)
            continue
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


def connections(address: str, port: str) -> None:
    """Hold connections to ourselves until one can't be made, and try again."""
    listener = socket.create_server((address, int(port)), backlog=MOST_CONNECTIONS)
    held: list[socket.socket] = []
    full = False
    while True:
        try:
            held.append(socket.create_connection((address, int(port)), 0.3))
            held.append(listener.accept()[0])
        except OSError:  # the table is full: what we want
            if not full:
                print("full", flush=True)
                full = True
            time.sleep(0.2)


if __name__ == "__main__":
    {"clients": clients, "flood": flood, "connections": connections}[sys.argv[1]](*sys.argv[2:])
