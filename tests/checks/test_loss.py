"""A slow loss of light is seen although the baseline of 14 days follows it down; and what is forgotten is forgotten slowly."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import snmp
from checks.assess import Memory, Rules, Scene, assess
from checks.baseline import Baseline, HourSummary, combine, departure, room, summarise
from checks.correlate import correlate
from checks.evidence import derive, gather
from checks.finding import Finding, Levels, Message, State, base
from checks.history import Track, fold, lose
from checks.loss import FADE_DB, FORGET, Best, is_whole, judge_loss, learn
from checks.topology import Topology
from checks.verdict import Evidence, Urgency
from probe.inventory import Inventory, Node
from probe.observation.device import DeviceSample, Identity
from probe.observation.icmp import EchoSample
from probe.observation.observation import Observation
from probe.observation.sensor import SensorSample

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
OK, WARNING, CRITICAL, UNKNOWN = State.OK, State.WARNING, State.CRITICAL, State.UNKNOWN
KEY = ("agent", "core-1", "snmp/rx-power", "Te1/1")
POWER = Levels(-18.0, -20.0, "dBm", "the module's own limits", low=True, margin=0.02)
LOSS = Levels(3.0, None, "dB", "a test")
COUNT = Levels(None, None, "prefixes", "a test", low=True)
NONE_LEFT = Levels(1.0, None, "prefixes", "a test")


def finding(value: float | None, at: datetime = START, levels: Levels = POWER, loss: Levels = LOSS) -> Finding:
    seen = Observation("agent", "core-1", "snmp", at, 1.0, EchoSample("192.0.2.1", 1, 1))
    state = OK if value is None else levels.judge(value)
    return Finding("snmp/rx-power", seen, state, Message("snmp.reading"), levels, "Te1/1", value, seasonal=True, loss=loss)


class Life:
    """One optical level, polled `PER_HOUR` times in one hour of each day, through all stages; the baseline as the store would give it."""

    PER_HOUR = 20

    def __init__(self, level: Callable[[float], float | None]) -> None:
        self.level = level
        self.memory = Memory()
        self.hours: list[HourSummary] = []
        self.writes = 0

    def days(self, count: int) -> Iterator[tuple[int, set[str]]]:
        """Yield each day and the checks believed bad at its end."""
        rules = Rules(lambda seen, before, limits: (finding(self.level((seen.at - START) / DAY), seen.at),), None)
        for day in range(count):
            usual = combine(self.hours[-14:])
            scene = Scene(None, {KEY: usual} if usual else {})
            values = []
            for minute in range(self.PER_HOUR):
                at = START + day * DAY + timedelta(minutes=3 * minute)
                self.memory, said = assess(finding(0.0, at).seen, self.memory, rules, scene)
                values += [value for _, value in said.values]
                self.writes += sum(track.key[2] == "snmp/rx-power" for track in said.moved)
            if (kept := summarise(values)) is not None:
                self.hours.append(kept)
            yield day, {one.finding.check for one in self.memory.standing}

    def first(self, check: str, count: int) -> int | None:
        return next((day for day, bad in self.days(count) if check in bad), None)


def wobble(day: float) -> float:
    """Return ±0.2 dB as the module's temperature makes it."""
    return 0.2 * ((day * 1000) % 2 - 1)


def test_slow_loss_of_a_tenth_of_a_decibel_a_day_is_seen_when_three_are_lost_and_long_before_the_limit() -> None:
    life = Life(lambda day: -7.0 - 0.1 * day + wobble(day))
    day = life.first("snmp/rx-power.loss", 110)
    assert day is not None
    assert 28 <= day <= 40  # 3 dB are lost after 30 days; the limit of -18 dBm is reached after 110
    assert "snmp/rx-power" not in {one.finding.check for one in life.memory.standing}


def test_the_baseline_alone_follows_the_slow_loss_and_would_never_see_it() -> None:
    usual = combine([HourSummary(60, -7.0 - 0.1 * day, 0.1) for day in range(14)])
    assert usual is not None
    assert usual.median - (-7.0 - 0.1 * 14) < 1.0


def test_three_decibels_lost_overnight_are_seen_that_day() -> None:
    life = Life(lambda day: (-7.0 if day < 20 else -10.1) + wobble(day) / 4)
    assert life.first("snmp/rx-power.loss", 30) == 20


@pytest.mark.parametrize(("lost", "seen"), [(2.8, None), (3.1, 20)])
def test_limit_of_the_loss(lost: float, seen: int | None) -> None:
    assert Life(lambda day: -7.0 if day < 20 else -7.0 - lost).first("snmp/rx-power.loss", 40) == seen


def test_loss_of_a_week_is_over_when_the_light_is_back() -> None:
    life = Life(lambda day: -12.0 if 20 <= day < 27 else -7.0)
    bad = [day for day, checks in life.days(40) if "snmp/rx-power.loss" in checks]
    assert bad == list(range(20, 27))
    assert "snmp/rx-power.loss" not in {check for check, _ in life.memory.tracks}


def test_light_that_is_gone_altogether_has_lost_everything_by_no_number() -> None:
    life = Life(lambda day: -7.0 if day < 20 else None)
    assert life.first("snmp/rx-power.loss", 30) == 20
    (standing,) = life.memory.standing
    assert (standing.finding.value, standing.finding.message.id) == (None, "loss.all")


def test_wavering_and_steady_light_lose_nothing_and_write_hardly_a_track() -> None:
    life = Life(lambda day: -7.0 + 5 * wobble(day))
    assert life.first("snmp/rx-power.loss", 90) is None
    assert life.writes < 20  # of 1,800 readings


def test_a_single_wild_reading_is_no_best() -> None:
    life = Life(lambda day: 2.0 if round(day * 480) == 20 * 480 else -7.0)
    assert life.first("snmp/rx-power.loss", 60) is None


def test_the_best_level_outlives_a_restart_in_its_track() -> None:
    track = Track(KEY, OK, OK, best=Best(-7.0, START))
    assert msgspec.json.decode(msgspec.json.encode(track), type=Track) == track
    old = msgspec.json.decode(msgspec.json.encode(Track(KEY, OK, OK)).replace(b',"best":null', b""), type=Track)
    assert old.best is None


def test_the_best_level_outlives_bad_readings_and_blindness() -> None:
    track = Track(KEY, OK, OK, best=Best(-7.0, START))
    for value in (-19.0, -21.0, -21.0, -21.0, -7.0, -7.0, -7.0):
        track, _ = fold(track, finding(value))
        assert track.best == Best(-7.0, START)
    assert lose(track, START).best == Best(-7.0, START)


def test_a_loss_that_stays_is_accepted_in_time_and_a_great_one_later() -> None:
    best = Best(-7.0, START)
    for lost, days in ((3.5, 51), (6.0, 301)):
        after = [judge_loss(finding(-7.0 - lost, START + day * DAY), best) for day in (days - 2, days)]
        assert [one.state for one in after if one is not None] == [WARNING, OK], FADE_DB


def test_nothing_is_said_without_a_best_known() -> None:
    assert judge_loss(finding(-20.0), None) is None
    assert is_whole(finding(-20.0), None, None)
    assert learn(None, finding(-20.0), None) is None  # a level is learned from a baseline only


@pytest.mark.parametrize(("median", "learned"), [(-7.05, -7.0), (-6.91, -7.0), (-6.89, -6.89), (-30.0, -7.0)])
def test_only_a_clearly_better_median_becomes_the_best(median: float, learned: float) -> None:
    best = learn(Best(-7.0, START), finding(-7.0), Baseline(median, 0.1, 100, 7))
    assert best is not None
    assert best.level == learned


@pytest.mark.parametrize(
    ("before", "value", "days", "level"),
    [
        (None, 0.0, 0, None),
        (None, 5.0, 0, 5.0),
        (5.0, 0.0, 13.9, 5.0),
        (5.0, 0.0, 14.0, 0.0),
        (5.0, 6.0, 0, 6.0),
        (5.0, None, 20, 5.0),
    ],
)
def test_count_is_known_from_a_reading_and_forgotten_in_a_fortnight(
    before: float | None, value: float | None, days: float, level: float | None
) -> None:
    best = Best(before, START) if before is not None else None
    after = learn(best, finding(value, START + days * DAY, COUNT, NONE_LEFT), None)
    assert (after.level if after else None) == level
    assert timedelta(days=14) == FORGET


def test_count_that_fell_to_none_is_a_warning_from_what_was_seen_a_minute_ago() -> None:
    found = judge_loss(finding(0.0, START + DAY / 1440, COUNT, NONE_LEFT), Best(400.0, START))
    assert found is not None
    assert (found.state, found.message.id, found.check) == (WARNING, "loss.count", "snmp/rx-power.loss")


def test_a_departure_of_a_level_is_never_judged_by_a_share_of_its_median() -> None:
    usual = Baseline(-7.0, 0.1, 1000, 14)
    assert room(usual, "dBm") == 0
    assert departure(finding(-10.0), usual) is None
    assert room(Baseline(30.0, 0.5, 1000, 14), "°C") == 10.0  # not a quarter of 30, and the same at 0
    assert room(Baseline(0.0, 0.5, 1000, 14), "°C") == 10.0


def test_a_case_of_lost_light_is_explained_by_its_evidence_alone() -> None:
    usual = Baseline(-7.0, 0.1, 840, 14)
    rules, memory, scene = Rules(snmp.judge, snmp.Limits()), Memory(), Scene(None, {KEY: usual})
    for minute in range(10):
        at = START + timedelta(minutes=minute)
        light = SensorSample("rx_dbm", "Te1/1", "1.3.6.1.4.1.1.2.3", -7.0 if minute < 5 else -11.0)
        device = DeviceSample(Identity("1.3.6.1.4.1.9.1.1", "x"), sensors=(light,))
        memory, _ = assess(Observation("agent", "core-1", "snmp", at, 1.0, device), memory, rules, scene)
    inventory = Inventory("core-1", {"core-1": Node("core-1", "192.0.2.1", kind="switch")})
    (found,) = correlate({("core-1", "snmp", ""): memory}, Topology(inventory)).diagnoses
    assert (found.cause, found.element, found.urgency) == ("fibre_degraded", "core-1:Te1/1", Urgency.NORMAL)
    evidence = gather(found, {("core-1", "snmp", ""): memory}, {("core-1", "snmp", ""): rules}, inventory)
    stored = msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence)
    assert derive(stored, found.cause, found.element) == found


def test_the_check_behind_a_loss_is_known() -> None:
    assert base("snmp/rx-power.loss") == "snmp/rx-power"


@given(
    st.lists(st.tuples(st.none() | st.floats(-60, 20), st.none() | st.floats(-60, 20)), max_size=60),
    st.sampled_from([POWER, COUNT]),
)
def test_a_loss_is_never_critical_never_raises_and_the_best_is_never_below_what_was_learned(
    readings: list[tuple[float | None, float | None]], levels: Levels
) -> None:
    best: Best | None = None
    for number, (value, median) in enumerate(readings):
        found = finding(value, START + number * DAY, levels)
        usual = Baseline(median, 0.1, 100, 7) if median is not None else None
        after = learn(best, found, usual)
        if best is not None and after is not best and levels is POWER:
            assert after is not None
            assert after.level > best.level - FADE_DB * len(readings)
        best = after
        judged = judge_loss(found, best)
        assert judged is None or judged.state in (OK, WARNING)
        if is_whole(found, best, usual):
            assert judged is None or judged.state is OK
