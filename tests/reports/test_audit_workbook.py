"""The workbook of an audit: text stays text, sums are formulas that a spreadsheet program computes to the same, nothing is lost."""

import io
import os
import random
import re
import stat
import subprocess
import time
import tracemalloc
import warnings
import zipfile
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import openpyxl
import pandas as pd
import pytest

from billing_audit.ledger import MISSING
from reports.audit import call_sheets
from reports.audit.streamed import cell_text, letters, xml_text
from reports.audit.tally import Material, batches, tally
from reports.audit.workbook import write_workbook
from reports.audit.writing import AlreadyThere
from reports.locale.text import texts

MICRO = Decimal("0.000001")


def material(dispute) -> Material:
    return Material(dispute.audit, dispute.calls, dispute.lines, dispute.number)


def load(path: Path, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*extension is not supported", UserWarning)  # data bars of 2010, which openpyxl does not know
        return openpyxl.load_workbook(io.BytesIO(path.read_bytes()), **options)


def micro(value: float) -> int:
    return int(Decimal(repr(value)).quantize(MICRO).scaleb(6))


def decoded(text: str) -> str:
    """Return a text of a cell as a spreadsheet shows it: openpyxl leaves the escape of SpreadsheetML (22.9.2.19 ST_Xstring) as it is."""
    return text.replace("_x005F_", "_").rstrip(" ")


def unlike(dispute) -> pd.DataFrame:
    """Return the calls of the sample that differ: it has some that both bills charge alike."""
    whole = pd.concat(dispute.frames)
    return whole[(whole["l_charge_micro"] != whole["c_charge_micro"]) | (whole["unexplained"] != 0)]


@pytest.fixture(scope="session")
def book(dispute, tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "audit.xlsx"
    write_workbook(path, material(dispute), texts("en"))
    return path


@pytest.fixture(scope="session")
def values(book):
    return load(book, data_only=True)


@pytest.fixture(scope="session")
def formulas(book):
    return load(book)


def heads(sheet) -> dict[str, int]:
    return {cell.value.replace("\n", " "): cell.column for cell in sheet[call_sheets.HEAD_ROWS]}


def test_sheets_are_all_there_in_both_languages(values, dispute, tmp_path):
    assert values.sheetnames == ["Summary", "By cause", "By day", "By prefix", "Calls", "Refused rows", "Methods"]
    write_workbook(tmp_path / "a.xlsx", material(dispute), texts("zh"))
    chinese = load(tmp_path / "a.xlsx", read_only=True)
    assert chinese.sheetnames == ["汇总", "按原因", "按日", "按前缀", "差异话单", "拒读行", "计费方式"]


def test_every_differing_call_is_listed_once_with_both_lines(values, dispute):
    sheet = values["Calls"]
    at = heads(sheet)
    whole = unlike(dispute)
    assert 1_000 < len(whole) < 1_200
    rows = list(sheet.iter_rows(min_row=call_sheets.FIRST, values_only=True))
    assert len(rows) == len(whole)
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    place = at["file:line ours"] - 1
    assert sorted(row[place] for row in rows) == sorted(f"local-2026-10.csv:{line}" for line in whole["l_source"])
    raw = at["line as written customer"] - 1
    sources = whole["c_source"].to_numpy()
    told = dispute.lines([int(source) for source in sources if source != MISSING])
    expected = sorted(cell_text(text).rstrip(" ") for text in told.values() if text)
    assert sorted(decoded(row[raw]) for row in rows if row[raw]) == expected


def test_calls_are_in_order_of_time_with_the_contracts_wall_clock(values):
    sheet = values["Calls"]
    times = [row[0] for row in sheet.iter_rows(min_row=call_sheets.FIRST, min_col=5, max_col=5, values_only=True)]
    assert times == sorted(times)
    assert times[0] >= datetime(2026, 10, 1)
    assert times[-1] < datetime(2026, 11, 1)


def test_money_of_the_calls_is_the_money_of_the_causes(values, dispute):
    sheet = values["Calls"]
    at = heads(sheet)
    rows = list(sheet.iter_rows(min_row=call_sheets.FIRST, values_only=True))
    named = {
        "increment": "minimum/increment customer",
        "missing_import": "missing in the customer's import customer",
        "duplicate": "duplicate records company",
    }
    for found in dispute.audit.causes:
        if found.cause in named:
            column = at[named[found.cause]] - 1
            assert sum(micro(row[column]) for row in rows if row[column] is not None) == found.amount_micro
    column = at["unexplained"] - 1
    assert sum(micro(row[column]) for row in rows if row[column] is not None) == dispute.audit.unexplained_micro
    assert sum(micro(row[at["difference"] - 1]) for row in rows) == dispute.audit.difference_micro


def test_shown_cents_add_up_to_the_shown_difference(values, dispute):
    rows = list(values["Summary"].iter_rows(values_only=True))
    total = next(row for row in rows if row[0] == "total")
    assert round(total[1] - total[2], 2) == round(total[3], 2)
    start = next(at for at, row in enumerate(rows) if row[0] == "cause") + 1
    end = next(at for at, row in enumerate(rows) if row[0] == "sum")
    assert round(sum(row[3] for row in rows[start:end]), 2) == round(rows[end][3], 2) == round(total[3], 2)
    assert sum(micro(row[4]) for row in rows[start:end]) == micro(rows[end][4]) == dispute.audit.difference_micro
    days = list(values["By day"].iter_rows(min_row=2, values_only=True))
    sums = next(row for row in days if row[0] == "Σ")
    assert round(sum(row[11] for row in days[: days.index(sums)]), 2) == round(sums[11], 2) == round(total[3], 2)


def test_sums_are_formulas(formulas):
    for name, count in (("Summary", 20), ("By cause", 6), ("By day", 40), ("By prefix", 10), ("Calls", 4)):
        told = [cell.value for row in formulas[name].iter_rows() for cell in row if cell.data_type == "f"]
        assert len(told) >= count, name
        assert all(text.startswith(("=SUM", "=SUBTOTAL", "=B", "=J", "=IF", "=D")) for text in told)


def test_no_text_of_a_bill_becomes_a_formula(formulas, audit_sample):
    cells = [cell for sheet in formulas for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]
    evil = [cell for cell in cells if cell.value[:1] in tuple("=+-@\t\r") and cell.data_type != "f"]
    assert {cell.data_type for cell in evil} == {"s"}
    shown = {decoded(cell.value) for cell in cells}
    assert {cell_text(text).rstrip(" ") for text in audit_sample.EVIL} <= shown
    assert "=Sum <Sample>" in shown
    assert all(cell.quotePrefix for cell in evil if cell.parent.title == "Calls" and cell.row >= call_sheets.FIRST)


def test_numbers_of_phones_are_text_with_their_zeros(formulas):
    for row in formulas["Calls"].iter_rows(min_row=call_sheets.FIRST, min_col=3, max_col=4):
        assert all(cell.data_type == "s" and cell.number_format == "@" for cell in row)


def test_filters_and_frozen_heads(formulas, dispute):
    for name in ("Calls", "By day", "By prefix", "Refused rows"):
        assert formulas[name].auto_filter.ref, name
        assert formulas[name].freeze_panes, name
    assert formulas["Calls"].dimensions.endswith(str(call_sheets.HEAD_ROWS + len(unlike(dispute))))


def test_the_file_is_for_its_owner_alone_and_nothing_is_overwritten(book, dispute):
    assert stat.S_IMODE(book.stat().st_mode) == 0o600
    with pytest.raises(AlreadyThere):
        write_workbook(book, material(dispute), texts("en"))
    assert [one.name for one in book.parent.iterdir()] == ["audit.xlsx"]


def test_the_same_bytes_whatever_the_order_of_the_calls(book, dispute, tmp_path):
    whole = pd.concat(dispute.frames).sample(frac=1, random_state=5)
    other = replace(material(dispute), calls=lambda: iter([whole.iloc[:700], whole.iloc[700:701], whole.iloc[701:]]))
    write_workbook(tmp_path / "a.xlsx", other, texts("en"))
    assert (tmp_path / "a.xlsx").read_bytes() == book.read_bytes()


def test_more_calls_than_a_sheet_holds_go_on_on_a_second_one(dispute, monkeypatch, tmp_path):
    monkeypatch.setattr("reports.audit.tally.BATCH", 200)
    monkeypatch.setattr(call_sheets.parts_of, "__defaults__", (450,))
    path = tmp_path / "a.xlsx"
    assert write_workbook(path, material(dispute), texts("en")) == 3
    book = load(path, data_only=True)
    parts = [book[name] for name in ("Calls", "Calls 2", "Calls 3")]
    rows = [[row[0] for row in part.iter_rows(min_row=call_sheets.FIRST, values_only=True)] for part in parts]
    assert all(len(some) <= 450 for some in rows)
    assert [number for some in rows for number in some] == list(range(1, len(unlike(dispute)) + 1))
    assert all("sheet" in part["A1"].value and "1,048,576" in part["A1"].value for part in parts)
    at = heads(parts[0])["difference"]
    assert sum(micro(part.cell(2, at).value) for part in parts) == dispute.audit.difference_micro
    told = load(path)["By cause"]["E4"].value
    assert told.count("Calls") == 3


def test_batches_hold_each_differing_call_once_and_no_other(dispute, monkeypatch):
    monkeypatch.setattr("reports.audit.tally.BATCH", 100)
    frame = dispute.frames[0].copy()
    same = frame.head(50).copy()
    for name in ("charge_micro", "billed_ms"):
        same[f"c_{name}"] = same[f"l_{name}"] = 1
    same.loc[:, ["l_source", "c_source"]] = 1
    same.loc[:, [column for column in same.columns if "/" in column or column == "unexplained"]] = 0
    timeless = frame.tail(9).copy()
    timeless.loc[:, ["l_start_ms", "c_start_ms"]] = MISSING
    given = [same, timeless, frame.iloc[50:-9]]
    counted = tally(dispute.audit, lambda: iter(given))
    got = list(batches(dispute.audit, lambda: iter(given), counted.columns, counted.batches))
    expected = unlike(replace(dispute, frames=(timeless, frame.iloc[50:-9])))
    assert counted.rows == sum(map(len, got)) == len(expected)
    assert sorted(source for part in got for source in part["l_source"]) == sorted(expected["l_source"])
    assert sum(sum(day) for day in counted.days.values()) == sum(counted.sums)
    assert len(got) >= 5
    assert "" in counted.days


def test_no_differing_call_is_an_empty_sheet_not_a_failure(dispute, tmp_path):
    none = replace(material(dispute), calls=lambda: iter([dispute.frames[0].iloc[:0]]))
    assert write_workbook(tmp_path / "a.xlsx", none, texts("en")) == 1
    assert load(tmp_path / "a.xlsx")["Calls"].max_row == call_sheets.HEAD_ROWS


def test_a_bill_without_money_has_a_workbook_too(dispute, tmp_path):
    bill = msgspec.structs.replace(dispute.audit.customer, total_micro=None)
    days = tuple(msgspec.structs.replace(one, c_micro=None, c_billed_ms=None) for one in dispute.audit.by_day)
    audit = msgspec.structs.replace(
        dispute.audit, customer=bill, difference_micro=None, by_day=days, by_prefix=days, contract=None, methods={}, causes=()
    )
    frame = dispute.frames[0].copy()
    frame["c_charge_micro"] = np.int64(MISSING)
    write_workbook(tmp_path / "a.xlsx", Material(audit, lambda: iter([frame]), dispute.lines, dispute.number), texts("zh"))
    rows = list(load(tmp_path / "a.xlsx", data_only=True)["差异话单"].iter_rows(min_row=4, values_only=True))
    assert len(rows) == len(frame)
    assert all(row[16] is None for row in rows)


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "\ufffe", "x" * 40_000, "_x0041_", "\x9b2J", "<r>&</r>", "line\nfeed\ttab"])
def test_any_text_makes_a_valid_sheet(text, tmp_path):
    xml = f"<t>{xml_text(text)}</t>".encode()
    from xml.etree import ElementTree

    told = ElementTree.fromstring(xml).text
    assert len(told) <= 32_767 + 10
    if text == "_x0041_":
        assert told == "_x005F_x0041_"


@pytest.mark.parametrize(("column", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")])
def test_columns_are_named_as_spreadsheets_do(column, name):
    assert letters(column) == name


def test_a_large_workbook_is_fast_and_small_in_memory(audit_sample, tmp_path):
    """The bound for 100,000 calls is 12 s and 100 MB; here a twentieth of it, in CPU time, and its memory as Python counts it."""
    large = audit_sample.make(5_000)
    begun = time.process_time()
    write_workbook(tmp_path / "a.xlsx", material(large), texts("en"))
    assert time.process_time() - begun < 2.0
    tracemalloc.start()
    write_workbook(tmp_path / "b.xlsx", material(large), texts("en"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000


RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>
"""


@pytest.mark.needs("soffice")
def test_a_spreadsheet_program_computes_the_same_sums(book, values, formulas, binary, tmp_path):
    """LibreOffice, told to recompute everything, from a copy whose cached values were all replaced by 77."""
    emptied = tmp_path / "emptied.xlsx"
    with zipfile.ZipFile(book) as source, zipfile.ZipFile(emptied, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            data = source.read(name)
            if name.startswith("xl/worksheets/sheet"):
                data = re.sub(rb"(</f>)<v>[^<]*</v>", rb"\1<v>77</v>", data)
            target.writestr(name, data)
    assert load(emptied, data_only=True)["Calls"]["Q2"].value == 77
    profile = tmp_path / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(RECALCULATE)
    command = [
        binary("soffice"),
        f"-env:UserInstallation={profile.as_uri()}",
        "--headless",
        "--norestore",
        "--convert-to",
        "xlsx:Calc MS Excel 2007 XML",
    ]
    subprocess.run(
        [*command, "--outdir", str(tmp_path / "out"), str(emptied)],
        check=True,
        capture_output=True,
        timeout=120,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    computed = load(tmp_path / "out" / "emptied.xlsx", data_only=True)
    count = 0
    for sheet in formulas:
        for row in sheet.iter_rows():
            for cell in row:
                if cell.data_type == "f":
                    told, ours = computed[sheet.title][cell.coordinate].value, values[sheet.title][cell.coordinate].value
                    assert told == pytest.approx(ours, abs=5e-7), f"{sheet.title}!{cell.coordinate} {cell.value}"
                    count += 1
    assert count > 120


def test_random_texts_round_trip(dispute, tmp_path):
    random.seed(4)
    alphabet = "=+-@\t\r\n<>&'\"_x0041_ 号\u0000\u202e\U0001f4de"
    told = {source: "".join(random.choices(alphabet, k=20)) for source in dispute.frames[0]["l_source"].head(300).tolist()}
    given = replace(
        material(dispute),
        calls=lambda: iter([dispute.frames[0].head(300)]),
        lines=lambda sources: {one: told.get(one, "") for one in sources},
    )
    write_workbook(tmp_path / "a.xlsx", given, texts("en"))
    sheet = load(tmp_path / "a.xlsx")["Calls"]
    column = heads(sheet)["line as written ours"]
    got = sorted(decoded(row[0]) for row in sheet.iter_rows(min_row=4, min_col=column, max_col=column, values_only=True))
    wanted = set(unlike(dispute)["l_source"])
    assert got == sorted(cell_text(text).rstrip(" ") for source, text in told.items() if source in wanted)
