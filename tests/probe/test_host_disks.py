import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from probe.probers.host_disks import BOUND_S, Filesystems, disk_rates, read_disks
from probe.probers.host_mounts import choose, parse_fstab, parse_mountinfo, unmounted
from probe.probers.procfs import Procfs

ROOT = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard"


def names(*lines: bytes, only: tuple[str, ...] = (), ignore: tuple[str, ...] = ()) -> list[str]:
    return [mount.name for mount in choose(parse_mountinfo(b"\n".join((*lines, b""))), only, ignore)]


def test_docker_overlays_and_pseudo_file_systems_are_left_out() -> None:
    docker = b"/var/lib/docker/overlay2/77\\040ab/merged"
    assert names(
        ROOT,
        b"22 27 0:21 / /proc rw - proc proc rw",
        b"31 27 0:28 / /sys/fs/cgroup rw shared:4 master:1 - cgroup2 cgroup rw",
        b"40 27 0:50 / " + docker + b" rw,relatime shared:9 - overlay overlay rw,lowerdir=/a:/b,upperdir=/c",
        b"40 27 0:52 / /home/u/.local/share/containers/storage/overlay/9/merged rw - overlay overlay rw",
        b"41 27 0:51 / /run/docker/netns/x rw - nsfs nsfs rw",
        b"42 27 7:1 / /snap/core/1 ro - squashfs /dev/loop1 ro",
        b"43 27 0:60 / /run rw - tmpfs tmpfs rw,size=4k",
    ) == ["/", "/run"]


def test_overlay_as_root_of_a_container_counts() -> None:
    assert names(b"40 1 0:50 / / rw - overlay overlay rw") == ["/"]


def test_escapes_of_the_mount_table_are_undone() -> None:
    (mount,) = parse_mountinfo(rb"50 27 8:1 / /mnt/a\040b\011c\134d\012e rw - ext4 /dev/disk\040one rw")
    assert mount.path == b"/mnt/a b\tc\\d\ne"
    assert mount.source == "/dev/disk one"


@pytest.mark.parametrize(
    "line", [b"", b"27 1 254:0 / /", b"27 1 254:0 / / rw,relatime ext4 /dev/vda rw", b"x - y", b" - ", b"1 2 3 4 5 6 - ext4"]
)
def test_line_without_its_columns_is_left_out(line: bytes) -> None:
    assert names(line, ROOT) == ["/"]


def test_bind_mount_of_the_same_device_counts_once_and_the_whole_before_the_part() -> None:
    data = b"60 27 8:1 / /srv/data rw - xfs /dev/sda1 rw"
    assert names(b"61 27 8:1 /sub /b rw - xfs /dev/sda1 rw", data, b"62 27 8:1 / /srv/data/again rw - xfs /dev/sda1 rw") == ["/srv/data"]


def test_the_topmost_of_two_mounts_at_one_place_counts() -> None:
    mounts = parse_mountinfo(b"25 24 0:23 / /dev/shm rw - tmpfs one rw\n30 25 0:25 / /dev/shm rw - tmpfs two rw")
    assert [mount.source for mount in choose(mounts)] == ["two"]


def test_only_and_ignore_are_globs_and_only_takes_any_type() -> None:
    lines = (ROOT, b"60 27 8:1 / /srv/a rw - xfs /dev/sda1 rw", b"61 27 7:1 / /media/cd ro - iso9660 /dev/sr0 ro")
    assert names(*lines, ignore=("/srv/*",)) == ["/"]
    assert names(*lines, only=("/srv/*", "/media/cd")) == ["/media/cd", "/srv/a"]
    assert unmounted(parse_mountinfo(b"\n".join(lines)), ("/srv/*", "/nothing/*", "/srv/b", "/media/cd")) == ("/srv/b",)


def test_read_only_is_the_file_systems_own_state_not_a_sandbox() -> None:
    sandboxed, remounted = parse_mountinfo(b"1 2 8:1 / /a ro - ext4 /dev/sda1 rw\n1 2 8:2 / /b rw - ext4 /dev/sdb1 ro,errors=remount-ro")
    assert (sandboxed.read_only, remounted.read_only) == (False, True)


def test_fstab_tells_what_should_be_writable() -> None:
    table = b"# comment\n/dev/sda1 / ext4 errors=remount-ro 0 1\nx /ro ext4 defaults,ro 0 0\nx /a\\040b xfs defaults 0 0\nhalf\nx /cd iso9660 defaults 0 0"
    assert parse_fstab(table) == {b"/", b"/a b"}


def test_hung_file_system_is_named_and_the_others_are_told(tmp_path: Path) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_bytes(
        b"27 1 254:0 / / rw - ext4 /dev/vda rw\n28 27 0:99 / /mnt/nas rw - nfs4 nas:/x rw\n29 27 0:98 / /mnt/gone rw - nfs4 nas:/y rw\n"
    )
    back = threading.Event()
    here = os.statvfs("/")

    def statvfs(path: bytes) -> os.statvfs_result:
        if path == b"/mnt/nas":
            back.wait(30)
        if path == b"/mnt/gone":
            raise OSError(116, "Stale file handle")
        return here

    systems = Filesystems(Procfs(f"{tmp_path}/"), statvfs)
    start = time.monotonic()
    missing: dict[str, str] = {}
    found, _ = systems.look((), (), missing)
    assert time.monotonic() - start < BOUND_S + 1
    assert [one.mount for one in found] == ["/"]
    assert missing.keys() == {"mount:/mnt/nas", "mount:/mnt/gone"}
    assert "has not answered" in missing["mount:/mnt/nas"]
    assert missing["mount:/mnt/gone"] == "Stale file handle"
    threads = threading.active_count()
    systems.look((), (), {})
    assert threading.active_count() == threads  # a mount that hangs is asked once, not again and again
    back.set()
    missing = {}
    systems.look((), (), missing)
    missing = {}
    found, _ = systems.look((), (), missing)
    assert [one.mount for one in found] == ["/", "/mnt/nas"]


def test_file_system_that_becomes_read_only_is_remounted_and_one_that_always_was_is_not(tmp_path: Path) -> None:
    table = tmp_path / "proc/self/mountinfo"
    table.parent.mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/fstab").write_bytes(b"/dev/sdc1 / ext4 defaults 0 1\n")
    line = "{n} 1 8:{n} / {path} rw - ext4 /dev/sd{n} {state}\n"
    root = os.statvfs("/")
    systems = Filesystems(Procfs(f"{tmp_path}/"), lambda path: root)

    def look(*states: str) -> list[bool]:
        paths = ("/", "/a", "/b")
        table.write_text(
            "".join(line.format(n=n, path=path, state=state) for n, (path, state) in enumerate(zip(paths, states, strict=True)))
        )
        return [one.remounted_read_only for one in systems.look((), (), {})[0]]

    assert look("ro", "rw", "ro") == [True, False, False]
    assert look("rw", "ro", "ro") == [False, True, False]
    assert look("rw", "ro", "ro") == [False, True, False]
    assert look("rw", "rw", "ro") == [False, False, False]


@pytest.fixture
def small_tmpfs(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=20", "firstline-test", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.needs_root
def test_small_file_system_fills_up(small_tmpfs: Path) -> None:
    systems = Filesystems(Procfs())

    def used() -> tuple[float, float]:
        missing: dict[str, str] = {}
        one = next(one for one in systems.look((), (), missing)[0] if one.mount == str(small_tmpfs))
        assert one.inodes_total is not None
        assert one.inodes_free is not None
        assert one.fstype == "tmpfs"
        return 1 - one.available_bytes / one.total_bytes, 1 - one.inodes_free / one.inodes_total

    assert used()[0] == 0.0
    (small_tmpfs / "half").write_bytes(bytes(512 * 1024))
    assert used()[0] == pytest.approx(0.5, abs=0.02)
    (small_tmpfs / "rest").write_bytes(bytes(512 * 1024))
    assert used()[0] == 1.0
    for n in range(40):
        try:
            (small_tmpfs / f"empty-{n}").touch()
        except OSError:
            break
    assert used()[1] == 1.0


@pytest.mark.needs_root
def test_real_remount_read_only_is_seen(small_tmpfs: Path) -> None:
    systems = Filesystems(Procfs())
    only = (str(small_tmpfs),)
    (before,) = systems.look(only, (), {})[0]
    assert (before.remounted_read_only, before.required) == (False, True)
    subprocess.run(["mount", "-o", "remount,ro", small_tmpfs], check=True)
    assert systems.look(only, (), {})[0][0].remounted_read_only


@pytest.mark.needs_root
def test_fuse_server_that_never_answers_does_not_hang_the_look(tmp_path: Path) -> None:
    folder = tmp_path / "fuse"
    folder.mkdir()
    device = os.open("/dev/fuse", os.O_RDWR)
    try:
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0"
        subprocess.run(["mount", "-i", "-t", "fuse", "-o", options, "firstline-hung", folder], check=True, pass_fds=[device])
        missing: dict[str, str] = {}
        found, _ = Filesystems(Procfs()).look((), (), missing)
        assert "/" in [one.mount for one in found]
        assert "has not answered" in missing[f"mount:{folder}"]
    finally:
        os.close(device)  # ends the connection, so that whoever waits is let go
        subprocess.run(["umount", "-l", folder], check=False)


def counters(**values: int) -> SimpleNamespace:
    return SimpleNamespace(
        **(dict.fromkeys(["read_bytes", "write_bytes", "read_count", "write_count", "read_time", "write_time", "busy_time"], 0) | values)
    )


def test_disk_rates_span_two_looks() -> None:
    now = counters(read_bytes=2000, read_count=4, read_time=10, busy_time=1000)
    disk = disk_rates("sda", now, counters(), 2.0)
    assert (disk.read_bps, disk.write_bps, disk.read_latency_ms, disk.write_latency_ms, disk.utilisation_ratio) == (8000, 0, 2.5, None, 0.5)


def test_first_look_and_reset_counters_have_no_rates() -> None:
    first = disk_rates("sda", counters(), None, None)
    reset = disk_rates("sda", counters(), counters(read_bytes=5, read_count=5, busy_time=9), 2.0)
    assert (first.read_bps, first.utilisation_ratio) == (None, None)
    assert (reset.read_bps, reset.read_latency_ms, reset.utilisation_ratio) == (None, None, None)


def test_partitions_and_loop_devices_are_no_disks() -> None:
    disks, _ = read_disks({}, None, {})
    whole = set(os.listdir("/sys/block"))
    assert {disk.device for disk in disks} <= whole
    assert not any(disk.device.startswith(("loop", "ram", "zram")) for disk in disks)
