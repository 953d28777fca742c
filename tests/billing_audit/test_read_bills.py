"""Bills as people send them: each damage is named with its line, and what can be read is."""

import json
from pathlib import Path

import pytest

from billing_audit.ledger import MISSING, Bill, Names, place_of
from billing_audit.numbers import decode
from billing_audit.readers.bill import BillReader, open_bill
from billing_audit.readers.headers import meaning
from billing_audit.readers.options import ReadOptions
from billing_audit.readers.unreadable import Unreadable

HEADER = "caller,callee,start,duration,charge"
GOOD = "13800001111,8613900002222,2026-10-01 08:05:09,60,0.12"
AT = 1_790_841_909_000  # 2026-10-01 08:05:09 UTC


class Read:
    def __init__(self, reader: BillReader, names: Names) -> None:
        self.records: dict[str, list[int]] = {}
        self.refused: list[tuple[int, str, str]] = []
        for block in reader.blocks():
            for name in block.frame.columns:
                self.records.setdefault(name, []).extend(block.frame[name].tolist())
            self.refused += [(row.line, row.field, row.reason.id.removeprefix("audit.refused.")) for row in block.refused]
        self.files = reader.files
        self.file = reader.files[0]
        self.names = names
        self.notes = {note.id.removeprefix("audit.note."): note.values for file in reader.files for note in file.notes}
        assert all(file.rows == file.records + file.folded + file.refused for file in reader.files)

    @property
    def named(self) -> list[str]:
        return [text for text in self.names.texts if text]

    @property
    def lines(self) -> list[int]:
        return [place_of(source)[1] for source in self.records["source"]]


def read(path: Path | list[Path], bill: Bill = Bill.LOCAL, **options) -> Read:
    names = Names()
    paths = path if isinstance(path, list) else [path]
    return Read(open_bill(bill, paths, ReadOptions(**options), names, 0), names)


@pytest.fixture
def bill(tmp_path):
    def write(text: str | bytes, name: str = "bill.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def one(bill, start="2026-10-01 08:05:09", duration="60", charge="0.12", number="8613900002222", more="", header=HEADER, **options) -> Read:
    quoted = [f'"{cell}"' if "," in cell else cell for cell in ("13800001111", number, start, duration, charge)]
    return read(bill(f"{header}\n{','.join(quoted)}\n{more}"), **options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-01 08:05:09", AT),
        ("2026-10-01T08:05:09Z", AT),
        ("2026-10-01T08:05:09.250", AT + 250),
        ("2026-10-01 08:05:09.25", AT + 250),
        ("2026-10-01T16:05:09+08:00", AT),
        ("2026/10/1 8:05:09", AT),
        ("2026年10月1日 08:05:09", AT),
        ("2026年10月1日 08时05分09秒", AT),
        ("01.10.2026 08:05:09", AT),
        ("13/10/2026 08:05:09", AT + 12 * 86_400_000),
        ("10/13/2026 8:05:09 AM", AT + 12 * 86_400_000),
        ("1-Oct-2026 08:05:09", AT),
        ("Oct 1, 2026 08:05:09", AT),
        ("1790841909", AT),
        ("1790841909123", AT + 123),
        ("1790841909123456", AT + 123),
        ("1790841909.5", AT + 500),
        ("20261001080509", AT),
        ("20261001 080509", AT),
        ("2026-10-01 上午 8:05:09", AT),
    ],
)
def test_a_time_in_any_usual_notation_is_read(bill, text, expected):
    assert one(bill, start=text).records["start_ms"] == [expected]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-13-01 08:05:09", "time"),
        ("2026-02-30 08:05:09", "time"),
        ("2026-10-01 24:05:09", "time"),
        ("yesterday", "time"),
        ("2026-10-01", "date_only"),
        ("", "no_time"),
        ("0", "no_time"),
    ],
)
def test_what_is_no_time_is_refused_by_line(bill, text, why):
    assert one(bill, start=text, more=GOOD).refused == [(2, "start", why)]


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("60", 60_000),
        ("1:00", 60_000),
        ("0:01:00", 60_000),
        ("00:01:00.5", 60_500),
        ("60.25", 60_250),
        ("1m30s", 90_000),
        ("1分30秒", 90_000),
        ("", MISSING),
    ],
)
def test_a_duration_in_any_usual_notation_is_read(bill, text, ms):
    assert one(bill, duration=text).records["duration_ms"] == [ms]


@pytest.mark.parametrize(
    ("header", "text", "ms"),
    [
        ("通话时长(秒)", "60", 60_000),
        ("通话时长（分钟）", "1.5", 90_000),
        ("Duration (min)", "1.5", 90_000),
        ("duration_ms", "1500", 1500),
        ("Talk time [sec]", "60", 60_000),
        ("minutes", "2", 120_000),
        ("duration (mm:ss)", "1:30", 90_000),
    ],
)
def test_the_header_tells_the_unit_of_a_duration(bill, header, text, ms):
    assert one(bill, duration=text, header=f"caller,callee,start,{header},charge").records["duration_ms"] == [ms]


def test_the_unit_of_durations_is_proved_by_begin_and_end(bill):
    rows = "".join(f"1,22,2026-10-01 08:00:00,2026-10-01 08:0{n}:00,{n}\n" for n in range(1, 9))
    assert read(bill("caller,callee,start,end,duration\n" + rows)).records["duration_ms"] == [n * 60_000 for n in range(1, 9)]


@pytest.mark.parametrize(
    ("text", "micro"),
    [
        ("0.12", 120_000),
        ("5", 5_000_000),
        (".5", 500_000),
        ("¥1.25", 1_250_000),
        ("￥ 1.25", 1_250_000),
        ("CNY 1.25", 1_250_000),
        ("1.25元", 1_250_000),
        ("1,234.5", 1_234_500_000),
        ("1,234,567", 1_234_567_000_000),
        ("0.1234565", 123_456),
        ("0.1234575", 123_458),
        ("1e-5", 10),
        ("", MISSING),
    ],
)
def test_money_is_read_exactly_and_rounded_half_even(bill, text, micro):
    assert one(bill, charge=text).records["charge_micro"] == [micro]


def test_digits_beyond_the_last_micro_unit_are_counted(bill):
    assert one(bill, charge="0.1234565").notes["finer"] == {"rows": 1}


@pytest.mark.parametrize(
    ("text", "why"),
    [("-0.12", "negative_charge"), ("(0.12)", "negative_charge"), ("abc", "amount"), ("1.2.3.4", "amount"), ("99999999", "amount_large")],
)
def test_an_amount_that_is_none_is_refused_by_line(bill, text, why):
    assert one(bill, charge=text).refused == [(2, "charge", why)]


def test_a_decimal_comma_is_believed_when_the_file_proves_it(bill):
    text = "caller;callee;start;duration;charge\n1;22;2026-10-01 08:05:09;60;0,5\n1;22;2026-10-01 08:05:09;60;1.234,25\n1;22;2026-10-01 08:05:09;60;1,234\n"
    assert read(bill(text)).records["charge_micro"] == [500_000, 1_234_250_000, 1_234_000]


def test_a_mark_that_may_be_either_is_refused_by_line(bill):
    seen = one(bill, charge="1,234", more=GOOD.replace("0.12", "5") + "\n")
    assert (seen.refused, seen.lines) == ([(2, "charge", "decimal_doubt")], [3])


def test_both_marks_in_one_file_leave_only_the_sure_ones(bill):
    rows = "".join(f"1;22;2026-10-01 08:05:09;60;{text}\n" for text in ("0,5", "0.5", "1,234", "1.234", "1.234,5"))
    seen = read(bill("caller;callee;start;duration;charge\n" + rows))
    assert seen.records["charge_micro"] == [500_000, 500_000, 1_234_500_000]
    assert [line for line, _, _ in seen.refused] == [4, 5]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("8613900002222", "8613900002222"),
        ("+86 139-0000-2222", "+8613900002222"),
        ("008613900002222", "008613900002222"),
        ("8613900002222.0", "8613900002222"),
        ("'008613900002222", "008613900002222"),
        ('=""0086139""', "0086139"),
        ("8888#13900002222", "8888#13900002222"),
        ("139****2222", "139****2222"),
        ("", ""),
    ],
)
def test_a_number_keeps_its_zeros_and_loses_what_programs_added(bill, text, shown):
    seen = read(bill(f'{HEADER}\n1,"{text}",2026-10-01 08:05:09,60,0.1\n'))
    assert decode(seen.records["callee"][0], seen.names) == shown


def test_a_number_that_excel_cut_is_named(bill):
    assert one(bill, number="8.61E+12").refused == [(2, "callee", "number_excel")]


def test_times_without_seconds_are_read_and_named(bill):
    seen = one(bill, start="2026/10/1 8:05")
    assert (seen.records["start_ms"], seen.notes["minutes_only"]) == ([AT - 9000], {"rows": 1})


def test_dates_that_excel_turned_round_are_refused(bill):
    rows = [f"2026-{day:02d}-10 08:00:00" for day in range(1, 13)] + [f"{day}/10/2026 08:00:00" for day in range(13, 20)]
    seen = read(bill(HEADER + "\n" + "".join(f"1,22,{text},60,0.1\n" for text in rows)))
    assert [why for _, _, why in seen.refused] == ["date_turned"] * 12
    assert len(seen.lines) == 7


def test_the_order_of_day_and_month_is_decided_by_the_whole_file(bill):
    rows = [f"{day:02d}/10/2026 08:00:00" for day in range(1, 31)]
    seen = read(bill(HEADER + "\n" + "".join(f"1,22,{text},60,0.1\n" for text in rows)))
    assert seen.records["start_ms"][1] - seen.records["start_ms"][0] == 86_400_000


def test_dates_that_nothing_decides_are_an_error_with_a_cure(bill):
    with pytest.raises(Unreadable) as caught:
        one(bill, start="01/10/2026 08:00:00")
    assert (caught.value.what.id, caught.value.cure.id) == ("audit.unreadable.dates", "audit.cure.dates")


def test_of_three_notations_the_sure_rows_are_read(bill):
    rows = ["2026-10-01 08:00:00", "13/10/2026 08:00:00", "10/14/2026 08:00:00", "05/06/2026 08:00:00", "1790841909"]
    seen = read(bill(HEADER + "\n" + "".join(f"1,22,{text},60,0.1\n" for text in rows)))
    assert (seen.lines, seen.refused) == ([2, 3, 4, 6], [(5, "start", "time_ambiguous")])


def test_what_is_no_call_is_refused_with_its_kind(bill):
    text = f"{HEADER}\n{GOOD}\n\n合计,,,,0.12\n{HEADER}\n# note\n,,,,\nonly one\n{GOOD}\n"
    seen = read(bill(text))
    assert seen.lines == [2, 9]
    kinds = [(4, "totals"), (5, "header_again"), (6, "comment"), (7, "empty_row"), (8, "cells")]
    assert [(line, why) for line, _, why in seen.refused] == kinds
    assert seen.notes["totals"] == {"rows": 1, "amount": "0.12"}
    assert seen.notes["empty_lines"] == {"rows": 1}


def test_title_rows_above_the_headers_are_passed_over(bill):
    seen = read(bill(f"某公司 2026年10月 话单\n制表日期,2026-11-01\n{HEADER}\n{GOOD}\n"))
    assert (seen.lines, seen.notes["titles"]) == ([4], {"rows": 2})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encodings_and_delimiters_are_detected(bill, encoding, delimiter):
    text = "主叫号码,被叫号码,通话开始时间,计费时长,结算费用,落地网关\n1,22,2026-10-01 08:05:09,60,0.1,广州电信\n".replace(",", delimiter)
    seen = read(bill(text.encode(encoding)))
    assert seen.names.text(seen.records["gateway"][0]) == "广州电信"
    assert seen.file.encoding == {"utf-16": "utf-16-le"}.get(encoding, encoding)


def test_a_line_in_another_encoding_is_refused(bill):
    good = "主叫号码,被叫号码,开始时间,费用,落地网关\n" + "1,22,2026-10-01 08:05:09,0.1,广州电信\n" * 3
    seen = read(bill(good.encode() + "1,22,2026-10-01 08:05:09,0.1,上海联通专线甲\n".encode("gb18030")))
    assert (seen.lines, seen.refused) == ([2, 3, 4], [(5, "", "encoding")])


def test_chinese_that_begins_behind_the_first_blocks_is_seen(bill):
    rows = "1,22,2026-10-01 08:05:09,0.1,GW\n" * 200_000
    data = (f"caller,callee,start,charge,gateway\n{rows}").encode() + "1,22,2026-10-01 08:05:09,0.1,广州\n".encode("gb18030")
    seen = read(bill(data))
    assert (len(seen.lines), seen.refused, seen.named) == (200_001, [], ["GW", "广州"])


def test_quoted_line_ends_keep_line_numbers_right(bill):
    text = f'{HEADER},gateway\n{GOOD},"a\nb"\n\n{GOOD},c\n{GOOD},"d ""x"""\n'
    seen = read(bill(text))
    assert seen.lines == [2, 5, 6]
    assert seen.named == ["a\nb", "c", 'd "x"']


def test_a_quote_that_never_closes_takes_one_row_only(bill):
    seen = read(bill(f'{HEADER}\n{GOOD}\n"13800001111,22,2026-10-01 08:05:09,60,0.1\n{GOOD}\n'))
    assert (seen.lines, [(line, why) for line, _, why in seen.refused]) == ([2, 4], [(3, "quote")])


def test_two_currencies_leave_the_one_of_most_rows(bill):
    rows = "".join(f"1,22,2026-10-01 08:05:09,0.1,{code}\n" for code in ("USD", "CNY", "人民币", "usd", "CNY"))
    text = "caller,callee,start,charge,currency\n" + rows
    seen = read(bill(text))
    assert (seen.lines, seen.file.currency) == ([3, 4, 6], "CNY")
    assert {why for _, _, why in seen.refused} == {"currency"}
    assert read(bill(text), currency="USD").lines == [2, 5]


def test_several_accounts_of_ours_are_named_and_one_can_be_chosen(bill):
    rows = "".join(f"1,22,2026-10-01 08:05:09,0.1,{name}\n" for name in ("甲", "乙", "甲"))
    path = bill("caller,callee,start,charge,对账账户\n" + rows)
    with pytest.raises(Unreadable) as caught:
        read(path)
    assert caught.value.what.values["accounts"] == "甲 (2), 乙 (1)"
    with pytest.raises(Unreadable):
        read(path, account="丙")
    seen = read(path, account="甲")
    assert (seen.lines, seen.file.folded, seen.notes["other_accounts"]) == ([2, 4], 1, {"rows": 1})
    assert read(path, bill=Bill.CUSTOMER).lines == [2, 3, 4]
    assert read(path, account="*").lines == [2, 3, 4]


def test_columns_can_be_named_by_header_and_by_number(bill):
    path = bill("x,y,z,n,m\n1,22,2026-10-01 08:05:09,60,0.1\n")
    named = {"caller": "x", "callee": "y", "start": "z", "billed": "4", "charge": "m"}
    seen = read(path, columns=named)
    assert (seen.records["billed_ms"], seen.records["charge_micro"], seen.lines) == ([60_000], [100_000], [2])
    headless = bill("1,22,2026-10-01 08:05:09,60,0.1\n")
    assert read(headless, columns={"callee": "2", "start": "3"}).lines == [1]
    with pytest.raises(Unreadable) as caught:
        read(path, columns={**named, "rate": "w"})
    assert caught.value.what.id == "audit.unreadable.no_column"


def test_times_without_zone_are_in_the_given_one_and_the_first_of_two_equal_hours(bill):
    rows = "".join(f"1,22,{text},1,0.1\n" for text in ("2026-10-25 01:30:00", "2026-10-25 02:30:00", "2026-10-25 03:30:00"))
    seen = read(bill(HEADER + "\n" + rows), zone="Europe/Berlin")
    assert [(b - a) // 60_000 for a, b in zip(seen.records["start_ms"], seen.records["start_ms"][1:], strict=False)] == [60, 120]
    assert seen.file.zone == ""
    assert one(bill, start="2026-10-01T08:05:09Z").file.zone == "UTC"


def test_lines_gives_the_raw_text_again(bill):
    path = bill(f'{HEADER},gateway\n{GOOD},"a\nb"\n{GOOD},c\n')
    reader = open_bill(Bill.LOCAL, [path], ReadOptions(), Names(), 7)
    sources = [int(source) for block in reader.blocks() for source in block.frame["source"]]
    assert [(place_of(source), text) for source, text in reader.lines(reversed(sources))] == [
        ((7, 2), f'{GOOD},"a\nb"'),
        ((7, 4), f"{GOOD},c"),
    ]


def test_inspection_shows_what_was_detected(bill):
    path = bill('流水,主叫号码,被叫号码,开始时间,时长(分钟),费用(元),对账账户\n1,1,22,2026-10-01 08:05:09,2,"1,234.50",甲\n')
    (table,) = open_bill(Bill.LOCAL, [path], ReadOptions(), Names(), 0).inspect().tables
    assert (table.format, table.encoding, table.delimiter, table.currency, table.decimal_mark) == ("headers", "utf-8", ",", "CNY", ".")
    assert table.units == {"duration": "min"}
    assert table.accounts == {"甲": 1}
    assert ("start", "开始时间", 4, ("2026-10-01 08:05:09",)) in [(c.field, c.header, c.position, c.samples) for c in table.columns]
    assert table.unknown == ("流水",)


def test_date_and_time_of_day_in_two_columns_are_joined(bill):
    text = "Call Date,Call Time,A Number,B Number,Seconds,Amount\n01/10/2026,08:05:09,1,22,60,0.1\n13/10/2026,08:05:09,1,22,60,0.1\n"
    assert read(bill(text)).records["start_ms"] == [AT, AT + 12 * 86_400_000]


def test_talk_and_total_of_asterisk_headers_are_told_apart(bill):
    seen = read(
        bill(
            "src,dst,calldate,duration,billsec,disposition\n1,22,2026-10-01 08:05:00,69,60,ANSWERED\n1,22,2026-10-01 08:05:00,9,0,NO ANSWER\n"
        )
    )
    assert seen.records["duration_ms"] == [60_000, 0]
    assert seen.records["ring_ms"] == [9_000, MISSING]
    assert seen.records["start_ms"] == [AT, AT - 9_000]
    assert seen.records["answered"] == [1, 0]


@pytest.mark.parametrize(
    ("header", "zone", "start"),
    [
        ("Start Time (UTC)", "UTC", AT),
        ("start_time_utc", "UTC", AT),
        ("Start Time (GMT+8)", "+08:00", AT - 28_800_000),
        ("开始时间(北京时间)", "+08:00", AT - 28_800_000),
        ("Start Time", "", AT - 3_600_000),
    ],
)
def test_a_zone_in_the_header_of_the_times_is_believed(bill, header, zone, start):
    seen = one(bill, header=f"caller,callee,{header},duration,charge", zone="+01:00")
    assert (seen.file.zone, seen.records["start_ms"]) == (zone, [start])


HEADERS = {
    "caller": "主叫号码 主叫 Calling|Number A-Number ANI Caller src caller_id CLI calling_party From caller_number A|number",
    "callee": "被叫号码 被叫 B-number Called Dialed|Number dst Destination|Number DNIS called_party_number To B|Party callee_number",
    "start": "通话开始时间 开始时间 呼叫时间 Setup|Time Start|Time start_time Call|Date/Time call_start begin_time Date/Time",
    "answer": "应答时间 接通时间 Connect|Time Answer|Time",
    "end": "通话结束时间 结束时间 End|Time Disconnect|Time stop_time",
    "duration": "通话时长 时长 通话时长(秒) Duration Duration|(sec) duration_seconds Talk|Time Minutes billsec call_duration_sec",
    "billed": "计费时长 计费时长(分钟) Billed|Duration Chargeable|Seconds billed_seconds Billable|Time Charged|Duration|(s) Minutes|Billed",
    "rate": "费率 费率(元/分钟) 单价 Rate Price|per|Minute rate/min Rate|(USD/min) price_per_min",
    "charge": "结算费用 通话费用 费用(元) 金额 落地成本 Amount Charge Cost Cost|USD charged_amount Total|Charge Price",
    "currency": "币种 Currency ccy",
    "account": "对账账户 客户名称 Account Customer|Name accountcode",
    "gateway": "落地网关 中继 Gateway Trunk trunk_group Route Vendor",
    "answered": "是否接通 通话状态 Disposition Status answered",
    "id": "话单流水号 call_id uniqueid Session|ID",
}


@pytest.mark.parametrize(("field", "header"), [(field, name) for field, names in HEADERS.items() for name in names.split()])
def test_a_header_that_bills_use_is_understood(field, header):
    told = meaning(header.replace("|", " "))
    assert told is not None
    assert told.field == field


@pytest.mark.parametrize("header", ["挂断方向", "挂断原因", "Hangup Cause", "备注", "Country", "", "2026-10-01", "13800001111"])
def test_a_header_that_says_nothing_of_a_bill_is_left_alone(header):
    assert meaning(header) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("８６１３９００００２２２２", "8613900002222"),
        ("٨٦١٣٩٠٠٠٠٢٢٢٢", "8613900002222"),
        ("＋８６ 139 0000 2222", "+8613900002222"),
        ("<sip:+8613900002222@host>", "+8613900002222"),
        ("Bob <sip:8613900002222@host;user=phone>;tag=1", "8613900002222"),
        ("8613900002222@host", "8613900002222"),
        ("sip:%2B8613900002222@host", "+8613900002222"),
        ("8613900002222;ext=12", "8613900002222"),
        ("8,613,900,002,222", "8613900002222"),
        ("sip:alice@host", "alice"),
        ("1,2", "1,2"),
    ],
)
def test_a_number_in_another_script_or_as_an_address_is_the_number(bill, text, shown):
    found = one(bill, number=text)
    assert decode(found.records["callee"][0], found.names) == shown


@pytest.mark.parametrize(
    ("text", "ms"), [("62.500 s", 62_500), ("62.5秒", 62_500), ("1.5 min", 90_000), ("62500 ms", 62_500), ("1m2s", 62_000)]
)
def test_a_duration_with_its_unit_behind_is_read(bill, text, ms):
    assert one(bill, duration=text).records["duration_ms"] == [ms]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-01 24:00:00", AT + 57_291_000),
        ("2026-10-01 23:59:60", AT + 57_291_000),
        ("20261001 240000", AT + 57_291_000),
        ("2026-10-01 24:00:01", None),
        ("2026-10-01 23:58:60", None),
        ("2026-10-01 25:00:00", None),
    ],
)
def test_the_end_of_a_day_and_a_leap_second_are_times(bill, text, expected):
    found = one(bill, start=text)
    assert found.records["start_ms"] == ([] if expected is None else [expected])
    assert [row[2] for row in found.refused] == ([] if expected else ["time"])


def test_a_table_of_other_columns_below_the_first_is_an_error_with_its_line(bill):
    swapped = "callee,caller,start,duration,charge"
    with pytest.raises(Unreadable) as caught:
        read(bill(f"{HEADER}\n{GOOD}\n{swapped}\n{GOOD}\n"))
    assert (caught.value.line, caught.value.what.id) == (3, "audit.unreadable.other_table")
    assert read(bill(f"{HEADER}\n{GOOD}\n{HEADER}\n{GOOD}\n")).refused == [(3, "", "header_again")]


@pytest.mark.parametrize(("headers", "rows"), [("utf-8", "gb18030"), ("gb18030", "utf-8")])
def test_of_a_file_in_two_encodings_the_headers_decide(bill, headers, rows):
    text = "主叫号码,被叫号码,开始时间,时长,备注\n".encode(headers)
    strange = [f"1380000111{n},8613900002222,2026-10-01 08:05:09,60,已接通通话\n".encode(rows) for n in range(3)]
    plain = b"13800001111,8613900002222,2026-10-01 08:05:09,60,x\n" * 2
    found = read(bill(text + plain + b"".join(strange)))
    assert found.lines == [2, 3]
    assert [(line, why) for line, _, why in found.refused] == [(4, "encoding"), (5, "encoding"), (6, "encoding")]


def test_one_line_in_an_unknown_encoding_is_refused_alone(bill):
    found = read(bill(f"{HEADER},name\n".encode() + f"{GOOD},x\n".encode() * 9 + GOOD.encode() + b",Jos\xe9;\xff\n"))
    assert len(found.lines) == 9
    assert found.refused == [(11, "", "encoding")]


def test_nul_bytes_cost_their_rows_only(bill):
    found = read(bill(f"{HEADER}\n{GOOD}\n{GOOD.replace('2222', '2' + chr(0) + '22')}\n{GOOD}\n".encode() + bytes(5000)))
    assert found.lines == [2, 4]
    assert [(line, why) for line, _, why in found.refused] == [(3, "number"), (5, "cells")]


@pytest.mark.parametrize(("text", "line", "cure"), [("", None, "audit.cure.send_again"), (GOOD + "x\n", 2, "audit.refused.amount")])
def test_a_bill_of_which_no_call_can_be_read_can_not_be_audited(bill, text, line, cure):
    reader = open_bill(Bill.LOCAL, [bill(f"{HEADER}\n{text}")], ReadOptions(), Names(), 0)
    list(reader.blocks())
    with pytest.raises(Unreadable) as caught:
        reader.refuse_without_calls()
    assert (caught.value.what.id, caught.value.line, caught.value.cure.id) == ("audit.unreadable.no_calls", line, cure)


@pytest.mark.parametrize(
    ("cells", "answered", "duration"),
    [
        ("2026-10-01 08:05:00,,2026-10-01 08:05:30,", 0, MISSING),  # it rang for 30 s
        ("2026-10-01 08:05:00,,2026-10-01 08:05:30,0", 0, 0),
        ("2026-10-01 08:05:00,,2026-10-01 08:05:30,12", MISSING, 12_000),
        ("2026-10-01 08:05:00,2026-10-01 08:05:10,2026-10-01 08:05:30,", MISSING, 20_000),
    ],
)
def test_a_call_without_a_time_of_answer_was_not_answered(bill, cells, answered, duration):
    found = read(bill(f"caller,callee,start,answer time,end,duration\n1,22222,{cells}\n"))
    assert (found.records["answered"], found.records["duration_ms"]) == ([answered], [duration])


def test_inspection_shows_samples_of_formats_that_are_no_tables(bill):
    rows = [{"holdTime": 60, "callerE164": f"1380000111{n}", "calleeE164": "8613900002222", "start": 1790841909000} for n in range(5)]
    path = bill(json.dumps({"retCode": 0, "infoCdrs": rows}), "cdr.json")
    (table,) = open_bill(Bill.LOCAL, [path], ReadOptions(), Names(), 0).inspect().tables
    assert table.format == "vos3000-json"
    assert {column.field: column.samples for column in table.columns}["caller"] == ("13800001110", "13800001111", "13800001112")
    assert table.rows == 5


def test_a_rate_with_its_unit_in_the_header_of_a_vos_like_bill_is_read(bill):
    header = "流水号,账户号码,主叫号码,被叫号码,开始时间,通话时长,计费时长,费率(元/分钟),通话费用"
    found = read(bill(f"{header}\n1,harbour,13800001111,8613900002222,2026-10-01 08:05:09,60,60,0.12,0.12\n"))
    assert found.records["rate_nano"] == [120_000_000]
    assert found.named == ["harbour"]
