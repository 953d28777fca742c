"""The network interfaces of the machine that the agent runs on: state, counters, rates."""

import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated

from msgspec import Meta

from probe import job
from probe.inventory import Node
from probe.observation.failure import Failure, Kind
from probe.observation.interfaces import InterfaceSample, InterfacesSample
from probe.observation.observation import Outcome
from probe.probers.counters import difference, ratio
from probe.probers.links import Addresses, Counters, Link, read_addresses, read_links
from probe.probers.worker import StuckError, Worker

NO_ADDRESSES = Addresses((), False)


class Options(job.Options, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which interfaces matter."""

    names: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=15)], ...],
        Meta(
            description="interfaces that have to be there and up; without it those with an address of their own or within a bond or bridge"
        ),
    ] = ()


@asynccontextmanager
async def open() -> AsyncIterator["InterfacesProber"]:
    """Yield the prober; it keeps the counters of the look before."""
    prober = InterfacesProber()
    try:
        yield prober
    finally:
        prober.close()


class InterfacesProber:
    """Asks the kernel in a thread: a driver may take its time to tell the speed."""

    def __init__(self) -> None:
        self._worker = Worker("interfaces")
        self._looks: dict[str, Looks] = {}

    async def ask(self, node: Node, options: Options) -> Outcome:
        """Return an InterfacesSample of this machine; its rates span the time since the look before under this node's name."""
        looks = self._looks.setdefault(node.name, Looks())
        try:
            return await self._worker.run(lambda: looks.look(read_links(), read_addresses(), options.names, time.monotonic()))
        except StuckError as why:
            return Failure(Kind.BROKEN, str(why))

    def close(self) -> None:
        """Let the thread end."""
        self._worker.close()


class Looks:
    """Remembers the links of the look before, which of them mattered, and their speeds while the carrier stays."""

    def __init__(self, system: str = "/sys/class/net") -> None:
        self._system = system
        self._before: dict[tuple[int, str], Link] = {}
        self._at: float | None = None
        self._expected: set[tuple[int, str]] = set()
        self._media: dict[tuple[int, str, int | None, bool], tuple[str, int | None, str | None]] = {}

    def look(self, links: Sequence[Link], addresses: dict[int, Addresses], names: Sequence[str], at: float) -> InterfacesSample:
        """Return the sample of links and addresses that were read at the monotonic time `at`."""
        over_s = None if self._at is None else at - self._at
        there = {(link.ifindex, link.name): link for link in links}
        expected = {key for key, link in there.items() if self._is_expected(link, addresses.get(link.ifindex, NO_ADDRESSES), names)}
        media = {(link.ifindex, link.name, link.carrier_changes, link.admin_up): link for link in links}
        self._media = {key: self._media.get(key) or read_medium(self._system, link) for key, link in media.items()}
        found = tuple(
            _sample(link, addresses.get(link.ifindex, NO_ADDRESSES).texts, medium, self._before.get(key), over_s, key in expected)
            for (key, link), medium in zip(there.items(), self._media.values(), strict=True)
        )
        self._before, self._at, self._expected = there, at, expected
        present = {link.name for link in links}
        return InterfacesSample(found, over_s, tuple(name for name in names if name not in present))

    def _is_expected(self, link: Link, addresses: Addresses, names: Sequence[str]) -> bool:
        """Tell whether it has to be up.

        Without names: what is switched on and has an address that reaches beyond the link, or is a real port of a bond or bridge; and
        what was so before, since a DHCP client takes the address away with the carrier. A bridge is left out: without guests it is down.
        """
        if names:
            return link.name in names
        if not link.admin_up or link.loopback or link.info == "bridge":
            return False
        carries = addresses.routable or (link.enslaved and not link.info)
        return carries or (link.ifindex, link.name) in self._expected


def read_medium(system: str, link: Link) -> tuple[str, int | None, str | None]:
    """Return kind, speed in bit/s and duplex of a link; None where the driver does not tell (or has no carrier)."""
    if link.loopback:
        return "loopback", None, None
    folder = f"{system}/{link.name}"
    if os.path.exists(f"{folder}/phy80211") or os.path.exists(f"{folder}/wireless"):
        kind = "wireless"
    elif link.info:
        kind = "virtual"
    else:
        kind = "ethernet" if link.ethernet else "other"
    speed = _read(f"{folder}/speed")
    duplex = _read(f"{folder}/duplex")
    mbps = int(speed) if speed and speed.isdigit() else 0  # -1 and 2³²-1 are "unknown" (ethtool)
    return kind, mbps * 1_000_000 if 0 < mbps < 0xFFFFFFFF else None, duplex if duplex in ("half", "full") else None


def _read(path: str) -> str | None:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as file:
            return file.read().strip()
    except OSError:  # EINVAL without carrier, or the link has just gone
        return None


def grown(now: Counters, before: Counters) -> Counters | None:
    """Return by how much all counters grew; None when one of them was reset, for then the others were too."""
    differences = tuple(difference(a, b) for a, b in zip(now, before, strict=True))
    known = tuple(value for value in differences if value is not None)
    return Counters._make(known) if len(known) == len(differences) else None


def _sample(
    link: Link,
    addresses: tuple[str, ...],
    medium: tuple[str, int | None, str | None],
    before: Link | None,
    over_s: float | None,
    expected: bool,
) -> InterfaceSample:
    now = link.counters
    since = grown(now, before.counters) if before is not None and over_s else None
    return InterfaceSample(
        link.name, link.ifindex, medium[0], link.admin_up, link.oper_up, link.carrier, link.mtu, medium[1], medium[2], addresses,
        link.carrier_changes, now.in_octets, now.out_octets, now.in_packets, now.out_packets, now.in_errors, now.out_errors,
        now.in_discards, now.out_discards,
        in_bps=since and ratio(since.in_octets * 8, over_s),
        out_bps=since and ratio(since.out_octets * 8, over_s),
        in_error_ratio=since and ratio(since.in_errors, since.in_packets + since.in_errors),
        out_error_ratio=since and ratio(since.out_errors, since.out_packets + since.out_errors),
        in_discard_ratio=since and ratio(since.in_discards, since.in_packets + since.in_discards),
        out_discard_ratio=since and ratio(since.out_discards, since.out_packets + since.out_discards),
        carrier_changes_since=difference(link.carrier_changes, before.carrier_changes) if before is not None else None,
        expected=expected,
    )  # fmt: skip
