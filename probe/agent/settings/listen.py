"""Where page and metrics listen, and that nobody listens off loopback without a token."""

import ipaddress
import re

from probe.agent.settings.document import Document
from probe.agent.settings.forms import AgentForm
from probe.agent.settings.reader import show

_FORM = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]\s]*)):([0-9]{1,5})")


def read_listen(form: AgentForm, main: Document) -> tuple[str, int]:
    """Return host and port of `listen`; refuse what is no address, and any but loopback without a token."""
    found = read_endpoint(form.listen)
    if found is None:
        main.refuse(("agent", "listen"), f'{show(form.listen)} is not address:port ("127.0.0.1:8470", "[::1]:8470")')
        return "127.0.0.1", 8470
    host, port = found
    if not is_loopback(host) and form.token is None and "token" not in main.data.get("agent", {}):
        cure = 'add token = { file = "…" }, or listen on 127.0.0.1'
        main.refuse(("agent", "listen"), f"{show(form.listen)} can be reached by others, and there is no token; {cure}")
    return host, port


def read_endpoint(text: str) -> tuple[str, int] | None:
    """Return host and port of "address:port" or "[address]:port"; None when it is neither."""
    found = _FORM.fullmatch(text)
    if not found or not 0 <= int(found[3]) <= 65_535:
        return None
    return found[1] or found[2], int(found[3])


def is_loopback(host: str) -> bool:
    """Tell whether only this host can reach a listener there; "" listens on every address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
