"""Is a node this machine?"""

import ipaddress
import socket

from probe.inventory import Node
from probe.observation.failure import Failure, Kind


def is_local(address: str | None) -> bool:
    """Tell whether an address is this machine's: none, loopback, or one that can be bound here. A name is taken on trust."""
    if address is None:
        return True
    try:
        parsed = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return True
    if parsed.is_loopback:
        return True
    family = socket.AF_INET if parsed.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(parsed), 0))
    except OSError:
        return False
    return True


def refusal(prober: str, node: Node) -> Failure | None:
    """Return the Failure that says that `prober` can't measure another machine, or None when the node is this one."""
    if is_local(node.address):
        return None
    return Failure(
        Kind.REJECTED,
        f"{prober} measures the machine it runs on and {node.address} is not its address: run an agent on {node.name}, or give it snmp",
    )
