"""Takes SNMP notifications: a trap makes the agent look now at the device that sent it, and is not believed alone.

One socket for all versions. Accepted is what comes from an address of the inventory and, where that node has a credential, shows it.
"""

import asyncio
import functools
import logging
import socket
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from probe.agent.settings.devices import credential_of
from probe.agent.settings.secret import SecretError
from probe.agent.settings.settings import Settings
from probe.inventory import Node
from probe.resolve import Unresolved, literal_family, resolve
from probe.snmp.ber import Malformed
from probe.snmp.credential import Credential
from probe.snmp.trap import V1, V2C, V3, Trap, acknowledge, name_of, read_trap, version_of

if TYPE_CHECKING:
    from probe.snmp.v3_receiver import V3Receiver

log = logging.getLogger(__name__)

Address = tuple[Any, ...]

BUFFER = 64 * 1024 * 1024  # octets that the kernel holds for us: 20,000 traps in one burst with room to spare
WAITING = 50_000  # datagrams read and not yet looked at; more are dropped and counted
WAITING_OCTETS = 32 * 1024 * 1024  # the same in octets: a datagram may have 64 kB
SO_RCVBUFFORCE = 33  # <asm-generic/socket.h>; the socket module has no name for it
MOST_OCTETS = 65_535
READ_AT_ONCE = 1_000  # datagrams taken from the kernel before the loop is given back
LOOK_AT_ONCE = 100
V3_AT_ONCE = 5  # pysnmp takes about a millisecond for each
LOOK_AGAIN_S = (5.0, 20.0)  # after a trap: agents tell for up to 15 s what they read of themselves before (net-snmp's ifTable)
MOST_NAMES = 200  # different notifications that are counted by name
MOST_STRANGERS = 1_000  # unknown senders that are named in the log, once each


class TrapTally(msgspec.Struct):
    """Counted since the start: outcomes (accepted, stranger, wrong-credential, malformed, dropped), and accepted ones by name."""

    outcomes: Counter[str] = msgspec.field(default_factory=Counter)
    names: Counter[str] = msgspec.field(default_factory=Counter)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return all by (outcome, name); only accepted ones have a name."""
        found = {(outcome, ""): count for outcome, count in list(self.outcomes.items()) if outcome != "accepted"}
        return found | {("accepted", name): count for name, count in list(self.names.items())}


class _Plan(NamedTuple):
    """The next look at a node that has sent something: which of LOOK_AGAIN_S it is."""

    step: int
    timer: asyncio.TimerHandle


class Traps:
    """The receiving end. `look` is called with a node's name: at a notification, and LOOK_AGAIN_S after it.

    However many come, it is called once in the first of these times for each node.
    """

    def __init__(self, sock: socket.socket, look: Callable[[str], None]) -> None:
        self._sock, self._look = sock, look
        self._loop = asyncio.get_running_loop()
        self._nodes: Mapping[str, tuple[Node, ...]] = {}  # by address; behind one address (NAT, a virtual one) there may be several
        self._resolved: dict[str, tuple[str, ...]] = {}  # to where each name last led: kept while the resolver is away
        self._credentials: Mapping[str, Credential | None] = {}  # None: its secret can't be read, so nothing proves it
        self._v3: V3Receiver | None = None
        self._waiting: deque[tuple[bytes, Address]] = deque()
        self._octets = 0
        self._handling = False
        self._plans: dict[str, _Plan] = {}
        self._strangers: set[str] = set()
        self.tally = TrapTally()

    async def admit(self, settings: Settings) -> None:
        """Accept from the nodes of these settings from now on, with the credentials that they name."""
        credentials: dict[str, Credential | None] = {}
        for name, form in settings.credentials.items():
            try:
                credentials[name] = credential_of(form)
            except SecretError as why:
                log.error("notifications with the credential %s are not taken: %s", name, why)
                credentials[name] = None
        self._trust(credentials)
        known = [node for node in settings.inventory.nodes.values() if node.address is not None]
        names = list({node.address for node in known if node.address and not literal_family(node.address)})
        self._resolved = {name: self._resolved[name] for name in names if name in self._resolved}
        self._place(known)  # names may take seconds each: nobody else waits for them
        for name, found in zip(names, await asyncio.gather(*map(_addresses, names)), strict=True):
            if found:
                self._resolved[name] = found
        self._place(known)

    def _place(self, known: Sequence[Node]) -> None:
        nodes: dict[str, tuple[Node, ...]] = {}
        for node in known:
            where = node.address or ""
            found = (where,) if literal_family(where) else self._resolved.get(where, ())
            for address in dict.fromkeys(map(plain, found)):
                nodes[address] = (*nodes.get(address, ()), node)
        self._nodes = nodes

    def _trust(self, credentials: Mapping[str, Credential | None]) -> None:
        if credentials == self._credentials:
            return  # the keys of known senders are kept
        self._credentials = credentials
        users = [one for one in credentials.values() if one is not None and one.version == "v3"]
        self._v3 = None
        if users:
            from probe.snmp.v3_receiver import V3Receiver

            self._v3 = V3Receiver(users, self._answer, self._proved)

    def close(self) -> None:
        """Plan no more looks."""
        for plan in self._plans.values():
            plan.timer.cancel()

    def readable(self) -> None:
        """Take what the kernel has for us; it is looked at in slices, so that measuring goes on in a storm."""
        for _ in range(READ_AT_ONCE):
            try:
                data, address = self._sock.recvfrom(MOST_OCTETS)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as why:  # an ICMP error for an answer of ours
                log.debug("trap socket: %s", why)
                continue
            if plain(address[0]) not in self._nodes:
                self._stranger(address[0])  # at the door: he takes no place from those who are known
            elif len(self._waiting) < WAITING and self._octets < WAITING_OCTETS:
                self._waiting.append((data, address))
                self._octets += len(data)
            else:
                self.tally.outcomes["dropped"] += 1
        if self._waiting and not self._handling:
            self._handling = True
            self._loop.call_soon(self._handle)

    def _handle(self) -> None:
        left = LOOK_AT_ONCE
        while self._waiting and left > 0:
            data, address = self._waiting.popleft()
            self._octets -= len(data)
            try:
                left -= self._take(data, address)
            except Malformed as why:
                left -= 1
                self.tally.outcomes["malformed"] += 1
                log.debug("a datagram from %s is no notification: %s", address[0], why)
            except Exception:  # whatever one datagram does, the next one is heard
                left -= 1
                self.tally.outcomes["malformed"] += 1
                log.exception("a datagram from %s could not be taken", address[0])
        self._handling = bool(self._waiting)
        if self._handling:
            self._loop.call_soon(self._handle)

    def _take(self, data: bytes, address: Address) -> int:
        """Look at one datagram; return what it cost, in plain traps."""
        nodes = self._nodes.get(plain(address[0]), ())
        version = version_of(data)
        if version == V3:
            if self._v3 is None or not self._v3.take(data, address, self._users(nodes)):
                self.tally.outcomes["not-proved"] += 1  # discovery for an inform, too
            return LOOK_AT_ONCE // V3_AT_ONCE
        if version not in (V1, V2C):
            raise Malformed(f"version {version}")
        trap = read_trap(data)
        shown = [node for node in nodes if self._shows(trap, node)]
        if not shown:
            self.tally.outcomes["wrong-credential"] += 1
            return 1
        if trap.inform:
            self._answer(acknowledge(data), address)
        self._accept(shown, trap.oid)
        return 1

    def _shows(self, trap: Trap, node: Node) -> bool:
        """Tell whether a v1 or v2c notification shows its node's credential; a node that has none sends what it likes."""
        if node.snmp is None:
            return True
        mine = self._credentials.get(node.snmp)
        return mine is not None and mine.version != "v3" and trap.community == (mine.community or "").encode()

    def _users(self, nodes: Sequence[Node]) -> list[Credential]:
        """Return the v3 users that these nodes may be."""
        found = [self._credentials.get(node.snmp) for node in nodes if node.snmp is not None]
        return list(dict.fromkeys(one for one in found if one is not None and one.version == "v3"))

    def _proved(self, address: Address, user: Credential, oid: str) -> None:
        nodes = self._nodes.get(plain(address[0]), ())
        self._accept([node for node in nodes if node.snmp is not None and self._credentials.get(node.snmp) == user], oid)

    def _accept(self, nodes: Sequence[Node], oid: str) -> None:
        name = name_of(oid)
        self.tally.outcomes["accepted"] += 1
        self.tally.names[name if name in self.tally.names or len(self.tally.names) < MOST_NAMES else "other"] += 1
        for node in nodes:
            self._note(node, name)

    def _note(self, node: Node, name: str) -> None:
        plan = self._plans.get(node.name)
        if plan is None:
            log.info("%s says %s: looking now", node.name, name)
            self._look(node.name)
        elif plan.step == 0:
            return  # a look is near
        else:
            plan.timer.cancel()
        self._plan(node.name, 0)

    def _plan(self, name: str, step: int) -> None:
        wait_s = LOOK_AGAIN_S[step] - (LOOK_AGAIN_S[step - 1] if step else 0.0)
        self._plans[name] = _Plan(step, self._loop.call_later(wait_s, self._look_again, name))

    def _look_again(self, name: str) -> None:
        step = self._plans.pop(name).step + 1
        if step < len(LOOK_AGAIN_S):
            self._plan(name, step)
        self._look(name)

    def _answer(self, data: bytes, address: Address) -> None:
        try:
            self._sock.sendto(data, address)
        except OSError as why:  # the sender repeats its inform
            log.debug("no answer to %s: %s", address[0], why)

    def _stranger(self, address: str) -> None:
        self.tally.outcomes["stranger"] += 1
        if address not in self._strangers and len(self._strangers) < MOST_STRANGERS:
            self._strangers.add(address)
            log.warning("notifications from %s are not taken: no node has this address", address)


async def _addresses(name: str) -> tuple[str, ...]:
    try:
        return tuple([address for _, address in await resolve(name)])
    except Unresolved as why:
        log.warning("%s does not resolve (%s): notifications of that node are taken from where it was last known to be", name, why)
        return ()


@functools.lru_cache(4096)
def plain(address: str) -> str:
    """Return an address in the one way in which addresses are compared: without zone, IPv4 in IPv6 as IPv4."""
    found = ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def open_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket with a buffer for a burst; OSError when the port is taken or needs a right."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def widen(sock: socket.socket) -> int:
    """Make the socket's buffer as large as is allowed and return its size; beyond net.core.rmem_max it takes CAP_NET_ADMIN (socket(7)),
    or systemd's `ReceiveBuffer=`, which is left as it is."""
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < BUFFER:
        try:
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        except PermissionError:
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < BUFFER // 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


@asynccontextmanager
async def receiving(sock: socket.socket, look: Callable[[str], None]) -> AsyncIterator[Traps]:
    """Yield the receiving end of a bound socket; the socket is closed at the end."""
    loop = asyncio.get_running_loop()
    sock.setblocking(False)
    log.info("notifications on %s, buffer of %d kB", sock.getsockname()[:2], widen(sock) // 1024)
    traps = Traps(sock, look)
    loop.add_reader(sock.fileno(), traps.readable)
    try:
        yield traps
    finally:
        traps.close()
        loop.remove_reader(sock.fileno())
        sock.close()
