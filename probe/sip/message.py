"""SIP messages as bytes: read as real devices write them, built strictly (RFC 3261 7, 25).

Reading bears folded lines, compact and lower-case header names, blanks before the colon, bare LF, a missing reason phrase and octets that
are no UTF-8. It is bounded: what is longer than the limits here is refused, never cut to something else.
"""

import msgspec

MOST_BYTES = 65_535  # a datagram can't be longer; over TCP a longer message is refused
MOST_HEADERS = 256
MOST_LINE = 16_384
VERSION = "SIP/2.0"

_COMPACT = {  # RFC 3261 20, RFC 3515, 3892, 4028, 3841, 6665
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
}


class MalformedError(Exception):
    """These octets are no SIP message; the text says what is wrong with them."""


class SipMessage(msgspec.Struct, frozen=True, gc=False):
    """A request (`method`, `uri`; code 0) or a response (`code`, `reason`; method ""). Header names are in full and lower case."""

    method: str
    uri: str
    code: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def first(self, name: str) -> str | None:
        """Return the first value of a header (its full name in lower case), None when there is none."""
        return next((value for one, value in self.headers if one == name), None)

    def all(self, name: str) -> list[str]:
        """Return the values of all headers of this name, one for each line."""
        return [value for one, value in self.headers if one == name]

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq, (-1, "") when it can't be read."""
        number, _, method = (self.first("cseq") or "").partition(" ")
        return (int(number), method.strip().upper()) if number.isascii() and number.isdecimal() and len(number) <= 10 else (-1, "")


def parse(data: bytes) -> SipMessage:
    """Return the message in a datagram, or in the octets of one message of a stream; MalformedError."""
    if len(data) > MOST_BYTES:
        raise MalformedError(f"{len(data)} octets are more than a message may have")
    head, body = split_head(data)
    lines = unfold(head)
    if not lines:
        raise MalformedError("there is no first line")
    method, uri, code, reason = _start(lines[0])
    headers = tuple([_header(line) for line in lines[1:]])
    length = length_of(headers)
    return SipMessage(method, uri, code, reason, headers, body if length is None else body[:length])


def split_head(data: bytes) -> tuple[bytes, bytes]:
    """Return head and body. Empty lines before the first are passed over (RFC 3261 7.5); a head without its empty line is all there is."""
    start = 0
    while data[start : start + 1] in (b"\r", b"\n"):
        start += 1
    ends = [(at, len(mark)) for mark in (b"\r\n\r\n", b"\n\n", b"\n\r\n") if (at := data.find(mark, start)) >= 0]
    if not ends:
        return data[start:], b""
    at, size = min(ends, key=lambda end: (end[0], -end[1]))
    return data[start:at], data[at + size :]


def unfold(head: bytes) -> list[str]:
    """Return the lines of a head, continued ones (RFC 3261 7.3.1) joined by one blank; MalformedError when there are too many."""
    lines: list[str] = []
    for raw in head.split(b"\n", MOST_HEADERS * 4):
        if len(raw) > MOST_LINE:
            raise MalformedError(f"a line has more than {MOST_LINE} octets")
        line = raw.decode("utf-8", "replace").rstrip("\r")
        if line[:1] in {" ", "\t"} and lines:
            lines[-1] += " " + line.strip()
            if len(lines[-1]) > MOST_LINE:
                raise MalformedError(f"a line has more than {MOST_LINE} octets")
        else:
            lines.append(line)
    if len(lines) > MOST_HEADERS:
        raise MalformedError(f"more than {MOST_HEADERS} header lines")
    return lines


def _start(line: str) -> tuple[str, str, int, str]:
    """Return method, uri, code and reason of a first line."""
    first, _, rest = line.strip().partition(" ")
    if first.upper() == VERSION:
        code, _, reason = rest.strip().partition(" ")
        if not (len(code) == 3 and code.isascii() and code.isdecimal() and "100" <= code <= "699"):
            raise MalformedError(f"{code[:20]!r} is no status code")
        return "", "", int(code), reason.strip()
    uri, _, version = rest.strip().rpartition(" ")
    if version.upper() != VERSION or not is_token(first) or not uri.strip():
        raise MalformedError(f"{line[:60]!r} begins no SIP message")
    return first.upper(), uri.strip(), 0, ""


def _header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    name = name.rstrip(" \t").lower()
    if not colon or not is_token(name):
        raise MalformedError(f"{line[:60]!r} is no header")
    return _COMPACT.get(name, name), value.strip()


def length_of(headers: tuple[tuple[str, str], ...]) -> int | None:
    """Return what Content-Length says, None without one; MalformedError when it is no number, or two differ."""
    found: set[int] = set()
    for name, value in headers:
        if name == "content-length":
            if not (value.isascii() and value.isdecimal() and len(value) <= 7):
                raise MalformedError(f"Content-Length is {value[:20]!r}")
            found.add(int(value))
    if len(found) > 1:
        raise MalformedError("two Content-Lengths differ")
    return found.pop() if found else None


_TOKEN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~")


def is_token(text: str) -> bool:
    """Tell whether a text is a token of RFC 3261 25.1."""
    return bool(text) and len(text) <= 128 and _TOKEN.issuperset(text)


def build(first_line: str, headers: list[tuple[str, str]], body: bytes = b"") -> bytes:
    """Return the octets of a message; Content-Length is added. ValueError when a value would make another header or line."""
    lines = [first_line, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    wrong = next((line for line in lines if not line.isprintable()), None)
    if wrong is not None:
        raise ValueError(f"{wrong[:60]!r} can't be sent in a SIP header")
    return "\r\n".join([*lines, "", ""]).encode() + body
