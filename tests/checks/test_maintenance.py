from datetime import UTC, date, datetime, time, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.maintenance import Once, Scope, Weekly, Window, covers, is_open
from probe.inventory import Node

WEB = Node("web-1", site="paris")
NIGHT = Weekly("night", time(1), time(5), "Europe/Paris")
SUNDAY = Weekly("sunday", time(22), time(2), "Asia/Shanghai", ("sunday",))
ONCE = Once("move", datetime(2026, 3, 1, 8, tzinfo=UTC), datetime(2026, 3, 1, 10, tzinfo=UTC))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("window", "when", "is_it_open"),
    [
        (ONCE, "2026-03-01T07:59:59Z", False),
        (ONCE, "2026-03-01T08:00:00Z", True),
        (ONCE, "2026-03-01T17:59:59+08:00", True),
        (ONCE, "2026-03-01T10:00:00Z", False),
        # in winter Paris is an hour ahead
        (NIGHT, "2026-01-10T23:59:59Z", False),
        (NIGHT, "2026-01-11T00:00:00Z", True),
        (NIGHT, "2026-01-11T03:59:59Z", True),
        (NIGHT, "2026-01-11T04:00:00Z", False),
        # in summer two hours
        (NIGHT, "2026-07-10T22:59:59Z", False),
        (NIGHT, "2026-07-10T23:00:00Z", True),
        (NIGHT, "2026-07-11T03:00:00Z", False),
        # 29 March 2026, 02:00 becomes 03:00: from 00:00 to 03:00 UTC
        (NIGHT, "2026-03-28T23:59:59Z", False),
        (NIGHT, "2026-03-29T00:00:00Z", True),
        (NIGHT, "2026-03-29T02:59:59Z", True),
        (NIGHT, "2026-03-29T03:00:00Z", False),
        # 25 October 2026, 03:00 becomes 02:00: from 23:00 to 04:00 UTC
        (NIGHT, "2026-10-24T22:59:59Z", False),
        (NIGHT, "2026-10-24T23:00:00Z", True),
        (NIGHT, "2026-10-25T03:59:59Z", True),
        (NIGHT, "2026-10-25T04:00:00Z", False),
        # over midnight: Sunday 22:00 to Monday 02:00 in Shanghai (UTC+8); 1 March 2026 is a Sunday
        (SUNDAY, "2026-03-01T13:59:59Z", False),
        (SUNDAY, "2026-03-01T14:00:00Z", True),
        (SUNDAY, "2026-03-01T17:59:59Z", True),
        (SUNDAY, "2026-03-01T18:00:00Z", False),
        (SUNDAY, "2026-03-02T14:30:00Z", False),
        (SUNDAY, "2026-02-28T17:00:00Z", False),
    ],
)
def test_when_a_window_is_open(window: Window, when: str, is_it_open: bool) -> None:
    assert is_open(window, at(when)) is is_it_open


def test_an_hour_that_comes_twice_belongs_to_the_window_both_times() -> None:
    window = Weekly("w", time(2), time(2, 30), "Europe/Paris")
    hours = [at("2026-10-25T00:00Z") + timedelta(minutes=minutes) for minutes in range(0, 150, 10)]
    assert [is_open(window, when) for when in hours][:9] == [True] * 9
    assert [is_open(window, when) for when in hours][9:] == [False] * 6


@pytest.mark.parametrize(
    ("starts", "ends", "opens", "closes"),
    [
        (time(1), time(2, 30), "2026-03-29T00:00Z", "2026-03-29T01:30Z"),
        (time(2, 15), time(2, 45), "2026-03-29T01:15Z", "2026-03-29T01:45Z"),
        (time(2, 30), time(4), "2026-03-29T01:30Z", "2026-03-29T02:00Z"),
    ],
)
def test_a_wall_clock_time_that_never_comes_does_not_cut_a_window_short(starts: time, ends: time, opens: str, closes: str) -> None:
    window = Weekly("w", starts, ends, "Europe/Paris", ("sunday",))
    second = timedelta(seconds=1)
    assert [is_open(window, when) for when in (at(opens) - second, at(opens))] == [False, True]
    assert [is_open(window, when) for when in (at(closes) - second, at(closes))] == [True, False]


def test_an_end_at_the_start_is_a_whole_day() -> None:
    whole = Weekly("w", time(0), time(0), "Asia/Shanghai", ("sunday",))
    assert is_open(whole, at("2026-02-28T16:00Z"))
    assert is_open(whole, at("2026-03-01T15:59Z"))
    assert not is_open(whole, at("2026-03-01T16:00Z"))


@pytest.mark.parametrize(
    ("scope", "node", "check", "meant"),
    [
        (Scope(), WEB, "tcp/port", True),
        (Scope(nodes=("web-*",)), WEB, "tcp/port", True),
        (Scope(nodes=("db-*", "web-1")), WEB, "tcp/port", True),
        (Scope(nodes=("db-*",)), WEB, "tcp/port", False),
        (Scope(checks=("tcp/*",)), WEB, "tcp/port", True),
        (Scope(checks=("host/*",)), WEB, "tcp/port", False),
        (Scope(sites=("paris",)), WEB, "tcp/port", True),
        (Scope(sites=("par*",)), Node("x"), "tcp/port", False),
        (Scope(("web-1",), ("tcp/port",), ("lyon",)), WEB, "tcp/port", False),
        (Scope(checks=("host/disk",)), WEB, "host/disk.trend", True),
        (Scope(checks=("host/disk.trend",)), WEB, "host/disk.trend", True),
        (Scope(checks=("host/disk.trend",)), WEB, "host/disk", False),
        (Scope(checks=("icmp/latency",)), WEB, "icmp/latency.usual", True),
    ],
)
def test_whom_a_window_concerns(scope: Scope, node: Node, check: str, meant: bool) -> None:
    window = msgspec.structs.replace(ONCE, scope=scope)
    assert covers(window, at("2026-03-01T09:00Z"), node, check) is meant
    assert not covers(window, at("2026-03-01T11:00Z"), node, check)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Once("w", datetime(2026, 1, 1), datetime(2026, 1, 2, tzinfo=UTC)),
        lambda: Once("w", ONCE.ends, ONCE.starts),
        lambda: Once("w", ONCE.starts, ONCE.starts),
        lambda: Once("w", ONCE.starts, ONCE.starts + timedelta(days=367)),
        lambda: Weekly("w", time(1), time(2), "Europe/Nowhere"),
        lambda: Weekly("w", time(1), time(2), "../../etc/passwd"),
        lambda: Weekly("w", time(1), time(2), ""),
        lambda: Weekly("w", time(1), time(2), "UTC", ("Sonntag",)),
        lambda: Weekly("w", time(1, tzinfo=UTC), time(2), "UTC"),
    ],
)
def test_a_window_that_can_not_be_is_refused_by_name(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^w: "):
        wrong()  # type: ignore[operator]


@given(
    st.dates(date(2020, 1, 1), date(2035, 1, 1)),
    st.times().map(lambda moment: moment.replace(microsecond=0)),
    st.integers(1, 20 * 60),
    st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
@settings(deadline=None)
def test_a_daily_window_is_open_about_as_long_as_its_wall_clock_says(day: date, start: time, minutes: int, zone: str) -> None:
    end = (datetime.combine(day, start) + timedelta(minutes=minutes)).time()
    window = Weekly("w", start, end, zone)
    noon = datetime.combine(day, time(12), UTC)
    open_minutes = sum(is_open(window, noon + timedelta(minutes=minute)) for minute in range(0, 24 * 60, 5)) * 5
    assert abs(open_minutes - minutes) <= 65
    assert msgspec.json.decode(msgspec.json.encode(window), type=Window) == window
