"""Many SNMP agents in one process (`python -m bench.snmp_agents COUNT`): each answers a v2c GET with a number for each object.

Prints the first of COUNT ports in a row, and ends with its input.
"""

import contextlib
import os
import select
import socket
import sys

COUNTER = b"\x41\x04\x12\x34\x56\x78"


def tlv(tag: int, body: bytes) -> bytes:
    """Return an element of BER."""
    return bytes((tag, len(body))) + body if len(body) < 128 else bytes((tag, 0x82)) + len(body).to_bytes(2, "big") + body


def after(data: bytes, at: int) -> tuple[int, int]:
    """Return where the content of the element at `at` begins, and where it ends."""
    size, start = data[at + 1], at + 2
    if size & 0x80:
        size, start = int.from_bytes(data[start : start + (size & 0x7F)], "big"), start + (size & 0x7F)
    return start, start + size


def answer(data: bytes) -> bytes:
    """Return the answer to a v2c GET (RFC 3416)."""
    start, _ = after(data, 0)
    _, version = after(data, start)
    _, community = after(data, version)
    pdu, _ = after(data, community)
    _, ident = after(data, pdu)
    at = ident + 6  # error-status and error-index: 02 01 00 twice
    at, end = after(data, at)
    variables = b""
    while at < end:
        pair, at = after(data, at)
        variables += tlv(0x30, data[pair : after(data, pair)[1]] + COUNTER)
    body = data[pdu:ident] + b"\x02\x01\x00\x02\x01\x00" + tlv(0x30, variables)
    return tlv(0x30, data[start:community] + tlv(0xA2, body))


def bind(count: int) -> list[socket.socket]:
    """Return sockets on so many ports in a row."""
    for first in range(20_000, 50_000, count):
        socks = []
        try:
            for port in range(first, first + count):
                socks.append(sock := socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK))
                sock.bind(("127.0.0.1", port))
        except OSError:
            for sock in socks:
                sock.close()
            continue
        return socks
    raise SystemExit(f"no {count} free ports in a row")


def main() -> None:
    """Serve."""
    socks = bind(int(sys.argv[1]))
    print(socks[0].getsockname()[1], flush=True)
    poll, by_number = select.epoll(), {sock.fileno(): sock for sock in socks}
    poll.register(sys.stdin.fileno(), select.EPOLLIN)
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == sys.stdin.fileno():
                os._exit(0)
            with contextlib.suppress(OSError):
                data, peer = by_number[number].recvfrom(4096)
                by_number[number].sendto(answer(data), peer)


if __name__ == "__main__":
    main()
