"""The lines of `replay`: a change says what has changed."""

from datetime import UTC, datetime

import msgspec
import pytest

from checks.finding import Message
from checks.replay import Kind, Told
from checks.verdict import Area, CaseKind, Diagnosis, Side, Urgency
from probe.agent.cli.timeline import told_line
from reports.locale.text import texts

NOW = datetime(2026, 3, 1, 14, 8, 43, tzinfo=UTC)
DOWN = Diagnosis(
    CaseKind.NETWORK,
    "host_down",
    "web-1",
    Side.COMPANY,
    Area.SERVER,
    Urgency.URGENT,
    0.9,
    NOW,
    (("pop-a", "web-1", "icmp/loss", ""),),
    (),
    Message("cause.host_down", {"element": "web-1"}),
    Message("action.host_down", {"element": "web-1"}),
)
MORE = tuple(("pop-a", "web-1", "tcp/port", str(port)) for port in range(443, 448))


def line(now: dict[str, object], language: str = "en") -> str:
    told = Told(Kind.CHANGED, NOW, msgspec.structs.replace(DOWN, **now))
    return told_line(told, texts(language), False, 400, DOWN)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"keys": (*DOWN.keys, MORE[0])}, "web-1 does not answer at all, with web-1 tcp/port 443"),
        ({"keys": MORE[:1]}, "with web-1 tcp/port 443, without web-1 icmp/loss"),
        ({"keys": (*DOWN.keys, *MORE)}, "with web-1 tcp/port 443, web-1 tcp/port 444, web-1 tcp/port 445, 2 more"),
        ({"side": Side.CUSTOMER}, "our side → customer"),
        ({"urgency": Urgency.EMERGENCY, "affected": ("Harbour",)}, "urgent → EMERGENCY, also affects Harbour"),
        ({"alternatives": ("interface_down",)}, "our side, server working state, urgent"),
    ],
)
def test_a_change_says_what_is_other_than_before(now: dict[str, object], said: str) -> None:
    assert line(now).endswith(said)


def test_a_change_is_told_in_chinese() -> None:
    assert line({"keys": (*DOWN.keys, MORE[0])}, "zh").endswith("web-1 完全无应答，增加 web-1 tcp/port 443")


def test_what_was_not_known_before_is_told_whole() -> None:
    told = Told(Kind.BORN, NOW, DOWN)
    assert told_line(told, texts("en"), False, 400).endswith("web-1 does not answer at all, our side, server working state, urgent")
