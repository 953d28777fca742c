"""Traces the path to an address: every hop, loss at the last one, what the path was before, and how far our side and the carrier's go."""

import asyncio
import socket
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from probe import job
from probe.dial import FAMILIES, failure_of
from probe.inventory import Node
from probe.observation.failure import Failure
from probe.observation.observation import Outcome
from probe.observation.path import Hop, Mark, PathSample, Said
from probe.probers.hop_channel import Aim, Channels, HopChannel, aim, aim_at
from probe.probers.path_history import MOST_TARGETS, History, Places
from probe.probers.path_pace import Pace
from probe.probers.path_trace import Place, Plan, Trace, echoes, loop_in
from probe.probers.path_udp import UdpSender, open_udp
from probe.resolve import Unresolved, resolve
from probe.way import mac_of, way_to

MOST_MARKS = 8
Name = Annotated[str, Meta(min_length=1, max_length=255)]


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set for a `path` check."""

    count: Annotated[int, Meta(description="echo requests to the target itself, by which loss is judged", ge=1, le=1000)] = 20
    interval_ms: Annotated[float, Meta(description="milliseconds between two of them", ge=10, le=60_000)] = 50.0
    wait_ms: Annotated[float, Meta(description="milliseconds after which a probe counts as lost", ge=50, le=10_000)] = 1000.0
    rounds: Annotated[int, Meta(description="probes to each hop, when its router's own limit allows so many", ge=1, le=6)] = 3
    most_hops: Annotated[int, Meta(description="the greatest time to live that is tried", ge=1, le=64)] = 30
    protocol: Annotated[
        Literal["icmp", "udp"], Meta(description="what finds the hops: echoes, or UDP to a closed port; loss is measured by echoes always")
    ] = "icmp"
    port: Annotated[int, Meta(description="UDP port of the target that is closed", ge=1, le=65535)] = 33434
    edge: Annotated[tuple[Name, ...], Meta(description="our port to the carrier: an address, a name, or that of a node", max_length=4)] = ()
    pop: Annotated[tuple[Name, ...], Meta(description="the carrier's port towards us, likewise", max_length=4)] = ()
    family: Annotated[
        Literal["any", "ipv4", "ipv6"], Meta(description="which addresses of a name to use; the first of them is measured")
    ] = "any"

    @property
    def longest_s(self) -> float:
        """How long one trace may take: two waits for each window of places, and the echoes with the wait for the last."""
        windows = 2.0 * self.wait_ms / 1e3 * (1 + self.most_hops // 8) + self.rounds * self.interval_ms * 3 / 1e3
        return max(5.0, windows, (self.count * self.interval_ms + self.wait_ms) / 1e3) + 2.0


class PathProber:
    """Holds an ICMP socket a family, what is known of each router's patience, and the last few routes of each target."""

    def __init__(self) -> None:
        self._channels = Channels()
        self._pace = Pace()
        self._history = History()
        self._quiet: OrderedDict[tuple[str, str, str], bool] = OrderedDict()  # marks that did not answer while the target did
        self._own_ports: OrderedDict[str, int] = OrderedDict()  # of the last UDP trace of each flow: a new port may be led another way

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return what one trace saw. A path that ends too early is a sample; a Failure means that nothing could be sent."""
        to = await aim_at(node, FAMILIES[options.family])
        if isinstance(to, Failure):
            return to
        channel = self._channels.of(to.family)
        if isinstance(channel, Failure):
            return channel
        try:
            return await self._trace(channel, to, options)
        except OSError as why:
            return failure_of(why, at_once=True)

    def close(self) -> None:
        """Close the sockets."""
        self._channels.close()

    async def _trace(self, channel: HopChannel, to: Aim, options: Options) -> Outcome:
        udp, flow = options.protocol == "udp", _flow(to, options)
        sender = self._udp(to, options) if udp else channel
        if isinstance(sender, Failure):
            return sender
        interval_s, wait_s = options.interval_ms / 1e3, options.wait_ms / 1e3
        known, usual_ms = self._history.latest(flow), self._history.least_ms(flow)
        plan = Plan(options.most_hops, options.rounds, interval_s * 3, wait_s, known, usual_ms, udp)
        trace = Trace(sender, to, plan, self._pace)
        marks = [(place, name) for place, names in (("edge", options.edge), ("pop", options.pop)) for name in names]
        try:
            async with asyncio.TaskGroup() as group:
                run = group.create_task(trace.run())
                end = group.create_task(echoes(channel, to, options.count, interval_s, wait_s))
                asked = [group.create_task(self._mark(place, name, options)) for place, name in marks]
            run.result()
        except* OSError as several:
            raise _first(several) from None
        finally:
            if sender is not channel:
                sender.close()
        return self._sample(trace, to, end.result(), tuple(task.result() for task in asked), options)

    def _known(self, flow: str, mark: Mark, hops: tuple[Hop, ...], reached: bool) -> Mark:
        """Return a mark with whether its silence is usual; what is usual is learned while the target is reached."""
        key = (flow, mark.place, mark.name)
        if reached and mark.sent:
            self._quiet[key] = not mark.answered and all(mark.address not in (hop.address, *hop.others) for hop in hops)
            self._quiet.move_to_end(key)
            if len(self._quiet) > MOST_TARGETS:
                self._quiet.popitem(last=False)
        return msgspec.structs.replace(mark, quiet=True) if self._quiet.get(key) else mark

    def _udp(self, to: Aim, options: Options) -> UdpSender | Failure:
        flow = _flow(to, options)
        sender = open_udp(to, options.port, self._own_ports.pop(flow, 0))
        if isinstance(sender, UdpSender):
            self._own_ports[flow] = sender.own_port
            if len(self._own_ports) > MOST_TARGETS:
                self._own_ports.popitem(last=False)
        return sender

    async def _mark(self, place: str, name: str, options: Options) -> Mark:
        """Ask one mark by echoes; one that does not resolve, or to which nothing can be sent, is told without counts."""
        try:
            family, text = (await resolve(name, 0))[0]
            to = aim(family, text)
            channel = self._channels.of(to.family)
            if isinstance(channel, Failure):
                return Mark(place, name, text)
            seen = await echoes(channel, to, options.count, options.interval_ms / 1e3, options.wait_ms / 1e3)
        except Unresolved:
            return Mark(place, name, None)
        except OSError:
            return Mark(place, name, text)
        times = [ms for _, _, ms in seen.answers]
        return Mark(place, name, text, seen.sent, len(times), min(times, default=None), sum(times) / len(times) if times else None)

    def _sample(self, trace: Trace, to: Aim, end: Place, marks: tuple[Mark, ...], options: Options) -> PathSample:
        hops = trace.hops
        arrived = bool(hops) and hops[-1].said is Said.REPLY
        if arrived and end.answers:
            last, whole = hops[-1], end.hop(hops[-1].ttl)
            hops = (*hops[:-1], msgspec.structs.replace(whole, address=last.address, others=last.others))
        times = [ms for _, _, ms in end.answers]
        places: Places | None = tuple(hop.address for hop in hops) if arrived else None
        reached = arrived or bool(times)
        marks = tuple(self._known(_flow(to, options), mark, hops, reached) for mark in marks)
        routes, changes, watched_s = self._history.note(_flow(to, options), time.monotonic(), places, min(times, default=None))
        return PathSample(
            address=to.text,
            source=_source(to),
            protocol=options.protocol,
            reached=reached,
            sent=end.sent,
            answered=len(times),
            hops=hops,
            min_ms=min(times, default=None),
            mean_ms=sum(times) / len(times) if times else None,
            max_ms=max(times, default=None),
            loop=() if arrived else loop_in(hops),
            marks=marks,
            routes=routes,
            changes=changes,
            watched_s=watched_s,
            neighbour=_is_neighbour(to),
        )


def _flow(to: Aim, options: Options) -> str:
    """Return what routers may share load by: another protocol to the same target may take another path, and has a history of its own."""
    return to.text if options.protocol == "icmp" else f"{to.text} {options.port}"


def _first(several: BaseExceptionGroup[OSError]) -> OSError:
    why: BaseException = several
    while isinstance(why, BaseExceptionGroup):
        why = why.exceptions[0]
    assert isinstance(why, OSError)
    return why


def _source(to: Aim) -> str:
    """Return our own address on this path, "" when the kernel has none."""
    with socket.socket(to.family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((to.sockaddr[0], 9, *to.sockaddr[2:]))
        except OSError:
            return ""
        return str(sock.getsockname()[0])


def _is_neighbour(to: Aim) -> bool:
    """Tell whether the kernel sends to it over Ethernet and without a router; behind a tunnel may lie more than one host."""
    try:
        way = way_to(to.text)
        return way.direct and mac_of(way.interface) != ""
    except OSError:
        return False


@asynccontextmanager
async def open() -> AsyncIterator[PathProber]:
    """Yield the prober; its sockets close with it."""
    prober = PathProber()
    try:
        yield prober
    finally:
        prober.close()
