"""Why a measurement gave no sample, and whose fault that is."""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What went wrong; the first group is theirs (the target's or its network's), the second ours."""

    TIMEOUT = "timeout"  # no answer before the deadline
    REFUSED = "refused"  # TCP RST or ICMP port unreachable: the host lives, nothing listens
    UNREACHABLE = "unreachable"  # ICMP destination unreachable, or the kernel's EHOSTUNREACH from ARP/ND
    UNRESOLVED = "unresolved"  # the name does not resolve while the resolver answers other names
    REJECTED = "rejected"  # it answered, and the answer is a refusal (credentials, protocol, "too many clients")

    DENIED = "denied"  # the kernel does not let us measure
    BROKEN = "broken"  # the prober itself raised
    UPLINK = "uplink"  # our own interface or route towards the target is gone
    RESOLVER = "resolver"  # our resolver answers nothing


OURS = frozenset({Kind.DENIED, Kind.BROKEN, Kind.UPLINK, Kind.RESOLVER})


class Failure(msgspec.Struct, frozen=True, tag="failure", gc=False):
    """A measurement without a sample: its kind and, in `detail`, the words of the system or the peer (no secrets)."""

    kind: Kind
    detail: str = ""

    @property
    def ours(self) -> bool:
        """True when we could not see; that is never an outage of theirs."""
        return self.kind in OURS
