"""The clock is stepped by an hour either way around the running service: nothing opens or clears by it, nothing waits for it."""

import glob
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.needs("faketime")


class Clock:
    """The service's clock, ahead of ours by what the file says; its monotonic clock goes on as ever."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "clock"
        self.step(0)
        library = sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1") + glob.glob("/usr/lib/faketime/libfaketimeMT.so.1"))[0]
        self.environment = {
            "LD_PRELOAD": library,
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, seconds: int) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{seconds:+d}\n")
        fresh.rename(self.file)


def mail_feed(port: int) -> str:
    return f"""
[[feed]]
name = "post"
kind = "mail"
host = "127.0.0.1"
port = {port}
security = "none"
sender = "firstline@example.org"
recipients = ["duty@example.org"]

[rules]
hard_after = 1
recover_after = 1

[[node]]
name = "here"
address = "localhost"

[[node.check]]
prober = "host"
every = "5s"

[[silence]]
name = "the machine of the test, and its clock"
checks = ["host/*"]
"""


def measured(service: Any) -> float:
    return service.metric('firstline_observations_total{outcome="ok",prober="host"') or 0.0


def rounds(service: Any, until: Any, count: int) -> None:
    """Wait until the host was measured that often, each 5 s: a sweep for what is not fresh comes every 10 s."""
    begun = measured(service)
    until(lambda: measured(service) >= begun + count, 6.0 * count + 10, why="measurements go on")


def told(service: Any, event: str, node: str) -> list[dict[str, Any]]:
    return [line for line in service.lines() if line["event"] == event and line["identity"]["element"].startswith(node)]


def test_an_hour_either_way_opens_loses_clears_and_delays_nothing(
    service: Any, mail: Any, door: Callable[[], Any], until: Any, tmp_path: Path
) -> None:
    clock = Clock(tmp_path)
    steady, early, late = door(), door(), door()
    service.extra = clock.environment
    service.configure(mail_feed(mail.port) + steady.text + early.text + late.text)
    service.start()
    early.shut()
    until(lambda: told(service, "opened", early.name), why=service.journal)
    until(lambda: len(mail.messages) == 1, why="its message")

    clock.step(3600)
    rounds(service, until, 3)
    assert service.status()["at"] > time.strftime("%Y-%m-%dT%H:%M", time.gmtime(time.time() + 3000))
    assert [case["state"] for case in service.cases()] == ["open"]
    assert service.status()["stale"] == []
    mail.close()
    late.shut()  # its case is opened an hour ahead, and its message can't leave
    until(lambda: told(service, "opened", late.name), why=service.journal)
    until(lambda: "feed post: case 2 event 1 later" in service.journal, why="the message waits")

    clock.step(0)
    again = type(mail)(mail.port)
    try:
        until(lambda: len(again.messages) == 1, 25, why=f"the message does not wait an hour\n{service.journal}")
        rounds(service, until, 2)
        assert service.status()["stale"] == []
        assert [case["state"] for case in service.cases()] == ["open", "open"]
        late.open()
        early.open()
        until(lambda: told(service, "cleared", late.name) and told(service, "cleared", early.name), 25, why=service.journal)
        clock.step(-3600)
        steady.shut()
        until(lambda: told(service, "opened", steady.name), why=service.journal)
        steady.open()
        until(lambda: told(service, "cleared", steady.name), why=service.journal)
    finally:
        again.close()
    events = sorted((line["case"], line["event"]) for line in service.lines() if line["event"] != "updated")
    assert events == [(number, event) for number in (1, 2, 3) for event in ("cleared", "opened")]
    assert "Traceback" not in service.journal
    assert service.stop(5.0) == 0
