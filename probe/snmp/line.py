"""One connected UDP socket to an agent, with one question in flight: gufo-snmp encodes and decodes, the waiting is ours.

gufo-snmp's own waiting registers the socket anew for each answer and begins its patience anew with each datagram that is not the answer.
"""

import asyncio
import errno
import ipaddress
import os
import re
import socket
from collections.abc import Callable
from typing import Any

from probe.dial import failure_of
from probe.observation.failure import Kind
from probe.snmp.credential import Credential, keys
from probe.snmp.digest import is_genuine
from probe.snmp.failure import Nonsense, Refused, Rejected, Unsent

MOST_AT_ONCE = 32  # datagrams that nobody waits for, thrown away before others have their turn
MOST_OCTETS = 4080  # of an answer: gufo-snmp's buffer
_PEEK_LENGTH = socket.MSG_PEEK | socket.MSG_TRUNC
_head = bytearray(6)

_ERRNO = re.compile(r"\(os error (\d+)\)")  # all that gufo-snmp leaves of one


class End:
    """What a walk's answer is when it holds no row of the column: the end, or an error-status, which gufo-snmp does not tell."""


END = End()


class Late:
    """What is returned when no answer came in time. No exception: a thousand dead devices raise three thousand of them at once."""


LATE = Late()


class Line:
    """Whoever holds it asks one question after another; RuntimeError for two at once."""

    def __init__(self, family: int, address: str, port: int, credential: Credential):
        self._loop = asyncio.get_running_loop()
        self._credential = credential
        self._waiting: asyncio.Future[Any] | None = None
        self._receive: Callable[[], Any] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._end = 0.0  # of the waiting, by the loop's clock
        self.sock = open_socket(family, address, port, credential)
        self._bare = socket.socket(fileno=self.sock.get_fd())
        self._loop.add_reader(self._bare.fileno(), self._read)
        self._engine: bytes | None = None  # by which answers have to be signed
        self._forged = False  # one was not
        self._open = True

    def close(self) -> None:
        """Stop listening; the socket closes with the last reference to it."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._bare.fileno())
            self._bare.detach()
            if self._timer is not None:
                self._timer.cancel()
            if self._waiting and not self._waiting.done():
                self._waiting.set_exception(Unsent("the prober was closed"))
            self.sock = None

    async def shake_hands(self, wait_s: float) -> Any:
        """Learn a v3 engine's identity, boots and time (RFC 3414 4), have the user's keys made for it, and refresh; LATE without answer."""
        answer = await self.refresh(wait_s)
        if answer is LATE:
            return LATE
        self.sock.set_keys(*keys(self._credential))
        if self._credential.auth != "none":
            self._engine = self.sock.get_engine_id()
        return await self.refresh(wait_s) if self._credential.auth != "none" else answer

    async def refresh(self, wait_s: float) -> Any:
        """Learn a v3 engine's time anew; LATE without answer."""
        return await self.ask(self.sock.send_refresh, self.sock.recv_refresh, wait_s)

    async def ask(self, send: Callable[[], None], receive: Callable[[], Any], wait_s: float) -> Any:
        """Send, and return what `receive` makes of the answer, END for a walk's end, LATE after `wait_s`; TalkError."""
        if self._waiting is not None:
            raise RuntimeError("two questions at once on one line")
        self._receive, self._waiting, self._forged = receive, self._loop.create_future(), False
        self._end = end = self._loop.time() + wait_s
        if self._timer is None or self._timer.when() > end:
            self._wake_at(end)
        try:
            self._send(send)
            return await self._waiting
        finally:
            self._waiting = self._receive = None

    def _send(self, send: Callable[[], None]) -> None:
        try:
            send()
        except OSError:  # it may be about an earlier question, reported only now
            try:
                send()
            except OSError as why:
                raise _unsent(why) from None

    def _wake_at(self, when: float) -> None:
        """Have `_expire` called then. One timer serves many questions: mostly their answers are long there when it rings."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._waiting is None or self._waiting.done():
            return
        if self._loop.time() < self._end:
            self._wake_at(self._end)
        elif self._forged:
            self._waiting.set_exception(Nonsense("an answer came that is not signed with this user's key"))
        else:
            self._waiting.set_result(LATE)

    def _read(self) -> None:
        """Take what has come. An answer to another question (late, doubled) leads to BlockingIOError within gufo-snmp."""
        waiting, receive = self._waiting, self._receive
        if waiting is None or receive is None or waiting.done():
            self._throw_away()
            return
        try:
            self._look_at_length()
            if self._engine is not None and not is_genuine(self._bare.recv(MOST_OCTETS, socket.MSG_PEEK), self._credential, self._engine):
                self._forged = True
                self._bare.recv(1)
                return
            answer = receive()
        except BlockingIOError:
            return
        except StopAsyncIteration:
            waiting.set_result(END)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as why:  # noqa: BLE001  a panic of gufo-snmp's is a BaseException
            self._fail(waiting, why)
        else:
            waiting.set_result(answer)

    def _fail(self, waiting: "asyncio.Future[Any]", why: BaseException) -> None:
        from gufo.snmp import NoSuchInstance, SnmpAuthError

        if isinstance(why, NoSuchInstance):
            waiting.set_result(END)
        elif isinstance(why, SnmpAuthError):
            waiting.set_exception(Rejected("the agent reports that it does not take this user as it asks"))
        elif isinstance(why, OSError):  # a TimeoutError of gufo-snmp's is one: "connection refused"
            waiting.set_exception(_unsent(why))
        else:
            waiting.set_exception(Nonsense(f"what the agent sends can't be read: {str(why)[:80] or type(why).__name__}"))

    def _look_at_length(self) -> None:
        """Take a datagram away that is cut short or too long, Nonsense: gufo-snmp panics at most of them, with a line in the log."""
        length = self._bare.recv_into(_head, 6, _PEEK_LENGTH)
        said = _head[1] + 2
        if _head[1] > 0x80:
            octets = _head[1] - 0x80
            said = int.from_bytes(_head[2 : 2 + octets], "big") + 2 + octets if octets <= 4 else -1
        if length < 3 or length > MOST_OCTETS or _head[0] != 0x30 or said != length:
            self._bare.recv(1)
            raise ValueError(f"{length} octets, {'too many' if length > MOST_OCTETS else 'and no message of that length'}")

    def _throw_away(self) -> None:
        try:
            for _ in range(MOST_AT_ONCE):
                self._bare.recv(1)
        except OSError:
            pass  # nothing more, or an error about what nobody waits for


def open_socket(family: int, address: str, port: int, credential: Credential) -> Any:
    """Return gufo-snmp's socket for this version, connected; Unsent."""
    from gufo.snmp import _fast

    host, _, zone = address.partition("%")
    if family == socket.AF_INET6:
        if not zone and ipaddress.ip_address(host).is_link_local:
            raise Unsent(f"a link-local address needs the interface that leads to it: {host}%eth0", Kind.BROKEN)
        try:
            place = f"[{host}%{zone if zone.isdigit() else socket.if_nametoindex(zone)}]:{port}" if zone else f"[{host}]:{port}"
        except OSError:
            raise Unsent(f"this host has no interface {zone}", failure_of(OSError(errno.ENODEV, ""), at_once=True).kind) from None
    else:
        place = f"{host}:{port}"
    try:
        if credential.version == "v1":
            return _fast.SnmpV1ClientSocket(place, credential.community, 0, 0, 0, 0)
        if credential.version == "v2c":
            return _fast.SnmpV2cClientSocket(place, credential.community, 0, 0, 0, 0)
        return _fast.SnmpV3ClientSocket(place, b"", "", 0, b"", 0, b"", 0, 0, 0, 0)
    except OSError as why:
        raise _unsent(why, at_once=True) from None


def _unsent(why: OSError, *, at_once: bool = False) -> Unsent | Refused:
    found = _ERRNO.search(str(why))
    number = errno.ECONNREFUSED if "refused" in str(why).lower() else int(found[1]) if found else why.errno or 0
    if number == errno.ECONNREFUSED:
        return Refused("the device answers that nothing listens on this port: it lives, its SNMP agent does not")
    failure = failure_of(OSError(number, os.strerror(number) if number else str(why)), at_once=at_once)
    return Unsent(failure.detail, failure.kind)
