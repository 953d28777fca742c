"""Sockets and connection tracking of the machine that the agent runs on."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, NamedTuple, TypeVar

from msgspec import Meta

from probe import job
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.observation.sockets import SocketsSample
from probe.probers.counters import difference
from probe.probers.procfs import Procfs
from probe.probers.socket_table import Table, name_destination, read_table, read_table_by_proc
from probe.probers.worker import StuckError, Worker

T = TypeVar("T")

TABLE_FREE_S = 0.010  # of processor time; what takes longer …
TABLE_SHARE = 0.002  # … is read as seldom as keeps it at this share of one core


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to look at."""

    table: Annotated[bool, Meta(description="read every TCP socket for states and ports (about 1 ms of CPU for 1,000)")] = True


@asynccontextmanager
async def open() -> AsyncIterator["SocketsProber"]:
    """Yield the prober; it keeps files of /proc open and the counters of the look before."""
    prober = SocketsProber()
    try:
        yield prober
    finally:
        prober.close()


class SocketsProber:
    """Looks in a thread: a table of many sockets takes its time."""

    def __init__(self) -> None:
        self._worker = Worker("sockets")
        self._looks: dict[str, Looks] = {}

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return a SocketsSample of this machine; its differences span the time since the look before under this node's name."""
        looks = self._looks.setdefault(node.name, Looks())
        try:
            return await self._worker.run(lambda: looks.look(options))
        except StuckError as why:
            return Failure(Kind.BROKEN, str(why))

    def close(self) -> None:
        """Let the thread end; it closes the files."""
        self._worker.close(*(looks.close for looks in self._looks.values()))


class Limits(NamedTuple):
    """The range of ports for outgoing connections, most orphans, most pages of TCP memory; None where the kernel does not tell."""

    ports: range | None
    orphans: int | None
    memory: int | None


class Looks:
    """Remembers the counters of the look before."""

    def __init__(self, root: str = "/") -> None:
        self._files = Procfs(root)
        self._before: dict[str, int] = {}
        self._at: float | None = None
        self._table: Table | None = None
        self._table_until = 0.0
        self._missing: dict[str, str] = {}

    def look(self, options: Options) -> SocketsSample:
        """Return one sample; a part that can't be read is named in `missing`."""
        at = time.monotonic()
        over_s = None if self._at is None else at - self._at
        self._missing = {}
        used = self._part("usage", self._read_usage) or {}
        limits = self._part("limits", self._read_limits) or Limits(None, None, None)
        counters = self._part("counters", self._read_counters) or {}
        tracked = self._part("conntrack", self._read_conntrack) or (None, None, None)
        if tracked[2] is not None:
            counters["conntrack"] = tracked[2]
        ports = limits.ports
        table = self._part("table", lambda: self._read_table(ports or range(0))) if options.table else None
        busiest = table.destinations.most_common(1)[0] if table and table.destinations else None

        def since(name: str) -> int | None:
            return difference(counters.get(name), self._before.get(name))

        sample = SocketsSample(
            states=table.states if table else {},
            tcp_in_use=_sum(used.get("TCP inuse"), used.get("TCP6 inuse")),
            udp_in_use=_sum(used.get("UDP inuse"), used.get("UDP6 inuse")),
            orphans=used.get("TCP orphan"),
            time_wait=used.get("TCP tw"),
            memory_pages=used.get("TCP mem"),
            listen_overflows_since=since("TcpExt ListenOverflows"),
            listen_drops_since=since("TcpExt ListenDrops"),
            out_segments_since=since("Tcp OutSegs"),
            retransmitted_since=since("Tcp RetransSegs"),
            udp_receive_errors_since=_sum(since("Udp InErrors"), since("Udp6InErrors")),
            ephemeral_in_use=table.ephemeral_in_use if table and ports else None,
            ephemeral_ports=len(ports) if ports else None,
            conntrack_count=tracked[0],
            conntrack_max=tracked[1],
            conntrack_drops_since=since("conntrack"),
            over_s=over_s,
            orphans_max=limits.orphans,
            memory_pages_max=limits.memory,
            busiest_destination=busiest and name_destination(busiest[0]),
            busiest_ports=busiest and busiest[1],
            missing=self._missing,
        )
        self._at, self._before = at, counters
        return sample

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _part(self, name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (OSError, ValueError, LookupError) as why:
            self._missing[name] = f"{type(why).__name__}: {why}"
            return None

    def _read_usage(self) -> dict[str, int]:
        return parse_usage(self._files.read("proc/net/sockstat") + (self._files.offered("proc/net/sockstat6") or b""))

    def _read_limits(self) -> Limits:
        ports = self._files.offered("proc/sys/net/ipv4/ip_local_port_range")
        orphans = self._files.offered("proc/sys/net/ipv4/tcp_max_orphans")
        memory = self._files.offered("proc/sys/net/ipv4/tcp_mem")
        low, high = ports.split() if ports else (b"0", b"-1")
        return Limits(range(int(low), int(high) + 1) or None, int(orphans) if orphans else None, int(memory.split()[2]) if memory else None)

    def _read_counters(self) -> dict[str, int]:
        found = parse_counters(self._files.read("proc/net/snmp"), frozenset((b"Tcp", b"Udp")))
        found |= parse_counters(self._files.read("proc/net/netstat"), frozenset((b"TcpExt",)))
        six = self._files.offered("proc/net/snmp6") or b""
        at = six.find(b"Udp6InErrors")
        if at >= 0:
            found["Udp6InErrors"] = int(six[at:].split(None, 2)[1])
        return found

    def _read_conntrack(self) -> tuple[int | None, int | None, int | None]:
        """Return entries, most entries and packets dropped; None where the module is not loaded."""
        count = self._files.offered("proc/sys/net/netfilter/nf_conntrack_count")
        most = self._files.offered("proc/sys/net/netfilter/nf_conntrack_max")
        stats = self._files.offered("proc/net/stat/nf_conntrack")
        return (None if count is None else int(count), None if most is None else int(most), parse_conntrack_drops(stats or b""))

    def _read_table(self, ports: range) -> Table:
        """Return the table; one that took long stands for a while, so that a look at 50,000 sockets does not become the load itself."""
        now, start = time.monotonic(), time.thread_time()
        if self._table is None or now >= self._table_until:
            self._table = self._read_table_now(ports)
            took = time.thread_time() - start
            self._table_until = now + (took / TABLE_SHARE if took > TABLE_FREE_S else 0.0)
        return self._table

    def _read_table_now(self, ports: range) -> Table:
        try:
            return read_table(ports)
        except OSError:  # no inet_diag in this kernel, or not for us, or not at this moment
            return read_table_by_proc(self._files, ports)


def parse_usage(raw: bytes) -> dict[str, int]:
    """Return /proc/net/sockstat as "TCP inuse" → number."""
    found = {}
    for line in raw.decode("ascii", "replace").splitlines():
        protocol, _, rest = line.partition(":")
        words = rest.split()
        found.update({f"{protocol} {name}": int(value) for name, value in zip(words[::2], words[1::2], strict=False) if value.isdigit()})
    return found


def parse_counters(raw: bytes, wanted: frozenset[bytes]) -> dict[str, int]:
    """Return /proc/net/snmp or netstat as "Tcp OutSegs" → number: a line of names, then a line of values, per protocol."""
    found = {}
    lines = raw.splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=False):
        protocol = names.partition(b":")[0]
        if protocol in wanted and values.startswith(protocol + b":"):
            pairs = zip(names.decode().split()[1:], values.split()[1:], strict=False)
            found.update({f"{protocol.decode()} {name}": int(value) for name, value in pairs})
    return found


def parse_conntrack_drops(raw: bytes) -> int | None:
    """Return the packets dropped because no entry could be made, over all CPUs, from /proc/net/stat/nf_conntrack (hexadecimal)."""
    names, *rows = raw.splitlines() or [b""]
    columns = names.split()
    if b"drop" not in columns:
        return None
    at = columns.index(b"drop")
    return sum(int(fields[at], 16) for fields in map(bytes.split, rows) if len(fields) > at)


def _sum(first: int | None, second: int | None) -> int | None:
    if first is None or second is None:
        return second if first is None else first
    return first + second
