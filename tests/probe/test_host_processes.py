import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.probers import host_processes
from probe.probers.host_processes import HiddenError, Processes, matches, parse_stat, read_expected

TAIL = b"S 1 10 10 0 -1 4194304 100 0 0 0 70 30 0 0 20 0 1 0 4242 3133440 390 18446744073709551615 1 1 0\n"


def wait_for(true: object, what: str) -> None:
    until = time.monotonic() + 10
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until, what
        time.sleep(0.01)


@contextmanager
def child(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def proc(root: Path, stats: dict[int, bytes | None], commands: dict[int, bytes] | None = None) -> Processes:
    for pid, raw in stats.items():
        folder = root / str(pid)
        folder.mkdir(exist_ok=True)
        if raw is not None:
            (folder / "stat").write_bytes(raw)
    for pid, command in (commands or {}).items():
        (root / str(pid) / "cmdline").write_bytes(command)
    (root / "uptime").write_bytes(b"1 1")
    return Processes(os.fsencode(root))


@pytest.mark.parametrize("name", [b"nginx", b"a b", b"((sd-pam))", b") R 1 (", b"line\nend", b"", "电话".encode()])
def test_process_names_with_blanks_brackets_and_line_ends_are_read(name: bytes) -> None:
    stat = parse_stat(b"77 (" + name + b") " + TAIL)
    assert stat is not None
    assert (stat.pid, stat.name, stat.state, stat.parent, stat.ticks, stat.started, stat.rss_pages) == (77, name, b"S", 1, 100, 4242, 390)


@given(st.binary(max_size=15).filter(lambda name: b"\0" not in name))
def test_any_name_is_read(name: bytes) -> None:
    stat = parse_stat(b"1 (" + name + b") " + TAIL)
    assert stat is not None
    assert stat.name == name


@pytest.mark.parametrize("raw", [b"", b"77", b"77 (x", b"77 (x)", b"77 (x) S 1 2", b"77 (x) S one" + TAIL[3:], TAIL, b"(x) " + TAIL])
def test_stat_without_its_columns_is_no_process(raw: bytes) -> None:
    assert parse_stat(raw) is None


@given(st.binary(max_size=200))
def test_no_content_breaks_the_reading(raw: bytes) -> None:
    parse_stat(raw)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nginx", ("nginx", 1)),
        ("postgres >= 2", ("postgres", 2)),
        ("postgres>=12", ("postgres", 12)),
        ("  a b  ", ("a b", 1)),
        ("x >= y", ("x >= y", 1)),
        ("*java*app.jar* >= 0", ("*java*app.jar*", 0)),
    ],
)
def test_expected_processes_are_read(text: str, expected: tuple[str, int]) -> None:
    assert read_expected(text) == expected


@pytest.mark.parametrize(
    ("pattern", "name", "command", "yes"),
    [
        ("nginx", "nginx", "nginx: master process /usr/sbin/nginx", True),
        ("nginx", "nginx-exporter", "/usr/bin/nginx-exporter", False),
        ("a-very-long-program", "a-very-long-pro", "/opt/a-very-long-program --x", True),
        ("*app.jar*", "java", "/usr/bin/java -jar /opt/app.jar", True),
        ("app.jar", "java", "/usr/bin/java -jar /opt/app.jar", False),
        ("NGINX", "nginx", "", False),
        ("kworker*", "kworker/0:1", "", True),
    ],
)
def test_pattern_is_a_glob_of_name_program_or_command_line(pattern: str, name: str, command: str, yes: bool) -> None:
    assert matches(pattern, name, command) is yes


def test_killed_expected_process_is_missed_at_the_next_look() -> None:
    mark = "firstline-expected-7261"
    processes = Processes()
    with child(sys.executable, "-c", "import time; time.sleep(60)", mark) as one:
        wait_for(lambda: processes.look((f"*{mark}",), 5).expected[0].running == 1, "the child never showed its command line")
        one.kill()
        one.wait()
        assert processes.look((f"*{mark}",), 5).expected[0].running == 0


def test_zombie_is_counted_and_does_not_run(tmp_path: Path) -> None:
    program = tmp_path / "zombie-4417"
    program.symlink_to(shutil.which("sleep") or "")
    processes = Processes()
    before = processes.look((), 5).zombies
    children = [subprocess.Popen([program, "60"]) for _ in range(3)]
    try:
        wait_for(lambda: processes.look((program.name,), 0).expected[0].running == 3, "three children never ran")
        for one in children[1:]:
            one.send_signal(signal.SIGKILL)
            os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
        table = processes.look((program.name,), 0)
        assert (table.zombies, table.expected[0].running) == (before + 2, 1)
    finally:
        for one in children:
            one.kill()
            one.wait()
    assert processes.look((), 5).zombies == before


def test_busy_process_is_the_largest_with_its_share_of_one_core() -> None:
    processes = Processes()
    with child(sys.executable, "-c", "while True: pass") as busy:
        processes.look((), 5)
        shares: dict[int, float | None] = {}

        def seen() -> bool:
            shares.update({one.pid: one.cpu_ratio for one in processes.look((), 20).top_cpu})
            return busy.pid in shares

        wait_for(seen, "the busy child is not among the largest")
        share = shares[busy.pid]
    assert share is not None
    assert 0 < share < 4  # of one core; ticks of 10 ms over a short time are coarse


def test_first_look_has_no_shares_and_no_stuck() -> None:
    table = Processes().look((), 5)
    assert table.top_cpu == ()
    assert table.stuck is None
    assert len(table.top_memory) == 5
    assert all(one.cpu_ratio is None and one.rss_bytes >= 0 for one in table.top_memory)


def test_process_gone_between_listing_and_reading_is_left_out(tmp_path: Path) -> None:
    table = proc(tmp_path, {1: b"1 (init) " + TAIL, 2: None, 3: b""}).look(("x",), 5)
    assert table.processes == 1


def test_process_gone_between_open_and_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[int] = []
    one = subprocess.Popen(["sleep", "60"])
    real = os.read

    def read(file: int, size: int) -> bytes:  # ends the child when its own file has been opened: the kernel then says ESRCH
        if not held and os.readlink(f"/proc/self/fd/{file}") == f"/proc/{one.pid}/stat":
            held.append(file)
            one.kill()
            one.wait()
        return real(file, size)

    monkeypatch.setattr(host_processes.os, "read", read)
    try:
        table = Processes().look((), 0)
    finally:
        one.kill()
        one.wait()
    assert held
    assert table.processes > 0


def test_own_command_line_and_that_of_its_shell_do_not_count_as_what_they_ask_for() -> None:
    mark = "firstline-asked-for-8142"
    ask = "import sys; from probe.probers.host_processes import Processes; print(Processes().look((f'*{sys.argv[1]}*',), 0).expected[0].running)"
    shell = ("sh", "-c", f'"$0" -c "$1" {mark}; exit $?', sys.executable, ask)

    def running() -> int:
        return int(subprocess.run(shell, capture_output=True, check=True, text=True, cwd=Path(host_processes.__file__).parents[2]).stdout)

    assert running() == 0
    with child(sys.executable, "-c", "import time; time.sleep(60)", mark):
        wait_for(lambda: running() == 1, "another's command line counts")


def test_command_line_is_read_once_and_again_for_another_process_of_that_number(tmp_path: Path) -> None:
    processes = proc(tmp_path, {1: b"1 (init) " + TAIL, 9: b"9 (java) " + TAIL}, {1: b"init\0", 9: b"java\0app.jar\0"})
    assert processes.look(("*app.jar",), 0).expected[0].running == 1
    (tmp_path / "9" / "cmdline").write_bytes(b"java\0other.jar\0")
    assert processes.look(("*app.jar",), 0).expected[0].running == 1
    (tmp_path / "9" / "stat").write_bytes(b"9 (java) " + TAIL.replace(b"4242", b"4300"))
    assert processes.look(("*app.jar",), 0).expected[0].running == 0


def test_process_in_disk_wait_without_progress_is_stuck_only_at_the_second_look(tmp_path: Path) -> None:
    waiting = b"9 (dd) " + TAIL.replace(b"S 1", b"D 1")
    kernel = b"8 (kworker) " + TAIL.replace(b"S 1", b"D 1").replace(b"4194304", b"2129984")
    processes = proc(tmp_path, {1: b"1 (init) " + TAIL, 8: kernel, 9: waiting})
    first, second = processes.look((), 0), processes.look((), 0)
    assert (first.uninterruptible, first.stuck, second.stuck) == (1, None, 1)
    (tmp_path / "9" / "stat").write_bytes(waiting.replace(b" 70 30 ", b" 71 30 "))
    assert processes.look((), 0).stuck == 0


def test_hidden_processes_are_not_told_as_gone(tmp_path: Path) -> None:
    processes = proc(tmp_path, {500: b"500 (own) " + TAIL})
    with pytest.raises(HiddenError, match="hidepid"):
        processes.look(("nginx",), 5)
