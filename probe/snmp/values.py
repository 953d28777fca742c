"""What the values of an agent mean: texts, numbers, addresses. What is none of these is None, never a guess."""

import ipaddress

from probe.snmp.talk import Value

LONGEST_TEXT = 255  # SnmpAdminString and DisplayString (RFC 3411, RFC 2579); what is longer is cut

NAMELESS = dict.fromkeys([*range(32), *range(127, 160)], " ")  # control characters: of a broken string, or to play tricks on a terminal


def text(value: Value | None) -> str:
    """Return a text on one line; "" for none.

    OCTET STRING is UTF-8 by the standard. Devices send GB 2312 and Latin-1 too, cut characters in two and pad with NUL.
    """
    if value is None:
        return ""
    if isinstance(value, bytes):
        raw = value.rstrip(b"\0")[: LONGEST_TEXT * 4]
        found = raw.decode("ascii") if raw.isascii() else _decoded(raw)
    else:
        found = str(value)
    if found.isprintable():
        return found.strip()[:LONGEST_TEXT]
    return " ".join(found.translate(NAMELESS).split())[:LONGEST_TEXT]


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as why:
        if why.end == len(raw) and "unexpected end" in why.reason:
            return raw[: why.start].decode("utf-8")
    try:
        return raw.decode("gb2312")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def number(value: Value | None) -> int | None:
    """Return a whole number; digits in a text count (some agents send counters so), other texts do not."""
    if type(value) is int:
        return value
    if isinstance(value, float):
        return int(value) if abs(value) < 2**64 else None
    if isinstance(value, bytes) and len(value) <= 21:
        value = value.decode("latin-1")
    if isinstance(value, str) and len(value) <= 21:
        try:
            return int(value) if value.isascii() and "_" not in value else None
        except ValueError:
            return None
    return None


def natural(value: Value | None) -> int | None:
    """Return a number that can't be below nought: a counter, a size."""
    found = number(value)
    return found if found is not None and found >= 0 else None


def real(value: Value | None) -> float | None:
    """Return a number, of a text ("0.42", "-7.1") too; None for infinities and what is none."""
    if isinstance(value, bytes) and len(value) <= 32:
        value = value.decode("latin-1").strip("\0 ")
    if isinstance(value, str) and ("_" in value or not value.isascii()):
        return None
    try:
        found = float(value) if value is not None else None
    except (ValueError, OverflowError):
        return None
    return found if found is not None and abs(found) < float("inf") else None


def unsigned(value: Value | None) -> int | None:
    """Return a size that an agent may have squeezed into an Integer32: above 2^31 it comes out negative."""
    found = number(value)
    if found is None or found < -(2**31):
        return None
    return found + 2**32 if found < 0 else found


def mac(value: Value | None) -> str:
    """Return a MAC address as 00:11:22:aa:bb:cc; "" for what is none, or nothing but noughts."""
    if isinstance(value, bytes):
        if len(value) == 6:
            return value.hex(":") if any(value) else ""
        return read_mac(value.decode("latin-1")) or ""
    return read_mac(value) or "" if isinstance(value, str) else ""


def read_mac(words: str) -> str | None:
    """Return a MAC address that a person or an agent wrote in any of the usual notations; None where it is none.

    aa:bb:cc:dd:ee:ff, AA-BB-CC-DD-EE-FF, aabb.ccdd.eeff, aabb-ccdd-eeff, aabbccddeeff, 0:1a:… without leading noughts.
    """
    words = words.strip().lower().removeprefix("0x")
    for mark in (":", "-", ".", " "):
        if mark in words:
            parts = words.split(mark)
            if len(parts) not in (2, 3, 6) or (len(parts) < 6 and {len(part) for part in parts} != {12 // len(parts)}):
                return None  # only octets go without leading noughts: 00:11:22 is cut off, and no address of three parts
            words = "".join(part.zfill(2) for part in parts)
            break
    if len(words) != 12 or any(char not in "0123456789abcdef" for char in words) or not any(char != "0" for char in words):
        return None
    return ":".join(words[place : place + 2] for place in range(0, 12, 2))


def address(value: Value | None) -> str:
    """Return an IP address as text; "" for what is none. 4 and 16 octets, 8 and 20 with a zone (InetAddress, RFC 4001), dotted text."""
    if isinstance(value, bytes):
        size = len(value)
        if size in (4, 16):
            return str(ipaddress.ip_address(value))
        if size in (8, 20):
            return str(ipaddress.ip_address(value[:-4]))
        value = value.decode("latin-1")
    if isinstance(value, str):
        try:
            return str(ipaddress.ip_address(value.strip("\0 ")))
        except ValueError:
            return ""
    return ""


def address_of_index(parts: list[str]) -> str:
    """Return the address whose octets stand in an index, one number each; "" for what is none."""
    try:
        return address(bytes(int(part) for part in parts))
    except ValueError:
        return ""


def last(oid: Value | None, under: str) -> int | None:
    """Return the number after `under` of an OID that lies directly below it: a RowPointer into a column."""
    if not isinstance(oid, str) or not oid.startswith(under + "."):
        return None
    return number(oid[len(under) + 1 :])
