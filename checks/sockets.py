"""Do connections get through this machine: retransmission, listen queues, ports, connection tracking?"""

from collections.abc import Iterator

import msgspec

from checks.failure import judge_failure
from checks.finding import Check, Finding, Levels, Message, State
from probe.observation.failure import Failure
from probe.observation.observation import Observation
from probe.observation.sockets import SocketsSample

RETRANSMISSION = Levels(0.03, 0.10, "ratio", "our choice: up to 1 % is common across the Internet; at 10 % connections crawl")
LISTEN = Levels(
    1,
    100,
    "connections",
    "our choice: by listen(2) a request that meets a full queue is refused or ignored, so each one is a caller who waits",
)
UDP = Levels(
    1.0, 50.0, "per s", "our choice: each one is a datagram that arrived and was thrown away; 50 a second is one voice call (20 ms packets)"
)
EPHEMERAL = Levels(0.80, 0.95, "ratio", "our choice, of ip_local_port_range; connect(2): EADDRNOTAVAIL when all are in use")
CONNTRACK = Levels(0.80, 0.95, "ratio", "our choice, of nf_conntrack_max; at 1.0 packets of new connections are dropped")
CONNTRACK_DROPS = Levels(None, 1, "packets", "our choice: each one is a packet dropped because no entry could be made")
ORPHANS = Levels(0.50, 0.90, "ratio", "our choice, of tcp_max_orphans; tcp(7): above it connections are reset")
MEMORY = Levels(0.80, 0.95, "ratio", "our choice, of the third number of tcp_mem; tcp(7): TCP allocates no more")

ENOUGH_SEGMENTS = 200  # fewer are no ratio


class Limits(msgspec.Struct, frozen=True):
    """What can be set for a `sockets` check."""

    retransmission: Levels = RETRANSMISSION
    listen: Levels = LISTEN
    udp: Levels = UDP
    ephemeral: Levels = EPHEMERAL
    conntrack: Levels = CONNTRACK
    conntrack_drops: Levels = CONNTRACK_DROPS
    orphans: Levels = ORPHANS
    memory: Levels = MEMORY


CHECKS = (
    Check("sockets/retransmission", RETRANSMISSION),
    Check("sockets/listen", LISTEN),
    Check("sockets/udp-receive", UDP),
    Check("sockets/ephemeral", EPHEMERAL),
    Check("sockets/conntrack", CONNTRACK),
    Check("sockets/conntrack-drops", CONNTRACK_DROPS),
    Check("sockets/orphans", ORPHANS),
    Check("sockets/memory", MEMORY),
)

_CHECK_OF = {"counters": "retransmission", "limits": "ephemeral", "table": "ephemeral", "usage": "orphans"}


def judge(seen: Observation, before: Observation | None, limits: Limits) -> Iterator[Finding]:  # noqa: ARG001
    """Judge one look at the sockets; what needs two looks is left out at the first, what the kernel does not offer always."""
    match seen.outcome:
        case Failure() as why:
            yield judge_failure("sockets/listen", seen, why)
        case SocketsSample() as sample:
            for part, reason in sample.missing.items():
                check = f"sockets/{_CHECK_OF.get(part, part)}"
                yield Finding(check, seen, State.UNKNOWN, Message("host.missing", {"part": part, "reason": reason}))
            yield from _traffic(seen, sample, limits)
            yield from _ports(seen, sample, limits)
            yield from _tracking(seen, sample, limits)
            yield from _resources(seen, sample, limits)


def _traffic(seen: Observation, sample: SocketsSample, limits: Limits) -> Iterator[Finding]:
    ratio, sent = sample.retransmission_ratio, sample.out_segments_since
    if ratio is not None and sent is not None:
        few = sent < ENOUGH_SEGMENTS
        state = State.OK if few else limits.retransmission.judge(ratio)
        text = Message("sockets.retransmission", {"ratio": ratio, "sent": sent})
        yield Finding("sockets/retransmission", seen, state, text, limits.retransmission, value=ratio, gated=few)
    overflows, drops = sample.listen_overflows_since, sample.listen_drops_since
    if overflows is not None or drops is not None:
        refused = max(overflows or 0, drops or 0)  # an overflow is counted as a drop too
        text = Message("sockets.listen", {"count": refused})
        yield Finding("sockets/listen", seen, limits.listen.judge(refused), text, limits.listen, value=refused)
    lost = sample.udp_receive_errors_since
    if lost is not None and sample.over_s:
        text = Message("sockets.udp-receive", {"count": lost, "per_s": lost / sample.over_s})
        yield Finding("sockets/udp-receive", seen, limits.udp.judge(lost / sample.over_s), text, limits.udp, value=lost / sample.over_s)


def _ports(seen: Observation, sample: SocketsSample, limits: Limits) -> Iterator[Finding]:
    """Judge the destination with most ports where it is known: one port may lead to several destinations."""
    if sample.ephemeral_in_use is None or not sample.ephemeral_ports:
        return
    if sample.busiest_ports is not None and sample.busiest_destination is not None:
        used = sample.busiest_ports / sample.ephemeral_ports
        text = Message("sockets.ephemeral-to", {"ratio": used, "count": sample.busiest_ports, "destination": sample.busiest_destination})
    else:
        used = sample.ephemeral_in_use / sample.ephemeral_ports
        text = Message("sockets.ephemeral", {"ratio": used, "count": sample.ephemeral_in_use})
    yield Finding("sockets/ephemeral", seen, limits.ephemeral.judge(used), text, limits.ephemeral, value=used, full_at=1.0)


def _tracking(seen: Observation, sample: SocketsSample, limits: Limits) -> Iterator[Finding]:
    if sample.conntrack_count is not None and sample.conntrack_max:
        used = sample.conntrack_count / sample.conntrack_max
        text = Message("sockets.conntrack", {"ratio": used, "count": sample.conntrack_count, "most": sample.conntrack_max})
        yield Finding("sockets/conntrack", seen, limits.conntrack.judge(used), text, limits.conntrack, value=used, full_at=1.0)
    if sample.conntrack_drops_since is not None:
        drops, levels = sample.conntrack_drops_since, limits.conntrack_drops
        yield Finding(
            "sockets/conntrack-drops", seen, levels.judge(drops), Message("sockets.conntrack-drops", {"count": drops}), levels, value=drops
        )


def _resources(seen: Observation, sample: SocketsSample, limits: Limits) -> Iterator[Finding]:
    for check, levels, used, most in (
        ("orphans", limits.orphans, sample.orphans, sample.orphans_max),
        ("memory", limits.memory, sample.memory_pages, sample.memory_pages_max),
    ):
        if used is not None and most:
            text = Message(f"sockets.{check}", {"ratio": used / most, "used": used, "most": most})
            yield Finding(f"sockets/{check}", seen, levels.judge(used / most), text, levels, value=used / most)
