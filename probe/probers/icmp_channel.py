"""The engine of echo bursts on one socket: paced slices out, batches in, one timer a burst, no task and no timer a target."""

import asyncio
import errno
import time
from socket import AF_INET, inet_ntop

from probe.observation.failure import Failure, Kind
from probe.probers.icmp_batch import AT_ONCE, DATA_ROOM, Oddity, Receiver, Sender
from probe.probers.icmp_burst import Burst, Echo, Tell
from probe.probers.icmp_socket import IcmpSocket, queued_error
from probe.probers.icmp_wire import ECHO_REPLY, TOKEN_BYTES, HopError, describe, echo_request, read_error4, read_error6

MOST_PER_S = 20_000
"""Echoes a second on one socket: 16 Mbit/s of the usual size, and the answers of a slice fit a router's queue."""

STALL_S = 0.02
"""How long the event loop may be busy elsewhere before a receive buffer full of answers could overflow."""

RESOLUTION_NS = 1000
"""The shortest round trip told: send times are interpolated, and an answer never takes no time."""

_STAMPED_TOGETHER = 16  # echoes between two looks at the clock: about 80 µs, within which their times are interpolated
_FEW = 8  # up to so many targets every echo is stamped alone, sent without queueing, and its answer fetched at once
_NAP_S = 0.002  # answers of many targets are fetched that often; their times are the kernel's, so nothing is lost by it
_RETRY_S, _RETRIES = 0.001, 500  # a full send buffer
_STEP_NS = 1_000_000  # wall and monotonic clock part by more only when somebody sets the clock
_BUSY = (errno.EAGAIN, errno.ENOBUFS, errno.EINTR)


class Channel:
    """One socket and all bursts on it."""

    def __init__(self, opened: IcmpSocket, loop: asyncio.AbstractEventLoop) -> None:
        self._socket, self._loop = opened, loop
        self._family, self._raw = opened.family, opened.raw
        self._skip = 20 if opened.raw and opened.family == AF_INET else 0
        fd = opened.sock.fileno()
        self._sender, self._receiver = Sender(fd, opened.family), Receiver(fd, opened.family, self._skip)
        self._rate = min(MOST_PER_S, opened.capacity / STALL_S)
        self.slice = max(1, min(AT_ONCE, opened.capacity // 2))
        """Most targets of one burst: their answers fit the receive buffer twice."""
        self._echoes: dict[bytes, Echo] = {}
        self._by_seq: dict[int, Echo] = {}
        self._seq = 0
        self._free_at = 0.0
        self._offset = _clock_offset()
        self._napping: asyncio.TimerHandle | None = None
        self._bursts: set[Burst] = set()
        loop.add_reader(fd, self._readable)

    def close(self) -> None:
        """Close the socket; what is still under way ends as a Failure of ours."""
        self._loop.remove_reader(self._socket.sock.fileno())
        if self._napping:
            self._napping.cancel()
        for burst in list(self._bursts):
            for at in list(burst.find.values()):
                self._finish(burst, at, Failure(Kind.BROKEN, "the prober was closed"))
        self._socket.sock.close()

    def start(self, burst: Burst, lasting_s: float | None = None) -> None:
        """Begin a burst; it ends when every echo is answered or its wait is over; what would not end within `lasting_s` is not sent."""
        now = self._loop.time()
        self._bursts.add(burst)
        burst.due = now
        burst.until = now + lasting_s if lasting_s is not None else float("inf")
        burst.lost_before = self._socket.drops()
        self._offset_watch()
        self._queue(burst)

    def forget(self, tell: Tell, token: object | None = None) -> None:
        """Leave out the targets of `tell`, or the one that it knows as `token`: nobody waits for them any more."""
        for burst in list(self._bursts):
            tells, tokens = burst.bunch.tells, burst.bunch.tokens
            for packed, at in list(burst.find.items()):
                if tells[at] is tell and token in (None, tokens[at]):
                    del burst.find[packed]
            if not burst.find:
                self._end(burst)

    # Sending

    def _queue(self, burst: Burst) -> None:
        """Send the next echo of a burst as soon as the pace allows."""
        now = self._loop.time()
        at = max(now, self._free_at)
        self._free_at = at + burst.size / self._rate
        if at - now < 0.0005 or burst.size <= _FEW:
            self._send(burst)
        else:
            burst.until += at - now if not burst.sent else 0.0
            burst.timer = self._loop.call_at(at, self._send, burst)

    def _send(self, burst: Burst) -> None:
        seq = self._next_seq()
        if seq is None:
            burst.timer = self._loop.call_later(_RETRY_S, self._send, burst)
            return
        packet = echo_request(self._family, self._socket.ident, seq, burst.payload)
        key = self._socket.ident.to_bytes(2, "big") + packet[6 : DATA_ROOM - self._skip]
        echo = Echo(burst, seq, packet, key, min(self._skip + len(packet), DATA_ROOM))
        burst.echoes.append(echo)
        burst.sent += 1
        self._echoes[key] = self._by_seq[seq] = echo
        echo.sent_ns = time.monotonic_ns()
        self._send_rest(echo)

    def _next_seq(self) -> int | None:
        if len(self._by_seq) > 60_000:
            return None
        while True:
            self._seq = (self._seq + 1) & 0xFFFF
            if self._seq not in self._by_seq:
                return self._seq

    def _send_rest(self, echo: Echo) -> None:
        """Send an echo to the targets that it has not gone to yet; a stamp is the moment at which the kernel was given the packet."""
        burst, stamps, send = echo.burst, echo.stamps, self._sender.send
        self._sender.load(burst.names, echo.packet)
        size, together, again = burst.size, _STAMPED_TOGETHER if burst.size > _FEW else 1, 0
        start = len(stamps)
        before = time.time_ns()
        while start < size:
            done, why = send(start, min(together, size - start))
            after = time.time_ns()
            if done:
                gap = max(after - before, done) // done
                stamps.extend(range(before, before + gap * done, gap))
                start, again = start + done, 0
            elif why in _BUSY and echo.postponed < _RETRIES:
                echo.postponed += 1
                burst.timer = self._loop.call_later(_RETRY_S, self._send_rest, echo)
                self._drain(1)
                return
            elif not self._raw and again < 4:
                again += 1  # the error of an earlier echo, which a datagram socket reports on the next call whatever it is
            else:
                self._refused(burst, start, echo.bit, why)
                stamps.append(before)
                start, again = start + 1, 0
            before = after
        now = self._loop.time()
        if burst.sent < burst.count:
            burst.due = max(burst.due + burst.interval_s, now)
            burst.timer = self._loop.call_at(burst.due, self._next, burst)
        else:
            burst.timer = self._loop.call_at(now + burst.wait_s, self._expire, burst)
        if burst.failed:
            self._settle(burst)
        self._drain(4)

    def _next(self, burst: Burst) -> None:
        """Send one echo more, unless its answer would come after the burst's end: what is sent is always waited for in full."""
        if self._loop.time() + burst.wait_s <= burst.until:
            self._queue(burst)
            return
        burst.full = (1 << burst.sent) - 1
        burst.timer = self._loop.call_later(burst.wait_s, self._expire, burst)
        self._settle(burst)

    def _refused(self, burst: Burst, at: int, bit: int, why: int) -> None:
        burst.refused[at] = why
        burst.unsent[at] = burst.unsent.get(at, 0) + 1
        burst.failed[at] = burst.failed.get(at, 0) | bit

    # Ending

    def _settle(self, burst: Burst) -> None:
        """Finish the targets of which every echo was answered, refused or answered by an error."""
        for at in [at for at in burst.find.values() if burst.complete(at)]:
            self._finish(burst, at)

    def _finish(self, burst: Burst, at: int, failure: Failure | None = None) -> None:
        bunch = burst.bunch
        del burst.find[bunch.destinations[at].packed]
        bunch.tells[at](bunch.tokens[at], failure or burst.outcome(at))
        if not burst.find:
            self._end(burst)

    def _end(self, burst: Burst) -> None:
        if burst.timer:
            burst.timer.cancel()
        for echo in burst.echoes:
            self._echoes.pop(echo.key, None)
            self._by_seq.pop(echo.seq, None)
        self._bursts.discard(burst)

    def _expire(self, burst: Burst) -> None:
        """End a burst whose time is over; what still lies in the receive buffer counts, and what overflowed it is our own fault."""
        self._drain(64)
        if burst not in self._bursts:
            return
        failure = None
        lost = self._socket.drops() - burst.lost_before
        if lost:
            failure = Failure(Kind.BROKEN, f"our receive buffer overflowed and lost {lost} packets; raise net.core.rmem_max")
        for at in list(burst.find.values()):
            self._finish(burst, at, failure)

    # Receiving

    def _readable(self) -> None:
        self._drain(4)
        if len(self._by_seq) and any(len(burst.find) > _FEW for burst in self._bursts):
            self._loop.remove_reader(self._socket.sock.fileno())
            self._napping = self._loop.call_later(_NAP_S, self._wake)

    def _wake(self) -> None:
        self._napping = None
        self._drain(4)
        self._loop.add_reader(self._socket.sock.fileno(), self._readable)

    def _drain(self, batches: int) -> None:
        """Take what has arrived, at most `batches` calls' worth."""
        for _ in range(batches):
            count = self._receiver.take()
            if count:
                self._offset_watch()
                self._sort(count)
            if count < AT_ONCE:
                break
        if not self._raw:
            for at in range(self._receiver.take_errors()):
                found = queued_error(self._family, self._receiver.whole(at))
                if found:
                    self._failed(found)

    def _sort(self, count: int) -> None:
        """Give each reply to its target. The hot path: about a microsecond for each."""
        find_echo, stamped, answered = self._echoes.get, self._receiver.stamped, self._answered
        number = -1
        for (source, seconds, nanos, key), (control, length) in self._receiver.replies(count):
            number += 1
            echo = find_echo(key)
            if echo is None or length != echo.length or control != stamped:
                self._odd(self._receiver.whole(number))
                continue
            at = echo.find.get(source)
            if at is not None:
                answered(echo, at, seconds * 1_000_000_000 + nanos)
            else:
                _foreign(self._family, echo, source)

    def _answered(self, echo: Echo, at: int, stamp: int) -> None:
        burst, bit = echo.burst, echo.bit
        seen = burst.seen[at]
        if seen & bit:
            burst.duplicates[at] = burst.duplicates.get(at, 0) + 1
            return
        if at >= len(echo.stamps):
            return  # an answer to what has not been sent
        took = stamp - echo.stamps[at]
        if took < RESOLUTION_NS or echo.stepped:
            took = _without_clock(took, echo)
        if took > burst.wait_ns:
            return
        burst.round_trips[at * burst.count + burst.got[at]] = took
        burst.got[at] += 1
        burst.seen[at] = seen = seen | bit
        if seen == burst.full or (burst.failed and burst.complete(at)):
            self._finish(burst, at)

    def _odd(self, packet: Oddity) -> None:
        """Sort what is not the usual reply: another size, IP options, an ICMP error, a damaged answer."""
        data = packet.data
        start = (data[0] & 0xF) * 4 if self._skip and data else 0
        body = data[start:]
        if len(body) < 8:
            return None
        if body[0] != ECHO_REPLY[AF_INET] and self._skip:
            return self._failed(read_error4(data))
        if body[0] not in ECHO_REPLY.values():
            return self._failed(read_error6(data, packet.source))
        echo = self._by_seq.get(int.from_bytes(body[6:8], "big"))
        at = echo.find.get(packet.source) if echo else None
        if echo is None or at is None or body[8 : 8 + TOKEN_BYTES] != echo.burst.payload[:TOKEN_BYTES]:
            return None
        room = DATA_ROOM - start - 4
        if body[4:] != echo.key[:room] or start + len(echo.packet) > DATA_ROOM > len(data):
            echo.burst.errors[at] = "damaged answer"
        else:
            self._answered(echo, at, packet.stamp or time.time_ns())
        return None

    def _failed(self, error: HopError | None) -> None:
        """Note an ICMP error on the echo that it is about."""
        echo = self._by_seq.get(error.seq) if error else None
        at = echo.find.get(error.target) if echo and error else None
        if echo is None or error is None or at is None or echo.burst.seen[at] & echo.bit:
            return
        burst = echo.burst
        if at not in burst.errors:
            burst.errors[at] = describe(self._family, error)
        burst.failed[at] = burst.failed.get(at, 0) | echo.bit
        if burst.complete(at):
            self._finish(burst, at)

    def _offset_watch(self) -> None:
        """Mark the echoes under way when the wall clock was set: their receive stamps can't be laid against their send stamps."""
        offset = time.time_ns() - time.monotonic_ns()
        if abs(offset - self._offset) < _STEP_NS:
            return
        offset = _clock_offset()
        if abs(offset - self._offset) >= _STEP_NS:
            self._offset = offset
            for echo in self._echoes.values():
                echo.stepped = True


def _clock_offset() -> int:
    """Return wall minus monotonic clock in ns, from the reading least disturbed by what else runs."""
    readings = []
    for _ in range(5):
        before, wall, after = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        readings.append((after - before, wall - before))
    return min(readings)[1]


def _without_clock(took: int, echo: Echo) -> int:
    """Return a round trip that the wall clock can't tell: by the monotonic clock until now when it was set, else below resolution."""
    return time.monotonic_ns() - echo.sent_ns if echo.stepped else max(took, RESOLUTION_NS)


def _foreign(family: int, echo: Echo, source: bytes) -> None:
    """Note an answer from an address that was not asked; it can be told whose it is only when one target was."""
    if echo.burst.size == 1:
        for at in echo.find.values():
            echo.burst.errors[at] = f"answer from another address, {inet_ntop(family, source)}"
