"""HTTP/1.1 responses from bytes (RFC 9112): head, body and its end; pure, bounded, fed as the bytes come."""

import re

import msgspec

MOST_HEAD = 65536  # octets of status line and fields, as in common servers and browsers
MOST_INTERIM = 16  # 1xx responses before the final one (RFC 9110 15.2)

_STATUS = re.compile(rb"HTTP/(\d\.\d) ([1-9]\d\d)(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")


class GarbageError(ValueError):
    """What came is not HTTP/1.x; the text says what, with an excerpt."""


class Head(msgspec.Struct, frozen=True):
    """A status line and its fields; names in lower case, a repeated one joined by ", " (RFC 9110 5.3)."""

    version: str
    status: int
    reason: str
    fields: dict[str, str]


def excerpt(data: bytes, most: int = 60) -> str:
    """Return the beginning of `data` for a person to recognise."""
    return repr(data[:most])[1:] + ("…" if len(data) > most else "")


def read_head(data: bytes) -> Head:
    """Read a head without its final empty line; GarbageError."""
    lines = data.split(b"\n")
    first = _STATUS.fullmatch(lines[0].rstrip(b"\r"))
    if not first:
        raise GarbageError(f"the answer does not begin with an HTTP status line but with {excerpt(lines[0])}")
    fields: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.rstrip(b"\r").partition(b":")
        if not colon or not _TOKEN.fullmatch(name):
            raise GarbageError(f"a header line is none: {excerpt(line)}")
        key, text = name.decode().lower(), value.strip(b" \t").decode("latin-1")
        fields[key] = f"{fields[key]}, {text}" if key in fields else text
    version, status, reason = first.groups()
    return Head(version.decode(), int(status), (reason or b"").decode("latin-1"), fields)


class Response:
    """A response under way. Feed it until `done`; `body` holds at most `most_body` octets, `body_bytes` counts those that came."""

    def __init__(self, *, head_only: bool, most_body: int):
        self.head: Head | None = None
        self.done = False
        self.truncated = False
        self.body = bytearray()
        self.body_bytes = 0
        self._head_only, self._most = head_only, most_body
        self._pending = bytearray()
        self._interim = 0
        self._left: int | None = None  # octets of the body or chunk still to come; None: until the end of the connection
        self._chunked = False
        self._line = b""  # what is expected in chunked coding: "size", "data", "end", "trailer"
        self._aside = 0  # octets of chunk extensions and of the trailer

    def feed(self, data: bytes) -> None:
        """Take what came next; GarbageError."""
        searched = max(0, len(self._pending) - 3)
        self._pending += data
        while self.head is None and self._take_head(searched):
            searched = 0
        if self.head is None or self.done:
            return
        if self._chunked:
            while not self.done and self._take_chunk():
                pass
        else:
            self._take_body()

    def end(self) -> None:
        """Note that the peer has finished sending; GarbageError when that was too early."""
        if self.done:
            return
        if self.head is None:
            came = f"after {excerpt(bytes(self._pending))}" if self._pending else "without an answer"
            raise GarbageError(f"the connection was closed {came}")
        if self._chunked or self._left is not None:
            raise GarbageError(f"the connection was closed in the middle of the body, after {self.body_bytes} octets")
        self.done = True

    def _take_head(self, searched: int) -> bool:
        end = _END_OF_HEAD.search(self._pending, searched)
        if not end:
            if len(self._pending) > MOST_HEAD:
                raise GarbageError(f"the head is longer than {MOST_HEAD} octets: {excerpt(bytes(self._pending[:60]))}")
            if not b"HTTP/".startswith(bytes(self._pending[:5])):
                raise GarbageError(f"the answer does not begin with an HTTP status line but with {excerpt(bytes(self._pending))}")
            return False
        head = read_head(bytes(self._pending[: end.start()]))
        del self._pending[: end.end()]
        if head.status < 200 and head.status != 101:
            self._interim += 1
            if self._interim > MOST_INTERIM:
                raise GarbageError(f"more than {MOST_INTERIM} interim answers")
            return True
        self._frame(head)
        self.head = head
        return False

    def _frame(self, head: Head) -> None:
        """Decide how long the body is: RFC 9112 6.3."""
        if self._head_only or head.status in {101, 204, 304}:
            self.done = True
        elif coding := head.fields.get("transfer-encoding"):
            self._chunked = coding.lower().rsplit(",", 1)[-1].strip() == "chunked"
            self._line = b"size"
        elif (length := head.fields.get("content-length")) is not None:
            values = {value.strip() for value in length.split(",")}
            value = values.pop()
            if values or not (value.isascii() and value.isdecimal()) or len(value) > 18:
                raise GarbageError(f"the Content-Length is no number: {length[:60]!r}")
            self._left = int(value)
            self.done = not self._left

    def _take_body(self) -> None:
        part = bytes(self._pending if self._left is None else self._pending[: self._left])
        self._pending.clear()
        self._keep(part)
        if self._left is not None:
            self._left -= len(part)
            self.done = self.done or not self._left

    def _keep(self, part: bytes) -> None:
        room = self._most - len(self.body)
        self.body += part[:room]
        self.body_bytes += len(part)
        if len(part) > room:
            self.truncated = self.done = True

    def _take_chunk(self) -> bool:
        """Take one part of chunked coding (RFC 9112 7.1); tell whether there was a whole one."""
        if self._line == b"data":
            assert self._left is not None
            part = bytes(self._pending[: self._left])
            del self._pending[: len(part)]
            self._keep(part)
            self._left -= len(part)
            if self._left == 0:
                self._line = b"end"
            return bool(part)
        end = self._pending.find(b"\n")
        if end < 0:
            if len(self._pending) > 4096:
                raise GarbageError(f"a chunk's size line does not end: {excerpt(bytes(self._pending))}")
            return False
        text = bytes(self._pending[:end]).rstrip(b"\r")
        del self._pending[: end + 1]
        if self._line == b"end":
            if text:
                raise GarbageError(f"a chunk is longer than it says: {excerpt(text)}")
            self._line = b"size"
        elif self._line == b"trailer":
            self._set_aside(len(text))
            self.done = not text
        else:
            size, _, extension = text.partition(b";")
            self._set_aside(len(extension))
            size = size.strip(b" \t")
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,15}", size):
                raise GarbageError(f"a chunk's size is no number: {excerpt(text)}")
            self._left = int(size, 16)
            self._line = b"data" if self._left else b"trailer"
        return True

    def _set_aside(self, octets: int) -> None:
        self._aside += octets
        if self._aside > MOST_HEAD:
            raise GarbageError(f"the chunks' extensions and the trailer are longer than {MOST_HEAD} octets")
