"""Which file judges which prober's observations; a module is imported when it is first used.

A module here offers `Limits` (a Struct of Levels with defaults), `CHECKS` (its questions, for listings) and
`judge(seen, before, limits) -> Iterable[Finding]`. It may say `ALSO` (questions of other files that its findings answer, too) and
`PARTS` (True: an observation with an item of its own has findings with items of theirs).
"""

from importlib import import_module
from types import ModuleType

JUDGES = {
    "arp": "checks.arp",
    "call": "checks.call",
    "capture": "checks.capture",
    "cdr": "checks.cdr",
    "dns": "checks.dns",
    "gateway": "checks.gateway",
    "host": "checks.host",
    "http": "checks.http",
    "icmp": "checks.icmp",
    "interfaces": "checks.interfaces",
    "mysql": "checks.database",
    "ntp": "checks.ntp",
    "path": "checks.path",
    "pmtu": "checks.pmtu",
    "postgresql": "checks.database",
    "registration": "checks.registration",
    "sip": "checks.sip",
    "snmp": "checks.snmp",
    "sockets": "checks.sockets",
    "stamp": "checks.stamp",
    "tcp": "checks.tcp",
    "tls": "checks.tls",
}


def load(prober: str) -> ModuleType:
    """Return the module that judges `prober`; KeyError when there is none."""
    return import_module(JUDGES[prober])
