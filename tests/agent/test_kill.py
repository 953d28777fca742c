"""kill -9 at seeded instants while faults come and go: nothing that was told is lost, nothing is opened twice."""

import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

TARGETS = 12


class Story:
    """One target's faults: broken until its case is told, mended until its clearing is told, and so on."""

    def __init__(self, door: Any) -> None:
        self.door = door
        self.broken = False
        self.intervals = 0
        self.rest = 0.0
        self.last = False

    def go_on(self, told: Counter[tuple[str, str]], now: float, chance: random.Random) -> None:
        opened, cleared = told[self.door.name, "opened"], told[self.door.name, "cleared"]
        assert cleared <= opened <= self.intervals, (self.door.name, opened, cleared, self.intervals)
        if self.broken and opened == self.intervals:
            self.door.open()
            self.broken = False
            self.rest = now + chance.uniform(0.5, 3)
        elif not self.broken and not self.last and cleared == self.intervals and now > self.rest:
            self.door.shut()
            self.broken = True
            self.intervals += 1


def configuration(doors: list[Any], mail_port: int) -> str:
    nodes = "".join(door.text for door in doors)
    return f"""
[[feed]]
name = "post"
kind = "mail"
host = "127.0.0.1"
port = {mail_port}
security = "none"
sender = "firstline@example.org"
recipients = ["duty@example.org"]

[[node]]
name = "here"
address = "localhost"
{nodes}"""


def told(service: Any) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Return the feed's lines by element, episode and event number; a line may be repeated but never differ."""
    found: dict[tuple[str, int, int], dict[str, Any]] = {}
    for line in service.lines():
        key = (line["identity"]["element"], line["identity"]["episode"], line["number"])
        assert found.setdefault(key, line) == line
    return found


def stored(service: Any) -> set[tuple[str, int, int]]:
    """Return the events in the store by element, episode and number; none where the service was killed before it had made its store."""
    place = service.state / "firstline.sqlite"
    if not place.exists():
        return set()
    with sqlite3.connect(place) as store:
        assert store.execute("pragma integrity_check").fetchone() == ("ok",)
        if not store.execute("select 1 from sqlite_master where name = 'case_event'").fetchone():
            return set()
        query = "select c.element, c.episode, e.number from case_event e join cases c on c.id = e.case_id"
        return set(store.execute(query).fetchall())


@pytest.mark.parametrize("kills", [20, pytest.param(200, marks=pytest.mark.long)])
def test_kill_at_any_instant_loses_and_repeats_nothing(kills: int, service: Any, mail: Any, door: Callable[[], Any], until: Any) -> None:
    seed = int(os.environ.get("FIRSTLINE_SEED", "20"))
    chance = random.Random(seed)
    doors = [door() for _ in range(TARGETS)]
    stories = [Story(door) for door in doors]
    service.configure(configuration(doors, mail.port))
    seen_before_a_kill = 0

    def live(until_s: float, done: Callable[[], bool] = lambda: False) -> None:
        while time.monotonic() < until_s and not done():
            lines = told(service)
            counts = Counter((line["identity"]["element"].split(":")[0], line["event"]) for line in lines.values())
            for story in stories:
                story.go_on(counts, time.monotonic(), chance)
            time.sleep(0.05)

    for _ in range(kills):
        service.start(wait=False)
        live(time.monotonic() + chance.uniform(0.3, 6.0))
        before = set(told(service))
        service.kill()
        seen_before_a_kill += len(before)
        assert before <= stored(service), before - stored(service)

    service.start()
    for story in stories:
        story.last = True  # no new fault; the last ones end
    live(time.monotonic() + 60, lambda: all(not s.broken for s in stories) and all(c["state"] == "resolved" for c in service.cases()))
    until(lambda: set(told(service)) == stored(service), why="every event told")
    lines = told(service)
    until(lambda: len({m["Message-ID"] for m in mail.messages}) >= len([k for k, line in lines.items() if line["event"] != "updated"]))
    for story in stories:
        own = [
            (key[1], line["event"]) for key, line in lines.items() if key[0].split(":")[0] == story.door.name and line["event"] != "updated"
        ]
        assert sorted(own) == sorted((episode, event) for episode in range(1, story.intervals + 1) for event in ("opened", "cleared"))
    assert set(lines) == stored(service)
    repeated = len(service.lines()) - len(lines)
    faults = sum(story.intervals for story in stories)
    print(
        f"\nseed {seed}: {kills} kills, {faults} fault intervals, {faults} cases, {len(lines)} events in store and feed, {repeated} lines repeated, "
        f"{len(mail.messages)} messages for {len({m['Message-ID'] for m in mail.messages})} events"
    )
    assert service.stop() == 0
