"""The systemd unit: every key is one that systemd knows, and it leaves the service little to do harm with."""

import re
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "deploy" / "firstline.service"
SOCKET = UNIT.with_name("firstline-traps.socket")
EXPOSURE = 2.0

pytestmark = pytest.mark.needs("systemd-analyze")


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


def unit(tmp_path: Path, text: str) -> Path:
    """Return a copy of the unit whose program is one that is here."""
    copy = tmp_path / "firstline.service"
    copy.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.M))
    return copy


def test_systemd_knows_every_key_of_the_unit(tmp_path: Path) -> None:
    done = analyze("verify", str(unit(tmp_path, UNIT.read_text())))
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_key_would_be_seen(tmp_path: Path) -> None:
    done = analyze("verify", str(unit(tmp_path, UNIT.read_text().replace("NoNewPrivileges=", "NoNewPrivilege="))))
    assert "NoNewPrivilege" in done.stderr


def test_exposure_is_low(tmp_path: Path) -> None:
    done = analyze("security", "--offline=true", "--no-pager", str(unit(tmp_path, UNIT.read_text())))
    found = re.search(r"Overall exposure level for firstline\.service: ([0-9.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE


def test_raw_sockets_are_the_one_right_beyond_an_ordinary_user() -> None:
    keys = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and not line.startswith("#"))
    assert keys["User"] == "firstline"
    assert keys["AmbientCapabilities"] == keys["CapabilityBoundingSet"] == "CAP_NET_RAW"
    assert keys["Type"] == "notify"
    assert int(keys["WatchdogSec"]) <= 60


def test_the_port_of_notifications_is_held_by_systemd(tmp_path: Path) -> None:
    unit(tmp_path, UNIT.read_text())
    place = tmp_path / SOCKET.name
    place.write_text(SOCKET.read_text())
    done = analyze("verify", str(place))
    assert (done.returncode, done.stderr) == (0, "")
    keys = dict(line.split("=", 1) for line in SOCKET.read_text().splitlines() if "=" in line and not line.startswith("#"))
    assert keys["Service"] == UNIT.name
    assert keys["FileDescriptorName"] == "traps"
