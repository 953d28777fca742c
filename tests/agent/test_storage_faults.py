"""The store is full, gone or away while faults come: measuring goes on, nothing is told that is not stored, and nothing is forgotten."""

import contextlib
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = '\n[rules]\nhard_after = 1\nrecover_after = 1\n\n[[node]]\nname = "here"\naddress = "localhost"\n'


def measured(service: Any) -> float:
    return service.metric('firstline_observations_total{outcome="refused",prober="tcp"') or 0.0


def away(service: Any) -> bool:
    return service.metric("firstline_store_up") == 0.0


def problems(service: Any) -> list[str]:
    return [problem["id"] for problem in service.status()["problems"]]


def opened(service: Any) -> set[str]:
    return {line["identity"]["element"].partition(":")[0] for line in service.lines() if line["event"] == "opened"}


def goes_on_without_its_store(service: Any, until: Any) -> None:
    """Hold a service whose store is away to what it then owes: to measure, to say so, and to tell nothing."""
    lines = service.lines()
    before = measured(service)
    until(lambda: measured(service) >= before + 2, why="measuring goes on")
    assert problems(service) == ["status.store-away"]
    assert service.ask("GET", "/-/ready")[0] == 503
    assert service.ask("GET", "/-/healthy")[0] == 200
    assert "nothing is accepted while the store is away" in service.run("status", expect=None)
    assert service.lines() == lines


@pytest.fixture
def small(service: Any) -> Iterator[Path]:
    """Give the service a state folder of 3 MB."""
    service.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(service.state)], check=True)
    yield service.state
    if service.process is not None:
        service.stop()
    subprocess.run(["umount", str(service.state)], check=True)


@pytest.mark.needs_root
@pytest.mark.needs("mount")
def test_full_disk_delays_cases_and_loses_none(service: Any, small: Path, door: Callable[[], Any], until: Any) -> None:
    early, passing, *more = (door() for _ in range(6))
    service.configure(HERE + early.text + passing.text + "".join(one.text for one in more))
    service.start()
    early.shut()
    until(lambda: opened(service) == {early.name}, why=service.journal)

    with contextlib.suppress(OSError), (small / "fill").open("wb", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass
    shut: list[Any] = []
    while not away(service):  # the log of the store has room for a case or two
        shut.append(more.pop())
        shut[-1].shut()
        until(lambda: away(service) or shut[-1].name in opened(service), why=service.journal)
    assert "the disk is full" in service.journal
    passing.shut()
    goes_on_without_its_store(service, until)
    passing.open()
    early.open()  # that it is over can't be written either
    good = float(2 + len(more))
    until(lambda: service.metric('firstline_checks{prober="tcp",state="ok"') == good, why="both are measured as good")
    assert [line for line in service.lines() if line["event"] == "cleared"] == []

    (small / "fill").unlink()
    until(lambda: shut[-1].name in opened(service), why="the case is accepted when there is room")
    until(lambda: [line for line in service.lines() if line["event"] == "cleared"], why="so is the end of the other")
    assert service.metric("firstline_store_up") == 1.0
    assert problems(service) == []
    states = {case["element"].partition(":")[0]: case["state"] for case in service.cases()}
    assert states == {early.name: "resolved"} | {one.name: "open" for one in shut}
    assert service.stop(5.0) == 0
    with contextlib.closing(sqlite3.connect(service.state / "firstline.sqlite")) as store:
        assert store.execute("pragma integrity_check").fetchone() == ("ok",)
        kept = store.execute("select case_id, number from case_event").fetchall()
    assert sorted(kept) == sorted((line["case"], line["number"]) for line in service.lines())


def test_store_that_was_taken_away_takes_nothing_until_it_is_back(service: Any, door: Callable[[], Any], until: Any) -> None:
    """SQLite goes on writing into a file that has no name any more; what it holds would be lost with the process."""
    one, other = door(), door()
    service.configure(HERE + one.text + other.text)
    service.start()
    elsewhere = service.state.with_name("elsewhere")
    service.state.rename(elsewhere)
    one.shut()
    until(lambda: away(service), why=service.journal)
    goes_on_without_its_store(service, until)
    elsewhere.rename(service.state)
    until(lambda: opened(service) == {one.name}, why="it is back")

    shutil.rmtree(service.state)
    other.shut()
    until(lambda: away(service), why=service.journal)
    goes_on_without_its_store(service, until)
    assert "stop the service" in service.journal
    service.stop()
    service.start()  # derives again what is still there
    until(lambda: len(service.cases()) == 2, why=service.journal)


@pytest.mark.needs("postgres", "initdb")
def test_database_that_goes_and_comes_is_waited_for(service: Any, postgresql: Any, door: Callable[[], Any], until: Any) -> None:
    one, other = door(), door()
    service.configure(f'\n[store]\nurl = "{postgresql.url}"\n' + HERE + one.text + other.text)
    service.start()
    one.shut()
    until(lambda: opened(service) == {one.name}, why=service.journal)
    postgresql.stop()
    other.shut()
    one.open()
    until(lambda: away(service), why=service.journal)
    goes_on_without_its_store(service, until)
    postgresql.start(until)
    until(lambda: opened(service) == {one.name, other.name}, why=service.journal)
    until(lambda: [line for line in service.lines() if line["event"] == "cleared"], why="the end of the first")
    assert {case["state"] for case in service.cases()} == {"open", "resolved"}
    assert problems(service) == []
    assert "Traceback" not in service.journal

    postgresql.stop()
    assert service.stop(5.0) == 0  # not held up by a store that is away
    service.start(wait=False)
    assert service.process.wait(30) not in (0, None)
    assert "check that the database runs" in service.journal
    assert "Traceback" not in service.journal
    service.process = None
