"""The zone of call records that name none is this machine's own, for switches write local time."""

from pathlib import Path

import pytest

from probe.cdr.zone import own_name, zone_of


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("Asia/Shanghai", "Asia/Shanghai"),
        (":Europe/Berlin", "Europe/Berlin"),
        ("/usr/share/zoneinfo/America/New_York", "America/New_York"),
        ("UTC", "UTC"),
        ("CST6CDT,M3.2.0,M11.1.0", "UTC"),  # a rule and no name: nothing is guessed
        ("/tmp/own", "UTC"),
        ("../../etc/passwd", "UTC"),
    ],
)
def test_the_environment_s_zone_counts(told: str, name: str) -> None:
    assert own_name({"TZ": told}, "/nonexistent") == name


@pytest.mark.parametrize(("leads_to", "name"), [("Asia/Shanghai", "Asia/Shanghai"), ("Mars/Olympus", "UTC"), (None, "UTC")])
def test_without_it_the_machine_s(tmp_path: Path, leads_to: str | None, name: str) -> None:
    localtime = tmp_path / "localtime"
    if leads_to:
        target = tmp_path / "zoneinfo" / leads_to
        target.parent.mkdir(parents=True)
        target.touch()
        localtime.symlink_to(target)
    assert own_name({}, str(localtime)) == name


def test_a_named_zone_stands_above_both() -> None:
    assert zone_of("Asia/Tokyo").key == "Asia/Tokyo"
    with pytest.raises(KeyError):
        zone_of("Mars/Olympus")
