"""Where the service listens for what devices send: SNMP notifications and STAMP test packets. Nothing listens until it is told."""

import ipaddress
from typing import Any

import msgspec

from probe.agent.settings.document import Document
from probe.agent.settings.forms import StampForm, TrapsForm
from probe.agent.settings.listen import read_endpoint
from probe.agent.settings.reader import read, show

SYSTEMD = "systemd"


class Traps(msgspec.Struct, frozen=True):
    """Where notifications are taken: an address and port, or (host "") the socket that systemd holds for us."""

    host: str
    port: int


class Stamp(msgspec.Struct, frozen=True):
    """Where STAMP packets (RFC 8762) are reflected, and whose."""

    host: str
    port: int
    allowed: tuple[str, ...]


def read_traps(main: Document) -> Traps | None:
    """Return where notifications are taken; None where they are not wanted or refused."""
    form = _form("traps", TrapsForm, main)
    if form is None or form.listen is None:
        return None
    if form.listen == SYSTEMD:
        return Traps("", 0)
    endpoint = _endpoint(form.listen)
    if endpoint is None:
        main.refuse(("traps", "listen"), f'{show(form.listen)} is neither "systemd" nor address:port ("0.0.0.0:162", "[::]:162")')
        return None
    return Traps(*endpoint)


def read_stamp(main: Document) -> Stamp | None:
    """Return where packets are reflected; None where that is not wanted or refused."""
    form = _form("stamp", StampForm, main)
    if form is None or form.listen is None:
        return None
    endpoint = _endpoint(form.listen)
    if endpoint is None:
        main.refuse(("stamp", "listen"), f'{show(form.listen)} is not address:port ("192.0.2.7:862")')
    wrong = [index for index, text in enumerate(form.allow) if not _is_network(text)]
    for index in wrong:
        main.refuse(("stamp", "allow", index), f'{show(form.allow[index])} is not a network ("192.0.2.0/24", "2001:db8::7")')
    if not form.allow:
        main.refuse(("stamp",), 'allow is missing: the networks whose packets are answered (allow = ["192.0.2.0/24"])')
    return Stamp(*endpoint, form.allow) if endpoint is not None and form.allow and not wrong else None


def show_endpoint(host: str, port: int) -> str:
    """Return address and port as the file has them."""
    if not host and not port:
        return SYSTEMD
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _endpoint(text: str) -> tuple[str, int] | None:
    """Return address and port; a port that the kernel would choose is known to no device."""
    found = read_endpoint(text)
    return found if found is not None and found[1] else None


def _form(name: str, form: type[Any], main: Document) -> Any:
    return read(form, main.data[name], main, (name,)) if name in main.data else None


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
