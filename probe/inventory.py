"""What there is, whose it is, and how it hangs together: sites, nodes, links, carriers, customers."""

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from ipaddress import ip_address

import msgspec


class Owner(StrEnum):
    """Whose a node is; the word of the inventory for the side that would have to act."""

    COMPANY = "company"
    CARRIER = "carrier"
    CUSTOMER = "customer"


class Carrier(msgspec.Struct, frozen=True):
    """A network carrier: whom to call and what repair time the contract promises."""

    name: str
    contacts: tuple[str, ...] = ()
    promised_repair_h: float | None = None


class Customer(msgspec.Struct, frozen=True):
    """A customer: its grade (用户等级), contacts, billing accounts and contract file."""

    name: str
    grade: str = "normal"
    contacts: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    contract: str | None = None


class Site(msgspec.Struct, frozen=True):
    """A place: data centre, PoP, carrier's or customer's premises."""

    name: str
    kind: str = "datacentre"
    region: str | None = None
    customer: str | None = None


class Node(msgspec.Struct, frozen=True):
    """One thing that can be measured or blamed. `address` is a name or an IP address; None means: not measured itself."""

    name: str
    address: str | None = None
    site: str | None = None
    kind: str = "server"
    role: str | None = None
    owner: Owner = Owner.COMPANY
    supplied_by: Owner | None = None
    warranty_until: date | None = None
    snmp: str | None = None

    @property
    def loopback(self) -> bool:
        """Whether the machine that asks is the one that answers, whatever the network does."""
        try:
            return ip_address(self.address or "").is_loopback
        except ValueError:  # a name, or none
            return self.address == "localhost"


class Link(msgspec.Struct, frozen=True):
    """A connection of two nodes; `ports` names the interface at each end."""

    name: str
    a: str
    b: str
    ports: tuple[str, str] | None = None
    kind: str = "ethernet"
    carrier: str | None = None
    circuit: str | None = None


class Inventory(msgspec.Struct, frozen=True):
    """Everything by name; names are unique within each kind. `here` is the node on which the agent stands."""

    here: str
    nodes: Mapping[str, Node]
    sites: Mapping[str, Site] = {}
    links: Mapping[str, Link] = {}
    carriers: Mapping[str, Carrier] = {}
    customers: Mapping[str, Customer] = {}
