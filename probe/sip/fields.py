"""What stands inside SIP headers: lists, parameters, addresses (RFC 3261 20, 25.1). Total: any text gives an answer, in linear time."""

import msgspec

MOST_SHOWN = 200  # characters of a peer's text that are kept in a sample
MOST_PARTS = 64


def split(text: str, mark: str = ",") -> list[str]:
    """Return the parts of a list, stripped, empty ones left out; a mark inside quotes or <> is none. At most 64 parts."""
    parts: list[str] = []
    start, quoted, deep, skip = 0, False, False, False
    for at, char in enumerate(text):
        if skip:
            skip = False
        elif quoted:
            skip, quoted = char == "\\", char != '"'
        elif char == '"':
            quoted = True
        elif char in "<>":
            deep = char == "<"
        elif char == mark and not deep:
            parts.append(text[start:at].strip())
            start = at + 1
            if len(parts) == MOST_PARTS:
                return [part for part in parts if part]
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def unquote(text: str) -> str:
    """Return a quoted string's content, anything else as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    out, skip = [], False
    for char in text[1:-1]:
        if char == "\\" and not skip:
            skip = True
            continue
        skip = False
        out.append(char)
    return "".join(out)


def parameters(text: str, mark: str = ";") -> tuple[str, dict[str, str]]:
    """Return what stands before the first parameter, and the parameters by lower-case name; one without a value has ""."""
    head, *rest = split(text, mark) or [""]
    found: dict[str, str] = {}
    for part in rest:
        name, _, value = part.partition("=")
        found.setdefault(name.strip().lower(), unquote(value.strip()))
    return head, found


class Address(msgspec.Struct, frozen=True, gc=False):
    """The address in a Contact, From, To or Record-Route: its URI, where that points, and the parameters of the header."""

    uri: str
    user: str
    host: str
    port: int | None
    params: dict[str, str]


def address(text: str) -> Address:
    """Read `"name" <sip:user@host:port;x>;p=q` or `sip:user@host;p=q`, whose parameters then are the header's (RFC 3261 20)."""
    head, params = parameters(text)
    start = head.find("<", _after_name(head))
    if start >= 0:
        end = head.find(">", start)
        uri = head[start + 1 : end if end >= 0 else None].strip()
    else:
        uri = head
    user, host, port = place(uri)
    return Address(uri, user, host, port, params)


def _after_name(text: str) -> int:
    """Return where a quoted display name ends, which may contain a <."""
    if not text.startswith('"'):
        return 0
    at = 1
    while at < len(text) and text[at] != '"':
        at += 2 if text[at] == "\\" else 1
    return at


def place(uri: str) -> tuple[str, str, int | None]:
    """Return user, host (an IPv6 address without brackets) and port of a SIP URI; what is not there is empty or None."""
    _, _, rest = uri.partition(":")
    rest = rest.partition("?")[0]
    user, at, where = rest.rpartition("@")
    user, where = (user, where) if at else ("", rest)
    host, port = hostport(where.partition(";")[0])
    return user.partition(";")[0].partition(":")[0], host, port


def hostport(text: str) -> tuple[str, int | None]:
    """Return host and port of `host`, `host:port`, `[::1]:port`."""
    text = text.strip()
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    number = int(port) if port.isascii() and port.isdecimal() and len(port) <= 5 else 0
    return host.lower(), number if 1 <= number <= 65535 else None


_IN_USER = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()&=+$/")  # RFC 3261 25.1: user
_HEX = frozenset("0123456789abcdefABCDEF")


def escaped(user: str) -> str:
    """Return the user part of a URI for any text: what may not stand there by %XX ("*43#" is *43%23); what is escaped already stays."""
    parts = []
    for at, char in enumerate(user):
        code = user[at + 1 : at + 3]
        if char in _IN_USER or (char == "%" and len(code) == 2 and _HEX.issuperset(code)):
            parts.append(char)
        else:
            parts += [f"%{octet:02X}" for octet in char.encode("utf-8", "replace")]
    return "".join(parts)


def shown(text: str | None) -> str | None:
    """Return a peer's text fit to be shown and kept: printable, one line, at most 200 characters; None stays None."""
    if text is None:
        return None
    return "".join(char if char.isprintable() else " " for char in text[:MOST_SHOWN]).strip()


def seconds(text: str | None) -> int | None:
    """Return a number of seconds as in Retry-After and Expires ("120 (busy);duration=60"), None when there is none."""
    digits = ""
    for char in (text or "").strip():
        if not ("0" <= char <= "9"):
            break
        digits += char
        if len(digits) > 10:
            return 2**32 - 1  # RFC 3261 20.19: the largest there is
    return min(int(digits), 2**32 - 1) if digits else None
