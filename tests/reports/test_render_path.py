"""The path on a screen: once, and redrawn in place while it breaks and comes back."""

from datetime import UTC, datetime, timedelta

import pytest

from checks.path import Limits, judge
from probe.observation.failure import Failure, Kind
from probe.observation.observation import Observation
from probe.observation.path import Hop, Mark, PathSample, Route, Said
from reports.locale.text import texts
from reports.render.columns import width
from reports.render.path import added_up, path_text, path_watch

NOW = datetime(2026, 10, 20, 14, 2, 31, tzinfo=UTC)
FAR = "203.0.113.10"
languages = pytest.mark.parametrize("language", ["en", "zh"])


def hop(ttl: int, address: str | None, sent: int = 3, answered: int | None = None, ms: float = 1.0, said: Said = Said.EXCEEDED) -> Hop:
    came = (sent if address else 0) if answered is None else answered
    if not came:
        return Hop(ttl, address, sent, 0)
    return Hop(ttl, address, sent, came, said, "", ms, ms / 2, ms, ms * 2)


MARKS = (Mark("edge", "edge", "10.0.0.1", 20, 20, 0.2, 0.3), Mark("pop", "pop", "10.255.0.2", 20, 20, 1.0, 1.1))
GOOD_HOPS = (hop(1, "10.0.0.1", ms=0.3), hop(2, "10.255.0.2", ms=1.1), hop(3, FAR, 20, ms=1.4, said=Said.REPLY))
ROUTE = ("10.0.0.1", "10.255.0.2", FAR)


def good(age: float = 900.0, answered: int = 20) -> PathSample:
    hops = (*GOOD_HOPS[:-1], hop(3, FAR, 20, answered, 1.4, Said.REPLY))
    route = Route(ROUTE, age, 0.0, 15, 1.4)
    return PathSample(FAR, "10.0.0.2", "icmp", True, 20, answered, hops, 0.7, 1.4, 2.8, (), MARKS, (route,), 0, age)


def broken(age: float = 1300.0) -> PathSample:
    hops = (*GOOD_HOPS[:-1], *(hop(ttl, None) for ttl in range(3, 8)))
    return PathSample(
        FAR, "10.0.0.2", "icmp", False, 20, 0, hops, marks=MARKS, routes=(Route(ROUTE, age + 60, age, 15, 1.4),), watched_s=age
    )


def changed() -> PathSample:
    hops = (GOOD_HOPS[0], hop(2, "10.255.1.2", ms=3.1), hop(3, FAR, 20, ms=5.2, said=Said.REPLY))
    routes = (Route(("10.0.0.1", "10.255.1.2", FAR), 65.0, 0.0, 2, 5.1), Route(ROUTE, 900.0, 65.0, 15, 1.4))
    return PathSample(FAR, "10.0.0.2", "icmp", True, 20, 20, hops, 5.1, 5.2, 5.4, (), MARKS, routes, 1, 900.0)


def looped() -> PathSample:
    hops = tuple(hop(ttl, ("10.0.0.1", "10.255.0.2")[ttl % 2]) for ttl in range(1, 9))
    return PathSample(FAR, "10.0.0.2", "icmp", False, 20, 0, hops, loop=("10.255.0.2", "10.0.0.1"))


def long(hops: int) -> PathSample:
    way = (*(hop(ttl, f"2001:db8:1234:5678:9abc:def0:1111:{ttl:x}", ms=ttl) for ttl in range(1, hops)), hop(hops, FAR, 20, said=Said.REPLY))
    return PathSample(FAR, "", "icmp", True, 20, 20, way, 9.0, 10.0, 11.0)


def reading(outcome, second: float = 0.0):
    seen = Observation("here", "far", "path", NOW + timedelta(seconds=second), 1200.0, outcome)
    return seen, list(judge(seen, None, Limits()))


CASES = {
    "good": good(), "lossy": good(answered=15), "broken": broken(), "changed": changed(), "looped": looped(), "long": long(28),
    "refused": Failure(Kind.UPLINK, "Network is unreachable"), "empty": PathSample(FAR, "", "icmp", False, 20, 0, ()),
}  # fmt: skip


@languages
@pytest.mark.parametrize("name", ["good", "broken", "changed"])
def test_screen_is_the_golden_one(golden, language, name):
    golden(f"path-{name}.{language}", path_text(FAR, *reading(CASES[name]), texts(language), columns=100, zone=UTC))


@languages
def test_live_block_is_the_golden_one(golden, language):
    readings = [*(reading(good(n), n) for n in range(40)), *(reading(broken(n - 39), n) for n in range(40, 45))]
    golden(f"path-watch.{language}", path_watch(FAR, readings, texts(language), zone=UTC))


@languages
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("columns", [40, 52, 60, 80, 100])
def test_every_line_fits_the_terminal_and_says_something(language, name, columns):
    for count in (1, 3, 70):
        readings = [reading(CASES[name], n) for n in range(count)]
        lines = path_watch("通往远端", readings, texts(language), True, columns, 24, UTC).splitlines()
        assert [line for line in lines if width(line) > columns] == []
        assert len(lines) <= 24
    for line in path_text("通往远端", *reading(CASES[name]), texts(language), True, columns, UTC).splitlines():
        assert width(line) <= columns


@pytest.mark.parametrize("rows", [10, 16, 24])
def test_long_path_keeps_its_ends_on_a_low_terminal(rows):
    lines = path_watch(FAR, [reading(long(28))], texts("en"), rows=rows, zone=UTC).splitlines()
    assert len(lines) <= rows
    assert any(line.startswith("   1  ") for line in lines)
    assert any(line.startswith("  28  ") for line in lines)
    assert "   …" in lines


def test_first_line_is_the_answer_and_names_the_stage():
    shown = path_watch(FAR, [reading(broken())], texts("en"), columns=100, zone=UTC)
    assert "critical  the path ends behind the carrier's PoP; last answer 10.255.0.2" in shown.splitlines()[0]


def test_our_own_kernel_s_word_is_no_hop_of_the_path():
    words = "host unreachable from 10.0.0.2 (this host: no answer to ARP)"
    own = Hop(1, "10.0.0.2", 3, 3, Said.UNREACHABLE, words, 2048.0, 2048.0, 2380.0, 3000.0)
    lost = PathSample(FAR, "10.0.0.2", "icmp", False, 20, 0, (own,))
    for shown in (path_text(FAR, *reading(lost), texts("en"), zone=UTC), path_watch(FAR, [reading(lost)], texts("en"), zone=UTC)):
        rows = [line.split() for line in shown.splitlines()[2:]]
        assert rows[0] == ["1", "–", "100", "%", "–", "–", "–", "–"]
        assert rows[1][0] != "2"


def test_since_of_the_only_path_that_was_ever_seen_is_no_change():
    assert "(15:00 min ago) or longer" in path_watch(FAR, [reading(good(900.0), 900)], texts("en"), zone=UTC)


def test_since_of_a_path_that_came_back_is_when_it_did():
    kept = [reading(good(900.0)), reading(broken(1.0), 1), reading(broken(2.0), 2), reading(good(903.0), 3), reading(good(905.0), 5)]
    assert "(2 s ago) · before that it was interrupted" in path_watch(FAR, kept, texts("en"), zone=UTC)
    assert "(2 s ago) · before that 3 hops" in path_watch(FAR, kept[:3], texts("en"), zone=UTC)


def test_since_is_when_the_path_last_was_whole_and_says_what_it_was():
    shown = path_watch(FAR, [reading(broken(1300))], texts("en"), zone=UTC)
    assert "since 13:40:51 (21:40 min ago) · before that 3 hops, 1.40 ms" in shown
    shown = path_watch(FAR, [reading(changed())], texts("en"), zone=UTC)
    assert "since 14:01:26 (1:05 min ago) · before that 3 hops, 1.40 ms" in shown


def test_last_answer_is_marked_and_one_silent_place_stands_for_all():
    lines = path_watch(FAR, [reading(broken())], texts("en"), zone=UTC).splitlines()
    assert [line.split()[1] for line in lines if "← last answer" in line] == ["10.255.0.2"]
    assert [line.split()[:2] for line in lines if "100 %" in line] == [["3", "–"]]


def test_loss_at_a_middle_hop_alone_stands_in_brackets():
    limited = PathSample(FAR, "", "icmp", True, 20, 20, (hop(1, "10.0.0.1", 3, 1), *GOOD_HOPS[1:]))
    lossy = PathSample(FAR, "", "icmp", True, 20, 10, (GOOD_HOPS[0], hop(2, "10.255.0.2", 4, 2), hop(3, FAR, 20, 10, said=Said.REPLY)))
    assert "(67 %)" in path_watch(FAR, [reading(limited)], texts("en"), zone=UTC)
    shown = path_watch(FAR, [reading(lossy)], texts("en"), zone=UTC)
    assert "50 %" in shown
    assert "(50 %)" not in shown


def test_live_block_adds_up_what_the_same_place_showed():
    first = good()
    other = PathSample(FAR, "", "icmp", True, 20, 10, (hop(1, "10.0.0.9"), hop(2, None), hop(3, FAR, 20, 10, 2.8, Said.REPLY)))
    summed = added_up(first, [first, other, first])
    assert [(one.sent, one.answered) for one in summed] == [(6, 6), (9, 6), (60, 50)]
    assert summed[2].mean_ms == pytest.approx((1.4 * 40 + 2.8 * 10) / 50)
    assert (summed[2].min_ms, summed[2].max_ms, summed[2].last_ms) == (0.7, 5.6, 1.4)


def test_place_that_was_spared_this_time_shows_what_it_showed_before():
    spared = PathSample(FAR, "", "icmp", True, 20, 20, (Hop(1, None, 0, 0), *GOOD_HOPS[1:]))
    line = path_watch(FAR, [reading(good()), reading(spared, 1)], texts("en"), zone=UTC).splitlines()[2]
    assert line.split()[:2] == ["1", "10.0.0.1"]
    assert "0 %" in line


def test_peer_s_words_do_not_steer_the_terminal():
    bad = PathSample(FAR, "", "icmp", False, 20, 0, (Hop(1, "10.0.0.1", 3, 3, Said.UNREACHABLE, "\x1b[2Jhost", 1.0, 1.0, 1.0, 1.0),))
    assert "\x1b" not in path_text("\x1b[2J", *reading(bad), texts("en"), zone=UTC)
