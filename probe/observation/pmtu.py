"""How large a packet may be on the path to an address."""

import msgspec


class Told(msgspec.Struct, frozen=True, gc=False):
    """One "fragmentation needed" or "packet too big": which hop said it, and the MTU of its next link in bytes (None: it did not say)."""

    hop: str
    mtu: int | None


class PmtuSample(msgspec.Struct, frozen=True, tag="pmtu"):
    """The largest IP packet that came through unfragmented and was answered at its full size, in bytes (RFC 1191, RFC 8201).

    path_mtu: None when even a small one was not answered. local_mtu: of our own interface, from where the search starts. told: what hops
    said about packets that were too large. vanishes_from: the smallest size that disappeared without a word, None when none did; then
    `vanishes_after` is the last hop that packets of that size were seen to reach ("" where none answered). expected: from the options.
    """

    address: str
    path_mtu: int | None
    local_mtu: int
    sent: int
    answered: int
    told: tuple[Told, ...] = ()
    vanishes_from: int | None = None
    vanishes_after: str = ""
    expected: int | None = None
