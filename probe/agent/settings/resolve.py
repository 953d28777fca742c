"""Looks up the names in an inventory: the one part of `config check` that sends packets, and only when it is asked to."""

import socket
from collections.abc import Callable
from typing import Any

from probe.agent.hostfiles import is_ip
from probe.agent.settings.forms import NodeForm
from probe.agent.settings.tables import Entry

AT_ONCE = 32
Look = Callable[[str], Any]


def look_up(name: str) -> Any:
    """Return the addresses of a name by the host's own resolver; OSError when there are none."""
    return socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)


def resolve_all(nodes: list[Entry[NodeForm]], look: Look = look_up) -> None:
    """Refuse every address of the nodes that is a name and does not resolve."""
    from concurrent.futures import ThreadPoolExecutor  # only here: every command that reads the settings would pay for it

    named = [(node, node.form.address) for node in nodes if node.form and node.form.address and not is_ip(node.form.address)]
    names = sorted({name for _, name in named})
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="resolve") as pool:
        said = dict(zip(names, pool.map(lambda name: _try(name, look), names), strict=True))
    for node, name in named:
        if said[name]:
            node.document.refuse((*node.path, "address"), said[name])


def _try(name: str, look: Look) -> str:
    try:
        look(name)
    except socket.gaierror as why:
        return f'"{name}" does not resolve ({(why.strerror or str(why)).lower()})'
    except (OSError, UnicodeError) as why:
        return f'"{name}" can\'t be looked up ({why})'
    return ""
