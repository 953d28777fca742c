"""What the demo asks of the kernel: unshare(2), setns(2), mount(2), prctl(2). By ctypes: Python has the first two from 3.12 on only."""

import contextlib
import ctypes
import errno
import os
import signal
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *words: Any) -> None:
    if getattr(_libc(), name)(*words) != 0:
        code = ctypes.get_errno()
        limit = name == "unshare" and code == errno.ENOSPC
        raise OSError(code, "the limit is reached (sysctl user.max_*_namespaces)" if limit else f"{name}: {os.strerror(code)}")


def unshare(flags: int) -> None:
    """Leave namespaces for new ones of our own; OSError as the kernel refuses it."""
    _call("unshare", flags)


def die_with_parent(number: signal.Signals = signal.SIGKILL) -> None:
    """Have this process get a signal as soon as the one that forked it is gone, however that ended."""
    if sys.platform == "linux":
        _call("prctl", _PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def adopt_orphans() -> None:
    """Become the parent of whatever our children leave behind when they end."""
    if sys.platform == "linux":
        _call("prctl", _PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def mount(kind: str, place: Path, options: str = "") -> bool:
    """Mount a file system without a device in our own mount namespace; False when the kernel refuses it (in containers it may)."""
    with contextlib.suppress(OSError):
        _call("mount", kind.encode(), str(place).encode(), kind.encode(), _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, options.encode())
        return True
    return False


def become_root_inside() -> None:
    """Enter a user namespace in which this user is root; the next child is the first of a process namespace.

    OSError when the kernel, its settings or a container refuse it. There is no way back, so ask in a child.
    """
    user, group = os.geteuid(), os.getegid()
    unshare(CLONE_NEWUSER | CLONE_NEWPID)
    Path("/proc/self/setgroups").write_text("deny", "ascii")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1", "ascii")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1", "ascii")


class Place:
    """A network namespace, held by a descriptor; nothing of it remains when the last process with the descriptor has ended."""

    def __init__(self, name: str) -> None:
        """Make a new one (OSError when refused) and stay where we are."""
        self.name = name
        with _staying():
            unshare(CLONE_NEWNET)
            self.handle = _own_handle()

    def enter(self) -> None:
        """Go there for good."""
        _call("setns", self.handle, CLONE_NEWNET)

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Be there within the block: sockets that are opened in it stay there."""
        with _staying():
            self.enter()
            yield


@contextlib.contextmanager
def _staying() -> Iterator[None]:
    home = _own_handle()
    try:
        yield
    finally:
        _call("setns", home, CLONE_NEWNET)
        os.close(home)


def _own_handle() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
