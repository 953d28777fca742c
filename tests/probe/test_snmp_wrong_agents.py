"""What a poll makes of agents that answer wrongly: over real UDP, each is survived, named, and never a value that was not sent."""

import asyncio
import socket
import time
from datetime import UTC, datetime

import pytest

from probe.inventory import Node
from probe.job import Job
from probe.observation.device import DeviceSample
from probe.probers import snmp
from probe.run import observe
from probe.snmp import doubt, poll, session, walk
from probe.snmp.credential import Credential
from probe.snmp.doubt import Doubts
from probe.snmp.failure import Nonsense, Refused, Silent
from probe.snmp.poll import Poll
from probe.snmp.session import Sessions
from tests.probe.snmp_agent import (
    GEN_ERR,
    GET,
    GET_BULK,
    GET_NEXT,
    SYSTEM,
    TOO_BIG,
    agent,
    answer,
    counter,
    counter64,
    integer,
    numbers,
    octets,
    oid,
    table,
    ticks,
    tlv,
)

UPTIME, NAME = "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.5.0"
COLUMN, NEXT_COLUMN = "1.3.6.1.2.1.2.2.1.10", "1.3.6.1.2.1.2.2.1.11"
VERSIONS = ["v1", "v2c"]


def conversation(port, use, *, version="v2c", community="public", longest_s=5.0, patience_s=0.1):
    """Hold one poll: `await use(poll, session)` → (its result, {(table, what): count})."""

    async def hold():
        sessions, doubts = Sessions(), Doubts()
        one = sessions.session(socket.AF_INET, "127.0.0.1", port, Credential(version, community))
        talk = Poll(one, time.monotonic() + longest_s, doubts.error_status, patience_s)
        try:
            result = await use(talk, one)
        finally:
            sessions.close()
            doubts.close()
        return result, {(odd.table, odd.what): odd.count for odd in talk.anomalies}

    return asyncio.run(hold())


def walked(port, column=COLUMN, **how):
    """Return what a walk finds after the agent has once answered, and what was odd."""

    async def use(talk, one):
        await talk.get([UPTIME])
        return dict(await talk.walk(column))

    return conversation(port, use, **how)


def bulk_only(make):
    """A habit: `make(asked, honest)` for GETBULK, honest else."""
    return lambda asked, honest: make(asked, honest) if asked.kind == GET_BULK else None


def rows_of(*indexes, column=COLUMN, make=counter):
    return [(numbers(f"{column}.{index}"), make(index)) for index in indexes]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("count", [0, 1, 2, 24, 25, 26, 49, 50, 51, 333])
@pytest.mark.parametrize("followed", [True, False])
def test_table_is_read_whole_whatever_its_length(version, count, followed) -> None:
    rows = SYSTEM | table(COLUMN, count) | (table(NEXT_COLUMN, 3) if followed else {})
    with agent(rows) as it:
        found, odd = walked(it.port, version=version)
    assert found == {str(index): index for index in range(1, count + 1)}
    assert list(found) == [str(index) for index in range(1, count + 1)]
    assert odd == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_objects_that_are_not_there_are_left_out_and_the_others_are_not(version) -> None:
    wanted = [UPTIME, "1.3.6.1.2.1.1.99.0", NAME, "1.3.6.1.4.1.1.0", "1.3.6.1.4.1.2.0"]

    async def use(talk, one):
        first = dict(await talk.get(wanted))
        it.asked.clear()
        return first, dict(await talk.get(wanted))

    with agent(SYSTEM) as it:
        (first, second), odd = conversation(it.port, use, version=version)
        asked = len(it.asked)
    assert first == second == {UPTIME: 123_456_700, NAME: b"sw1"}
    assert odd == {}
    assert asked == 1  # v1 refuses a whole question for one object; which it lacks is found out once


def test_every_type_comes_as_what_it_is() -> None:
    rows = SYSTEM | {
        "1.3.6.1.4.1.9.1.0": counter64(2**64 - 1),
        "1.3.6.1.4.1.9.2.0": integer(-5),
        "1.3.6.1.4.1.9.3.0": counter(2**32 - 1),
        "1.3.6.1.4.1.9.4.0": octets(b"\x00\xff"),
        "1.3.6.1.4.1.9.5.0": oid("1.3.6.1.4.1.99999.4294967295"),
        "1.3.6.1.4.1.9.6.0": tlv(0x40, bytes([192, 0, 2, 1])),
        "1.3.6.1.4.1.9.7.0": tlv(0x44, b"\x9f\x78\x04\x41\xa0\x00\x00"),
        "1.3.6.1.4.1.9.8.0": ticks(2**32 - 1),
    }
    names = [name for name in rows if name.startswith("1.3.6.1.4.1.9")]
    with agent(rows) as it:
        found, _ = conversation(it.port, lambda talk, one: talk.get(names))
    assert list(found.values()) == [
        2**64 - 1, -5, 2**32 - 1, b"\x00\xff", "1.3.6.1.4.1.99999.4294967295", "192.0.2.1", b"\x9f\x78\x04\x41\xa0\x00\x00", 2**32 - 1,
    ]  # fmt: skip


def test_duplicate_row_is_counted_once_and_named() -> None:
    def twice(asked, honest):
        return [answer(asked, rows_of(1, 2, 2, 3) + rows_of(1, column=NEXT_COLUMN))]

    with agent(SYSTEM, bulk_only(twice)) as it:
        found, odd = walked(it.port)
    assert found == {"1": 1, "2": 2, "3": 3}
    assert odd == {(COLUMN, "duplicate"): 1}


def test_agent_that_repeats_its_last_row_for_ever_is_left() -> None:
    with agent(SYSTEM, bulk_only(lambda asked, honest: [answer(asked, rows_of(7, 7, 7))])) as it:
        found, odd = walked(it.port)
        asked = len(it.asked)
    assert found == {"7": 7}
    assert odd[COLUMN, "duplicate"] >= 2
    assert asked < 10


def test_rows_that_go_back_end_the_walk_and_keep_what_was_read() -> None:
    with agent(SYSTEM, bulk_only(lambda asked, honest: [answer(asked, rows_of(1, 2, 3, 1, 2, 3))])) as it:
        found, odd = walked(it.port)
    assert found == {"1": 1, "2": 2, "3": 3}
    assert odd == {(COLUMN, "not-increasing"): 1}


@pytest.mark.parametrize("version", VERSIONS)
def test_endless_table_is_cut_at_the_stated_number_of_rows(monkeypatch, version) -> None:
    monkeypatch.setattr(poll, "MOST_ROWS", 500)

    def endless(asked, honest):
        if asked.kind == GET:
            return None
        last = asked.oids[0][-1] if len(asked.oids[0]) > len(numbers(COLUMN)) else 0
        count = asked.repetitions if asked.kind == GET_BULK else 1
        return [answer(asked, rows_of(*range(last + 1, last + 1 + count)))]

    with agent(SYSTEM, endless) as it:
        found, odd = walked(it.port, version=version)
    assert 500 <= len(found) < 600
    assert all(int(index) == value for index, value in found.items())
    assert odd == {(COLUMN, "truncated"): 1}


def test_million_rows_are_cut_within_the_bound() -> None:
    length = len(numbers(COLUMN))

    def million(asked, honest):
        if asked.kind != GET_BULK:
            return None
        last = asked.oids[0][-1] if len(asked.oids[0]) > length else 0
        return [answer(asked, rows_of(*range(last + 1, min(last + asked.repetitions, 1_000_000) + 1), make=lambda index: b"\x41\x01\x07"))]

    with agent(SYSTEM, million) as it:
        found, odd = walked(it.port, longest_s=30)
    assert walk.MOST_ROWS <= len(found) < walk.MOST_ROWS + 50
    assert odd == {(COLUMN, "truncated"): 1}


def test_all_tables_together_have_a_bound(monkeypatch) -> None:
    monkeypatch.setattr(poll, "MOST_VALUES", 150)

    async def use(talk, one):
        return await talk.walk_all([COLUMN, NEXT_COLUMN, "1.3.6.1.2.1.2.2.1.12"])

    rows = table(COLUMN, 100) | table(NEXT_COLUMN, 100) | table("1.3.6.1.2.1.2.2.1.12", 100)
    with agent(SYSTEM | rows) as it:
        found, odd = conversation(it.port, use)
    assert len(found[0]) == 100
    assert 50 <= len(found[1]) <= 100
    assert odd[NEXT_COLUMN, "truncated"] == odd["1.3.6.1.2.1.2.2.1.12", "truncated"] == 1


@pytest.mark.parametrize("cut", [1, 10, 40, 200])
def test_truncated_datagrams_lead_to_fewer_rows_at_a_time(cut) -> None:
    def cut_long_ones(asked, honest):
        return [honest[:-cut]] if asked.kind == GET_BULK and asked.repetitions > 6 else None

    with agent(SYSTEM | table(COLUMN, 40) | table(NEXT_COLUMN, 1), cut_long_ones) as it:
        found, odd = walked(it.port)
        asked = [question.repetitions for question in it.asked if question.kind == GET_BULK]
    assert found == {str(index): index for index in range(1, 41)}
    assert set(odd) == {(COLUMN, "too-long")}
    assert asked[0] == 25
    assert asked[-1] <= 6


def test_always_truncated_answers_are_nonsense_and_no_value() -> None:
    with agent(SYSTEM, lambda asked, honest: [honest[:-3]]) as it, pytest.raises(Nonsense):
        conversation(it.port, lambda talk, one: talk.get([UPTIME]))


def test_table_that_can_only_be_read_broken_is_named_and_the_rest_goes_on() -> None:
    def break_column(asked, honest):
        return [honest[:-2]] if asked.kind != GET and asked.oids[0][: len(numbers(COLUMN))] == numbers(COLUMN) else None

    async def use(talk, one):
        await talk.get([UPTIME])
        return await talk.walk_all([COLUMN, NEXT_COLUMN])

    with agent(SYSTEM | table(COLUMN, 5) | table(NEXT_COLUMN, 5), break_column) as it:
        (broken, whole), odd = conversation(it.port, use)
    assert broken == {}
    assert len(whole) == 5
    assert set(odd) == {(COLUMN, "truncated")}


@pytest.mark.parametrize("limit", [1, 3, 10])
def test_too_big_leads_to_fewer_rows_and_no_row_is_lost(limit) -> None:
    def too_big(asked, honest):
        return [answer(asked, [], TOO_BIG)] if asked.kind == GET_BULK and asked.repetitions > limit else None

    with agent(SYSTEM | table(COLUMN, 40) | table(NEXT_COLUMN, 60), too_big) as it:

        async def use(talk, one):
            await talk.get([UPTIME])
            return await talk.walk_all([COLUMN, NEXT_COLUMN])

        (first, second), odd = conversation(it.port, use)
    assert first == {str(index): index for index in range(1, 41)}
    assert second == {str(index): index for index in range(1, 61)}
    assert set(odd) <= {(COLUMN, "too-long"), (NEXT_COLUMN, "too-long")}
    assert (COLUMN, "too-long") in odd


def test_too_big_of_a_get_is_asked_in_parts() -> None:
    def too_big(asked, honest):
        return [answer(asked, [], TOO_BIG)] if len(asked.oids) > 2 else None

    with agent(SYSTEM, too_big) as it:
        found, odd = conversation(it.port, lambda talk, one: talk.get([*SYSTEM, "1.3.6.1.2.1.1.7.0"]))
    assert set(found) == set(SYSTEM)
    assert odd == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_general_error_in_mid_table_is_no_end_of_it(version) -> None:
    at = numbers(f"{COLUMN}.5")

    def fails_at_row_5(asked, honest):
        if asked.kind == GET_NEXT and asked.oids[0] == at:
            return [answer(asked, [(at, b"\x05\x00")], GEN_ERR, 1)]
        if asked.kind == GET_BULK and asked.oids[0] >= at:
            return [answer(asked, [(at, b"\x05\x00")], GEN_ERR, 1)]
        if asked.kind == GET_BULK:
            return [answer(asked, rows_of(1, 2, 3, 4, 5))]
        return None

    with agent(SYSTEM | table(COLUMN, 9), fails_at_row_5) as it:
        found, odd = walked(it.port, version=version)
    assert found == {str(index): index for index in range(1, 6)}
    assert odd == {(COLUMN, "error-status"): 1}, odd


def test_general_error_of_one_object_is_named_and_costs_only_itself() -> None:
    def fails_for_name(asked, honest):
        return [answer(asked, [(name, b"\x05\x00") for name in asked.oids], GEN_ERR, 1)] if numbers(NAME) in asked.oids else None

    with agent(SYSTEM, fails_for_name) as it:
        found, odd = conversation(it.port, lambda talk, one: talk.get(list(SYSTEM)))
    assert set(found) == set(SYSTEM) - {NAME}
    assert odd == {(NAME, "error-status"): 1}


@pytest.mark.parametrize("version", VERSIONS)
def test_answer_to_another_question_is_not_taken(version) -> None:
    def forged(asked, honest):
        return [answer(asked, [(numbers(UPTIME), ticks(1))], ident=asked.ident ^ 1)]

    with agent(SYSTEM, forged) as it, pytest.raises(Silent):
        conversation(it.port, lambda talk, one: talk.get([UPTIME]), version=version, longest_s=1)


def test_right_answer_after_a_wrong_one_is_taken() -> None:
    def both(asked, honest):
        return [answer(asked, [(numbers(UPTIME), ticks(1))], ident=asked.ident ^ 1), honest]

    with agent(SYSTEM, both) as it:
        found, _ = conversation(it.port, lambda talk, one: talk.get([UPTIME]))
    assert found == {UPTIME: 123_456_700}


def test_object_that_was_not_asked_for_is_not_taken_and_named() -> None:
    with agent(SYSTEM, lambda asked, honest: [answer(asked, [(numbers(NAME), octets("x")), (numbers(UPTIME), ticks(9))])]) as it:
        found, odd = conversation(it.port, lambda talk, one: talk.get([UPTIME]))
    assert found == {UPTIME: 9}
    assert odd == {(NAME, "out-of-range"): 1}


def test_text_where_a_number_belongs_survives_as_text() -> None:
    rows = SYSTEM | {f"{COLUMN}.1": octets("n/a"), f"{COLUMN}.2": counter(2), f"{COLUMN}.3": tlv(5, b"")}
    with agent(rows | table(NEXT_COLUMN, 1)) as it:
        found, _ = walked(it.port)
    assert found == {"1": b"n/a", "2": 2}


def test_silence_in_mid_table_keeps_what_was_read_and_is_named() -> None:
    silent_after = numbers(f"{COLUMN}.25")

    def falls_silent(asked, honest):
        return [] if asked.kind in (GET_BULK, GET_NEXT) and asked.oids[0] >= silent_after else None

    start = time.monotonic()
    with agent(SYSTEM | table(COLUMN, 40), falls_silent) as it:
        found, odd = walked(it.port)
    assert found == {str(index): index for index in range(1, 26)}
    assert odd == {(COLUMN, "silent"): 1}
    assert time.monotonic() - start < 2


def test_agent_that_dies_in_mid_poll_is_soon_no_more_asked() -> None:
    def only_uptime(asked, honest):
        return None if asked.kind == GET else []

    async def use(talk, one):
        await talk.get([UPTIME])
        return await talk.walk_all([f"1.3.6.1.2.1.2.2.1.{number}" for number in range(1, 21)])

    start = time.monotonic()
    with agent(SYSTEM, only_uptime) as it:
        found, odd = conversation(it.port, use)
    assert not any(found)
    assert len(odd) == 20
    assert {what for _, what in odd} == {"silent"}
    assert time.monotonic() - start < 3


def test_nothing_is_waited_for_beyond_the_end_of_the_poll() -> None:
    start = time.monotonic()
    with agent(SYSTEM, lambda asked, honest: []) as it, pytest.raises(Silent):
        conversation(it.port, lambda talk, one: talk.get([UPTIME]), longest_s=0.3, patience_s=10)
    assert time.monotonic() - start < 1


def test_one_lost_datagram_is_asked_for_again() -> None:
    lost = []

    def lose_every_second(asked, honest):
        lost.append(asked)
        return [] if len(lost) % 2 else None

    with agent(SYSTEM | table(COLUMN, 60) | table(NEXT_COLUMN, 1), lose_every_second) as it:
        found, odd = walked(it.port)
    assert len(found) == 60
    assert odd == {}


def test_agent_that_answers_late_is_given_the_time_it_takes() -> None:
    def late(asked, honest):
        time.sleep(0.15)

    with agent(SYSTEM, late) as it:
        found, _ = conversation(it.port, lambda talk, one: talk.get([UPTIME]), patience_s=0.1)
    assert UPTIME in found


def test_answer_from_another_port_is_not_taken_but_seen() -> None:
    async def use(talk, one):
        doubts = Doubts()
        try:
            with pytest.raises(Silent):
                await talk.get([UPTIME])
            return await doubts.alive(one)
        finally:
            doubts.close()

    with agent(SYSTEM) as it:
        it.elsewhere = True
        reply, _ = conversation(it.port, use, longest_s=1)
        assert (reply.address, reply.port) == it.other.getsockname()


def test_closed_port_is_refused_at_once(free_udp_port) -> None:
    start = time.monotonic()
    with pytest.raises(Refused):
        conversation(free_udp_port(), lambda talk, one: talk.get([UPTIME]))
    assert time.monotonic() - start < 0.5


def test_column_found_empty_is_not_asked_for_again_until_the_device_restarts() -> None:
    uptime = [500_000]

    def habit(asked, honest):
        return [answer(asked, [(numbers(UPTIME), ticks(uptime[0]))])] if asked.oids == (numbers(UPTIME),) and asked.kind == GET else None

    async def use(talk, one):
        counts = []
        for ticks_now in (500_000, 500_000, 20_000, 20_000):
            uptime[0] = ticks_now
            before = len(it.asked)
            await talk.get([UPTIME])
            await talk.walk("1.3.6.1.4.1.5")
            counts.append(len(it.asked) - before - 1)
        return counts

    with agent(SYSTEM | table(COLUMN, 3), habit) as it:
        counts, _ = conversation(it.port, use)
    assert counts[0] > 0
    assert counts[1] == 0
    assert counts[2] > 0
    assert counts[3] == 0


def test_column_empty_just_after_a_start_is_asked_for_again() -> None:
    rows = SYSTEM | {UPTIME: ticks(1_000)}

    async def use(talk, one):
        await talk.get([UPTIME])
        first = dict(await talk.walk(COLUMN))
        it.mib.__init__(rows | table(COLUMN, 2))
        return first, dict(await talk.walk(COLUMN))

    with agent(rows) as it:
        (first, second), _ = conversation(it.port, use)
    assert (first, second) == ({}, {"1": 1, "2": 2})


def test_kept_values_are_not_asked_for_again_until_the_device_restarts() -> None:
    async def use(talk, one):
        counts = []
        for uptime in (500_000, 500_100, 100):
            it.mib.__init__(SYSTEM | {UPTIME: ticks(uptime)} | table(COLUMN, 3))
            await talk.get([UPTIME])
            before = len(it.asked)
            assert len(await talk.walk(COLUMN, keep=True)) == 3
            assert await talk.get([NAME], keep=True) == {NAME: b"sw1"}
            counts.append(len(it.asked) - before)
        return counts

    with agent(SYSTEM) as it:
        counts, _ = conversation(it.port, use)
    assert counts[1] == 0
    assert counts[0] == counts[2] > 0


THIRD = "1.3.6.1.2.1.2.2.1.12"
SMALL = SYSTEM | {UPTIME: ticks(123_456_700)} | table(COLUMN, 5) | table(NEXT_COLUMN, 5) | table(THIRD, 5)


def looks(it, changes, version="v2c"):
    """Read three columns once after each change of the agent's rows; return what was found, and the kinds of questions asked each time."""

    async def use(talk, one):
        found = []
        for rows in changes:
            it.mib.__init__(rows)
            await talk.get([UPTIME])
            it.asked.clear()
            columns = await talk.walk_all([COLUMN, NEXT_COLUMN, THIRD])
            found.append(([dict(column) for column in columns], [question.kind for question in it.asked]))
        return found

    found, odd = conversation(it.port, use, version=version)
    assert odd == {}
    return found


def honest(rows, *columns):
    """Return what the columns hold."""
    return [
        {name[len(column) + 1 :]: int.from_bytes(rows[name][2:]) for name in rows if name.startswith(f"{column}.")} for column in columns
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_small_table_that_is_known_is_read_by_one_walk_and_one_get(version) -> None:
    with agent(SMALL) as it:
        first, second = looks(it, [SMALL, SMALL | {f"{THIRD}.2": counter(99)}], version)
    assert first[0] == honest(SMALL, COLUMN, NEXT_COLUMN, THIRD)
    assert second[0] == honest(SMALL | {f"{THIRD}.2": counter(99)}, COLUMN, NEXT_COLUMN, THIRD)
    assert GET not in first[1]
    assert second[1].count(GET) == 1
    assert len(second[1]) == (2 if version == "v2c" else 7)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "change",
    [
        {f"{column}.6": counter(6) for column in (COLUMN, NEXT_COLUMN, THIRD)},  # a row more
        {f"{COLUMN}.6": counter(6)},  # in one column alone
        {f"{column}.2": None for column in (COLUMN, NEXT_COLUMN, THIRD)},  # a row less
        {f"{THIRD}.2": None},
        {f"{NEXT_COLUMN}.{index}": None for index in range(1, 6)},  # a column less
        {f"{column}.{index}": None for column in (COLUMN, NEXT_COLUMN, THIRD) for index in range(1, 6)},
    ],
)
def test_change_of_a_small_table_is_seen_at_once(version, change) -> None:
    changed = {name: value for name, value in (SMALL | change).items() if value is not None}
    with agent(SMALL) as it:
        seen = looks(it, [SMALL, SMALL, changed, changed, SMALL], version)
    assert seen[1][0] == honest(SMALL, COLUMN, NEXT_COLUMN, THIRD)
    assert seen[2][0] == honest(changed, COLUMN, NEXT_COLUMN, THIRD)
    assert seen[3][0] == honest(changed, COLUMN, NEXT_COLUMN, THIRD)
    assert seen[4][0] == honest(SMALL, COLUMN, NEXT_COLUMN, THIRD)


def test_agent_that_takes_few_objects_at_once_is_asked_for_few_from_then_on() -> None:
    with agent(SMALL, lambda asked, honest: [answer(asked, [], TOO_BIG)] if len(asked.oids) > 4 else None) as it:
        seen = looks(it, [SMALL] * 4)
    assert [one[0] for one in seen] == [honest(SMALL, COLUMN, NEXT_COLUMN, THIRD)] * 4
    assert len(seen[1][1]) > len(seen[3][1]) == 1 + 5  # ten objects by two


def test_what_is_kept_is_bounded() -> None:
    kept = session.Kept()
    for number in range(100):
        kept.put(f"1.3.{number}", dict.fromkeys(map(str, range(1000)), 1))
    assert sum(len(kept.take(f"1.3.{number}") or {}) for number in range(100)) <= session.MOST_KEPT
    assert kept.take("1.3.99") is not None


def test_sessions_and_sockets_are_bounded_and_the_longest_unused_go(monkeypatch) -> None:
    monkeypatch.setattr(session, "MOST_LINES", 3)
    monkeypatch.setattr(session, "MOST_SESSIONS", 5)

    async def use() -> None:
        sessions = Sessions()
        with agent(SYSTEM) as it:
            made = [sessions.session(socket.AF_INET, f"127.0.0.{number}", it.port, Credential("v2c", "public")) for number in range(1, 3)]
            await Poll(made[0], time.monotonic() + 5).get([UPTIME])
            busy = made[1]
            busy.in_use = 1
            for number in range(3, 12):
                sessions.session(socket.AF_INET, f"127.0.0.{number}", it.port, Credential("v2c", "public"))
            assert made[0].line is None
            assert sessions.session(socket.AF_INET, "127.0.0.2", it.port, Credential("v2c", "public")) is busy
            assert sessions.session(socket.AF_INET, "127.0.0.1", it.port, Credential("v2c", "public")) is not made[0]
        sessions.close()

    asyncio.run(use())


def test_error_status_has_its_name_of_rfc_3416() -> None:
    assert (doubt.ERROR_STATUS[1], doubt.ERROR_STATUS[5], doubt.ERROR_STATUS[16]) == ("tooBig", "genErr", "authorizationError")


@pytest.mark.parametrize("timeout_s", [1.0, 3.0])
def test_a_short_job_still_tells_what_was_read_before_the_silence(timeout_s: float) -> None:
    """The poll ends by itself within its job's deadline: cancelled from outside, the sample would be lost."""

    def only_scalars(asked, honest):
        return None if asked.kind == GET else []

    async def look():
        with agent(SYSTEM, only_scalars) as it:
            async with snmp.open() as prober:
                options = snmp.Options(community="public", port=it.port)
                job = Job("here", Node("device", "127.0.0.1"), "snmp", options, timeout_s=timeout_s)
                return await observe(job, prober, lambda: datetime.now(UTC))

    seen = asyncio.run(look())
    assert isinstance(seen.outcome, DeviceSample), seen.outcome
    assert "silent" in {one.what for one in seen.outcome.anomalies}
    assert seen.took_ms < timeout_s * 1000
