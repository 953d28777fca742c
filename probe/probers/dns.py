"""Asks one DNS server one question over UDP, and over TCP when the answer does not fit (RFC 1035, 6891, 7766)."""

import asyncio
import errno
import re
import secrets
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Annotated, Any, Literal

from msgspec import Meta

from probe import job
from probe.channel import Channel
from probe.dial import FAMILIES, DialError, address_of, dial, failure_of, hang_up
from probe.dnswire import TYPES, MalformedError, Reply, decode, encode_name, encode_query, reverse
from probe.inventory import Node
from probe.observation.dns import DnsSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.resolve import Unresolved, literal_family, resolve
from probe.target import read_address_and_port

MOST_SERVERS = 256  # sockets kept open while nobody asks
MOST_AT_ONCE = 64  # datagrams taken before others have their turn
_IP_RECVERR, _IPV6_RECVERR = 11, 25  # linux/in.h, in6.h: report "host unreachable" too, not only "port unreachable"


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for a `dns` check."""

    name: Annotated[str, Meta(description="name to ask for; for PTR also an IP address")]
    rrtype: Annotated[
        Literal["A", "AAAA", "CAA", "CNAME", "HTTPS", "MX", "NS", "PTR", "SOA", "SRV", "TXT"], Meta(description="record type to ask for")
    ] = "A"
    expect: Annotated[str, Meta(description="regular expression that the whole data of one of the answers must match")] = ""
    recursion: Annotated[bool, Meta(description="whether the server may ask others (RD)")] = True
    authoritative: Annotated[bool, Meta(description="whether only an authoritative answer will do (AA)")] = False
    port: Annotated[int, Meta(description="UDP and TCP port of the server", ge=1, le=65535)] = 53
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a server's name to use; the first of them is measured")
    ] = "any"

    def __post_init__(self) -> None:
        """Refuse what could not be asked; ValueError."""
        try:
            encode_name(self.asked)
        except ValueError as why:
            raise ValueError(f"name: {why}") from None
        try:
            re.compile(self.expect)
        except re.error as why:
            raise ValueError(f"expect: {self.expect!r} is no regular expression: {why}") from None

    @property
    def asked(self) -> str:
        """The name as it is sent."""
        return reverse(self.name) if self.rrtype == "PTR" and literal_family(self.name) and "%" not in self.name else self.name

    @property
    def item(self) -> str:
        """Name and type, and the port when it is another."""
        return f"{self.name} {self.rrtype}" + (f" :{self.port}" if self.port != 53 else "")


class Line:
    """A connected UDP socket to one server: only that server's datagrams arrive, and the ICMP errors about it."""

    def __init__(self, family: int, address: str, port: int):
        self.loop = asyncio.get_running_loop()
        self.waiting: dict[int, asyncio.Future[bytes]] = {}
        self.doubtful = False  # an answer did not come: perhaps our address or route has changed, which a connected socket never sees
        self.sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            if family == socket.AF_INET6:
                self.sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
            else:
                self.sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            self.sock.connect((address, port))
        except BaseException:
            self.sock.close()
            raise
        self.loop.add_reader(self.sock, self.read)

    def close(self) -> None:
        """Close the socket; whoever still waits is told."""
        self.loop.remove_reader(self.sock)
        self.sock.close()
        self.fail(ConnectionAbortedError(errno.ECONNABORTED, "the prober was closed"))

    def fail(self, why: Exception) -> None:
        """Tell all who wait; an ICMP error does not say which question it is about, and holds for all of them."""
        for future in self.waiting.values():
            if not future.done():
                future.set_exception(why)

    def read(self) -> None:
        """Hand out what has come. An answer to no open question (late, doubled, forged) is dropped."""
        for _ in range(MOST_AT_ONCE):
            try:
                data = self.sock.recv(65535)
            except BlockingIOError:
                return
            except OSError as why:
                self.drain()
                self.fail(why)
                return
            future = self.waiting.get(int.from_bytes(data[:2], "big")) if len(data) >= 12 else None
            if future and not future.done():
                future.set_result(data)
            elif len(data) < 12:
                self.fail(MalformedError(f"{len(data)} octets came, which are no DNS message"))

    def drain(self) -> None:
        """Empty the queue of ICMP errors, which keeps the socket readable as long as there is one."""
        try:
            while True:
                self.sock.recvmsg(1, 0, socket.MSG_ERRQUEUE)
        except OSError:
            pass

    def send(self, query: bytes) -> None:
        """Send; DialError when the kernel does not let it out."""
        try:
            self.sock.send(query)
        except OSError:  # it may be about an earlier question, reported only now
            self.drain()
            try:
                self.sock.send(query)
            except OSError as why:
                raise DialError(failure_of(why, at_once=True)) from None

    async def ask(self, name: str, rrtype: str, *, recursion: bool, edns: bool) -> bytes:
        """Send one question and return its answer as it came; OSError, DialError, MalformedError."""
        ident = secrets.randbits(16)
        while ident in self.waiting:
            ident = secrets.randbits(16)
        future: asyncio.Future[bytes] = self.loop.create_future()
        self.waiting[ident] = future
        query = encode_query(ident, name, rrtype, recursion=recursion, edns=edns)
        try:
            self.send(query)
            return await future
        except BaseException:  # the deadline's cancelling is one
            self.doubtful = True
            raise
        finally:
            del self.waiting[ident]
            if future.done() and not future.cancelled():
                future.exception()


class DnsProber:
    """Keeps a socket for each server asked lately."""

    def __init__(self) -> None:
        self.lines: dict[tuple[str, int], Line] = {}

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return the server's answer, whatever it says; one that is no DNS message or answers something else is REJECTED."""
        try:
            family, address = await first_address(address_of(node), FAMILIES[options.family])
            line = self.line(family, address, options.port)
            start = time.perf_counter()
            reply = await self.exchange(line, options)
            if truncated := reply.truncated:
                reply = await over_tcp(address, options)
            took_ms = (time.perf_counter() - start) * 1e3
        except (DialError, Unresolved) as why:
            return why.failure
        except MalformedError as why:
            return Failure(Kind.REJECTED, str(why))
        except OSError as why:
            return failure_of(why)
        return DnsSample(
            address,
            options.asked,
            options.rrtype,
            reply.rcode,
            reply.authoritative,
            reply.recursion_available,
            truncated,
            tuple([f"{one.name} {one.rrtype} {one.data}" for one in reply.answers]),
            took_ms,
            any(re.fullmatch(options.expect, one.data) for one in reply.answers) if options.expect else None,
            options.expect,
            options.authoritative,
        )

    async def exchange(self, line: Line, options: Options) -> Reply:
        """Ask over UDP; a server that does not know EDNS is asked without (RFC 6891 7)."""
        data = await line.ask(options.asked, options.rrtype, recursion=options.recursion, edns=True)
        reply = checked(data, options)
        if reply.rcode in {"FORMERR", "NOTIMP"}:
            data = await line.ask(options.asked, options.rrtype, recursion=options.recursion, edns=False)
            reply = checked(data, options)
        return reply

    def line(self, family: int, address: str, port: int) -> Line:
        """Return the socket for this server, the one used last standing last; DialError when there can be none."""
        key = (address, port)
        line = self.lines.pop(key, None)
        if line and line.doubtful and not line.waiting:
            line.close()
            line = None
        if line is None:
            try:
                line = Line(family, address, port)
            except OSError as why:
                raise DialError(failure_of(why, at_once=True)) from None
            if len(self.lines) >= MOST_SERVERS:
                idle = next((old for old, kept in self.lines.items() if not kept.waiting), None)
                if idle:  # else all are in use, as many as measurements may be under way
                    self.lines.pop(idle).close()
        self.lines[key] = line
        return line

    def close(self) -> None:
        """Close all sockets."""
        for line in self.lines.values():
            line.close()
        self.lines.clear()


async def first_address(host: str, family: int) -> tuple[int, str]:
    """Return family and address of the server; Unresolved."""
    known = literal_family(host)
    return (known, host) if known and family in {0, known} else (await resolve(host, family))[0]


def checked(data: bytes, options: Options) -> Reply:
    """Return the reply; MalformedError when it is none, or answers another question."""
    reply = decode(data)
    if reply.question is None:
        if reply.rcode == "NOERROR" and not reply.truncated:
            raise MalformedError("the answer does not say what was asked")
    elif reply.question[1] != TYPES[options.rrtype] or not same_name(reply.question[0], options.asked):
        raise MalformedError(f"the answer is to another question ({reply.question[0][:80]})")
    return reply


@lru_cache(1024)
def same_name(one: str, other: str) -> bool:
    """Tell whether two names are the same to DNS, which ignores the case of ASCII letters (RFC 4343)."""
    return encode_name(one).lower() == encode_name(other).lower()


async def over_tcp(address: str, options: Options) -> Reply:
    """Ask again over TCP (RFC 7766); DialError, MalformedError, OSError."""
    try:
        to = await dial(address, options.port)
    except DialError as why:
        raise DialError(Failure(why.failure.kind, f"the answer does not fit in UDP, and over TCP: {why.failure.detail}")) from None
    try:
        channel = Channel(to.sock)
        ident = secrets.randbits(16)
        query = encode_query(ident, options.asked, options.rrtype, recursion=options.recursion)
        await channel.send(len(query).to_bytes(2, "big") + query)
        data = bytearray()
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
            part = await channel.receive()
            if not part:
                raise MalformedError(f"the TCP connection was closed after {len(data)} octets of the answer")
            data += part
    finally:
        hang_up(to.sock)
    message = bytes(data[2 : 2 + int.from_bytes(data[:2], "big")])
    reply = checked(message, options)
    if reply.ident != ident:
        raise MalformedError("the answer over TCP carries another query's number")
    return reply


@asynccontextmanager
async def open() -> AsyncIterator[DnsProber]:
    """Yield the prober; its sockets are closed at the end."""
    prober = DnsProber()
    try:
        yield prober
    finally:
        prober.close()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `server`, `server:port` or `[::1]:port` (53 when none is given); ValueError says what is wrong."""
    address, port = read_address_and_port(text, 53)
    return address, {"port": port}
