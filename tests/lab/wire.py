"""A fibre between two TAP devices in two network namespaces: every frame passes through here.

As a program: `wire.py PID PORT PID PORT`; it prints "ready", then reads one JSON object a line and prints "ok" when it holds. Its keys:
carrier (false: both ends lose it), delay_ms, jitter_ms, loss, loss_ab and loss_ba (shares of one direction), copies and damage (shares of
frames that arrive twice, or with one byte turned), rate_kbit with at most queue_ms waiting, where BGP goes first as routers let it. A key
that is not given is off.
It ends when its input does, so it never outlives the test run.
"""

import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import subprocess
import sys
import threading
import time
from typing import Any

TUNSETIFF, TUNSETCARRIER = 0x400454CA, 0x400454E2  # linux/if_tun.h
IFF_TAP, IFF_NO_PI, CLONE_NEWNET = 2, 0x1000, 0x40000000
AT_ONCE = 64  # frames read from one end before the other end gets its turn
QUEUE_MS = 200.0
MAX_WAITING = 20_000  # frames on the way; what comes beyond is lost, as in a full queue
IPV4, TCP, BGP = b"\x08\x00", 6, struct.pack("!H", 179)
HEADERS = 34  # Ethernet and IPv4: damage falls behind them, so that the frame still arrives


class Wire:
    """The end of a running wire from which it is controlled."""

    def __init__(self, a_pid: int, a_port: str, b_pid: int, b_port: str) -> None:
        command = [sys.executable, __file__, str(a_pid), a_port, str(b_pid), b_port]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self.settings: dict[str, Any] = {}
        self._one_at_a_time = threading.Lock()

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == word, "the wire is broken"

    def ready(self) -> None:
        self._expect("ready")

    def set(self, **settings: Any) -> None:
        """Make the wire so, and only so; it holds when this returns."""
        assert self._process.stdin is not None
        with self._one_at_a_time:
            self.settings = settings
            self._process.stdin.write(json.dumps(settings) + "\n")
            self._process.stdin.flush()
            self._expect("ok")

    def down(self) -> None:
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait(10)


def tap(pid: int, name: str) -> int:
    """Return the open end of a new TAP device in the network namespace of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    space = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    if libc.setns(space, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(space)
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return end


def is_routing(frame: bytes) -> bool:
    """Tell whether a frame is BGP's (IPv4 without options)."""
    return frame[12:14] == IPV4 and frame[23:24] == bytes([TCP]) and BGP in {frame[34:36], frame[36:38]}


class Carriage:
    """Frames on their way between the two ends."""

    def __init__(self, a: int, b: int) -> None:
        self.ends = {a: (b, "loss_ab"), b: (a, "loss_ba")}
        self.settings: dict[str, Any] = {}
        self.carrier = True
        self._free_at = dict.fromkeys(self.ends, 0.0)  # when the sender of this end is through with what it has
        self._waiting: list[tuple[float, int, int, bytes]] = []
        self._count = 0

    def configure(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        carrier = bool(settings.get("carrier", True))
        if carrier != self.carrier:
            self.carrier = carrier
            for end in self.ends:
                fcntl.ioctl(end, TUNSETCARRIER, struct.pack("i", int(carrier)))
        if not carrier:
            self._waiting.clear()

    def share(self, name: str) -> float:
        return float(self.settings.get(name, 0.0))

    def take(self, end: int) -> None:
        """Read what one end sends."""
        for _ in range(AT_ONCE):
            try:
                frame = os.read(end, 65535)
            except OSError:  # nothing more, or the interface is down
                return
            self._send(end, frame)

    def _send(self, end: int, frame: bytes) -> None:
        to, loss = self.ends[end]
        lost = max(self.share("loss"), self.share(loss))
        if not self.carrier or len(self._waiting) >= MAX_WAITING or random.random() < lost:
            return
        now = time.monotonic()
        leaves = now
        if (rate_kbit := self.share("rate_kbit")) and not is_routing(frame):
            begins = max(self._free_at[end], now)
            if begins - now > self.settings.get("queue_ms", QUEUE_MS) / 1000:
                return
            leaves = self._free_at[end] = begins + len(frame) * 8 / (rate_kbit * 1000)
        arrives = leaves + self.share("delay_ms") / 1000 + random.random() * self.share("jitter_ms") / 1000
        if random.random() < self.share("damage") and len(frame) > HEADERS + 8:
            at = random.randrange(HEADERS, len(frame))
            frame = frame[:at] + bytes([frame[at] ^ 0xFF]) + frame[at + 1 :]
        for _ in range(2 if random.random() < self.share("copies") else 1):
            self._count += 1
            heapq.heappush(self._waiting, (arrives, self._count, to, frame))

    def deliver(self) -> float | None:
        """Hand over what has arrived; return the time until the next frame does, in ms."""
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, _, to, frame = heapq.heappop(self._waiting)
            try:
                os.write(to, frame)
            except OSError:  # the far interface is down
                continue
        return max(0.0, (self._waiting[0][0] - now) * 1000) if self._waiting else None


def main(a_pid: int, a_port: str, b_pid: int, b_port: str) -> None:
    a, b = tap(a_pid, a_port), tap(b_pid, b_port)
    carriage = Carriage(a, b)
    print("ready", flush=True)
    ready = select.poll()
    for source in (a, b, 0):
        ready.register(source, select.POLLIN)
    left = ""
    while True:
        for source, _ in ready.poll(carriage.deliver()):
            if source:
                carriage.take(source)
                continue
            told = os.read(0, 65536).decode()
            if not told:
                return
            *lines, left = (left + told).split("\n")
            for line in lines:
                carriage.configure(json.loads(line))
                print("ok", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
