"""What an `snmp` check takes from the rest of the configuration: the node's credential, and the cables that the plan has at it."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from probe.agent.settings.forms import CredentialForm
from probe.agent.settings.secret import Secret
from probe.inventory import Inventory, Link, Node, Owner
from probe.snmp.credential import Credential


def device_options(
    node: Node, inventory: Inventory, credentials: Mapping[str, CredentialForm], of: Callable[[Secret], Any]
) -> dict[str, Any]:
    """Return the options that follow from the inventory; whatever the check's own table says stands above them.

    `of` makes of a secret what is wanted: `Secret.reveal` (SecretError when it can't be read), or `reference`.
    """
    options: dict[str, Any] = {}
    form = credentials.get(node.snmp) if node.snmp is not None else None
    if form is not None:
        options |= _fields(form, of)
    ends = list(_ends(node, inventory))
    if ends:
        options["ports"] = list(dict.fromkeys(port for port, _, _ in ends))
    heard = [end for end in ends if not _is_carrier(inventory.nodes.get(end[1]))]
    if heard:
        options["cables"] = [f"{port}={far}:{far_port}" if far_port else f"{port}={far}" for port, far, far_port in heard]
    return options


def _is_carrier(node: Node | None) -> bool:
    """Tell whether a node is a carrier's: those do not say who they are (LLDP), and their silence is no fault."""
    return node is not None and node.owner is Owner.CARRIER


def reference(secret: Secret) -> dict[str, str]:
    """Return a secret as the file has it."""
    return {secret.kind: os.path.abspath(secret.name) if secret.kind == "file" else secret.name}


def credential_of(form: CredentialForm) -> Credential:
    """Return a credential with its secrets; SecretError when one can't be read."""
    return Credential(**_fields(form, Secret.reveal))


def _fields(form: CredentialForm, of: Callable[[Secret], Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"version": form.snmp}
    for name in ("community", "user", "auth", "auth_password", "privacy", "privacy_password"):
        value = getattr(form, name)
        if value is not None:
            found[name] = of(value) if isinstance(value, Secret) else value
    return found


def _ends(node: Node, inventory: Inventory) -> Iterator[tuple[str, str, str]]:
    """Yield (our port, the neighbour, its port) of every link that names our port."""
    for link in inventory.links.values():
        if link.ports is not None and node.name in (link.a, link.b):
            end = _seen_from(node, link, link.ports)
            if end[0]:
                yield end


def _seen_from(node: Node, link: Link, ports: tuple[str, str]) -> tuple[str, str, str]:
    return (ports[0], link.b, ports[1]) if link.a == node.name else (ports[1], link.a, ports[0])
