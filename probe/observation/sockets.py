"""What one look at the sockets and connection tracking saw."""

import msgspec


class SocketsSample(msgspec.Struct, frozen=True, tag="sockets"):
    """Socket states, listen queues, retransmission, ports and connection tracking of one node.

    Counts are at this moment; `…_since` are differences to the look before (None at the first and after a reboot); what the kernel
    does not offer is None. `states` maps the TCP state ("ESTABLISHED", RFC 9293 3.3.2) to its number of sockets.
    `ephemeral_in_use` are distinct local ports of connections within the range for outgoing ones; `busiest_ports` of them lead to
    `busiest_destination`, the one destination with most: a port may be used towards several, so this is what runs out. They are None
    where it can't be near: below a quarter of the range in use. With very many sockets states and ports may be
    of an earlier look. A part that could not be read is named in `missing`: part → reason.
    """

    states: dict[str, int]
    tcp_in_use: int | None
    udp_in_use: int | None
    orphans: int | None
    time_wait: int | None
    memory_pages: int | None
    listen_overflows_since: int | None
    listen_drops_since: int | None
    out_segments_since: int | None
    retransmitted_since: int | None
    udp_receive_errors_since: int | None
    ephemeral_in_use: int | None
    ephemeral_ports: int | None
    conntrack_count: int | None
    conntrack_max: int | None
    conntrack_drops_since: int | None
    over_s: float | None = None
    orphans_max: int | None = None
    memory_pages_max: int | None = None
    busiest_destination: str | None = None
    busiest_ports: int | None = None
    missing: dict[str, str] = {}

    @property
    def retransmission_ratio(self) -> float | None:
        """Retransmitted per sent segment since the look before; None when nothing was sent."""
        if self.out_segments_since is None or self.retransmitted_since is None or self.out_segments_since <= 0:
            return None
        return self.retransmitted_since / self.out_segments_since
