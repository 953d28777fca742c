"""Names to addresses, for every prober: cached, bounded, and telling a dead resolver (ours) from a dead name (theirs)."""

import asyncio
import functools
import os  # its urandom instead of secrets, which imports hashlib, hmac and random: 4 ms of a check's start
import socket
import threading
import time
from collections.abc import Iterable

from probe import dnswire
from probe.observation.failure import Failure, Kind

FOUND_S, MISSING_S = 30.0, 5.0  # how long an answer is believed; the system's resolver does not tell its TTL
MOST_NAMES = 4096
MOST_LOOKUPS = 32  # a dead resolver holds each of these threads for 10 s and more
PATIENCE_S = 0.3  # after this, ask the resolver whether it lives; a living one answers from its cache within milliseconds
LIVES_S = 0.5  # how long it may take to say so; it is asked twice, so that one lost packet is no dead resolver
LIMIT_S = 2.5  # for a living resolver that is still busy with this name; well below a job's usual 5 s

Address = tuple[int, str]


class Unresolved(Exception):
    """No address for a name; `failure` is UNRESOLVED (the name's fault) or RESOLVER (ours)."""

    def __init__(self, failure: Failure):
        super().__init__(failure.detail)
        self.failure = failure


async def resolve(host: str, family: int = 0) -> list[Address]:
    """Return the addresses of `host` as (family, address), in the system's order of preference (RFC 6724).

    `family` is 0, AF_INET or AF_INET6. An IP address is returned as it is, without thread or DNS. Raises Unresolved.
    """
    literal = literal_family(host)
    if literal:
        if family not in {0, literal}:
            raise Unresolved(Failure(Kind.UNRESOLVED, f"{host} is not an IPv{4 if family == socket.AF_INET else 6} address"))
        return [(literal, host)]
    return await _names.find(host, family)


@functools.lru_cache(4096)
def literal_family(host: str) -> int:
    """Return AF_INET or AF_INET6 when `host` is an IP address (with zone: RFC 4007 11), else 0."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0] if family == socket.AF_INET6 else host)
        except (OSError, ValueError):
            continue
        return family
    return 0


class _Names:
    """The cache, and the lookups under way: many jobs that ask for one name wait for one thread."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, int], tuple[float, list[Address] | Failure]] = {}
        self.asked: dict[tuple[str, int], asyncio.Task[list[Address] | Failure]] = {}
        self.slots: asyncio.Semaphore | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.answered = -1e9  # when the resolver last answered any name
        self.alive: asyncio.Task[bool] | None = None

    async def find(self, host: str, family: int) -> list[Address]:
        key = (host, family)
        known = self.known.get(key)
        if known is None or known[0] < time.monotonic():
            task = self.asked.get(key)
            if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
                task = self.asked[key] = asyncio.create_task(self.look_up(host, family))
                task.add_done_callback(lambda done: self.asked.pop(key) if self.asked.get(key) is done else None)
            found = await asyncio.shield(task)  # the one who gives up must not take the answer from the others
        else:
            found = known[1]
        if isinstance(found, Failure):
            raise Unresolved(found)
        return found

    async def look_up(self, host: str, family: int) -> list[Address] | Failure:
        begun = asyncio.Event()
        call = asyncio.create_task(self.in_thread(host, family, begun))
        found: list[Address] | Failure
        try:
            await asyncio.wait({call}, timeout=PATIENCE_S)
            if not call.done() and await self.resolver_lives():
                await asyncio.wait({call}, timeout=LIMIT_S - PATIENCE_S)
            if call.done():
                found = call.result()
                self.answered = time.monotonic()
            else:
                call.cancel()
                found = await self.doubt(host, "no answer")
                if not begun.is_set() and not found.ours:
                    found = Failure(Kind.BROKEN, f"{host} was not looked up: {MOST_LOOKUPS} other names wait for their answers")
        except socket.gaierror as why:
            if why.errno in {socket.EAI_NONAME, socket.EAI_NODATA, getattr(socket, "EAI_ADDRFAMILY", -9)}:
                self.answered = time.monotonic()
                found = Failure(Kind.UNRESOLVED, f"{host}: {why.strerror}")
            else:
                found = await self.doubt(host, str(why.strerror))
        except (UnicodeError, ValueError) as why:
            found = Failure(Kind.UNRESOLVED, f"{host!r} is not a host name: {why}")
        except OSError as why:
            found = Failure(Kind.RESOLVER, f"{host}: {why}")
        self.remember((host, family), found)
        return found

    async def in_thread(self, host: str, family: int, begun: asyncio.Event) -> list[Address]:
        """Look up in a daemon thread: one that hangs must not hold up the end of the program, as a thread pool's would."""
        loop = asyncio.get_running_loop()
        if self.slots is None or self.loop is not loop:
            self.slots, self.loop = asyncio.Semaphore(MOST_LOOKUPS), loop
        slots = self.slots
        await slots.acquire()
        begun.set()
        answer: asyncio.Future[list[Address]] = loop.create_future()

        def tell(found: list[Address] | BaseException) -> None:
            slots.release()
            if answer.cancelled():
                return
            if isinstance(found, BaseException):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        def work() -> None:
            found: list[Address] | BaseException
            try:
                found = getaddresses(host, family)
            except Exception as why:  # noqa: BLE001  handed to whoever waits
                found = why
            try:
                loop.call_soon_threadsafe(tell, found)
            except RuntimeError:
                pass  # the loop is closed: nobody waits any more

        try:
            threading.Thread(target=work, name=f"resolve {host}", daemon=True).start()
        except RuntimeError as why:
            slots.release()
            raise OSError(str(why)) from None
        return await answer

    async def doubt(self, host: str, words: str) -> Failure:
        """Say whose fault a lookup without answer is: the name's when the resolver answers others, else ours."""
        if await self.resolver_lives():
            return Failure(Kind.UNRESOLVED, f"{host}: {words}; the resolver answers other names")
        return Failure(Kind.RESOLVER, f"{host}: {words}; the resolver answers no other name either")

    async def resolver_lives(self) -> bool:
        """Ask the resolver once for all who doubt it at this moment."""
        if self.alive is None or self.alive.done() or self.alive.get_loop() is not asyncio.get_running_loop():
            self.alive = asyncio.create_task(self.ask_resolver())
        return await asyncio.shield(self.alive)

    async def ask_resolver(self) -> bool:
        rcode = await question_root(nameservers(), LIVES_S)
        # a resolver cut off from the root still counts when it has just answered another name
        return rcode not in {None, "SERVFAIL"} or (rcode == "SERVFAIL" and time.monotonic() - self.answered < 60)

    def remember(self, key: tuple[str, int], found: list[Address] | Failure) -> None:
        self.known.pop(key, None)
        while len(self.known) >= MOST_NAMES:
            del self.known[next(iter(self.known))]
        self.known[key] = (time.monotonic() + (MISSING_S if isinstance(found, Failure) else FOUND_S), found)


_names = _Names()


def getaddresses(host: str, family: int) -> list[Address]:
    """Ask the system's resolver (hosts file, DNS and what else nsswitch.conf names); blocks, socket.gaierror when there is none."""
    rows = socket.getaddrinfo(host, 0, family, socket.SOCK_STREAM)
    return [(int(row[0]), str(row[4][0])) for row in rows if row[0] in {socket.AF_INET, socket.AF_INET6}]


def nameservers(path: str = "/etc/resolv.conf") -> list[str]:
    """Return the resolvers of this host (resolv.conf(5)), the local one when none is named or the file can't be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            named = [words[1] for line in lines if len(words := line.split()) > 1 and words[0] == "nameserver"]
    except OSError:
        named = []
    return named[:3] or ["127.0.0.1"]


async def question_root(servers: Iterable[str], patience_s: float, port: int = 53) -> str | None:
    """Return the best rcode with which any of `servers` answers a question for the root's NS records; None when all are silent."""
    tasks = [asyncio.create_task(_ask_one(server, port)) for server in servers]
    try:
        best = None
        for task in asyncio.as_completed(tasks, timeout=patience_s):
            rcode = await task
            if rcode not in {None, "SERVFAIL"}:
                return rcode
            best = rcode or best
        return best
    except TimeoutError:
        return next((task.result() for task in tasks if task.done() and task.result()), None)
    finally:
        for task in tasks:
            task.cancel()


async def _ask_one(server: str, port: int) -> str | None:
    loop, family = asyncio.get_running_loop(), literal_family(server)
    if not family:
        return None
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((server, port))
            sock.send(dnswire.encode_query(int.from_bytes(os.urandom(2), "big"), ".", "NS"))
            return dnswire.decode(await loop.sock_recv(sock, 4096)).rcode
    except (OSError, dnswire.MalformedError):
        return None
