"""Many datagrams a system call: sendmmsg(2) and recvmmsg(2) through ctypes, over buffers that are laid out once."""

import ctypes
import errno
import os
import socket
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

AT_ONCE = 256
"""Datagrams a receive call takes at most, and addresses a slice of sending holds at most."""

_NAME, _CONTROL, _DATA = 32, 96, 128
_SLOT = _NAME + _CONTROL + _DATA
_MSG_DONTWAIT, _MSG_ERRQUEUE = 0x40, 0x2000
_IOVEC = struct.Struct("@PN")
_HEAD = struct.Struct("@PIPNPNi0PI0P")  # struct mmsghdr
_HEAD_SEEN = struct.Struct(f"@{struct.calcsize('@PIPNP')}xN4x0PI0P")  # its control length and data length
_CMSG = struct.Struct("@Nii")
_SOCKADDR = {socket.AF_INET: 16, socket.AF_INET6: 28}
PLAIN = 60
"""Bytes of identifier, sequence number and payload of the usual echo of 56 bytes, which `Receiver.take` cuts out at once."""

_libc = ctypes.CDLL(None, use_errno=True)
_sendmmsg, _recvmmsg = _libc.sendmmsg, _libc.recvmmsg
_sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
_recvmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)


class Sent(NamedTuple):
    """How many datagrams a call sent; when none, the errno of the first."""

    done: int
    errno: int


class Sender:
    """Sends one and the same packet to many addresses."""

    def __init__(self, fd: int, family: int) -> None:
        self._fd = fd
        self._width = _SOCKADDR[socket.AddressFamily(family)]
        self._names = ctypes.create_string_buffer(self._width * AT_ONCE)
        self._name_view = memoryview(self._names).cast("B")
        self._iovec = ctypes.create_string_buffer(_IOVEC.size)
        names, iovec = ctypes.addressof(self._names), ctypes.addressof(self._iovec)
        heads = (_HEAD.pack(names + self._width * at, self._width, iovec, 1, 0, 0, 0, 0) for at in range(AT_ONCE))
        self._heads = ctypes.create_string_buffer(b"".join(heads))
        self._first = ctypes.addressof(self._heads)
        self._packet: ctypes.Array[ctypes.c_char] | None = None

    def load(self, names: bytes, packet: bytes) -> None:
        """Set the packet and the addresses (struct sockaddr after struct sockaddr, at most AT_ONCE) of the sends that follow."""
        self._name_view[: len(names)] = names
        self._packet = ctypes.create_string_buffer(packet, len(packet))
        _IOVEC.pack_into(self._iovec, 0, ctypes.addressof(self._packet), len(packet))

    def send(self, start: int, count: int) -> Sent:
        """Send to `count` addresses from the `start`th on; stops at the first that the kernel refuses."""
        done = _sendmmsg(self._fd, self._first + start * _HEAD.size, count, _MSG_DONTWAIT)
        if done < 0:
            return Sent(0, ctypes.get_errno())
        return Sent(done, 0)


class Oddity(NamedTuple):
    """One datagram in full: sender (packed address), receive stamp in ns or None, control messages, data as far as the buffer goes."""

    source: bytes
    stamp: int | None
    control: list[tuple[int, int, bytes]]
    data: bytes


class Receiver:
    """Takes up to AT_ONCE datagrams a call, each with its sender and the kernel's receive stamp."""

    def __init__(self, fd: int, family: int, skip: int) -> None:
        """`skip` is the bytes before the ICMP message: the 20 of the IPv4 header on a raw socket, else 0."""
        self._fd = fd
        self.usual = skip + 4 + PLAIN
        """Length of the usual echo reply as received."""
        self.stamped = _CMSG.size + 16
        self._address = slice(4, 8) if family == socket.AF_INET else slice(8, 24)
        self._slots = ctypes.create_string_buffer(_SLOT * AT_ONCE)
        self._iovecs = ctypes.create_string_buffer(_IOVEC.size * AT_ONCE)
        self._heads = ctypes.create_string_buffer(_HEAD.size * AT_ONCE)
        slots, iovecs = ctypes.addressof(self._slots), ctypes.addressof(self._iovecs)
        fresh = bytearray()
        for at in range(AT_ONCE):
            slot, iovec = slots + at * _SLOT, iovecs + at * _IOVEC.size
            _IOVEC.pack_into(self._iovecs, at * _IOVEC.size, slot + _NAME + _CONTROL, _DATA)
            fresh += _HEAD.pack(slot, _NAME, iovec, 1, slot + _NAME, _CONTROL, 0, 0)
        self._fresh = bytes(fresh)
        self._dirty = AT_ONCE
        self._slot_view, self._head_view = memoryview(self._slots).cast("B"), memoryview(self._heads).cast("B")
        self._first = ctypes.addressof(self._heads)
        name = "4x4s24x" if family == socket.AF_INET else "8x16s8x"
        self._parts = struct.Struct(f"={name}{_CMSG.size}xqq{_CONTROL - self.stamped}x{skip + 4}x{PLAIN}s{_DATA - self.usual}x")

    def take(self) -> int:
        """Receive what is there, at most AT_ONCE; return how many, 0 when nothing is. Pending socket errors are cleared and skipped."""
        return self._receive(_MSG_DONTWAIT)

    def take_errors(self) -> int:
        """Like `take`, from the error queue of a datagram socket."""
        return self._receive(_MSG_DONTWAIT | _MSG_ERRQUEUE)

    def _receive(self, flags: int) -> int:
        used = self._dirty * _HEAD.size
        self._head_view[:used] = self._fresh[:used]
        self._dirty = 0
        for _ in range(8):
            count = int(_recvmmsg(self._fd, self._first, AT_ONCE, flags, None))
            if count >= 0:
                self._dirty = count
                return count
            why = ctypes.get_errno()
            if why in (errno.EAGAIN, errno.EBADF):
                return 0
        raise OSError(why, os.strerror(why))

    def replies(self, count: int) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Yield ((sender, stamp seconds, nanoseconds, first PLAIN bytes from the identifier on), (control length, length)) of each taken.

        The parts are meaningful when the two lengths are `stamped` and at least `usual`; else use `whole`.
        """
        return zip(
            self._parts.iter_unpack(self._slot_view[: count * _SLOT]),
            _HEAD_SEEN.iter_unpack(self._head_view[: count * _HEAD.size]),
            strict=True,
        )

    def whole(self, at: int) -> Oddity:
        """Return the `at`th datagram of the last call in full."""
        controls, length = _HEAD_SEEN.unpack_from(self._head_view, at * _HEAD.size)
        slot = bytes(self._slot_view[at * _SLOT : (at + 1) * _SLOT])
        control = list(_control(slot[_NAME : _NAME + controls]))
        stamp = next(
            (struct.unpack_from("=qq", data) for level, kind, data in control if level == socket.SOL_SOCKET and len(data) >= 16), None
        )
        return Oddity(
            slot[self._address],
            stamp[0] * 1_000_000_000 + stamp[1] if stamp else None,
            control,
            slot[_NAME + _CONTROL : _NAME + _CONTROL + min(length, _DATA)],
        )


DATA_ROOM = _DATA
"""Bytes of a datagram that are kept; what is beyond is not compared."""


def _control(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (level, type, data) of the control messages (cmsg(3))."""
    align = ctypes.sizeof(ctypes.c_size_t)
    while len(data) >= _CMSG.size:
        length, level, kind = _CMSG.unpack_from(data)
        if length < _CMSG.size:
            return
        yield level, kind, data[_CMSG.size : length]
        data = data[-(-length // align) * align :]
