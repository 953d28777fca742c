"""Every prober by name; a module is imported when it is first used.

A prober module offers `Options`, `open() -> AbstractAsyncContextManager[Prober]` and, where a target is more than an address,
`read_target(text) -> (address, {option: value})`.
"""

from importlib import import_module
from types import ModuleType

PROBERS = {
    "arp": "probe.probers.arp",
    "call": "probe.probers.call",
    "capture": "probe.probers.capture",
    "cdr": "probe.probers.cdr",
    "dns": "probe.probers.dns",
    "gateway": "probe.probers.gateway",
    "host": "probe.probers.host",
    "http": "probe.probers.http",
    "icmp": "probe.probers.icmp",
    "interfaces": "probe.probers.interfaces",
    "mysql": "probe.probers.mysql",
    "ntp": "probe.probers.ntp",
    "path": "probe.probers.path",
    "pmtu": "probe.probers.pmtu",
    "postgresql": "probe.probers.postgresql",
    "registration": "probe.probers.registration",
    "sip": "probe.probers.sip",
    "snmp": "probe.probers.snmp",
    "sockets": "probe.probers.sockets",
    "stamp": "probe.probers.stamp",
    "tcp": "probe.probers.tcp",
    "tls": "probe.probers.tls",
}

# These look at the machine on which they run, whatever the node is called; another one is seen by SNMP or by its own agent.
LOCAL = frozenset({"cdr", "host", "interfaces", "sockets"})

# These are asked for by a person, and read a file that the person may read: no node has them, and the service does not do it for anyone.
BY_HAND = frozenset({"capture"})

# These look at nothing until an option says at what: no one else than the configuration asks them of its own accord.
TOLD = frozenset({"cdr"})

# Options that only the configuration sets: whoever may ask the service for a check may not have it call other numbers, or more often.
HELD = {"call": frozenset({"allowed", "at_once", "caller", "daily_cap", "domain", "user"})}

# Options for a check by hand: a configuration that set them would have it done again at every start.
TYPED = {"call": frozenset({"at_once"})}

SECRET_FIELDS = frozenset(
    {"password", "token", "secret", "passphrase", "community", "auth_password", "privacy_password"}
)  # an option of this name is never written down, only where it lies


def load(name: str) -> ModuleType:
    """Return the module of the prober `name`; KeyError when there is none."""
    return import_module(PROBERS[name])
