"""Stands between a poll and a real agent and mutates its answers; run as a program by the fuzz tests.

Arguments: the agent's port, the seed, how many mutated copies precede an honest answer at most. Prints its own port, and at the end of its input how
many mutated answers it has sent.
"""

import contextlib
import random
import select
import socket
import sys


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Return `data` damaged in one of the ways in which datagrams are."""
    body = bytearray(data)
    at = dice.randrange(len(body))
    match dice.randrange(10):
        case 0:
            body[at] ^= 1 << dice.randrange(8)
        case 1:
            for _ in range(dice.randrange(1, 5)):
                body[dice.randrange(len(body))] = dice.randrange(256)
        case 2:
            del body[at:]
        case 3:
            del body[at : at + dice.randrange(1, 9)]
        case 4:
            body[at:at] = dice.randbytes(dice.randrange(1, 9))
        case 5:
            body[at:at] = body[at : at + dice.randrange(1, 33)]
        case 6:
            body[at] = dice.choice(b"\x00\x02\x05\x06\x30\x7f\x80\x81\x82\x84\x88\xa2\xa8\xff\x40\x41\x44\x46")
        case 7:
            body += dice.randbytes(dice.randrange(1, 5000))
        case 8:
            end = min(len(body), at + dice.randrange(1, 17))
            body[at:end] = bytes(end - at)
        case _:
            body = bytearray(dice.randbytes(dice.randrange(0, 200)))
    return bytes(body[:9000])


def main() -> None:
    agent_port, seed, copies = map(int, sys.argv[1:])
    dice = random.Random(seed)
    front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    front.bind(("127.0.0.1", 0))
    back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    back.connect(("127.0.0.1", agent_port))
    print(front.getsockname()[1], flush=True)
    sent, peer = 0, None
    while True:
        ready = select.select([front, back, sys.stdin], [], [])[0]
        if sys.stdin in ready:
            print(sent, flush=True)
            return
        if front in ready:
            data, peer = front.recvfrom(65535)
            with contextlib.suppress(ConnectionError):  # it has not begun yet
                back.send(data)
        if back in ready and peer:
            try:
                answer = back.recv(65535)
            except ConnectionError:
                continue
            with contextlib.suppress(ConnectionError):
                damaged = dice.choice((0, 0, 1, copies))  # a poll must get past its first question, too
                for _ in range(damaged):
                    front.sendto(mutated(answer, dice), peer)
                front.sendto(answer, peer)
                sent += damaged


if __name__ == "__main__":
    main()
