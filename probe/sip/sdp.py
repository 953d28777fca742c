"""Session descriptions (RFC 8866) as far as a voice call needs them: codecs, where audio goes, which way it flows."""

import msgspec

MOST_BYTES = 16_384
MOST_LINES = 512
MOST_CODECS = 64
STATIC = {  # RFC 3551 6
    0: "PCMU",
    3: "GSM",
    4: "G723",
    5: "DVI4",
    8: "PCMA",
    9: "G722",
    12: "QCELP",
    13: "CN",
    15: "G728",
    18: "G729",
}
DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})


class Session(msgspec.Struct, frozen=True, gc=False):
    """The first audio stream of a session: `port` 0 is refused, None when there is no audio; `codecs` by name in their order."""

    host: str | None
    port: int | None
    payloads: tuple[tuple[int, str], ...]
    direction: str = "sendrecv"
    packet_ms: float | None = None

    @property
    def codecs(self) -> tuple[str, ...]:
        """The names of the codecs, each once."""
        return tuple(dict.fromkeys(name for _, name in self.payloads))


def parse(body: bytes) -> Session:
    """Return what a description says of its first audio stream; what can't be read is left out."""
    host = stream_host = port = packet_ms = None
    kinds: list[int] = []
    names: dict[int, str] = {}
    direction = "sendrecv"
    section = ""
    for line in body[:MOST_BYTES].decode("utf-8", "replace").split("\n", MOST_LINES)[:MOST_LINES]:
        key, equals, value = line.strip().partition("=")
        if not equals:
            continue
        if key == "m":
            section = "audio" if value.lower().startswith("audio ") and section != "audio" and port is None else "other"
            if section == "audio":
                port, kinds = _media(value)
        elif key == "c" and section in {"", "audio"}:
            where = _connection(value)
            host, stream_host = (where, stream_host) if not section else (host, where)
        elif key == "a" and section in {"", "audio"}:
            name, _, said = value.partition(":")
            if name == "rtpmap" and section:
                _map(said, names)
            elif name == "ptime" and section:
                packet_ms = _milliseconds(said)
            elif name.lower() in DIRECTIONS:
                direction = name.lower()
    known = tuple([(kind, names.get(kind) or STATIC.get(kind, "")) for kind in kinds])
    return Session(stream_host or host, port, tuple([one for one in known if one[1]]), direction, packet_ms)


def _number(text: str, most: int) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= most else None


def _media(value: str) -> tuple[int | None, list[int]]:
    parts = value.split()[: MOST_CODECS + 3]
    port = _number(parts[1].partition("/")[0], 65535) if len(parts) > 1 else None
    return port, [kind for part in parts[3:] if (kind := _number(part, 127)) is not None]


def _connection(value: str) -> str | None:
    parts = value.split()
    return parts[2].partition("/")[0][:255] if len(parts) == 3 and parts[0].upper() == "IN" else None


def _map(said: str, names: dict[int, str]) -> None:
    number, _, encoding = said.strip().partition(" ")
    kind = _number(number, 127)
    name = encoding.strip().partition("/")[0]
    if kind is not None and name and name.isprintable():
        names.setdefault(kind, name[:32].upper())


def _milliseconds(said: str) -> float | None:
    number = _number(said.strip().partition(".")[0], 1000)
    return float(number) if number else None


def offer(host: str, port: int, codecs: tuple[str, ...], number: int) -> bytes:
    """Return an offer of audio at `host`:`port` in packets of 20 ms, with telephone events declined; `number` names the session."""
    kinds = [next(kind for kind, name in STATIC.items() if name == codec) for codec in codecs]
    host = host.partition("%")[0]  # a zone is ours alone (RFC 4007 11.2)
    family = "IP6" if ":" in host else "IP4"
    lines = [
        "v=0",
        f"o=firstline {number} 1 IN {family} {host}",
        "s=firstline",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(str(kind) for kind in kinds)}",
        *(f"a=rtpmap:{kind} {STATIC[kind]}/8000" for kind in kinds),
        "a=ptime:20",
        "a=sendrecv",
        "",
    ]
    return "\r\n".join(lines).encode()
