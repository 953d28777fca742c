"""Questions to the kernel by netlink (netlink(7)): one dump answers for all links, addresses, neighbours or sockets."""

import os
import socket
import struct
from collections.abc import Iterator

NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
BUFFER = 1 << 18
TIMEOUT_S = 2.0

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_DONE_BYTES = 20  # a header and the dump's errno


def request(kind: int, flags: int, number: int, body: bytes) -> bytes:
    """Return a request; its answer carries the same `number`."""
    return _HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST | flags, number, 0) + body


def number_of(buffer: bytes) -> int:
    """Return to which request a buffer is the answer."""
    return int(_HEADER.unpack_from(buffer)[3])


def dump(protocol: int, kind: int, body: bytes) -> Iterator[bytes]:
    """Yield the raw buffers of one dump, each full of whole messages; OSError when the kernel refuses, TimeoutError after 2 s."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol) as asked:
        asked.settimeout(TIMEOUT_S)
        number = int.from_bytes(os.urandom(4), "little")
        asked.send(request(kind, NLM_F_DUMP, number, body))
        while True:
            buffer = asked.recv(BUFFER)
            raise_refusal(buffer)
            yield buffer
            if _ends(buffer, number):
                return


def raise_refusal(buffer: bytes) -> None:
    """Raise the OSError that the kernel answered, if it did."""
    if _HEADER.unpack_from(buffer)[1] == NLMSG_ERROR:
        code = -struct.unpack_from("=i", buffer, _HEADER.size)[0]
        raise OSError(code, os.strerror(code), "netlink")


def _ends(buffer: bytes, number: int) -> bool:
    """Tell whether a dump ends here: the end comes alone or, since Linux 6.9, behind the last messages."""
    length, kind, _, answered, _ = _HEADER.unpack_from(buffer, max(0, len(buffer) - _DONE_BYTES))
    return (length, kind, answered) == (_DONE_BYTES, NLMSG_DONE, number)


def messages(buffer: bytes, kind: int) -> Iterator[bytes]:
    """Yield the bodies of the messages of one kind; a message that is cut off ends it."""
    at = 0
    while at + _HEADER.size <= len(buffer):
        length, found, *_ = _HEADER.unpack_from(buffer, at)
        if length < _HEADER.size:
            return
        if found == kind:
            yield buffer[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def attributes(body: bytes, at: int) -> dict[int, bytes]:
    """Return the attributes that follow a fixed header of `at` bytes: type → value."""
    found = {}
    while at + 4 <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = body[at + 4 : at + length]
        at += (length + 3) & ~3
    return found


def attribute(kind: int, value: bytes) -> bytes:
    """Return one attribute, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)
