"""Announced work covers what follows from it; a silence covers what it names."""

from datetime import UTC, datetime, timedelta

import pytest

from checks.finding import Key, Message
from checks.maintenance import Always, Once, Scope
from checks.verdict import Area, CaseKind, Diagnosis, Side, Urgency
from probe.agent.planned import Planned
from probe.agent.settings.settings import Agent, Settings
from probe.inventory import Inventory, Node
from reports.store.values import Maintenance

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
INVENTORY = Inventory("here", {name: Node(name) for name in ("here", "core", "core-2", "web-1", "web-2")})
CORE: Key = ("pop-1", "core", "icmp/loss", "")
WEB: Key = ("pop-1", "web-1", "icmp/loss", "")
ALIKE: Key = ("pop-1", "core-2", "icmp/loss", "")


def diagnosis(element: str, *keys: Key) -> Diagnosis:
    said = Message("cause.host_down", {"element": element})
    return Diagnosis(CaseKind.NETWORK, "host_down", element, Side.COMPANY, Area.SERVER, Urgency.URGENT, None, NOW, keys, (), said, said)


@pytest.mark.parametrize(
    ("element", "keys", "covered"),
    [
        ("core", (CORE,), True),
        ("core", (CORE, WEB), True),
        ("core:p1", (CORE, WEB), True),
        ("web-1", (WEB,), False),
        ("web-1", (CORE, WEB), False),
        ("core", (WEB,), False),  # nothing was seen of the core itself
        ("core-2", (ALIKE, CORE), False),
        ("core+core-2", (CORE, WEB), False),
        ("uplink", (CORE, WEB), False),
    ],
)
def test_work_on_the_culprit_covers_what_follows_from_it(element: str, keys: tuple[Key, ...], covered: bool) -> None:
    announced = Planned(Settings(Agent("pop-1"), INVENTORY, ()))
    announced.announced = [Maintenance("core", NOW - HOUR, NOW + HOUR)]
    window = Once("work", NOW - HOUR, NOW + HOUR, Scope(nodes=("core",)))
    for planned in (announced, Planned(Settings(Agent("pop-1"), INVENTORY, (), maintenance=(window,)))):
        assert planned.covers(diagnosis(element, *keys), NOW) is covered
        assert not planned.covers(diagnosis(element, *keys), NOW + 2 * HOUR)


def test_a_silence_covers_what_it_names_and_nothing_that_follows() -> None:
    planned = Planned(Settings(Agent("pop-1"), INVENTORY, (), maintenance=(Always("known", Scope(nodes=("core",))),)))
    assert planned.covers(diagnosis("core", CORE), NOW)
    assert not planned.covers(diagnosis("core", CORE, WEB), NOW)
