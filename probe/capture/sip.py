"""SIP messages (RFC 3261) and the session descriptions in them (RFC 8866), as far as a ladder needs them."""

import re

import msgspec

MOST_MESSAGE = 65_535
MOST_LINES = 400
MOST_MEDIA = 8

METHODS = (b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"REGISTER", b"PRACK", b"UPDATE", b"INFO", b"REFER", b"NOTIFY",
           b"SUBSCRIBE", b"MESSAGE", b"PUBLISH")  # fmt: skip
_START = re.compile(rb"(?:SIP/2\.0 \d{3}(?: |\r?\n)|(?:" + rb"|".join(METHODS) + rb") \S)")
_COMPACT = {"f": "from", "t": "to", "i": "call-id", "l": "content-length", "c": "content-type", "v": "via", "m": "contact"}
_WANTED = frozenset({"from", "to", "call-id", "cseq", "content-length", "content-type", "reason"})
_TAG = re.compile(r";\s*tag\s*=\s*([^;\s>]+)", re.IGNORECASE)
_USER = re.compile(r"(?:sips?|tel):([^@;>\s]+)", re.IGNORECASE)
_FOLD = re.compile(r"\r\n[ \t]+")  # a line that goes on (RFC 3261 7.3.1)
_NAME = re.compile(r'\s*"(?:[^"\\]|\\.)*"')  # a display name may hold anything
_CAUSE = re.compile(r"Q\.850\s*;(?:[^,]*?)cause\s*=\s*(\d{1,3})", re.IGNORECASE)
_DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})


class Media(msgspec.Struct, gc=False):
    """One m= line: where its sender wants to receive, what, and in which direction."""

    kind: str
    address: str
    port: int
    direction: str
    codecs: dict[int, tuple[str, int]]
    order: tuple[int, ...]

    def brief(self) -> str:
        """Return it for a ladder: "PCMA,PCMU 192.0.2.1:6000 sendonly"."""
        names = [self.codecs[pt][0] for pt in self.order if pt in self.codecs][:4]
        way = "" if self.direction == "sendrecv" else f" {self.direction}"
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{','.join(dict.fromkeys(names))} {address}:{self.port}{way}".strip()


class Sip(msgspec.Struct):
    """One message: `method` is that of the request, for an answer that of its CSeq; `code` None for a request."""

    method: str
    code: int | None
    phrase: str
    call_id: str
    sequence: int
    caller: str
    callee: str
    from_tag: str
    to_tag: str
    cause: int | None
    media: tuple[Media, ...]

    @property
    def text(self) -> str:
        """The word of a ladder."""
        return self.method if self.code is None else f"{self.code} {self.phrase}".strip()


def looks_like(data: bytes, start: int) -> bool:
    """Tell whether SIP begins here."""
    return _START.match(data, start) is not None


def length(data: bytes) -> int | None:
    """Return how long the message at the start of a TCP stream is (RFC 3261 18.3); None while its head is not whole. ValueError: no SIP."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    found = re.search(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,6})[ \t]*\r\n", data[: end + 2], re.IGNORECASE)
    size = end + 4 + (int(found[1]) if found else 0)
    if size > MOST_MESSAGE:
        raise ValueError("longer than a SIP message may be")
    return size


def parse(data: bytes) -> Sip:
    """Return a message; ValueError when its start line, Call-ID or CSeq can't be read."""
    head, _, body = data[:MOST_MESSAGE].partition(b"\r\n\r\n")
    lines = _FOLD.sub(" ", head.decode("utf-8", "replace")).split("\r\n", MOST_LINES)[:MOST_LINES]
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        name = _COMPACT.get(name, name)
        if colon and name in _WANTED:
            fields[name] = f"{fields[name]}, {value.strip()}" if name == "reason" and name in fields else value.strip()
    first = lines[0].split(" ", 2)
    number, _, method = fields.get("cseq", "").partition(" ")
    if len(first) < 2 or not fields.get("call-id") or not (number.isascii() and number.isdecimal() and len(number) < 11):
        raise ValueError("no start line, Call-ID or CSeq")
    answer = first[0] == "SIP/2.0"
    if answer and not (first[1].isascii() and first[1].isdecimal()):
        raise ValueError("no status code")
    described = "sdp" in fields.get("content-type", "").lower() and body
    cause = _CAUSE.search(fields.get("reason", "")[:500])
    return Sip(
        method.strip()[:20] if answer else first[0][:20],
        int(first[1][:3]) if answer else None,
        first[2][:60] if answer and len(first) > 2 else "",
        fields["call-id"][:200],
        int(number),
        _user(fields.get("from", "")),
        _user(fields.get("to", "")),
        _tag(fields.get("from", "")),
        _tag(fields.get("to", "")),
        int(cause[1]) if cause else None,
        parse_sdp(body.decode("utf-8", "replace")) if described else (),
    )


def _user(text: str) -> str:
    found = _USER.search(_NAME.sub("", text[:1000], count=1))
    return found[1][:64] if found else ""


def _tag(text: str) -> str:
    found = _TAG.search(text[:1000])
    return found[1][:128] if found else ""


def parse_sdp(text: str) -> tuple[Media, ...]:
    """Return the media of a description; lines that can't be read are passed over."""
    from probe.capture.rtp import STATIC

    address, direction = "", "sendrecv"
    media: list[Media] = []
    current: Media | None = None
    for line in text.splitlines()[:MOST_LINES]:
        kind, value = line[:2], line[2:].strip()
        if kind == "c=":
            where = value.split(" ")[-1].partition("/")[0][:60]
            if current is None:
                address = where
            else:
                current.address = where
        elif kind == "m=":
            parts = value.split()
            if len(media) == MOST_MEDIA or len(parts) < 4 or not _number(parts[1].partition("/")[0], 65_535):
                current = None
                continue
            order = tuple(int(part) for part in parts[3:23] if _number(part, 127))
            codecs = {pt: STATIC[pt] for pt in order if pt in STATIC}
            current = Media(parts[0][:20], address, int(parts[1].partition("/")[0]), direction, codecs, order)
            media.append(current)
        elif kind == "a=":
            if value in _DIRECTIONS:
                if current is None:
                    direction = value
                else:
                    current.direction = value
            elif current is not None and value.startswith("rtpmap:"):
                _rtpmap(current, value[7:])
    for one in media:
        if one.address in ("0.0.0.0", "::"):  # noqa: S104  hold by RFC 2543, not a place to listen
            one.direction = "inactive"
    return tuple(media)


def _rtpmap(media: Media, value: str) -> None:
    payload, _, encoding = value.partition(" ")
    name, _, rest = encoding.strip().partition("/")
    clock = rest.partition("/")[0]
    if _number(payload, 127) and _number(clock, 10_000_000) and int(clock) > 0 and name:
        media.codecs[int(payload)] = (name[:20].upper(), int(clock))


def _number(text: str, most: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 9 and int(text) <= most
