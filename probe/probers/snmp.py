"""Polls one device by SNMP (RFC 1157, RFC 3416, RFC 3414): one look at all its tables, in as few questions as it bears."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Annotated, Any, Literal

from msgspec import Meta
from msgspec.structs import replace

from probe import job
from probe.deadline import left
from probe.dial import FAMILIES, DialError, address_of
from probe.inventory import Node
from probe.observation.device import DeviceSample
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Outcome
from probe.resolve import Unresolved, resolve
from probe.snmp.credential import Auth, Credential, Privacy, Version
from probe.snmp.device import Look, read_device
from probe.snmp.doubt import Doubts
from probe.snmp.explain import Explainer
from probe.snmp.failure import TalkError
from probe.snmp.poll import Poll
from probe.snmp.session import Session, Sessions
from probe.snmp.values import read_mac
from probe.target import read_address_and_port

PORT = 161
LONGEST_S = 30.0
TO_EXPLAIN_S = 2.0  # of it, for finding out why there was no answer
EXPLAIN_SHARE = 0.4  # … of a shorter one
MOST_LOOKS = 4096  # devices whose look before is kept, for rates

Part = Literal["system", "host", "interfaces", "environment", "routing", "neighbours"]
PARTS: tuple[Part, ...] = ("system", "host", "interfaces", "environment", "routing", "neighbours")
Name = Annotated[str, Meta(min_length=1, max_length=255)]


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for an `snmp` check. Credentials have no default: what is not configured is never tried."""

    version: Annotated[Version, Meta(description="version of SNMP")] = "v2c"
    community: Annotated[str | None, Meta(description="v1 and v2c: the community")] = None
    user: Annotated[str | None, Meta(description="v3: the user (RFC 3414)")] = None
    auth: Annotated[Auth, Meta(description="v3: authentication protocol (RFC 3414, RFC 7860)")] = "none"
    auth_password: Annotated[str | None, Meta(description="v3: the password of `auth`")] = None
    privacy: Annotated[Privacy, Meta(description="v3: privacy protocol (RFC 3414, RFC 3826)")] = "none"
    privacy_password: Annotated[str | None, Meta(description="v3: the password of `privacy`")] = None
    port: Annotated[int, Meta(description="UDP port of the agent", ge=1, le=65535)] = PORT
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a device's name to use; the first of them is asked")
    ] = "any"
    wait_ms: Annotated[
        float,
        Meta(description="milliseconds until an unanswered question is repeated (then double, then triple)", ge=10, le=9000),
    ] = 1000.0
    parts: Annotated[tuple[Part, ...], Meta(description="what to read of the device")] = PARTS
    ports: Annotated[tuple[Name, ...], Meta(description="interfaces that have to be there and up: names, or patterns with * and ?")] = ()
    cables: Annotated[tuple[Name, ...], Meta(description="what is plugged in where by plan: PORT=NEIGHBOUR or PORT=NEIGHBOUR:PORT")] = ()
    mac: Annotated[str, Meta(description="MAC address to look for: on which port is it?")] = ""
    expected: Annotated[
        tuple[Name, ...],
        Meta(description="processes that should run on a server: a glob for name or command line, `kamailio >= 2` for a least number"),
    ] = ()

    def __post_init__(self) -> None:
        """Refuse what could not be asked; ValueError."""
        problem = self.credential.problem()
        if problem:
            raise ValueError(problem)
        if not self.parts:
            raise ValueError("parts: at least one")
        for cable in self.cables:
            if not all(cable.partition("=")):
                raise ValueError(f"cables: {cable!r} is not PORT=NEIGHBOUR or PORT=NEIGHBOUR:PORT")
        if self.mac and read_mac(self.mac) is None:
            raise ValueError(f"mac: {self.mac!r} is no MAC address; write it as 00:11:22:aa:bb:cc")
        if self.mac and "neighbours" not in self.parts:
            raise ValueError("mac: parts has to have neighbours, with which it is looked for")

    @property
    def credential(self) -> Credential:
        """With what to ask."""
        return Credential(
            self.version,
            self.community or "",
            self.user or "",
            self.auth,
            self.auth_password or "",
            self.privacy,
            self.privacy_password or "",
        )

    @property
    def item(self) -> str:
        """The parts where they are not all, the MAC address looked for, and the port when it is another."""
        words = ["" if set(self.parts) == set(PARTS) else ",".join(self.parts), self.mac, "" if self.port == PORT else f":{self.port}"]
        return " ".join(word for word in words if word)

    @property
    def longest_s(self) -> float:
        """How long a poll may take: large tables of a slow device, and three attempts for each question."""
        return LONGEST_S


class SnmpProber:
    """Keeps sessions, and of each device the look before."""

    def __init__(self) -> None:
        self._sessions, self._doubts = Sessions(), Doubts()
        self._explainer = Explainer(self._doubts)
        self._looks: OrderedDict[tuple[str, str, str], tuple[float, Look]] = OrderedDict()

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return what the device shows, or why it does not."""
        try:
            family, address = (await resolve(address_of(node), FAMILIES[options.family]))[0]
        except (Unresolved, DialError) as why:
            return why.failure
        session = self._sessions.session(family, address, options.port, options.credential)
        session.in_use += 1
        try:
            return await self._look(session, node, options)
        except asyncio.CancelledError:
            session.let_go()  # the deadline: whatever comes late belongs to nobody
            raise
        finally:
            session.in_use -= 1

    async def _look(self, session: Session, node: Node, options: Options) -> Outcome:
        start, key = monotonic(), (node.name, address_of(node), options.item)  # by a name that moved on, another device is reached
        may_take_s = left(LONGEST_S)
        until = start + may_take_s - min(TO_EXPLAIN_S, may_take_s * EXPLAIN_SHARE)
        at, before = self._looks.get(key, (None, None))
        poll = Poll(session, until, self._doubts.error_status, options.wait_ms / 1e3)
        try:
            look = await read_device(poll, options, before, None if at is None else start - at)
        except TalkError as why:
            failure = await self._explainer.explain(session, why, node, final=False)
            if failure is not None:
                return failure
            poll = Poll(session, until, self._doubts.error_status, options.wait_ms / 1e3)
            try:
                look = await read_device(poll, options, before, None if at is None else start - at)
            except TalkError as again:
                return await self._explainer.explain(session, again, node, final=True) or again.failure
        sample = look.sample
        if not (sample.identity.object_id or sample.identity.description or sample.uptime_s is not None):
            return Failure(Kind.REJECTED, "the agent answers, and shows nothing of itself: the view of this community or user is narrow")
        self._looks[key] = (start, look)
        self._looks.move_to_end(key)
        if len(self._looks) > MOST_LOOKS:
            self._looks.popitem(last=False)
        return _with_anomalies(sample, poll)

    def close(self) -> None:
        """Close all sockets."""
        self._sessions.close()
        self._explainer.close()


def _with_anomalies(sample: DeviceSample, poll: Poll) -> DeviceSample:
    noted = poll.anomalies
    return replace(sample, anomalies=(*sample.anomalies, *(one for one in noted if one not in sample.anomalies))) if noted else sample


@asynccontextmanager
async def open() -> AsyncIterator[SnmpProber]:
    """Yield the prober; its sockets close with it."""
    prober = SnmpProber()
    try:
        yield prober
    finally:
        prober.close()


def read_target(text: str) -> tuple[str, dict[str, Any]]:
    """Read `host` or `host:port`; ValueError says what is wrong."""
    address, port = read_address_and_port(text, PORT)
    return address, {} if port == PORT else {"port": port}
