"""What a person types after `check`: host, port."""

from probe.resolve import literal_family


def is_host(text: str) -> bool:
    """Tell whether a text can be the name or the address of a host, alone: no URL, no port, no label that IDNA (RFC 3490) can't say."""
    if literal_family(text):
        return True
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return bool(text) and not any(c.isspace() or not c.isprintable() or c in "/@?#[]:" for c in text)


def read_address_and_port(text: str, default: int | None = None) -> tuple[str, int]:
    """Read `host:port`, `192.0.2.1:port`, `[2001:db8::1]:port`; without `default` the port must be there. ValueError: what, where, cure."""
    cure = "write host:port, 192.0.2.1:port or [2001:db8::1]:port"
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if "]" not in bare and literal_family(bare) and (":" not in text or default is not None or text != bare):
        host, port = bare, ""  # a zone may hold anything, and so the end of [fe80::1%eth0]:161 as well
    elif text.startswith("["):
        host, _, port = text[1:].partition("]:")
        if not literal_family(host):
            raise ValueError(f"{text!r}: between the brackets must be an IPv6 address; {cure}")
    else:
        if text.count(":") > 1:
            raise ValueError(f"{text!r}: an IPv6 address with a port needs brackets; {cure}")
        host, _, port = text.partition(":")
    if not is_host(host):
        raise ValueError(f"{text!r}: {host!r} is no host; {cure}")
    if not port:
        if default is None:
            raise ValueError(f"{text!r}: the port is missing; {cure}")
        return host, default
    if not (port.isascii() and port.isdecimal() and 1 <= int(port[:6]) <= 65535):
        raise ValueError(f"{text!r}: {port!r} is no port (1 to 65535); {cure}")
    return host, int(port)
