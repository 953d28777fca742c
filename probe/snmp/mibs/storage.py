"""hrStorageTable and hrFSTable of HOST-RESOURCES-MIB (RFC 2790), dskTable of UCD-SNMP-MIB: memory and file systems, in bytes."""

import re

import msgspec

from probe.observation.device import PoolSample
from probe.observation.host import FilesystemSample, MemorySample
from probe.probers.host_mounts import BENEATH
from probe.snmp.talk import Talk, Value
from probe.snmp.values import natural, number, text, unsigned

TABLE = "1.3.6.1.2.1.25.2.3.1"
STEADY = tuple(f"{TABLE}.{column}" for column in (2, 3, 4))  # type, description, allocation units
LIVE = tuple(f"{TABLE}.{column}" for column in (5, 6))  # size and used, in those units
USED = LIVE[1]
TYPES = "1.3.6.1.2.1.25.2.1."
FS_ACCESS = "1.3.6.1.2.1.25.3.8.1.5"
FS_STEADY = tuple(f"1.3.6.1.2.1.25.3.8.1.{column}" for column in (3, 4, 7))  # remote mount point, type, hrFSStorageIndex
FS_TYPES = "1.3.6.1.2.1.25.3.9."
DISK_PATH, DISK_AVAILABLE, DISK_NODES = (f"1.3.6.1.4.1.2021.9.1.{column}" for column in (2, 7, 10))

RAM, VIRTUAL = 2, 3
DISKS = {4, 5, 8, 9, 10}  # fixed, removable, RAM disk, flash, network; not compact discs, which are always full
FS_NAMES = {
    3: "ffs", 5: "fat", 6: "hpfs", 7: "hfs", 8: "mfs", 9: "ntfs", 11: "journaled", 12: "iso9660", 13: "rockridge", 14: "nfs", 16: "afs",
    17: "dfs", 22: "fat32", 23: "ext",
}  # fmt: skip  # hrFSTypes; 1 and 2 are "other" and "unknown"
ALWAYS_FULL = {"iso9660", "rockridge"}
FULL_WORD = 2**31 - 1  # what dskAvail says of more than 2 TiB

_MOUNTED = re.compile(r".*, mounted on: (?P<path>.*)")  # BSD and Junos: "/dev/da0s1a, mounted on: /"
_LABEL = re.compile(r"(?P<path>[A-Za-z]:\\?) Label:.*")  # Windows: "C:\ Label:System  Serial Number …"
_IMAGES = ("/packages/", "/snap/", "/dev", "/proc", "/sys", "/junos", "/rom")  # loop devices that are written once, and no storage at all


class Storage(msgspec.Struct, frozen=True, gc=False):
    """One row of hrStorageTable in bytes; `type_` is the last number of hrStorageTypes, None for another."""

    index: str
    type_: int | None
    descr: str
    total: int | None
    used: int | None


async def read_storage(talk: Talk) -> list[Storage]:
    """Return the rows; a size that does not fit Integer32 comes out negative and is put right (RFC 2790 gives it 31 bits)."""
    size, used = await talk.walk_all(LIVE)
    if not size and not used:
        return []
    types, descrs, units = await talk.walk_all(STEADY, keep=True)
    rows = []
    for index in {**size, **used}:
        unit = natural(units.get(index))
        whole, part = unsigned(size.get(index)), unsigned(used.get(index))
        kind = types.get(index)
        rows.append(
            Storage(
                index,
                number(kind[len(TYPES) :]) if isinstance(kind, str) and kind.startswith(TYPES) else None,
                text(descrs.get(index)),
                whole * unit if whole is not None and unit else None,
                part * unit if part is not None and unit else None,
            )
        )
    return rows


def path_of(descr: str) -> str:
    """Return the mount point or drive of a description."""
    match = _MOUNTED.fullmatch(descr) or _LABEL.fullmatch(descr)
    return match["path"] if match else descr


def memory_of(rows: list[Storage]) -> MemorySample | None:
    """Return the physical memory; None where the table has none.

    net-snmp counts buffers and cache as used, and gives each a row of its own; newer ones have a row "Available memory".
    """
    ram = next((row for row in rows if row.type_ == RAM and row.total), None)
    if ram is None or ram.total is None:
        return None
    named = {row.descr: row for row in rows}
    available = free = ram.total - ram.used if ram.used is not None and ram.used <= ram.total else None
    cached, buffers, shared = (named.get(name) for name in ("Cached memory", "Memory buffers", "Shared memory"))
    if (estimate := named.get("Available memory")) is not None and estimate.total is not None:
        available = min(estimate.total, ram.total)
    elif free is not None and cached is not None and cached.used is not None:
        available = free + cached.used + (buffers.used or 0 if buffers else 0) - (shared.used or 0 if shared else 0)
        available = max(free, min(available, ram.total))
    swap = named.get("Swap space")
    return MemorySample(ram.total, available, swap.total if swap else None, swap.used if swap else None)


def pools_of(rows: list[Storage]) -> tuple[PoolSample, ...]:
    """Return memory and storage of a device that is no server; rows without a size are none."""
    found: dict[tuple[str, str], PoolSample] = {}
    ram = memory_of(rows)
    for row in rows:
        kind = "memory" if row.type_ == RAM else "storage" if row.type_ in DISKS else ""
        if not kind or not row.total or row.used is None or row.used > row.total or (kind == "storage" and _is_image(path_of(row.descr))):
            continue
        name = row.descr or f"{kind} {row.index}"
        if (kind, name) in found:
            name = f"{name} #{row.index}"
        used = row.used
        if kind == "memory" and ram is not None and ram.total_bytes == row.total and ram.available_bytes is not None:
            used = row.total - ram.available_bytes
        found[kind, name] = PoolSample(kind, name, used, row.total, used / row.total, f"{USED}.{row.index}")
    return tuple(found.values())


def _is_image(path: str) -> bool:
    return path.startswith((*BENEATH, *_IMAGES))


async def read_filesystems(
    talk: Talk, rows: list[Storage], writable: frozenset[str]
) -> tuple[tuple[FilesystemSample, ...], frozenset[str]]:
    """Return the file systems of a server, and which of them it says are writable; `writable` were so at an earlier look.

    What an ordinary user may still write is dskAvail where the agent lists it; else size less used, some per cent too much.
    """
    disks = [row for row in rows if row.type_ in DISKS and row.total and not _is_image(path_of(row.descr))]
    if not disks:
        return (), frozenset()
    remote, types, links = await talk.walk_all(FS_STEADY, keep=True)
    access = await talk.walk(FS_ACCESS)
    paths = await talk.walk(DISK_PATH, keep=True)
    free, nodes = await talk.walk_all((DISK_AVAILABLE, DISK_NODES)) if paths else ({}, {})
    fs_of = {str(number(link)): index for index, link in links.items()}
    disk_of = {text(path): index for index, path in paths.items()}
    found: dict[str, FilesystemSample] = {}
    told = set()  # what a table that was cut short left out was told neither way
    for row in disks:
        mount, fs, disk = path_of(row.descr), fs_of.get(row.index, ""), disk_of.get(path_of(row.descr), "")
        fstype = _fstype(types.get(fs))
        total, used = row.total or 0, row.used
        available = unsigned(free.get(disk))
        if available is not None and available != FULL_WORD and available * 1024 <= total:
            available *= 1024
        elif used is not None and used <= total:
            available = total - used
        else:
            talk.odd("hrStorageTable", "out-of-range", mount)
            continue
        if fstype in ALWAYS_FULL or mount in found:
            continue
        mode = number(access.get(fs))
        read_only = mode == 2
        if mode == 1:
            told.add(mount)
        share = natural(nodes.get(disk))
        found[mount] = FilesystemSample(
            mount, text(remote.get(fs)), fstype, total, available, None, None, read_only, read_only and mount in writable,
            inodes_used_ratio=share / 100 if share is not None and share <= 100 else None,
        )  # fmt: skip
    return tuple(found.values()), frozenset(told)


def _fstype(value: Value | None) -> str:
    if not isinstance(value, str) or not value.startswith(FS_TYPES):
        return ""
    return FS_NAMES.get(number(value[len(FS_TYPES) :]) or 0, "")
