"""The store on both databases: accepts whole or not at all, forgets nothing, refuses with a cure."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from checks.finding import State
from checks.history import Track
from reports.case import CaseState, EventKind
from reports.opening import plan
from reports.store import baselines, connect
from reports.store.errors import LimitReached, StoreAway, StoreInUse
from reports.store.store import Store, open_store
from reports.store.values import Backlog, Hour, Maintenance

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with open_store(place, agent="pop-1", feeds=("jsonl", "mail"), service=True) as opened:
        yield opened


def test_a_case_lives_through_its_events(store: Store, making) -> None:
    events = making.story(store)
    assert [(event.number, event.kind) for event in events] == [(1, EventKind.OPENED), (2, EventKind.UPDATED), (3, EventKind.CLEARED)]
    assert store.events(events[0].case) == events
    (case,) = store.cases()
    assert store.case(case.id) == case
    assert (case.state, case.episode, case.events, case.cleared_at) == (CaseState.RESOLVED, 1, 3, making.START + 9 * MINUTE)
    assert store.cases(open_only=True) == []
    assert store.case(case.id + 1) is None
    assert store.events(case.id + 1) == []
    assert store.integrity() == []


def test_accepting_again_changes_nothing(store: Store, making) -> None:
    steps = plan([making.diagnose(), making.diagnose("web-2")], {}, [], making.START)
    assert len(store.accept(steps, making.START)) == 2
    before = (store.cases(), store.backlog())
    assert store.accept(steps, making.START + MINUTE) == []
    assert (store.cases(), store.backlog()) == before


def test_a_step_planned_on_an_older_case_is_left_out(store: Store, making) -> None:
    store.accept(plan([making.diagnose()], {}, [], making.START), making.START)
    stale = plan([making.diagnose(affected=("bank",))], {}, store.cases(), making.START + MINUTE)
    store.accept(plan([making.diagnose(affected=("school",))], {}, store.cases(), making.START + MINUTE), making.START + MINUTE)
    assert store.accept(stale, making.START + 2 * MINUTE) == []
    assert store.cases()[0].affected == ("school",)


def test_the_next_fault_of_a_cleared_case_is_its_next_episode(store: Store, making) -> None:
    for _ in range(3):
        making.story(store)
    assert [case.episode for case in store.cases()] == [3, 2, 1]
    assert [case.episode for case in store.cases(limit=2)] == [3, 2]


def test_the_database_itself_holds_one_uncleared_episode(place: str, making) -> None:
    with open_store(place, service=True) as store:
        store.accept(plan([making.diagnose()], {}, [], making.START), making.START)
    engine = connect.connect(connect.address(place), durable=True)
    again = sa.text(
        "INSERT INTO cases (id, kind, cause, element, episode, state, severity, side, area, urgency, confidence, opened_at, since,"
        " updated_at, cleared_at, cleared_by_itself, affected, summary, action, agent, keys, unwatched, rules, events, alternatives, elsewhere,"
        " decides, merged_into, complainants) SELECT id + 1, kind, cause, element, episode + 1, state, severity, side, area, urgency, confidence, opened_at, since,"
        " updated_at, cleared_at, cleared_by_itself, affected, summary, action, agent, keys, unwatched, rules, events, alternatives, elsewhere, decides, merged_into,"
        " complainants FROM cases"
    )
    with (
        pytest.raises(sa.exc.IntegrityError, match=r"one_uncleared_episode|UNIQUE constraint failed: cases.kind"),
        engine.begin() as connection,
    ):
        connection.execute(again)
    engine.dispose()


def test_a_failing_step_takes_the_whole_call_back(store: Store, making) -> None:
    fine, broken = plan([making.diagnose(), making.diagnose("web-2")], {}, [], making.START)
    naive = msgspec.structs.replace(broken, case=msgspec.structs.replace(broken.case, since=datetime(2026, 1, 1)))
    with pytest.raises(sa.exc.StatementError, match="without a zone"):
        store.accept([fine, naive], making.START)
    assert store.cases() == []
    assert store.backlog() == []


@pytest.mark.parametrize("element", ["mount \udcff", "nul \x00"])
def test_what_can_never_be_written_does_not_hold_up_the_others(
    store: Store, making, element: str, caplog: pytest.LogCaptureFixture
) -> None:
    steps = plan([making.diagnose(element), making.diagnose("web-2")], {}, [], making.START)
    assert [event.case for event in store.accept(steps, making.START)] == [store.cases()[0].id]
    assert store.cases()[0].element == "web-2"
    assert "cannot be kept" in caplog.text


def test_an_hour_without_a_number_is_refused(store: Store, making) -> None:
    with pytest.raises(ValueError, match="no number for"):
        store.save_hours([Hour(("pop-1", "n", "icmp/rtt", ""), making.START, 1, float("nan"), 0.0)])


def test_evidence_is_kept_beside_the_case_and_follows_an_update(store: Store, making) -> None:
    (step,) = plan([making.diagnose()], {}, [], making.START)
    store.accept([msgspec.structs.replace(step, evidence=b'{"rules":"1"}')], making.START)
    (case,) = store.cases()
    assert store.evidence(case.id) == b'{"rules":"1"}'
    (step,) = plan([making.diagnose(affected=("bank",))], {}, [case], making.START)
    store.accept([step], making.START)
    assert store.evidence(case.id) == b'{"rules":"1"}'
    (step,) = plan([making.diagnose()], {}, store.cases(), making.START)
    store.accept([msgspec.structs.replace(step, evidence=b"{}")], making.START)
    assert store.evidence(case.id) == b"{}"
    assert store.evidence(case.id + 1) is None


def test_the_outbox_gives_a_feed_the_events_of_a_case_one_by_one(store: Store, making) -> None:
    making.story(store)
    making.story(store, "web-2")
    now = making.START + HOUR
    first, other = store.due("mail", now)
    assert [(one.event.case, one.event.number, one.attempts) for one in (first, other)] == [(1, 1, 0), (2, 1, 0)]
    assert store.due("mail", now, limit=1) == [first]
    store.failed(first, now + HOUR, "greylisted")
    assert [one.event.case for one in store.due("mail", now)] == [2]
    store.delivered(other)
    assert [(one.event.case, one.event.number) for one in store.due("mail", now)] == [(2, 2)]
    assert [(one.event.number, one.attempts) for one in store.due("mail", now + HOUR)] == [(2, 0), (1, 1)]
    store.dead(first, "no such mailbox")
    assert [(one.event.case, one.event.number) for one in store.due("mail", now)] == [(1, 2), (2, 2)]
    assert store.backlog() == [Backlog("jsonl", 6, making.START, 0), Backlog("mail", 4, making.START + MINUTE, 1)]
    assert [(one.case, one.number, one.attempts, one.reason) for one in store.given_up()] == [(1, 1, 2, "no such mailbox")]


def test_what_was_given_up_can_be_made_due_again(store: Store, making) -> None:
    making.story(store)
    (one,) = store.due("mail", making.START)
    store.dead(one, "no such mailbox")
    assert store.try_again("mail", making.START + HOUR) == 1
    assert [(due.event.number, due.attempts) for due in store.due("mail", making.START + HOUR)] == [(1, 0)]
    assert store.given_up() == []


def test_the_next_due_time_leaves_out_what_must_wait_for_its_turn(store: Store, making) -> None:
    assert store.next_due_at("mail") is None
    making.story(store)
    (one,) = store.due("mail", making.START)
    assert store.next_due_at("mail") == making.START
    store.failed(one, making.START + HOUR, "later")
    assert store.next_due_at("mail") == making.START + HOUR


def test_old_deliveries_are_forgotten_and_their_events_stay(store: Store, making) -> None:
    making.story(store)
    (one,) = store.due("mail", making.START)
    store.delivered(one)
    assert store.prune(making.START + timedelta(days=89)) == 0
    assert store.prune(making.START + timedelta(days=91)) == 1
    assert len(store.events(1)) == 3


@pytest.mark.needs("postgres")
def test_two_agents_on_one_database_have_their_own_outboxes(postgresql: str, making) -> None:
    with (
        open_store(postgresql, agent="pop-1", feeds=("mail",), service=True) as one,
        open_store(postgresql, agent="pop-2", service=True) as two,
    ):
        making.story(one)
        assert len(two.cases()) == 1
        assert two.due("mail", making.START + HOUR) == []


def test_tracks_come_back_as_they_were(store: Store, making) -> None:
    track = Track(
        ("pop-1", "web-1", "tcp/port", "443"), State.CRITICAL, State.OK, 3, making.START, making.START + MINUTE, 0b101, True, making.START
    )
    other = Track(("pop-2", "web-1", "tcp/port", ""))
    store.save_tracks([track, other])
    assert store.tracks() == {track.key: track, other.key: other}
    assert store.tracks("pop-1") == {track.key: track}
    changed = msgspec.structs.replace(track, hard=State.OK)
    store.save_tracks([changed])
    store.save_tracks([])
    assert store.tracks("pop-1") == {track.key: changed}
    store.drop_tracks([track.key])
    assert store.tracks() == {other.key: other}


def test_hours_are_kept_for_14_days_and_read_by_the_hour_of_the_day(store: Store, making) -> None:
    key = ("pop-1", "web-1", "icmp/rtt", "")
    hours = [Hour(key, making.START + at * HOUR, 60, float(at), 0.5) for at in range(15 * 24)]
    store.save_hours(hours[:200])
    store.save_hours(hours[200:])
    assert store.hours(7) == [hour for hour in hours[24:] if hour.at.hour == 7]
    assert len(store.hours(7)) == 14
    assert store.hours(7, agent="pop-2") == []
    better = msgspec.structs.replace(hours[-1], median=9.5)
    store.save_hours([better])
    assert store.hours(23)[-1] == better


def test_a_series_beyond_the_limit_is_an_error_that_says_so_and_the_others_are_kept(
    store: Store, making, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(baselines, "MAX_SERIES", 2)
    hours = [Hour(("pop-1", f"n{at}", "icmp/rtt", ""), making.START, 1, 1.0, 0.0) for at in range(3)]
    with pytest.raises(LimitReached, match=r"1 series beyond the 2.*pop-1/n2/icmp/rtt"):
        store.save_hours(hours)
    assert store.hours(0) == hours[:2]
    store.save_hours(hours[:2])


def test_a_clock_that_was_wrong_for_an_hour_costs_its_own_agents_baselines_at_most(store: Store, making) -> None:
    mine, theirs = ("pop-1", "n", "icmp/rtt", ""), ("pop-2", "n", "icmp/rtt", "")
    store.save_hours([Hour(key, making.START + day * 24 * HOUR, 60, 1.0, 0.5) for key in (mine, theirs) for day in range(10)])
    store.save_hours([Hour(mine, making.START + 9999 * 24 * HOUR, 60, 1.0, 0.5)])
    assert len(store.hours(0, agent="pop-2")) == 10
    again = [Hour(mine, making.START + day * 24 * HOUR, 60, 2.0, 0.5) for day in range(11, 14)]
    for hour in again:
        store.save_hours([hour])
    assert store.hours(0, agent="pop-1") == again


def test_a_series_without_hours_makes_room(store: Store, making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "MAX_SERIES", 1)
    store.save_hours([Hour(("pop-1", "old", "icmp/rtt", ""), making.START, 1, 1.0, 0.0)])
    new = Hour(("pop-1", "new", "icmp/rtt", ""), making.START + timedelta(days=14), 1, 1.0, 0.0)
    with pytest.raises(LimitReached):
        store.save_hours([new])
    monkeypatch.setattr(baselines, "MAX_SERIES", 2)
    store.save_hours([new])
    third = msgspec.structs.replace(new, key=("pop-1", "third", "icmp/rtt", ""))
    store.save_hours([third])
    assert store.hours(0) == [new, third]


def test_maintenance_is_announced_listed_and_taken_back(store: Store, making) -> None:
    work = store.add_maintenance(Maintenance("web-1", making.START, making.START + 2 * HOUR, "Li", "new disk"))
    assert store.maintenance() == [work]
    assert store.maintenance(making.START + HOUR) == [work]
    assert store.maintenance(making.START + 2 * HOUR) == []
    assert store.remove_maintenance(work.id)
    assert not store.remove_maintenance(work.id)


def test_notes(store: Store) -> None:
    assert store.noted("last_round") is None
    store.note("last_round", "1")
    store.note("last_round", "2")
    assert store.noted("last_round") == "2"


def test_integrity_names_what_is_missing(place: str, making) -> None:
    with open_store(place, service=True) as store:
        making.story(store)
        engine = connect.connect(connect.address(place), durable=True)
        with connect.writer(engine).begin() as connection:
            connection.execute(sa.text("DELETE FROM case_event WHERE number = 2"))
        engine.dispose()
        assert store.integrity() == ["case 1 says 3 events and has 2"]


def test_three_writers_at_once_lose_nothing(store: Store, making) -> None:
    failed = []

    def write(who: int) -> None:
        try:
            for at in range(25):
                assert len(store.accept(plan([making.diagnose(f"n{who}-{at}")], {}, [], making.START), making.START)) == 1
                store.save_tracks([Track(("pop-1", f"n{who}-{at}", "tcp/port", ""))])
        except BaseException as why:
            failed.append(why)

    threads = [threading.Thread(target=write, args=(who,)) for who in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert (len(store.cases()), len(store.tracks()), store.backlog()[0].pending) == (75, 75, 75)
    assert store.integrity() == []


def test_one_case_opened_by_many_at_once_is_one_case(store: Store, making) -> None:
    steps = plan([making.diagnose()], {}, [], making.START)
    got: list = []
    threads = [threading.Thread(target=lambda: got.extend(store.accept(steps, making.START))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(event.case, event.number) for event in got] == [(store.cases()[0].id, 1)]
    assert len(store.cases()) == 1


def test_folder_and_files_are_for_their_owner_only(tmp_path: Path, making) -> None:
    with open_store(tmp_path / "state", service=True) as store:
        making.story(store)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "state").iterdir()}
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700
    assert modes == dict.fromkeys(("firstline.sqlite", "firstline.sqlite-wal", "firstline.sqlite-shm", "firstline.lock"), 0o600)


def test_a_group_may_be_allowed_to_read(tmp_path: Path) -> None:
    with open_store(tmp_path / "state", service=True, group=True):
        assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o750
        assert stat.S_IMODE((tmp_path / "state" / "firstline.sqlite-wal").stat().st_mode) == 0o640


def test_a_second_service_is_refused_and_a_reader_is_not(tmp_path: Path, making) -> None:
    with open_store(tmp_path, service=True) as first:
        making.story(first)
        with pytest.raises(StoreInUse, match=rf"process {os.getpid()}\).*firstline.lock.*state_dir"):
            open_store(tmp_path, service=True)
        with open_store(tmp_path) as reader:
            assert len(reader.cases()) == 1
    with open_store(tmp_path, service=True) as again:
        assert len(again.cases()) == 1


@pytest.mark.needs("postgres")
def test_a_second_service_with_the_same_state_dir_is_refused_on_postgresql_too(postgresql: str, tmp_path: Path) -> None:
    with open_store(postgresql, service=True, state_dir=tmp_path), pytest.raises(StoreInUse):
        open_store(postgresql, service=True, state_dir=tmp_path)


def test_a_reader_of_no_store_is_told_the_cure_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StoreAway, match=r"there is no store yet.*firstline run"):
        open_store(tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_an_address_that_is_none_is_refused_without_its_password() -> None:
    with pytest.raises(ValueError, match=r"mysql://u:\*\*\*@h/d"):
        open_store("mysql://u:secret@h/d")


def test_a_database_that_is_away_says_so_without_its_password() -> None:
    with pytest.raises(StoreAway) as why:
        open_store("postgresql://u:secret@127.0.0.1:1/d", service=True)
    assert "secret" not in str(why.value)
    assert why.value.where == "postgresql+psycopg://u:***@127.0.0.1:1/d"


def test_a_store_locked_by_another_program_is_away_and_then_back(tmp_path: Path, making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connect, "BUSY_S", 0.05)
    steps = plan([making.diagnose()], {}, [], making.START)
    with open_store(tmp_path, service=True) as store:
        other = sqlite3.connect(tmp_path / connect.FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreAway, match="locked by another program"):
            store.accept(steps, making.START)
        assert store.cases() == []
        other.close()
        assert len(store.accept(steps, making.START)) == 1


def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / connect.FILE).write_bytes(b"shopping list\n" * 100)
    with pytest.raises(StoreAway, match="this file is not a store"):
        open_store(tmp_path, service=True)
    assert (tmp_path / connect.FILE).read_bytes() == b"shopping list\n" * 100


@pytest.mark.needs("postgres")
def test_a_database_that_went_away_and_came_back_is_used_again(postgresql: str, making) -> None:
    import psycopg

    with open_store(postgresql, service=True) as store:
        making.story(store)
        with psycopg.connect(postgresql, autocommit=True) as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        making.story(store)
        assert [case.episode for case in store.cases()] == [2, 1]


@pytest.mark.needs_root
def test_a_full_disk_loses_nothing_accepted_and_afterwards_it_goes_on(tmp_path: Path, making) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "firstline-test", str(disk)], check=True)
    try:
        with open_store(disk / "state", feeds=("mail",), service=True) as store:
            reported = []
            (disk / "ballast").write_bytes(b"x" * 800_000)

            def fill() -> None:
                for at in range(3000):
                    reported.extend(store.accept(plan([making.diagnose(f"n{at}")], {}, [], making.START), making.START))

            with pytest.raises(StoreAway, match="disk is full"):
                fill()
            assert len(reported) > 10
            assert sorted(case.id for case in store.cases()) == [event.case for event in reported]
            assert store.backlog()[0].pending == len(reported)
            assert store.integrity() == []
            (disk / "ballast").unlink()
            reported += store.accept(plan([making.diagnose("after")], {}, [], making.START), making.START)
            assert sorted(case.id for case in store.cases()) == [event.case for event in reported]
        with open_store(disk / "state", service=True) as store:
            assert len(store.cases()) == len(reported)
            assert store.integrity() == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


CHILD = """
import sys
from datetime import UTC, datetime
from checks.finding import Message, State
from checks.verdict import Area, CaseKind, Side, Urgency
from reports.case import Case, EventKind, Step
from reports.store.store import open_store
now = datetime(2026, 1, 1, tzinfo=UTC)
with open_store(sys.argv[1], agent="pop-1", feeds=("mail", "jsonl"), service=True) as store:
    print("ready", flush=True)
    for at in range(10**6):
        case = Case(kind=CaseKind.SERVICE, cause="tcp.silent", element=f"{sys.argv[2]}-{at}", severity=State.CRITICAL, side=Side.COMPANY,
                    area=Area.SERVER, urgency=Urgency.NORMAL, confidence=None, opened_at=now, since=now, updated_at=now,
                    summary=Message("a"), action=Message("b"), agent="pop-1", keys=(("pop-1", "n", "c", ""),))
        for event in store.accept([Step(EventKind.OPENED, case, evidence=b"x" * 5000)], now):
            print(event.case, event.number, flush=True)
"""


def test_what_was_reported_as_accepted_survives_kill_9_at_any_instant(tmp_path: Path) -> None:
    """Twenty children are killed at seeded instants, some of them while they open the store."""
    reported = []
    for life in range(20):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(life)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
        )
        assert child.stdout is not None
        if life % 4:
            assert child.stdout.readline() == "ready\n"
        time.sleep(((life * 7919) % 100) / 500)
        child.send_signal(signal.SIGKILL)
        said = child.stdout.read().split("\n")
        child.wait()
        child.stdout.close()
        reported += [tuple(map(int, line.split())) for line in said[:-1] if line != "ready"]
    with open_store(tmp_path, agent="pop-1", service=True) as store:
        kept = {(event.case, event.number) for case in store.cases() for event in store.events(case.id)}
        assert len(reported) > 100
        assert set(reported) <= kept
        assert {one.pending for one in store.backlog()} == {len(kept)}
        assert store.integrity() == []


def test_one_step_is_accepted_within_a_few_milliseconds(tmp_path: Path, making) -> None:
    with open_store(tmp_path, feeds=("mail",), service=True) as store:
        took = []
        for at in range(60):
            steps = plan([making.diagnose(f"n{at}")], {}, [], making.START)
            begun = time.perf_counter()
            store.accept(steps, making.START)
            took.append(time.perf_counter() - begun)
    assert sorted(took)[len(took) // 2] < 0.05


def test_times_are_kept_to_the_microsecond(store: Store, making) -> None:
    odd = datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=UTC)
    store.accept(plan([making.diagnose(since=odd)], {}, [], odd), odd)
    assert store.cases()[0].since == odd
