"""Peers that never stop sending: no deadline, no other measurement and no memory of ours may depend on their manners."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from probe.dnswire import MOST_ANSWERS, MalformedError, decode
from probe.http1 import MOST_HEAD, GarbageError, Response
from probe.inventory import Node
from probe.job import Job
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.probers import catalogue
from probe.run import observe

LASTS_S = 6.0  # so long a flood would go on if nobody hung up
HELLO_REQUESTS = b"\x16\x03\x03" + (16000).to_bytes(2, "big") + b"\0\0\0\0" * 4000


@contextmanager
def flood(block: bytes, first: bytes = b"") -> Iterator[int]:
    """A server that reads once, says `first`, and then sends `block` again and again as fast as it can."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                while True:
                    peer, _ = listening.accept()
                    with peer:
                        pour(peer)
            except OSError:
                return

        def pour(peer: socket.socket) -> None:
            end = time.monotonic() + LASTS_S
            try:
                peer.recv(4096)
                peer.sendall(first)
                while time.monotonic() < end:
                    peer.sendall(block)
            except OSError:
                return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def ask_beside_a_clock(prober: str, port: int, timeout_s: float = 1.0, **options: object) -> tuple[Outcome, float, float]:
    """Return the outcome, how long it took, and for how long at most nothing else ran."""

    async def run() -> tuple[Outcome, float, float]:
        module, stood = catalogue.load(prober), 0.0

        async def watch() -> None:
            nonlocal stood
            while True:
                before = time.monotonic()
                await asyncio.sleep(0.005)
                stood = max(stood, time.monotonic() - before)

        clock = asyncio.create_task(watch())
        await asyncio.sleep(0)
        async with module.open() as opened:
            job = Job("a", Node("n", "127.0.0.1"), prober, module.Options(port=port, **options), timeout_s=timeout_s)
            start = time.monotonic()
            seen = await observe(job, opened, lambda: datetime.now(UTC))
            took = time.monotonic() - start
        await asyncio.sleep(0.02)
        clock.cancel()
        return seen.outcome, took, stood

    return asyncio.run(run())


@pytest.mark.parametrize(("prober", "options"), [("tls", {"verify": False}), ("http", {"scheme": "https", "verify": False})])
def test_a_handshake_that_never_ends_holds_up_neither_the_deadline_nor_others(prober: str, options: dict[str, Any]) -> None:
    with flood(HELLO_REQUESTS * 8) as port:
        outcome, took, stood = ask_beside_a_clock(prober, port, **options)
    assert isinstance(outcome, Failure)
    assert outcome.kind is Kind.REJECTED
    assert "nothing in them" in outcome.detail
    assert took < LASTS_S / 2
    assert stood < 0.5


def test_a_body_that_never_pauses_leaves_others_their_turn() -> None:
    with flood(b"x" * 65536, b"HTTP/1.1 200 OK\r\n\r\n") as port:
        _, took, stood = ask_beside_a_clock("http", port)
    assert took < LASTS_S / 2
    assert stood < 0.5


def test_chunks_with_long_extensions_are_not_read_without_end() -> None:
    response = Response(head_only=False, most_body=1 << 20)
    response.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"1;" + b"x" * 4000 + b"\r\nA\r\n"
    response.feed(chunk * (MOST_HEAD // 4000))
    with pytest.raises(GarbageError, match="extensions"):
        response.feed(chunk)
    assert response.body_bytes == MOST_HEAD // 4000


def test_a_head_that_comes_octet_by_octet_is_searched_once() -> None:
    response = Response(head_only=False, most_body=10)
    head = b"HTTP/1.1 200 OK\r\nA: " + b"x" * 40_000 + b"\r\nContent-Length: 0\r\n\r\n"
    start = time.process_time()
    for at in range(len(head)):
        response.feed(head[at : at + 1])
    assert response.done
    assert time.process_time() - start < 1.0


def chained(answers: int, pointers: int) -> bytes:
    """A response whose records' names lead through a chain of pointers."""
    message = bytearray(b"\0\1\x81\x80\0\1" + answers.to_bytes(2, "big") + b"\0\0\0\0" + b"\1a\0\0\1\0\1")
    at, last = len(message) + 11, 12
    chain = bytearray()
    for number in range(pointers):
        chain += (0xC000 | last).to_bytes(2, "big")
        last = at + 2 * number
    message += b"\0" + b"\0\x63\0\1\0\0\0\0" + len(chain).to_bytes(2, "big") + chain
    for _ in range(answers - 1):
        message += (0xC000 | last).to_bytes(2, "big") + b"\0\x63\0\1\0\0\0\0\0\0"
    return bytes(message)


def test_a_chain_of_pointers_is_followed_as_far_as_a_name_can_need() -> None:
    assert decode(chained(2, 100)).answers[1].name == "a"
    with pytest.raises(MalformedError, match="does not lead back to a name"):
        decode(chained(2, 200))


def test_more_answers_than_anybody_needs_are_refused_unless_they_were_cut_off() -> None:
    assert len(decode(chained(MOST_ANSWERS, 1)).answers) == MOST_ANSWERS
    many = chained(MOST_ANSWERS + 1, 1)
    with pytest.raises(MalformedError, match="at most"):
        decode(many)
    cut_off = many[:2] + b"\x83" + many[3:600]
    assert decode(cut_off).truncated


def on_udp(serve: Callable[[socket.socket], None]) -> tuple[int, threading.Thread]:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def run() -> None:
        with sock:
            serve(sock)

    thread = threading.Thread(target=run)
    thread.start()
    return sock.getsockname()[1], thread


def test_datagrams_without_end_hold_up_neither_the_deadline_nor_others() -> None:
    stop = threading.Event()

    def serve(sock: socket.socket) -> None:
        sock.connect(sock.recvfrom(2000)[1])
        while not stop.is_set():
            try:
                sock.send(b"\xff\xfe" + bytes(40))
            except OSError:
                pass

    port, thread = on_udp(serve)
    try:
        outcome, took, stood = ask_beside_a_clock("dns", port, name="a.test")
    finally:
        stop.set()
        thread.join()
    assert isinstance(outcome, Failure)
    assert outcome.kind is Kind.TIMEOUT
    assert took < 2
    assert stood < 0.5
