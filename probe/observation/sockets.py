"""What one look at the sockets and connection tracking saw."""

import msgspec


class SocketsSample(msgspec.Struct, frozen=True, tag="sockets"):
    """Socket states, listen queues, retransmission, ports and connection tracking of one node.

    Counts are at this moment; `…_since` are differences to the look before (None at the first and after a reboot); what the kernel
    does not offer is None. `states` maps the TCP state ("ESTABLISHED", RFC 9293 3.3.2) to its number of sockets.
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

    @property
    def retransmission_ratio(self) -> float | None:
        """Retransmitted per sent segment since the look before; None when nothing was sent."""
        if self.out_segments_since is None or self.retransmitted_since is None or self.out_segments_since <= 0:
            return None
        return self.retransmitted_since / self.out_segments_since
