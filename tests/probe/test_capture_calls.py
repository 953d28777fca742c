"""Real calls of sipp, captured by tcpdump, held against what was sent and against tshark's own figures."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from probe.inventory import Node
from probe.observation.capture import CallSample, CaptureSample
from probe.probers.capture import Options
from probe.probers.capture import open as open_prober

pytestmark = [pytest.mark.needs("sipp", "tcpdump", "tshark", "unshare", "ip"), pytest.mark.needs_root]

LAB = Path(__file__).with_name("voice_lab.py")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder with the capture of six calls and the list of what was left out on purpose."""
    folder = tmp_path_factory.mktemp("voice")
    inside = f"ip link set lo up && exec {sys.executable} {LAB} {folder}"
    done = subprocess.run(
        ["unshare", "--net", "--pid", "--fork", "--kill-child", "sh", "-c", inside], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert set(json.loads((folder / "sent.json").read_text())["codes"]) == {0}
    return folder


def read(file: Path) -> CaptureSample:
    async def ask() -> object:
        async with open_prober() as prober:
            return await prober.ask(Node("calls", str(file)), Options())

    outcome = asyncio.run(ask())
    assert isinstance(outcome, CaptureSample)
    return outcome


@pytest.fixture(scope="module")
def seen(lab: Path) -> CaptureSample:
    return read(lab / "calls.pcap")


@pytest.fixture(scope="module")
def calls(seen: CaptureSample) -> dict[str, CallSample]:
    """Give the calls by the name that the lab gives them."""
    names = {6000: "good", 6010: "oneway", 6020: "early", 6030: "refused", 6040: "repeated", 6050: "tcp"}
    return {names[call.to_caller.port]: call for call in seen.calls if call.to_caller}


def by_tshark(file: Path) -> dict[str, tuple[int, int, float, float]]:
    """Return packets, lost, mean and greatest jitter of each stream by its SSRC, as tshark tells them."""
    told = subprocess.run(["tshark", "-r", str(file), "-q", "-z", "rtp,streams"], capture_output=True, text=True, timeout=60, check=True)
    found = {}
    for line in told.stdout.splitlines():
        row = re.search(r"0x([0-9A-F]{8})\s+\S+\s+(\d+)\s+(-?\d+) \(.*?%\)((?:\s+-?[\d.]+){6})", line)
        if row:
            numbers = [float(number) for number in row[4].split()]
            found[row[1].lower()] = (int(row[2]), int(row[3]), numbers[4], numbers[5])
    return found


def test_packets_loss_and_jitter_are_those_of_tshark(seen: CaptureSample, lab: Path) -> None:
    theirs = by_tshark(lab / "calls.pcap")
    assert len(theirs) == 7
    assert {stream.ssrc for stream in seen.streams} == set(theirs)
    for stream in seen.streams:
        packets, lost, mean, most = theirs[stream.ssrc]
        assert (stream.packets, stream.lost) == (packets, lost)
        assert stream.jitter_mean_ms == pytest.approx(mean, abs=0.002)  # both are rounded to 0.001
        assert stream.jitter_max_ms == pytest.approx(most, abs=0.002)


@pytest.mark.needs("editcap")
@pytest.mark.parametrize("form", ["pcapng", "nsecpcap"])
def test_wireshark_s_own_files_give_the_same(form: str, seen: CaptureSample, lab: Path) -> None:
    file = lab / f"calls.{form}"
    subprocess.run(["editcap", "-F", form, str(lab / "calls.pcap"), str(file)], timeout=60, check=True)
    other = read(file)
    assert (other.packets, other.started_at, other.anomalies) == (seen.packets, seen.started_at, ())
    assert [call.ladder for call in other.calls] == [call.ladder for call in seen.calls]
    assert [(one.ssrc, one.lost, one.jitter_mean_ms) for one in other.streams] == [
        (one.ssrc, one.lost, one.jitter_mean_ms) for one in seen.streams
    ]


@pytest.mark.needs("editcap")
def test_packets_cut_by_the_snap_length_still_tell_loss_and_jitter(seen: CaptureSample, lab: Path) -> None:
    file = lab / "short.pcap"
    subprocess.run(["editcap", "-F", "pcap", "-s", "80", str(lab / "calls.pcap"), str(file)], timeout=60, check=True)
    other = read(file)
    assert {one.what for one in other.anomalies} == {"snapped", "sip-broken"}
    assert {(one.ssrc, one.lost) for one in other.streams} == {(one.ssrc, one.lost) for one in seen.streams}


def test_what_was_left_out_on_purpose_is_what_is_lost(seen: CaptureSample, lab: Path) -> None:
    left_out = json.loads((lab / "sent.json").read_text())["left_out"]
    found = {f"{stream.source.rpartition(':')[2]}-{stream.target.rpartition(':')[2]}": stream.lost for stream in seen.streams}
    assert found == left_out
    assert sum(left_out.values()) > 5


def test_jitter_is_what_the_sender_made(seen: CaptureSample) -> None:
    """Times spread evenly over J differ by J/3 from packet to packet."""
    made = {stream.source.rpartition(":")[2]: stream.jitter_mean_ms for stream in seen.streams}
    assert made["6052"] == pytest.approx(20 / 3, rel=0.35)
    assert made["6000"] == pytest.approx(12 / 3, rel=0.35)
    assert made["6002"] < 1.5


def test_each_call_is_what_it_was(calls: dict[str, CallSample]) -> None:
    outcomes = {name: (call.outcome, call.code, call.cause, call.released_by) for name, call in calls.items()}
    answered = ("answered", 200, 16, "caller")
    assert outcomes == dict.fromkeys(("good", "oneway", "early", "repeated", "tcp"), answered) | {"refused": ("failed", 503, 34, None)}
    assert {call.callee for call in calls.values()} == {"1380013****"}


def test_times_of_a_call(calls: dict[str, CallSample]) -> None:
    assert calls["early"].setup_ms == pytest.approx(1200, abs=150)
    assert calls["early"].early_ms == pytest.approx(1000, abs=250)
    assert calls["early"].silent_ms == pytest.approx(2100, abs=400)
    assert calls["good"].duration_ms == pytest.approx(3800, abs=150)
    assert calls["good"].early_ms is None


def test_voice_in_one_direction_only_is_seen(calls: dict[str, CallSample]) -> None:
    one = calls["oneway"]
    assert one.to_caller is not None
    assert one.to_callee is not None
    assert (one.to_caller.wanted, one.to_caller.packets, one.to_callee.packets) == (True, 0, 100)


def test_a_repeated_invite_stands_once_in_the_ladder(calls: dict[str, CallSample]) -> None:
    repeated = calls["repeated"]
    assert repeated.retransmissions >= 1
    assert [line.text for line in repeated.ladder] == ["INVITE", "180 Ringing", "200 OK", "ACK", "BYE", "200 OK"]
    assert repeated.ladder[0].again == repeated.retransmissions
    assert repeated.pdd_ms == pytest.approx(1200, abs=150)


def test_sip_over_tcp_is_read_as_over_udp(calls: dict[str, CallSample]) -> None:
    assert [line.text for line in calls["tcp"].ladder] == ["INVITE", "180 Ringing", "200 OK", "ACK", "BYE", "200 OK"]


def test_the_command_shows_the_ladder(lab: Path) -> None:
    command = [sys.executable, "-c", "from probe.agent.cli import main; main()", "check", "capture", "calls.pcap", "--language", "en"]
    done = subprocess.run(command, cwd=lab, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "120"})
    assert done.returncode == 2
    assert "no voice towards the caller (127.0.0.1:6010)" in done.stdout
    assert "503 Service Unavailable" in done.stdout
    assert "13800138000" not in done.stdout
