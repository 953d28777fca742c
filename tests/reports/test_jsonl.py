"""The file of JSON lines: on disk, whole lines, healed after a crash, movable."""

import asyncio
import json
import os
import stat
import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reports.feeds import jsonl
from reports.feeds.feed import Later


def feed(path: Path) -> jsonl.Lines:
    return jsonl.open(
        "file", jsonl.Options(path=str(path)), now=lambda: datetime(2026, 1, 1, tzinfo=UTC), render=lambda event, language: ("", "")
    )


def test_the_line_is_what_the_handbook_says(making, tmp_path: Path) -> None:
    event = making.events(tmp_path)[2]
    asyncio.run(feed(tmp_path / "cases.jsonl").deliver(event))
    (line,) = (tmp_path / "cases.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "identity": {"kind": "service", "cause": "tcp.silent", "element": "web-1", "episode": 1},
        "case": 1,
        "number": 3,
        "event": "cleared",
        "at": "2026-01-01T00:09:00Z",
        "state": "resolved",
        "severity": "critical",
        "side": "company",
        "area": "server",
        "urgency": "emergency",
        "confidence": None,
        "summary": {"text": "failure.timeout: no answer – 没有应答", "id": "failure.timeout", "values": {"detail": "没有应答"}},
        "action": {"text": "action.look: no answer – 没有应答", "id": "action.look", "values": {"node": "web-1"}},
        "affected": ["shop"],
        "changed": [],
        "opened_at": "2026-01-01T00:00:00Z",
        "since": "2026-01-01T00:00:00Z",
        "cleared_at": "2026-01-01T00:09:00Z",
        "cleared_by_itself": True,
        "agent": "pop-1",
        "major": False,
        "alternatives": [],
        "elsewhere": [],
        "decides": None,
        "merged_into": None,
        "merged": [],
        "gone": [],
        "came": [],
        "complaint": None,
    }


def test_an_update_names_what_changed(making, tmp_path: Path) -> None:
    assert making.events(tmp_path)[1].changed == ("urgency",)


def test_the_file_is_for_its_owner_only(making, tmp_path: Path) -> None:
    asyncio.run(feed(tmp_path / "cases.jsonl").deliver(making.events(tmp_path)[0]))
    assert stat.S_IMODE((tmp_path / "cases.jsonl").stat().st_mode) == 0o600


@pytest.mark.parametrize("torn", [b'{"identity":{"ki', b"{", b"\xe6\xb2"])
def test_a_line_torn_by_a_crash_is_left_and_the_next_begins_a_new_line(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_bytes(b'{"a":1}\n' + torn)
    jsonl.append(path, b'{"b":2}')
    assert path.read_bytes() == b'{"a":1}\n' + torn + b'\n{"b":2}\n'


def test_an_empty_file_gets_no_empty_line(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.touch()
    jsonl.append(path, b"{}")
    assert path.read_bytes() == b"{}\n"


def test_a_moved_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    jsonl.append(path, b"1")
    path.rename(tmp_path / "cases.jsonl.1")
    jsonl.append(path, b"2")
    assert (path.read_bytes(), (tmp_path / "cases.jsonl.1").read_bytes()) == (b"2\n", b"1\n")


def test_a_line_that_is_taken_in_parts_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(jsonl.os, "write", lambda handle, data: write(handle, bytes(data)[:3]))
    jsonl.append(tmp_path / "lines", b'{"a":1234567890}')
    assert (tmp_path / "lines").read_bytes() == b'{"a":1234567890}\n'


def test_many_writers_never_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    threads = [
        threading.Thread(target=lambda sign=sign: [jsonl.append(path, sign * 9000) for _ in range(20)]) for sign in (b"a", b"b", b"c")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = path.read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert sorted(lines) == sorted([b"a" * 9000, b"b" * 9000, b"c" * 9000] * 20)


def test_a_folder_that_is_not_there_is_later_with_the_reason(making, tmp_path: Path) -> None:
    with pytest.raises(Later, match=r"nowhere/cases.jsonl: No such file"):
        asyncio.run(feed(tmp_path / "nowhere" / "cases.jsonl").deliver(making.events(tmp_path)[0]))


@pytest.mark.needs_root
def test_a_full_disk_leaves_the_file_as_it_was_and_is_later(making, tmp_path: Path) -> None:
    event = making.events(tmp_path)[0]
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "firstline-test", str(disk)], check=True)
    try:
        path = disk / "cases.jsonl"
        asyncio.run(feed(path).deliver(event))
        whole = path.read_bytes()
        (disk / "ballast").write_bytes(b"x" * (60 * 1024))
        path.write_bytes(whole + b"y" * (4085 - len(whole)) + b"\n")  # ten bytes of the next line still fit
        before = path.read_bytes()
        with pytest.raises(Later, match="No space left"):
            asyncio.run(feed(path).deliver(event))
        assert path.read_bytes() == before
        (disk / "ballast").unlink()
        asyncio.run(feed(path).deliver(event))
        assert path.read_bytes() == before + whole
    finally:
        subprocess.run(["umount", str(disk)], check=True)
