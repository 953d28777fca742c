"""Workbooks: sheets that look like a bill are read, what Excel did to the values is undone or named."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from billing_audit.ledger import MISSING, Bill, Names, place_of
from billing_audit.numbers import decode
from billing_audit.readers import workbook
from billing_audit.readers.bill import open_bill
from billing_audit.readers.options import ReadOptions
from billing_audit.readers.unreadable import Unreadable

HEADER = ["主叫号码", "被叫号码", "通话开始时间", "通话时长", "计费时长", "费率", "结算费用"]
AT = 1_790_841_909_000
START = datetime(2026, 10, 1, 8, 5, 9)


def book(path: Path, **sheets: list[list[object]]) -> Path:
    made = openpyxl.Workbook()
    made.remove(made.active)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def read(path: Path):
    names = Names()
    reader = open_bill(Bill.LOCAL, [path], ReadOptions(), names, 0)
    blocks = list(reader.blocks())
    frames = [block.frame for block in blocks]
    refused = [(row.line, row.field, row.reason.id.removeprefix("audit.refused.")) for block in blocks for row in block.refused]
    records = [dict(zip(frame.columns, values, strict=True)) for frame in frames for values in frame.to_numpy().tolist()]
    return reader, records, refused, names


def test_cells_of_every_kind_are_read_exactly(tmp_path):
    rows = [
        ["话单明细"],
        [],
        HEADER,
        ["013800001111", 8613900002222, START, 60, time(0, 1, 0), 0.1 + 0.2, 1234.56],
        ["anonymous", "8613900002222", 46296.33690972222, 60.5, timedelta(hours=30), "0.12", "¥1,234.5"],
        ["1", "22", "2026-10-01 08:05:09", "1:00", None, None, None],
        ["合计", None, None, None, None, None, 2469.06],
    ]
    reader, records, refused, names = read(book(tmp_path / "a.xlsx", 话单=rows))
    assert [place_of(record["source"])[1] for record in records] == [4, 5, 6]
    assert [record["start_ms"] for record in records] == [AT, AT, AT]
    assert [record["duration_ms"] for record in records] == [60_000, 60_500, 60_000]
    assert [record["billed_ms"] for record in records] == [60_000, 108_000_000, MISSING]
    assert [record["rate_nano"] for record in records] == [300_000_000, 120_000_000, MISSING]
    assert [record["charge_micro"] for record in records] == [1_234_560_000, 1_234_500_000, MISSING]
    assert [decode(record["caller"], names) for record in records] == ["013800001111", "", "1"]
    assert refused == [(7, "", "totals")]
    assert dict(reader.lines([records[0]["source"]]))[records[0]["source"]].split("\t")[1:3] == ["8613900002222", "2026-10-01 08:05:09"]


def test_numbers_beyond_excels_digits_and_errors_are_refused(tmp_path):
    rows = [HEADER, [1.2345678901234567e17, "22", START, 60, 60, 0.1, 0.1], ["1", "22", START, 60, 60, 0.1, "#REF!"]]
    _, _, refused, _ = read(book(tmp_path / "a.xlsx", a=rows))
    assert refused == [(2, "caller", "number_excel"), (3, "charge", "amount")]


@pytest.mark.parametrize(("number", "named"), [(75512345678, ["主叫号码"]), ("075512345678", [])])
def test_numbers_stored_as_numbers_are_named_for_their_lost_zeros(tmp_path, number, named):
    reader, records, _, _ = read(book(tmp_path / "a.xlsx", a=[HEADER, [number, "22", START, 60, 60, 0.1, 0.1]]))
    assert len(records) == 1
    assert [note.values["column"] for note in reader.files[0].notes if note.id == "audit.note.zeros_lost"] == named


def test_every_sheet_that_looks_like_the_bill_is_read_and_the_rest_named(tmp_path):
    rows = [HEADER, ["1", "22", START, 60, 60, 0.1, 0.1]]
    reader, records, _, _ = read(book(tmp_path / "a.xlsx", 说明=[["some words"]], 上旬=rows, 下旬=rows))
    assert [Path(file.name).name for file in reader.files] == ["a.xlsx:上旬", "a.xlsx:下旬"]
    assert [place_of(record["source"]) for record in records] == [(0, 2), (1, 2)]
    assert [note.values for file in reader.files for note in file.notes if note.id == "audit.note.sheets"] == [{"names": "说明"}]
    assert reader.files[0].digest != reader.files[1].digest


def test_a_workbook_without_calls_is_named(tmp_path):
    with pytest.raises(Unreadable) as caught:
        read(book(tmp_path / "a.xlsx", 说明=[["some words"]]))
    assert (caught.value.what.id, caught.value.what.values) == ("audit.unreadable.no_sheet", {"sheets": "说明"})


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (None, ""),
        (True, "TRUE"),
        (0.1 + 0.2, "0.3"),
        (8613900002222.0, "8613900002222"),
        (1e-7, "0.0000001"),
        (1.5e16, "1.5e+16"),
        (float("nan"), "nan"),
        (START.replace(microsecond=999_600), "2026-10-01 08:05:10"),
        (START.replace(microsecond=250_000), "2026-10-01 08:05:09.250"),
        (date(2026, 10, 1), "2026-10-01"),
        (time(0, 1, 30), "0:01:30"),
        (timedelta(hours=30, milliseconds=500), "30:00:00.500"),
    ],
)
def test_a_cell_says_what_excel_shows(cell, told):
    assert workbook.text(cell) == told


@pytest.mark.parametrize("cell", [20_000.5, 90_000, "46296.3", True])
def test_only_numbers_in_the_range_of_days_are_times(cell):
    assert workbook.day(cell) == workbook.text(cell)


@pytest.mark.parametrize(("epoch", "days"), [(1900, 46_296), (1904, 46_296 - 1462)])
def test_days_stored_as_numbers_count_from_the_workbooks_own_epoch(tmp_path, epoch, days):
    path = tmp_path / "bill.xlsx"
    workbook_ = openpyxl.Workbook()
    if epoch == 1904:
        workbook_.epoch = CALENDAR_MAC_1904
    workbook_.active.append(["caller", "callee", "start", "duration"])
    workbook_.active.append(["1", "22", days + 0.5, 60])
    workbook_.save(path)
    _, records, *_ = read(path)
    assert [record["start_ms"] for record in records] == [1_790_856_000_000]  # 2026-10-01 12:00 UTC


def test_a_hidden_sheet_is_read_and_said_to_be_hidden(tmp_path):
    path = tmp_path / "bill.xlsx"
    workbook_ = openpyxl.Workbook()
    for name, shown in (("one", "visible"), ("two", "hidden")):
        sheet = workbook_.create_sheet(name)
        sheet.sheet_state = shown
        sheet.append(["caller", "callee", "start", "duration"])
        sheet.append(["1", "22", datetime(2026, 10, 1, 12), 60])
    workbook_.save(path)
    reader = open_bill(Bill.LOCAL, [path], ReadOptions(), Names(), 0)
    assert sum(len(block.frame) for block in reader.blocks()) == 2
    assert [[note.id for note in file.notes if "hidden" in note.id] for file in reader.files] == [[], ["audit.note.hidden_sheet"]]


def test_a_call_at_midnight_is_a_moment_and_a_column_of_days_is_none(tmp_path):
    header = ["caller", "callee", "start time", "duration", "charge"]
    moments = [datetime(2026, 10, 5, 23, 59, 59), datetime(2026, 10, 6), datetime(2026, 10, 6, 0, 0, 1)]
    path = book(tmp_path / "bill.xlsx", calls=[header, *(["8613800138000", "442012345678", at, 60, 1.5] for at in moments)])
    _, records, refused, _ = read(path)
    assert [record["start_ms"] - records[0]["start_ms"] for record in records] == [0, 1000, 2000]
    assert refused == []
    days = book(tmp_path / "days.xlsx", calls=[header, *(["8613800138000", "442012345678", at.date(), 60, 1.5] for at in moments)])
    _, records, refused, _ = read(days)
    assert records == []
    assert [why for _, _, why in refused] == ["date_only"] * 3
