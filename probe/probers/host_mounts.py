"""Which file systems count: the mount table, what is pseudo, what is the same device again."""

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

# kinds that hold no data of their own, of which each mount has its own numbers or none
PSEUDO = frozenset(
    """
    autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fuse.gvfsd-fuse fuse.lxcfs fuse.portal fusectl
    hugetlbfs mqueue nfsd nsfs proc pstore ramfs rpc_pipefs securityfs selinuxfs sysfs tracefs
    """.split()  # noqa: SIM905 - a list of words reads better than a column of them
)
IMAGES = frozenset({"cramfs", "erofs", "iso9660", "squashfs", "udf"})  # written once: always full
REMOTE = frozenset(
    """
    9p afs beegfs ceph cifs coda gfs2 glusterfs lustre ncpfs nfs nfs4 ocfs2 smb3 smbfs vboxsf virtiofs
    """.split()  # noqa: SIM905
)
BENEATH = (
    *("/proc/", "/sys/", "/dev/", "/run/user/", "/run/credentials/", "/run/netns"),
    *("/var/lib/docker/", "/var/lib/containers/", "/var/lib/kubelet/"),
)

_OCTAL = re.compile(rb"\\([0-7]{3})")


class Mount(NamedTuple):
    """One line of /proc/self/mountinfo (proc_pid_mountinfo(5)); `device` is major:minor, `root` the part of it that is mounted here.

    `read_only` is the file system's own state: the flag of a mount alone may be a service's sandbox.
    """

    path: bytes
    device: str
    root: str
    fstype: str
    source: str
    read_only: bool

    @property
    def name(self) -> str:
        """Its mount point for people."""
        return self.path.decode("utf-8", "replace")

    @property
    def may_hang(self) -> bool:
        """Whether asking it may wait for another machine or program for ever."""
        return self.fstype in REMOTE or self.fstype.startswith("fuse")


def unescape(text: bytes) -> bytes:
    r"""Return a path of a mount table with \040 and the like as the bytes that they stand for."""
    return _OCTAL.sub(lambda match: bytes((int(match[1], 8) & 0xFF,)), text)


def parse_mountinfo(raw: bytes) -> list[Mount]:
    """Return the mounts in order; a line without its columns is left out."""
    mounts = []
    for line in raw.split(b"\n"):
        left, dash, right = line.partition(b" - ")
        head, tail = left.split(b" "), right.split(b" ")
        if not dash or len(head) < 6 or len(tail) < 2:
            continue
        options = tail[2].split(b",") if len(tail) > 2 else []
        mounts.append(
            Mount(
                unescape(head[4]),
                head[2].decode("ascii", "replace"),
                unescape(head[3]).decode("utf-8", "replace"),
                tail[0].decode("ascii", "replace"),
                unescape(tail[1]).decode("utf-8", "replace"),
                b"ro" in options,
            )
        )
    return mounts


def parse_fstab(raw: bytes) -> frozenset[bytes]:
    """Return the mount points that /etc/fstab wants writable (fstab(5))."""
    found = set()
    for line in raw.splitlines():
        fields = line.split()
        if len(fields) < 4 or fields[0].startswith(b"#"):
            continue
        if b"ro" not in fields[3].split(b",") and fields[2].decode("ascii", "replace") not in IMAGES:
            found.add(unescape(fields[1]))
    return frozenset(found)


def choose(mounts: Iterable[Mount], only: Sequence[str] = (), ignore: Sequence[str] = ()) -> list[Mount]:
    """Return the mounts to measure: the topmost at each path, one for each device (its root, then the shortest path), no pseudo ones.

    What `only` names (globs) is taken whatever its type; without it everything real is.
    """
    top = {mount.path: mount for mount in mounts}
    best: dict[str, Mount] = {}
    for mount in top.values():
        if not _wanted(mount, only, ignore):
            continue
        other = best.get(mount.device)
        if other is None or _rank(mount) < _rank(other):
            best[mount.device] = mount
    return sorted(best.values(), key=lambda mount: mount.path)


def unmounted(mounts: Iterable[Mount], only: Sequence[str]) -> tuple[str, ...]:
    """Return the mount points that `only` names without wildcards and that are not there."""
    named = [path for path in only if not set("*?[") & set(path)]
    if not named:
        return ()
    there = {mount.name for mount in mounts}
    return tuple(path for path in named if path not in there)


def _wanted(mount: Mount, only: Sequence[str], ignore: Sequence[str]) -> bool:
    name = mount.name
    if any(fnmatchcase(name, pattern) for pattern in ignore):
        return False
    if only:
        return any(fnmatchcase(name, pattern) for pattern in only)
    if mount.fstype in PSEUDO or mount.fstype in IMAGES or (mount.fstype == "overlay" and name != "/"):
        return False  # an overlay that is not the root is a container's: its disk is counted already
    return name == "/dev/shm" or not name.startswith(BENEATH)  # noqa: S108 - a mount point that is looked at


def _rank(mount: Mount) -> tuple[bool, int, bytes]:
    return (mount.root != "/", len(mount.path), mount.path)
