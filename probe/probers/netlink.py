"""Questions to the kernel by netlink (netlink(7)): one dump answers for all links, addresses or sockets."""

import os
import socket
import struct
from collections.abc import Iterator

NLM_F_REQUEST_DUMP = 0x301
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_DUMP_INTR = 0x10
BUFFER = 1 << 18
TIMEOUT_S = 2.0

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")


def dump(protocol: int, kind: int, body: bytes) -> Iterator[bytes]:
    """Yield the raw buffers of one dump, each full of whole messages; OSError when the kernel refuses, TimeoutError after 2 s."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol) as asked:
        asked.settimeout(TIMEOUT_S)
        asked.send(_HEADER.pack(_HEADER.size + len(body), kind, NLM_F_REQUEST_DUMP, 1, 0) + body)
        while True:
            buffer = asked.recv(BUFFER)
            message = _HEADER.unpack_from(buffer)[1]
            if message == NLMSG_DONE:
                return
            if message == NLMSG_ERROR:
                code = -struct.unpack_from("=i", buffer, _HEADER.size)[0]
                raise OSError(code, os.strerror(code), "netlink")
            yield buffer


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
