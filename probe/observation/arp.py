"""Who answers for an IPv4 address on the local segment."""

import msgspec


class Holder(msgspec.Struct, frozen=True, gc=False):
    """A hardware address that claims the IPv4 address: `answers` to our requests now, `first_ms` until the first (None: none now).

    `claimed_s` is how long ago it last claimed it in any way, an answer or an announcement (gratuitous ARP, RFC 5227 3), in seconds.
    """

    mac: str
    answers: int
    first_ms: float | None
    claimed_s: float


class ArpSample(msgspec.Struct, frozen=True, tag="arp"):
    """What ARP requests for `address` on `interface` met (RFC 826, RFC 5227).

    ours: the MAC of `interface` when the address is this host's own; it never answers itself. holders: every MAC that claimed the address
    now or, while it was watched, within the last hour, the latest first (8 at most). expected: from the options, MACs that may share it.
    changed_s: how long ago the holder became another one than before, None when it never did; `before` is that earlier one.
    """

    address: str
    interface: str
    sent: int
    holders: tuple[Holder, ...] = ()
    ours: str | None = None
    expected: tuple[str, ...] = ()
    changed_s: float | None = None
    before: str = ""
    watched_s: float = 0.0

    @property
    def answering(self) -> tuple[Holder, ...]:
        """Those who answered now."""
        return tuple(holder for holder in self.holders if holder.answers)
