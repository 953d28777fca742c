"""Call records: every line is taken or refused with a reason, a file is followed through all that happens to it, counts are exact."""

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.cdr.layout import layout_of, places
from probe.cdr.record import Record, RefusedError, reader
from probe.cdr.release import effective
from probe.cdr.tail import Tail
from probe.cdr.window import MOST_NAMES, PEAK_S, SLOT_S, Window
from probe.inventory import Node
from probe.observation.cdr import CdrGroup, CdrSample
from probe.observation.failure import Failure, Kind
from probe.probers.cdr import CdrProber, Follower, Options

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC).timestamp()
OWN = {"start": "1", "answer": "2", "end": "3", "callee": "4", "trunk": "5", "customer": "6", "cause": "7", "pdd": "8"}


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def line(
    end: float = -10.0, talk: float = 30.0, ring: float = 5.0, callee: str = "8613800138000", trunk: str = "t1", cause: str = "16"
) -> str:
    """One record of our own layout, its times counted from NOW."""
    answer = stamp(NOW + end - talk) if talk else ""
    return f"{stamp(NOW + end - talk - ring)},{answer},{stamp(NOW + end)},{callee},{trunk},acme,{cause},{ring}"


def read(text: str, layout: str = "own", zone: str = "UTC", **more: Any) -> Record:
    form = layout_of(layout, OWN if layout == "own" else {}, None, None, None) if not more else layout_of(**more)
    return reader(places(form, None), form.delimiter, form.times, zone)(text, NOW)


# one line


def test_a_record_of_our_own_layout() -> None:
    call = read(line(-10, 30, 5))
    assert (call.start, call.end, call.answered, call.talk_s, call.pdd_s) == (NOW - 45, NOW - 10, True, 30.0, 5.0)
    assert (call.callee, call.trunk, call.customer, call.cause) == ("8613800138000", "t1", "acme", "16")


def test_freeswitch_s_own_file() -> None:
    text = '"Ann","1001","8613800138000","default","2026-11-21 19:58:00","2026-11-21 19:58:05","2026-11-21 19:59:05","65","60",'
    text += '"NORMAL_CLEARING","uuid","","acme","PCMA","PCMA"'
    call = read(text, "freeswitch", "Asia/Shanghai")
    assert (call.end, call.answered, call.talk_s, call.cause, call.customer) == (NOW - 55, True, 60.0, "NORMAL_CLEARING", "acme")


def test_asterisk_s_own_file_names_the_trunk_without_the_channel_s_number() -> None:
    text = '"acme","1001","8613800138000","default","""Ann"" <1001>","PJSIP/a-00000001","PJSIP/carrier-0000002a","Dial","PJSIP/x,30",'
    text += '"2026-11-21 11:58:00","","2026-11-21 11:58:30",30,0,"NO ANSWER","DOCUMENTATION","1.2",""'
    call = read(text, "asterisk")
    assert (call.answered, call.talk_s, call.trunk, call.cause) == (False, 0.0, "PJSIP/carrier", "NO ANSWER")
    assert effective(call.cause)


def test_asterisk_s_other_file_of_the_same_name() -> None:
    text = '"""Ann"" <1001>","1001","8613800138000","default","PJSIP/a-00000001","PJSIP/carrier-0000002a","Dial","PJSIP/x,30",'
    text += '"2026-11-21 11:58:00","2026-11-21 11:58:10","2026-11-21 11:58:30","30","20","ANSWERED","DOCUMENTATION","acme","1.2","",7'
    call = read(text, "asterisk-custom")
    assert (call.answered, call.talk_s, call.trunk, call.cause, call.customer) == (True, 20.0, "PJSIP/carrier", "ANSWERED", "acme")


@pytest.mark.parametrize(
    ("now", "times", "ended", "lasted"),
    [  # the clocks go back at 06:00 UTC
        ("05:31", ("01:29:50", "01:29:55", "01:30:10"), 50, 20),
        ("06:31", ("01:29:50", "01:29:55", "01:30:10"), 50, 20),
        ("06:01", ("01:59:50", "01:59:55", "01:00:10"), 50, 20),
        ("07:01", ("01:59:50", "", "02:00:10"), 50, 20),
    ],
)
def test_the_hour_that_comes_twice_in_autumn_is_the_one_that_can_be(now: str, times: tuple[str, ...], ended: float, lasted: float) -> None:
    form = layout_of("", {"start": "1", "answer": "2", "end": "3"}, None, None, None)
    moment = datetime.fromisoformat(f"2026-11-01T{now}:00+00:00").timestamp()
    text = ",".join(at and f"2026-11-01 {at}" for at in times)
    call = reader(places(form, None), ",", "iso", "America/New_York")(text, moment)
    assert (moment - call.end, call.start is not None and call.end - call.start) == (ended, lasted)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "columns"),
        ("a,b", "columns"),
        (line().replace("2026", "2O26"), "time"),
        (line().replace(":", "x"), "time"),
        (",,,1,t,c,16,1", "time"),
        (line(end=121), "future"),
        (f"{stamp(NOW)},,{stamp(NOW - 60)},1,t,c,16,1", "order"),
        (line().replace("5.0", "-5"), "duration"),
        (line().replace("5.0", "nan"), "duration"),
        (line(talk=8 * 86_400), "duration"),
        ('"' + line(), "quotes"),
        (line(callee="1" * 9000), "long"),
    ],
)
def test_what_can_not_be_read_is_refused_with_a_word(text: str, why: str) -> None:
    with pytest.raises(RefusedError, match=f"^{why}$"):
        read(text)


@pytest.mark.parametrize(
    ("times", "text"), [("epoch", "1795262400"), ("epoch-ms", "1795262400000"), ("%d.%m.%Y %H:%M", "21.11.2026 12:00")]
)
def test_times_in_other_forms(times: str, text: str) -> None:
    call = read(f"{text},0", preset="own", columns={"end": "1", "talk": "2"}, delimiter=None, header=None, times=times)
    assert call.end == NOW


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["own", "freeswitch", "asterisk"]))
def test_any_text_is_a_record_or_refused(text: str, layout: str) -> None:
    why = ""
    try:
        read(text, layout)
    except RefusedError as refused:
        why = str(refused)
    assert why in {"", "long", "quotes", "columns", "time", "future", "order", "duration"}


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"columns": {"answer": "2"}}, "when a call ended must be said"),
        ({"columns": {"end": "2"}}, "which calls were answered must be said"),
        ({"columns": {**OWN, "number": "3"}}, "'number' is no field"),
        ({"columns": {**OWN, "end": "stop"}}, "header is false"),
        ({"columns": {**OWN, "end": "0"}}, "1 … 500"),
        ({"columns": OWN, "delimiter": "||"}, "not one character"),
        ({"columns": OWN, "zone": "Mars/Olympus"}, "no time zone"),
    ],
)
def test_a_layout_that_can_not_work_is_refused_at_once(own: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Options(cdr_file="x.csv", **own)


# counting


@pytest.mark.parametrize(
    ("cause", "good"),
    [("16", True), ("17", True), ("486", True), ("487", True), ("USER_BUSY", True), ("BUSY", True),
     ("34", False), ("503", False), ("404", False), ("FAILED", False), ("-69", False), ("", False), ("²", False)],
)  # fmt: skip
def test_which_causes_reached_the_far_terminal(cause: str, good: bool) -> None:
    assert effective(cause) is good


calls = st.lists(
    st.tuples(st.floats(-2400, 0), st.sampled_from([0.0, 10.0, 400.0]), st.sampled_from(["a", "b", "c"]), st.sampled_from(["16", "34"])),
    max_size=60,
)


@settings(max_examples=200, deadline=None)
@given(calls)
def test_counts_and_peak_are_those_of_counting_by_hand(made: list) -> None:
    window = Window(900.0, ("86", "8613"), 3, {"a": 5}, 100)
    records = [
        Record(NOW + end - talk - 5, NOW + end, talk > 0, talk, 2.0, "+8613800138000", trunk, "acme", cause)
        for end, talk, trunk, cause in made
    ]
    taken = [record for record in records if window.add(record, NOW)]
    assert taken == [record for record in records if record.end > NOW - 900]
    groups, left_out = window.groups(NOW, 20)
    by = {(group.kind, group.name): group for group in groups}
    assert left_out == 0
    whole = by["all", ""]
    assert whole.attempts == len(taken)
    assert whole.answered == sum(record.answered for record in taken)
    assert whole.effective == sum(record.answered or record.cause == "16" for record in taken)
    assert sum(group.attempts for group in groups if group.kind == "trunk") == whole.attempts
    assert by.get(("destination", "8613"), whole).attempts == whole.attempts
    for name, group in (("", whole), ("a", by["trunk", "a"])):
        mine = [record for record in records if not name or record.trunk == name]
        instants = [NOW - PEAK_S + SLOT_S * step for step in range(PEAK_S // SLOT_S + 1)]
        up = [sum(record.start <= at < record.end for record in mine if record.start is not None) for at in instants]
        assert group.peak == max(up)
    assert (by["trunk", "a"].limit, whole.limit) == (5, 100)


def test_names_without_end_are_bounded_and_their_calls_not_lost() -> None:
    window = Window(900.0, (), 3, {}, None)
    for number in range(MOST_NAMES + 100):
        window.add(Record(None, NOW - 1, True, 1.0, None, "", f"trunk-{number}", "", ""), NOW)
    groups, left_out = window.groups(NOW, 20)
    trunks = [group for group in groups if group.kind == "trunk"]
    assert (len(trunks), trunks[-1].name, left_out) == (21, "other", MOST_NAMES - 20 + 100)
    assert sum(group.attempts for group in trunks) == MOST_NAMES + 100


def test_what_is_older_than_the_window_goes_and_makes_room() -> None:
    window = Window(900.0, (), 3, {}, None)
    window.add(Record(NOW - 20, NOW - 10, True, 5.0, None, "8613", "t", "c", "16"), NOW)
    assert window.groups(NOW + 840, 20)[0][0].attempts == 1
    assert window.groups(NOW + 1000, 20)[0] == (CdrGroup("all", "", 0, 0, 0, 0.0, peak=1),)
    assert window.groups(NOW + PEAK_S + 60, 20)[0][0].peak == 0


def test_no_number_dialled_is_in_the_sample() -> None:
    window = Window(900.0, (), 3, {}, None)
    window.add(Record(NOW - 20, NOW - 10, True, 5.0, None, "+8613800138000", "t", "c", "16"), NOW)
    assert [group.name for group in window.groups(NOW, 20)[0] if group.kind == "destination"] == ["861"]


# the file


def write(file: Path, *lines: str, mode: str = "a", end: str = "\n") -> None:
    with file.open(mode) as out:
        out.write("".join(text + end for text in lines))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Master.csv"
    path.touch()
    return path


@pytest.fixture
def look(file: Path) -> Callable[..., CdrSample]:
    follower = Follower(Options(cdr_file=str(file), columns=OWN))

    def ask(now: float = NOW) -> CdrSample:
        outcome = follower.look(now)
        assert isinstance(outcome, CdrSample)
        assert outcome.lines == outcome.taken + outcome.older + sum(outcome.refused.values())
        return outcome

    return ask


def test_lines_are_counted_as_they_come_and_a_partial_one_when_it_is_whole(file: Path, look: Callable[..., CdrSample]) -> None:
    write(file, line(), line(talk=0, cause="34"), "nonsense")
    first = look()
    assert (first.lines, first.taken, first.refused) == (3, 2, {"columns": 1})
    assert first.newest_age_s == 10
    write(file, line()[:30], end="")
    assert look().lines == 3
    write(file, line()[30:])
    assert look().lines == 4


def test_rotation_by_rename_loses_nothing_and_reads_the_rest_of_the_old_file(file: Path, look: Callable[..., CdrSample]) -> None:
    write(file, line(), line())
    assert look().lines == 2
    write(file, line())
    file.rename(file.with_suffix(".1"))
    assert look().lines == 3
    write(file, line(), line(), mode="w")
    seen = look()
    assert (seen.lines, seen.taken, seen.rotations) == (5, 5, 1)


def test_the_last_line_of_a_rotated_file_counts_without_its_end(file: Path, look: Callable[..., CdrSample]) -> None:
    write(file, line())
    assert look().lines == 1
    write(file, line(), end="")
    file.rename(file.with_suffix(".1"))
    write(file, line(), mode="w")
    assert (look().lines, look().taken) == (3, 3)


@pytest.mark.parametrize("fresh", [1, 2, 7])
def test_copytruncate_is_seen_even_when_the_file_has_grown_past_the_place(file: Path, look: Callable[..., CdrSample], fresh: int) -> None:
    write(file, line(), line())
    assert look().lines == 2
    write(file, *[line(end=-5, trunk="new")] * fresh, mode="w")
    seen = look()
    assert (seen.lines, seen.truncations) == (2 + fresh, 1)


def test_a_file_that_was_there_is_begun_an_hour_back_not_at_its_start(file: Path) -> None:
    write(file, *[line(end=-86_400 + count) for count in range(60_000)], *[line(end=-100 + count / 10) for count in range(900)])
    seen = Follower(Options(cdr_file=str(file), columns=OWN)).look(NOW)
    assert isinstance(seen, CdrSample)
    assert seen.taken == 900
    assert seen.lines < 20_000


def test_a_file_without_causes_tells_of_no_effectiveness(file: Path) -> None:
    write(file, line())
    for columns, reached in ((OWN, 1), ({field: place for field, place in OWN.items() if field != "cause"}, None)):
        seen = Follower(Options(cdr_file=str(file), columns=columns)).look(NOW)
        assert isinstance(seen, CdrSample)
        assert [group.effective for group in seen.groups] == [reached] * 4


def test_a_header_names_the_columns_and_is_no_record(file: Path) -> None:
    write(file, "\ufeffstop;talk;carrier", "1795262390;60;t1")
    columns = {"end": "stop", "talk": "talk", "trunk": "carrier"}
    options = Options(cdr_file=str(file), columns=columns, header=True, delimiter=";", times="epoch")
    follower = Follower(options)
    seen = follower.look(NOW)
    assert isinstance(seen, CdrSample)
    assert (seen.lines, seen.taken, seen.groups[1].name) == (1, 1, "t1")
    write(file, "stop;talk;carrier", "1795262391;60;t1", mode="w")
    again = follower.look(NOW)
    assert isinstance(again, CdrSample)
    assert (again.lines, again.taken) == (2, 2)


def test_a_header_without_the_column_says_which(file: Path) -> None:
    write(file, "a,b")
    outcome = Follower(Options(cdr_file=str(file), columns={"end": "stop", "talk": "b"}, header=True)).look(NOW)
    assert isinstance(outcome, Failure)
    assert outcome.kind is Kind.BROKEN
    assert "no column 'stop'" in outcome.detail


def test_octets_that_are_no_text_are_refused(file: Path, look: Callable[..., CdrSample]) -> None:
    file.write_bytes(b"\xff\xfe,\x80\n" + line().encode() + b"\r\n")
    assert look().refused == {"encoding": 1}
    assert look().taken == 1


def test_a_line_without_end_is_bounded(file: Path, look: Callable[..., CdrSample]) -> None:
    write(file, line(), "x" * 3_000_000, line())
    seen = look()
    assert seen.taken == 2
    assert set(seen.refused) == {"long"}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["write", "part", "rotate", "truncate", "look"]), max_size=30))
def test_whatever_happens_to_the_file_every_line_is_read_once(steps: list[str]) -> None:
    """With a look before each rotation and truncation, as logrotate's and ours never coincide in the law."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cdr"
        path.write_text("")
        tail, read_all, written, number = Tail(str(path)), [], [], 0
        tail.open(0.0, lambda _: None)
        part = ""
        for step in steps:
            if step == "write":
                number += 1
                text = part + f"record {number} {os.urandom(4).hex()}"
                with path.open("a") as out:
                    out.write(text[len(part) :] + "\n")
                written.append(text)
                part = ""
            elif step == "part" and not part:
                part = f"begun {number} {os.urandom(4).hex()} "
                with path.open("a") as out:
                    out.write(part)
            elif step == "look":
                read_all += tail.more()
            elif not part:
                read_all += tail.more()
                if step == "rotate":
                    path.rename(path.with_suffix(f".{number}"))
                    path.write_text("")
                else:
                    os.truncate(path, 0)
        read_all += tail.more()
        tail.close()
        assert [octets.decode() for octets in read_all] == written


def test_the_prober_tells_why_it_can_not_see(tmp_path: Path) -> None:
    async def ask() -> object:
        prober = CdrProber(lambda: NOW)
        try:
            return await prober.ask(Node("here"), Options(cdr_file=str(tmp_path / "none.csv"), columns=OWN))
        finally:
            prober.close()

    outcome = asyncio.run(ask())
    assert outcome == Failure(Kind.DENIED, f"{tmp_path / 'none.csv'}: No such file or directory")


@pytest.mark.parametrize("layout", ["own", "asterisk"])
def test_a_thousand_records_cost_less_than_a_tenth_of_a_second_of_cpu(file: Path, layout: str) -> None:
    if layout == "own":
        text, options = line(), Options(cdr_file=str(file), columns=OWN)
    else:
        text = '"acme","1001","8613800138000","default","""Ann"" <1001>","PJSIP/a-00000001","PJSIP/carrier-0000002a","Dial","PJSIP/x,30",'
        text += '"2026-11-21 11:58:00","2026-11-21 11:58:10","2026-11-21 11:58:30",30,20,"ANSWERED","DOCUMENTATION","1.2",""'
        options = Options(cdr_file=str(file), layout="asterisk")
    follower = Follower(options)
    follower.look(NOW)
    write(file, *[text] * 10_000)
    start = time.process_time()
    seen = follower.look(NOW)
    spent = time.process_time() - start
    assert isinstance(seen, CdrSample)
    assert seen.taken == 10_000
    print(f"{layout}: {spent * 100:.1f} ms of CPU for 1,000 records")
    assert spent < 1.0
